"""Turns linked suites into what their tests have to do with events, for people and programs.

contract   what the tests have to assert of a stream of events, and where that is said
capture    a name in a test that holds captured events, where they come from, what becomes of it
coverage   for each required event the tests that assert it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scopecheck.evidence import is_single
from scopecheck.suite.contracts import AGENT_PRESET

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scopecheck.evidence import Capture
    from scopecheck.suite import Suite
    from scopecheck.suite.contracts import Contract
    from scopecheck.suite.events import Story
    from scopecheck.suite.model import Item


class Captured(msgspec.Struct, frozen=True, order=True):
    """A name that holds what a test captured; columns and lines start at 1.

    source: the call or fixture that gave it; empty for a list that something fills.
    fate: `unused`, `reported`, `exists` or `used`, as in `scopecheck.evidence`.
    kind: what makes it a capture: a contract's `configuration`, a `socket`, the calls that a `mock`
        keeps, a `log`, `output`, `warnings`, a `list` that something fills, or a call whose result
        has such a `name`.
    """

    path: str
    line: int
    column: int
    test: str
    name: str
    source: str
    fate: str
    kind: str


class Covered(msgspec.Struct, frozen=True):
    """A required event, and the node ids of the tests that assert it."""

    event: str
    tests: tuple[str, ...]


class ContractReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """A contract in force, and how far the tests assert it.

    origin: `FILE:LINE` of the configuration, `configuration` where that lies outside the root, or
        `preset`.
    unknown: tests that assert some of its events with names that cannot be known.
    suite: whose tests they are; empty, and not in JSON, where there is only one.
    """

    name: str
    origin: str
    required: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    order: tuple[str, ...]
    coverage: tuple[Covered, ...]
    unknown: tuple[str, ...]
    suite: str = ""

    @property
    def covered(self) -> int:
        """How many of the required events some test asserts."""
        return sum(1 for one in self.coverage if one.tests)


class EventReport(msgspec.Struct, frozen=True):
    """What the tests that were asked for do with events."""

    contracts: tuple[ContractReport, ...]
    captures: tuple[Captured, ...]


def events_of(suites: Sequence[Suite], chosen: Iterable[tuple[Suite, Item]]) -> EventReport:
    """The contracts in force, captures and coverage.

    Args:
        suites: linked.
        chosen: the tests that count.
    """
    wanted = {id(item) for _, item in chosen}
    contracts: list[ContractReport] = []
    captures: set[Captured] = set()
    for suite in suites:
        stories = [story for story in suite.events.stories if id(story.item) in wanted]
        contracts += [
            _contract(contract, stories, suite.files.name) for contract in suite.events.contracts
        ]
        for story in stories:
            for capture in story.captures:
                captures.add(
                    Captured(
                        story.item.place.path,
                        capture.span.line,
                        capture.span.column,
                        story.item.nodeid,
                        capture.name,
                        capture.source,
                        capture.fate,
                        _kind(suite, capture),
                    )
                )
    return EventReport(tuple(contracts), tuple(sorted(captures)))


def _contract(contract: Contract, stories: Sequence[Story], suite: str) -> ContractReport:
    tests: dict[str, list[str]] = {name: [] for name in contract.required}
    unknown: list[str] = []
    for story in stories:
        asserted = story.events(contract, ("member", "equal", "any"))
        for name in asserted:
            if name in tests:
                tests[name].append(story.item.nodeid)
        if asserted and story.open:
            unknown.append(story.item.nodeid)
    place = contract.place
    origin = "configuration" if place is None else f"{place.path}:{place.span.line}"
    return ContractReport(
        contract.name,
        "preset" if contract is AGENT_PRESET else origin,
        contract.required,
        contract.pairs,
        contract.order,
        tuple(Covered(name, tuple(sorted(found))) for name, found in tests.items()),
        tuple(sorted(unknown)),
        suite,
    )


_KINDS = {
    "caplog": "log",
    "recwarn": "warnings",
    "catch_warnings": "warnings",
    **dict.fromkeys(("capsys", "capfd", "capsysbinary", "capfdbinary"), "output"),
}
_MOCKS = ("call_args_list", "mock_calls", "method_calls", "await_args_list")


def _kind(suite: Suite, capture: Capture) -> str:
    source = capture.source
    if any(contract.captures(source or capture.name) for contract in suite.events.contracts):
        return "configuration"
    root, _, last = source.rpartition(".")
    known = _KINDS.get(source.partition(".")[0])
    if known is not None:
        return known
    if last in _MOCKS:
        return "mock"
    if is_single(capture) or last == "get_received":
        return "socket"
    return "list" if not source or (not root and source == capture.name) else "name"
