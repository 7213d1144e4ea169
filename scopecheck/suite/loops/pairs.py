"""Finds which async code gets the value of which async fixture, and whether both share a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.suite.loops.model import Pair
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite.loops import Loops
    from scopecheck.suite.loops.model import Loop
    from scopecheck.suite.model import Fixture, Item


def pairs_of(loops: Loops, item: Item) -> Iterator[Pair]:
    """The pairs of one test, those of its fixtures first."""
    plan = item.plan
    assert plan is not None
    askers: dict[Fixture, list[Fixture | None]] = {}
    for edge in plan.edges:
        askers.setdefault(edge.answer, []).append(edge.asker)
    parameters = {request.name for request in item.requests}
    test_loop = loops.test(item)
    for fixture in plan.order:
        loop = loops.fixture(fixture, item) if fixture.is_async else None
        if loop is None:
            continue
        for user, via in _users(fixture, askers):
            if user is None:
                handed = (via[-1] if via else fixture).name in parameters
                user_loop = test_loop
            else:
                handed = True
                user_loop = loops.fixture(user, item)
            if user_loop is not None:
                same = _same(loops, user_loop, loop, fixture)
                yield Pair(user, fixture, via, handed, user_loop, loop, same)


def _users(
    fixture: Fixture, askers: dict[Fixture, list[Fixture | None]]
) -> Iterator[tuple[Fixture | None, tuple[Fixture, ...]]]:
    """The test and the async fixtures that a value reaches, also through what only hands it on.

    That is synchronous fixtures, and async ones that await nothing.
    """
    pending: list[tuple[Fixture, tuple[Fixture, ...]]] = [(fixture, ())]
    seen = {fixture}
    while pending:
        holder, via = pending.pop(0)
        for asker in askers.get(holder, ()):
            if asker is None or (asker.is_async and not asker.hands_on):
                yield asker, via
            elif asker not in seen:
                seen.add(asker)
                pending.append((asker, (*via, asker)))


def _same(loops: Loops, user: Loop, fixture: Loop, definition: Fixture) -> bool | None:
    """Whether code runs on the loop of a fixture that it uses."""
    runners = {user.runner, fixture.runner}
    if not runners <= {"asyncio", "anyio", "trio"}:
        return None
    if len(runners) == 2:
        return False
    if runners != {"asyncio"}:
        return True
    plugin = loops.plugin
    if plugin is None or plugin.one_loop:
        return True
    if user.scope is None or fixture.scope is None:
        return None
    if plugin.has_event_loop and _asks_for_event_loop(definition):
        # It sets `event_loop` up, and up to 1.1 a test runs on the loop that was set up last.
        return True if user.scope == fixture.scope == Scope.FUNCTION else None
    package = user.scope == fixture.scope == Scope.PACKAGE
    if plugin.has_event_loop and package and definition.scope in (Scope.PACKAGE, None):
        # Each package has a loop, and a fixture of an outer folder lives on from one to the next.
        return True if len(loops.folders(definition)) == 1 else None
    return user.scope == fixture.scope


def _asks_for_event_loop(fixture: Fixture) -> bool:
    return any(request.name == "event_loop" for request in fixture.requests)
