"""Says what pytest and its async plugins raise because of a test's loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.suite.loops.model import LoopProblem
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite.loops import Loops
    from scopecheck.suite.loops.pytest_asyncio import PytestAsyncio
    from scopecheck.suite.model import Fixture, Item


# From the first to before the second, the mark is looked at when the test is set up.
_LOOKS_LATE = ((1, 1), (1, 4))

# From this version on, a mark means something for async tests alone.
_ONLY_ITS_OWN = (1, 2)


def problems_of(loops: Loops, item: Item) -> Iterator[LoopProblem]:
    """What goes wrong with one test, collection first, then its fixtures in order, then itself."""
    plan = item.plan
    assert plan is not None
    plugin = loops.plugin
    if plugin is not None:
        refused = tuple(_at_collection(loops, plugin, item))
        if refused:
            yield from refused
            return
    for fixture in filter(loops.has_loop, plan.order):
        yield from _of_fixture(loops, item, fixture)
    loop = loops.test(item)
    if loop is None:
        if plugin is not None and plugin.version < _ONLY_ITS_OWN:
            yield from _of_marked(loops, plugin, item)
        return
    if loop.runner == "none":
        yield LoopProblem("unhandled-test", None)
    if plugin is not None and loop.runner == "asyncio":
        yield from _of_policy(loops, plugin, item, loop.scope)
        if _is_outside(loops, plugin, item, loop.scope):
            yield LoopProblem("outside", None, requested_scope=loop.scope)


def _of_fixture(loops: Loops, item: Item, fixture: Fixture) -> Iterator[LoopProblem]:
    loop = loops.fixture(fixture, item)
    if loop is None:
        return
    plugin = loops.plugin
    if loop.runner == "asyncio" and plugin is not None:
        hidden, scope = loop_fixture(loops, plugin, item, loop.scope)
        if _is_outside(loops, plugin, item, loop.scope):
            yield LoopProblem("outside", fixture, requested_scope=loop.scope)
        elif fixture.scope is not None and scope is not None and fixture.scope > scope:
            yield LoopProblem("scope-mismatch", fixture, hidden, scope)
        else:
            yield from _of_policy(loops, plugin, item, loop.scope)
    elif loop.runner == "anyio":
        backend = loops.visible(item, "anyio_backend")
        wanted = _backend_scope(item, backend)
        if fixture.scope is not None and wanted is not None and fixture.scope > wanted:
            certain = backend is None or backend.certain
            yield LoopProblem("scope-mismatch", fixture, "anyio_backend", wanted, certain)
    elif loop.runner == "trio":
        if fixture.scope is not None and fixture.scope > Scope.FUNCTION:
            yield LoopProblem("trio-scope", fixture)
    elif loop.runner == "none":
        yield LoopProblem("unhandled-fixture", fixture)


def loop_fixture(
    loops: Loops, plugin: PytestAsyncio, item: Item, scope: Scope | None
) -> tuple[str, Scope | None]:
    """The hidden fixture that gives a loop of a scope, by name, and its own scope."""
    name = plugin.hidden(scope)
    if name != "event_loop":
        return name, scope
    if not plugin.one_loop and scope is None:
        return name, None
    found = loops.visible(item, "event_loop")
    if found is None:
        return name, Scope.FUNCTION
    return name, found.scope if found.certain else None


def _of_policy(
    loops: Loops, plugin: PytestAsyncio, item: Item, scope: Scope | None
) -> Iterator[LoopProblem]:
    """An overridden `event_loop_policy` must live as long as the loop that it makes."""
    if plugin.one_loop or scope is None:
        return
    policy = loops.visible(item, "event_loop_policy")
    if policy is None or policy.path is None or policy.scope is None:
        return
    name = plugin.hidden(scope)
    overridden = False
    if name == "event_loop":
        made = loops.visible(item, "event_loop")
        overridden = made is not None and made.path is not None
    if not overridden and scope > policy.scope:
        yield LoopProblem("policy-mismatch", policy, name, policy.scope, policy.certain)


def _of_marked(loops: Loops, plugin: PytestAsyncio, item: Item) -> Iterator[LoopProblem]:
    """A synchronous test with the mark gets a loop too, on which nothing runs."""
    mark = next((mark for mark in item.marks if mark.name == "asyncio"), None)
    if mark is not None and not item.testcase and not loops.hooks.unknown:
        yield from _of_policy(loops, plugin, item, plugin.test_scope(mark)[0])


def _is_outside(loops: Loops, plugin: PytestAsyncio, item: Item, scope: Scope | None) -> bool:
    """Whether there is no class or package round the test for a loop of that scope.

    0.23 to 0.26 look for one (`_retrieve_scope_root`).
    """
    if not plugin.has_event_loop or plugin.one_loop:
        return False
    if scope is Scope.CLASS:
        return not any(level.kind == "class" for level in item.levels)
    return scope is Scope.PACKAGE and not loops.in_package(item.path)


def _at_collection(loops: Loops, plugin: PytestAsyncio, item: Item) -> Iterator[LoopProblem]:
    """What is refused before any test runs, by `pytest_generate_tests` of 0.23 to 1.0.

    It looks at the mark of every function, also of one that is not async; what hooks add and what
    auto mode implies comes later. 1.1 and later refuse marks of tests when they are set up or, from
    1.4 on, collected.
    """
    mark = next((mark for mark in item.marks if mark.name == "asyncio"), None)
    if item.is_async and _LOOKS_LATE[0] <= plugin.version < _LOOKS_LATE[1]:
        if loops.hooks.unknown:
            return
        mark = loops.hooks.mark_of(item, plugin.version, auto=plugin.auto).mark
    if mark is None or plugin.one_loop or item.testcase:
        return
    if plugin.version >= (0, 24) and mark.keyword("scope") and mark.keyword("loop_scope"):
        if item.is_async or plugin.version < (1, 2):
            yield LoopProblem("invalid-mark", None)
        return
    if not plugin.has_event_loop:
        return
    scope, _ = plugin.test_scope(mark)
    if scope in (None, Scope.FUNCTION):
        return
    if _is_outside(loops, plugin, item, scope):
        yield LoopProblem("outside", None, requested_scope=scope)
        return
    assert item.plan is not None
    cause: Fixture | None = None
    asked = any(request.name == "event_loop" for request in item.requests)
    for fixture in item.plan.order:
        if loops.visible(item, fixture.name) is not fixture:
            continue  # What an override requests by its own name is not in pytest's closure.
        found = loops.fixture(fixture, item) if fixture.is_async else None
        runs = found is not None and found.runner == "asyncio"
        if runs and plugin.version < (0, 24) and found is not None and found.scope == scope:
            return  # The loop is in the closure already, and nothing more is looked at.
        by_loop = runs and found is not None and found.scope is Scope.FUNCTION
        if by_loop or any(request.name == "event_loop" for request in fixture.requests):
            asked = True
            cause = cause or fixture
    if asked:
        yield LoopProblem("multiple-loops", cause, "event_loop")


def _backend_scope(item: Item, backend: Fixture | None) -> Scope | None:
    """The scope of `anyio_backend` for a test, which may be parametrized directly."""
    if "anyio_backend" in item.parametrized.direct:
        return item.parametrized.direct["anyio_backend"]
    return backend.scope if backend is not None else None
