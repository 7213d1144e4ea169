"""Fixtures called `event_loop` that the suite defines itself: who asks for them.

Where pytest-asyncio has no such fixture any more, one that synchronous tests ask for, and no async
code does, merely shares the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.suite.loops import Loops
    from scopecheck.suite.model import Fixture, Item

EVENT_LOOP = "event_loop"

Asker: TypeAlias = tuple[str, Literal["sync", "async"]]
"""The symbol of an override, and what a test is that has it set up, or requests it."""


def is_override(fixture: Fixture) -> bool:
    """Whether it is surely a definition of the suite's own that was written for the plugin.

    An async one is handed the loop that runs: it is a fixture like any other in every version.
    """
    return (
        fixture.name == EVENT_LOOP
        and fixture.path is not None
        and "site-packages/" not in fixture.path
        and fixture.place is not None
        and fixture.certain
        and not (fixture.is_async or fixture.opaque or fixture.assumed or fixture.pseudo)
    )


def is_sure(item: Item) -> bool:
    """Whether pytest surely sets a test up as its definition says."""
    return not (item.skipped or item.opaque or item.testcase) and item.refusal is None


def askers(loops: Loops, items: Iterable[Item]) -> frozenset[Asker]:
    """Of which kinds the tests are that have overrides set up.

    A synchronous test counts however it comes to have one; async code only where it requests it.
    """
    found: set[Asker] = set()
    for item in items:
        plan = item.plan
        if plan is None or EVENT_LOOP not in plan.closure or not is_sure(item):
            continue
        seen = loops.visible(item, EVENT_LOOP)
        if seen is None or seen not in plan.order or not is_override(seen):
            continue
        if not item.is_async:
            found.add((seen.symbol, "sync"))
        if is_asked_by_async(loops, item):
            found.add((seen.symbol, "async"))
    return frozenset(found)


def helpers(loops: Loops, fixtures: Iterable[Fixture], items: Iterable[Item]) -> frozenset[str]:
    """The symbols of the overrides that merely share the name."""
    if loops.plugin is None or loops.plugin.has_event_loop:
        return frozenset()  # the plugin makes its loops with whatever has the name
    plain = {
        fixture.symbol
        for fixture in fixtures
        if is_override(fixture) and fixture.scope is Scope.FUNCTION and fixture.autouse is False
    }
    asked = askers(loops, items) if plain else frozenset()
    return frozenset(
        symbol for symbol in plain if (symbol, "sync") in asked and (symbol, "async") not in asked
    )


def is_asked_by_async(loops: Loops, item: Item) -> bool:
    """Whether the test is async and requests it, or an async fixture does."""
    loop = loops.test(item)
    names = [request.name for request in item.requests]
    if loop is not None and loop.runner == "asyncio" and EVENT_LOOP in names:
        return True
    assert item.plan is not None
    return any(
        fixture.is_async
        and (loop := loops.fixture(fixture, item)) is not None
        and loop.runner == "asyncio"
        and any(request.name == EVENT_LOOP for request in fixture.requests)
        for fixture in item.plan.order
    )
