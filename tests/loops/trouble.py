"""What goes wrong with a test, in one form for what pytest says and for what scopecheck does."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loops.record import ItemRun


@dataclasses.dataclass(frozen=True)
class Trouble:
    """One thing that is wrong.

    kind: of a problem of the suite or of its loops; `other` for what is none of them, with pytest's
        words as its name.
    fixture: the function that it is about; None for the test.
    name: the fixture that is requested, `scope` its scope; of an unhandled one, its own name, and
        `overridden` where only an override asks for it.
    or_else: the function that it may be about instead, where pytest does not tell.
    """

    kind: str
    fixture: str | None = None
    name: str = ""
    scope: str | None = None
    or_else: str | None = None

    def __str__(self) -> str:
        if self.kind == "other":
            return self.name
        asked = f" -> {self.name}" * bool(self.name) + f" ({self.scope})" * bool(self.scope)
        return f"{self.kind}: {self.fixture or 'the test'}{asked}"

    def agrees(self, said: Trouble) -> bool:
        """Whether this, which happened, is what was said."""
        if self.kind != said.kind:
            return False
        match self.kind:
            case "scope-mismatch":
                # `<event_loop>` stands for all names that end with it.
                fixture = said.fixture in [self.fixture, *filter(None, [self.or_else])]
                return fixture and self.name.endswith(said.name) and self.scope == said.scope
            case "policy-mismatch":
                # `_session_scoped_runner` and its like ask for the policy.
                hidden = f"_{self.name}_" in said.name or said.name in _UNNAMED
                return hidden and self.scope == said.scope
            case "outside":
                return self.scope == said.scope
            case "refusal" | "multiple-loops" | "invalid-mark" | "unhandled-test":
                return True
        return self.name == said.name


# Hidden fixtures whose names do not say for how long they live.
_UNNAMED = ("<event_loop>", "event_loop")

_MESSAGES = {
    "unknown-fixture": r"fixture '(?P<name>[^']+)' not found",
    "cycle": r"recursive dependency involving fixture '(?P<name>[^']+)'",
    "unhandled-fixture": r"requested an async fixture '(?P<name>\w+)'",
    "unhandled-test": r"async def functions are not natively supported|no async plugin installed",
    "outside": r"is not part of any (?P<scope>\w+)",
    "invalid-mark": r'marker defines both "scope" and "loop_scope"',
    "multiple-loops": r"MultipleEventLoopsRequestedError",
}
_MISMATCH = re.compile(
    r"access the (?P<scope>\w+) scoped fixture (?P<name>.+?) with a (?P<asking>\w+) scoped"
    r" request object[,.] ?(?P<stack>.*)",
    re.S,
)


def of_test(item: ItemRun) -> Trouble | None:
    """What pytest says of a test."""
    if item.outcome == "passed":
        return None
    mismatch = _MISMATCH.search(item.message)
    if mismatch:
        if mismatch["name"] == "event_loop_policy":
            return Trouble("policy-mismatch", None, mismatch["asking"], mismatch["scope"])
        asker, or_else = _asker(mismatch["stack"], mismatch["name"])
        return Trouble("scope-mismatch", asker, mismatch["name"], mismatch["scope"], or_else)
    found = of_message(item.message)
    words = f"{item.outcome} {item.phase}: {last_line(item.message)}"
    return Trouble("other", None, words) if found is None else found


def of_message(message: str) -> Trouble | None:
    """What a message says, if that is known."""
    for kind, pattern in _MESSAGES.items():
        found = re.search(pattern, message)
        if found:
            given = found.groupdict()
            return Trouble(kind, None, given.get("name") or "", given.get("scope"))
    return None


def last_line(text: str) -> str:
    """The line of pytest's words that says most."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E  ")]
    errors = errors or [line for line in lines if re.search(r"Error\b|ERROR", line)]
    return (errors or lines or ["nothing"])[-1].removeprefix("E").strip()


def _asker(stack: str, requested: str) -> tuple[str | None, str | None]:
    """The function that requests a fixture, from pytest's list of those that are being set up.

    In pytest 7 the list may end with the requested one, which may ask for its own name: then it is
    the one before that.
    """
    lines = stack.partition("Requested fixture")[0]
    functions: list[tuple[str, str]] = re.findall(r":\d+:\s+def (\w+)\((.*)\)", lines)
    asking = [name for name, given in functions if requested in re.findall(r"\w+", given)]
    if asking:
        ends = len(asking) > 1 and lines == stack and functions[-1][0] == asking[-1]
        return asking[-1], asking[-2] if ends else None
    names = [name for name, _ in functions]
    if names and names[-1] == requested:
        names.pop()
    return names[-1] if names else None, None
