"""What a project's tests have to assert of its events: contracts, configured or known."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from scopecheck.evidence import EventForms

if TYPE_CHECKING:
    from scopecheck.finding import Place

AGENT_EVENTS = (
    "agent_started",
    "agent_thinking",
    "tool_executing",
    "tool_completed",
    "agent_completed",
)
# So many of them must occur in a suite before it is taken to be about agents.
AGENT_EVENTS_NEEDED = 3
EMIT_PREFIXES = ("emit_", "notify_", "send_", "publish_", "broadcast_")


class Contract(Struct, frozen=True):
    """What the tests have to assert of one stream of events.

    required, pairs, order: names of events. assert_helpers: globs of dotted names.
    capture: globs of calls and names that hand out the events.
    name_at: where an event keeps its name: keys, attributes or paths; none: anywhere.
    emit_prefixes: what stands before an event's name in the method that sends it.
    full_flow: a glob of paths whose tests promise the whole contract.
    place: in the configuration; None for a preset, which is known and not configured.
    """

    name: str
    required: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    order: tuple[str, ...] = ()
    emit_prefixes: tuple[str, ...] = EMIT_PREFIXES
    assert_helpers: tuple[str, ...] = ()
    full_flow: str | None = None
    capture: tuple[str, ...] = ()
    name_at: tuple[str, ...] = ()
    place: Place | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that the contract has, once."""
        paired = (name for pair in self.pairs for name in pair)
        return tuple(dict.fromkeys((*self.required, *paired, *self.order)))

    def event(self, word: str) -> str | None:
        """The event that a string, or the method of a mock (`.emit_agent_started`), names."""
        names = self.names
        if not word.startswith("."):
            return word if word in names else None
        method = word[1:]
        for prefix in self.emit_prefixes:
            if method.startswith(prefix) and method.removeprefix(prefix) in names:
                return method.removeprefix(prefix)
        return None

    def is_full_flow(self, path: str) -> bool:
        """Whether the tests of a file promise the whole contract."""
        return self.full_flow is not None and fnmatchcase(path, self.full_flow)

    def captures(self, dotted: str) -> bool:
        """Whether a call or a name is one that the configuration names."""
        return EventForms(self.capture).captured(dotted)

    def asserts(self, parts: tuple[str, ...]) -> bool:
        """Whether a function is one that asserts the contract."""
        dotted = ".".join(parts)
        return any(
            fnmatchcase(dotted, glob) or fnmatchcase(parts[-1], glob)
            for glob in self.assert_helpers
        )


AGENT_PRESET = Contract(
    "agent",
    required=AGENT_EVENTS,
    pairs=(("tool_executing", "tool_completed"),),
    order=AGENT_EVENTS,
)
