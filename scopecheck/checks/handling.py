"""Handling: async tests and fixtures that no plugin runs.

Who runs what is for `suite.loops` to say; where it does not know, nothing is reported. What pytest
does with code that nobody runs depends on its version: an async test fails from 8.4 on, and was
skipped with a warning before; who uses an async fixture is stopped from 9.0 on, was warned in 8.4,
and before got the coroutine without a word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.reach import is_in_template
from scopecheck.checks.wording import at, first_test, symbol_of_test, taken_version, tests, written
from scopecheck.finding import Fault
from scopecheck.suite.loops import usual_runner
from scopecheck.suite.mentions import code_of, names_again

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scopecheck.facts import Function
    from scopecheck.finding import Certainty, Place
    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loops
    from scopecheck.suite.model import Fixture, Item

_PLUGINS = {"asyncio": "pytest-asyncio", "anyio": "anyio", "trio": "pytest-trio"}
_MODE = "asyncio_mode"
# Up to here pytest-asyncio ran the async fixtures of `pytest.fixture` where no mode was set.
_LEGACY = (0, 19)
# What a fixture does that puts something else in the place of a test.
_REPLACES_TEST = re.compile(r"\b_?obj\s*=[^=]|\bruntest\s*=[^=]|\bsetattr\([^\n]*\b_?obj\b")


@looks("far")
def unhandled_async_test(suite: Suite) -> Iterator[Fault]:
    """SCP205: an async test that no plugin runs."""
    classes: dict[tuple[str, int], list[Item]] = {}
    generators: dict[Place, list[Item]] = {}
    hooked: dict[Place, list[Item]] = {}
    modules: dict[str, list[Item]] = {}
    for item in _unhandled_tests(suite):
        assert item.function is not None
        if item.testcase:
            classes.setdefault((item.place.path, item.function.owner), []).append(item)
        elif item.function.is_generator:
            generators.setdefault(item.place, []).append(item)
        elif (hook := _late_hook(suite, item)) is not None:
            hooked.setdefault(hook, []).append(item)
        else:
            modules.setdefault(item.place.path, []).append(item)
    for items in classes.values():
        yield _of_testcase(items)
    for items in generators.values():
        yield _generator(suite, items)
    for hook, items in hooked.items():
        yield _marked_late(suite, hook, items)
    loops = suite.loops
    if modules and loops.plugin is None and not (loops.anyio or loops.trio):
        yield _without_plugin(suite, modules)
        return
    runs: dict[str, list[Item]] = {}
    for item in suite.items if modules else ():
        if item.place.path in modules and _is_run(suite, item):
            runs.setdefault(item.place.path, []).append(item)
    for path, items in modules.items():
        run = runs.get(path, [])
        if _count(items) > max(1, _count(run)):
            yield _without_mark(suite, items, run)
        else:
            for same in _by_function(items).values():
                yield _without_mark(suite, same, run)


def _unhandled_tests(suite: Suite) -> Iterator[Item]:
    """The tests that nobody runs, but for those that their own file may run after all."""
    codes: dict[str, str] = {}
    for item in suite.items:
        loop = suite.loops.test(item)
        function = item.function
        if loop is None or loop.runner != "none" or function is None or not _is_live(suite, item):
            continue
        assert item.plan is not None
        # A test that cannot be set up fails for that; one that is called somewhere is run there.
        lost = any(problem.kind == "unknown-fixture" for problem in item.plan.problems)
        path = item.place.path
        if path not in codes:
            codes[path] = code_of(suite.text(path))
        if lost or names_again(codes[path], function.name):
            continue
        if not any(_may_replace_test(suite, fixture) for fixture in item.plan.order):
            yield item


def _is_live(suite: Suite, item: Item) -> bool:
    """Whether pytest collects the test in this suite, and reports what becomes of it."""
    refused = item.skipped or item.refusal is not None
    return not (refused or is_in_template(suite, item.path))


def _may_replace_test(suite: Suite, fixture: Fixture) -> bool:
    asks = any(request.name == "request" for request in fixture.requests)
    if not asks or fixture.path is None or fixture.function is None:
        return False
    return _REPLACES_TEST.search(_source(suite, fixture.path, fixture.function)) is not None


def _is_run(suite: Suite, item: Item) -> bool:
    loop = suite.loops.test(item)
    return loop is not None and loop.runner != "none" and not item.testcase


def _by_function(items: Iterable[Item]) -> dict[Place, list[Item]]:
    """The items of each test function: classes that inherit it have one each."""
    found: dict[Place, list[Item]] = {}
    for item in items:
        found.setdefault(item.place, []).append(item)
    return found


def _count(items: Iterable[Item]) -> int:
    return len(_by_function(items))


def _of_testcase(items: list[Item]) -> Fault:
    """The async methods of one `unittest.TestCase`."""
    first = first_test(items)
    owner = first.nodeid.split("::")[-2]
    one = _count(items) == 1
    subject = f"async `{_name(first)}` passes" if one else f"{_count(items)} async tests pass"
    notes = [
        "unittest calls the method and drops the coroutine, so that its body is never run: all "
        "that shows is a warning that the coroutine was never awaited"
    ]
    if any(mark.name in _PLUGINS for item in items for mark in item.marks):
        notes.append("marks of async plugins do nothing in a `unittest.TestCase`")
    return _fault(
        items,
        f"{subject} without being run: `{owner}` is a plain `unittest.TestCase`",
        symbol_of_test(first) if one else symbol_of_test(first).rpartition("::")[0],
        notes=notes,
        advice=f"derive `{owner}` from `unittest.IsolatedAsyncioTestCase`",
        names=("testcase",),
    )


def _generator(suite: Suite, items: list[Item]) -> Fault:
    first = first_test(items)
    plugin = suite.loops.plugin
    note = _fate(suite)
    marked = any(mark.name == "asyncio" for mark in first.marks)
    if plugin is not None and not plugin.one_loop and (marked or plugin.auto):
        note = "pytest-asyncio reports it as an expected failure, and does not run it"
    elif plugin is not None and plugin.one_loop and marked:
        note = "it passes: pytest-asyncio takes it for a function that is not async"
    return _fault(
        items,
        f"`{_name(first)}` is not run: it is an async generator, which no plugin runs as a test",
        symbol_of_test(first),
        notes=[note],
        advice="take the `yield` out of it; what has to be undone after a test is a fixture's part",
        certainty=_certainty(suite, first),
    )


def _late_hook(suite: Suite, item: Item) -> Place | None:
    """Where a hook gives the test the mark `asyncio` too late for pytest-asyncio to run it."""
    plugin = suite.loops.plugin
    if plugin is None:
        return None
    found = suite.loops.hooks.mark_of(item, plugin.version, auto=plugin.auto)
    return found.place if found.mark is not None and not found.taken else None


def _marked_late(suite: Suite, hook: Place, items: list[Item]) -> Fault:
    """Tests that a hook marks when pytest-asyncio has chosen its tests already."""
    first = first_test(items)
    verb = "test is" if _count(items) == 1 else "tests are"
    why = "the mark `asyncio` is added here after pytest-asyncio has chosen its tests"
    notes = [
        _fate(suite),
        "from 0.23 on pytest-asyncio runs what has the mark when it is collected",
        *filter(None, [taken_version(suite.loops)]),
    ]
    return Fault(
        hook,
        f"{_count(items)} async {verb} not run: {why}",
        hook.path,
        (at(first.place, "this test, among them" if _count(items) > 1 else "this test"),),
        tuple(notes),
        "set `asyncio_mode = auto` in place of the hook",
        frozenset(item.nodeid for item in items),
        certainty=_certainty(suite, first),
    )


def _without_plugin(suite: Suite, modules: dict[str, list[Item]]) -> Fault:
    """Async tests where no plugin for them is in force."""
    items = [item for found in modules.values() for item in found]
    first = first_test(items)
    one = _count(items) == 1
    subject = f"async `{_name(first)}` is not run"
    if not one:
        where = "of this module" if len(modules) == 1 else f"in {len(modules)} modules"
        subject = f"{_count(items)} async tests {where} are not run"
    related = [
        at(first_test(found).place, f"{tests(_count(found))} here")
        for path, found in modules.items()
        if path != first.place.path
    ]
    return _fault(
        items,
        f"{subject}: no plugin that runs async tests is in force",
        symbol_of_test(first) if one else first.place.path,
        related,
        [_fate(suite)],
        "install pytest-asyncio, and mark the async tests or set `asyncio_mode = auto`",
        _certainty(suite, first),
    )


def _without_mark(suite: Suite, items: list[Item], run: list[Item]) -> Fault:
    """Tests of one module that lack the mark of the plugin in force; run: its other async tests."""
    first = first_test(items)
    loops = suite.loops
    mark = _expected_mark(suite, run)
    one, others = _count(items) == 1, _count(run)
    subject = f"async `{_name(first)}` is not run"
    if not one:
        of_all = f" of {_count(items) + others}" if others else ""
        subject = f"{_count(items)}{of_all} async tests of this module are not run"
    reason = f"{'it lacks' if one else 'they lack'} the mark `{mark}`"
    notes = [_fate(suite)]
    related: list[Place] = []
    if mark == "asyncio":
        reason += ", and pytest-asyncio is in strict mode"
        _tell_strict_mode(loops, related, notes)
    if others:
        related.append(at(first_test(run).place, "another async test of the module, which is run"))
    advice = f"mark it with `@pytest.mark.{mark}`"
    if not one:
        advice = f"put `pytestmark = pytest.mark.{mark}` in the module"
    if mark == "asyncio":
        advice += ", or set `asyncio_mode = auto`"
    return _fault(
        items,
        f"{subject}: {reason}",
        symbol_of_test(first) if one else first.place.path,
        related,
        notes,
        advice,
        _certainty(suite, first),
        (mark,),
    )


def _tell_strict_mode(loops: Loops, related: list[Place], notes: list[str]) -> None:
    """Say where strict mode comes from: the place that sets it, or that none does."""
    place = loops.option_place(_MODE)
    if place is not None:
        related.append(at(place, "strict mode is set here"))
    else:
        notes.append("strict is pytest-asyncio's mode where the configuration names none")


def _expected_mark(suite: Suite, run: list[Item]) -> str:
    """The mark by which a module's other async tests are run, or else those of the suite."""
    loops = suite.loops
    found = usual_runner(loops, run) or loops.usual_runner
    if found is not None:
        return found
    return "asyncio" if loops.plugin is not None else "anyio" if loops.anyio else "trio"


def _fate(suite: Suite) -> str:
    """What pytest does to an async test that nobody runs."""
    if suite.version >= (8, 4):
        said = "fails it with `async def functions are not natively supported`"
        before = "" if _agrees(suite, 8, 4) else "; before 8.4 it skips it with a warning"
        return f"{_pytest(suite)} {said}{before}"
    return f"{_pytest(suite)} skips it with a warning, and from 8.4 on fails it"


class _Users(Struct):
    """An async fixture that is not run for some tests, and its users.

    lost: the tests for which nobody runs it; run: those for which a plugin does, with the plugin.
    """

    fixture: Fixture
    lost: list[Item] = field(default_factory=list)
    run: dict[str, list[Item]] = field(default_factory=dict)


@looks("far")
def unhandled_async_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP203: an async fixture that no plugin runs, whoever uses it."""
    for users in _lost_fixtures(suite):
        if not users.run and not all(_is_lost_test(suite, item) for item in users.lost):
            yield _unhandled_fixture(suite, users)


@looks("far")
def sync_requests_async_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP204: an async fixture that is run for some of its users, and not for this one."""
    for users in _lost_fixtures(suite):
        if users.run:
            yield from _receivers(suite, users)


def _lost_fixtures(suite: Suite) -> Iterator[_Users]:
    """The suite's async fixtures that nobody runs for at least one test."""
    plugin = suite.loops.plugin
    doubtful = {
        fixture
        for fixture in suite.fixtures
        if fixture.is_async
        and fixture.path is not None
        and fixture.place is not None
        and not (plugin is not None and plugin.takes(fixture))
    }
    found: dict[object, _Users] = {}
    for plan, items in suite.items_of.items():
        for fixture in doubtful.intersection(plan.order):
            users = found.setdefault(written(fixture), _Users(fixture))
            for item in items:
                _add(suite, users, fixture, item)
    for users in found.values():
        if users.lost and not _is_awaited(suite, users):
            yield users


def _add(suite: Suite, users: _Users, fixture: Fixture, item: Item) -> None:
    loop = suite.loops.fixture(fixture, item)
    if loop is None or not _is_live(suite, item):
        return
    if loop.runner == "none":
        users.lost.append(item)
    elif loop.known:
        users.run.setdefault(loop.runner, []).append(item)


def _is_lost_test(suite: Suite, item: Item) -> bool:
    """Whether a test is itself one that nobody runs."""
    loop = suite.loops.test(item)
    return loop is not None and loop.runner == "none"


def _is_awaited(suite: Suite, users: _Users) -> bool:
    """Whether a user deals with the coroutine itself, which works up to pytest 8.4."""
    if suite.version >= (9, 0) and _agrees(suite, 9, 0):
        return False
    name = users.fixture.name
    dealt = re.compile(
        rf"\bawait\s+{name}\b(?!\s*[.(\[])"
        rf"|\b(?:aiter|anext|async_to_sync|create_task|ensure_future|gather|next|run"
        rf"|run_until_complete|wait|wait_for)\([^()\n]*\b{name}\b(?!\s*[.(\[])"
        rf"|\basync\s+for\b[^\n]*\bin\s+{name}\b"
        rf"|\b{name}\.(?:__anext__|__await__|aclose|asend|close|send)\b"
    )
    sources: set[tuple[str, Function]] = set()
    for item in users.lost:
        for asker in _askers(users.fixture, item):
            path = item.place.path if asker is None else asker.path
            function = item.function if asker is None else asker.function
            if path is not None and function is not None:
                sources.add((path, function))
    return any(dealt.search(_source(suite, path, function)) for path, function in sources)


def _askers(fixture: Fixture, item: Item) -> list[Fixture | None]:
    """Who asks for the fixture in the plan of a test; None for the test itself."""
    assert item.plan is not None
    key = written(fixture)
    named = {request.name for request in (*item.requests, *item.usefixtures)}
    # pytest asks for every name that the test needs in the test's own name.
    return [
        edge.asker
        for edge in item.plan.edges
        if written(edge.answer) == key
        and (edge.asker is not None or edge.request in named or edge.answer.autouse)
    ]


def _unhandled_fixture(suite: Suite, users: _Users) -> Fault:
    fixture, first = users.fixture, first_test(users.lost)
    assert fixture.place is not None
    loops = suite.loops
    related = [_use(first, fixture)]
    notes = [_value(suite, fixture, users.lost)]
    mark = _expected_mark(suite, [])
    if loops.plugin is None and not (loops.anyio or loops.trio):
        reason = "no plugin that runs async fixtures is in force"
        advice = "install pytest-asyncio and use `@pytest_asyncio.fixture`"
    elif mark == "asyncio":
        reason = "pytest-asyncio in strict mode leaves `@pytest.fixture` to pytest"
        advice = "use `@pytest_asyncio.fixture`, or set `asyncio_mode = auto`"
        _tell_strict_mode(loops, related, notes)
        notes += filter(None, [taken_version(loops)])
    else:
        reason = _REASONS[mark]
        advice = _ADVICE[mark]
    return Fault(
        fixture.place,
        f"async `{fixture.name}` is not run: {reason}",
        fixture.symbol,
        tuple(related),
        tuple(notes),
        advice,
        frozenset(item.nodeid for item in users.lost),
        certainty="likely" if loops.assumed or _may_be_legacy(suite) else None,
        names=() if loops.plugin is None else (mark,),
    )


def _may_be_legacy(suite: Suite) -> bool:
    """Whether the pins allow a pytest-asyncio that would run the fixture."""
    version = suite.loops.version
    return version is not None and not version.agrees(*_LEGACY)


_REASONS = {
    "anyio": "anyio runs it only for tests that use `anyio_backend`",
    "trio": "pytest-trio runs it only for tests with the mark `trio`",
}
_ADVICE = {
    "anyio": "let the test use `anyio_backend`, as an async one with the mark `anyio` does",
    "trio": "make the test an async one with the mark `trio`",
}


def _value(suite: Suite, fixture: Fixture, items: list[Item]) -> str:
    """What the users of a fixture get that nobody runs."""
    count = len({item.nodeid for item in items})
    get = "gets" if count == 1 else "get"
    what = _unrun(fixture)
    if suite.version >= (9, 0):
        said = (
            f"`requested an async fixture '{fixture.name}', with no plugin or hook that handled it`"
        )
        rest = ", all but the first with a bare `AssertionError`" if count > 1 else ""
        later = rest if suite.version >= (9, 1) else ""
        before = "" if _agrees(suite, 9, 0) else f"; before 9.0 the test {get} the {what} itself"
        if before and count > 1:
            before = f"; before 9.0 they {get} the {what} itself"
        return f"{_pytest(suite)} stops {tests(count)} with {said}{later}{before}"
    told = "with a warning" if suite.version >= (8, 4) else "and nothing says so"
    return f"{tests(count)} {get} the {what} itself in place of its value, {told}"


def _unrun(fixture: Fixture) -> str:
    """What calling the function of an async fixture gives."""
    return "coroutine" if fixture.kind == "coroutine" else "async generator"


def _use(item: Item, fixture: Fixture) -> Place:
    """Where a test asks for a fixture, or else the test."""
    for request in (*item.requests, *item.usefixtures):
        if request.name == fixture.name:
            return at(request.place, "used by this test")
    return at(item.place, f"used by this test, which does not name `{fixture.name}` itself")


class _Receiver(Struct):
    """A test, or a fixture that is not async, that gets what nobody ran.

    asker: the fixture; None for a test, or for all that an autouse fixture is set up for.
    """

    place: Place
    asker: Fixture | None
    autouse: bool
    items: list[Item] = field(default_factory=list)


def _receivers(suite: Suite, users: _Users) -> Iterator[Fault]:
    found: dict[Place, _Receiver] = {}
    for item in users.lost:
        for asker in dict.fromkeys(_askers(users.fixture, item)):
            if asker is None or not asker.is_async:
                place, autouse = _request(users.fixture, item, asker)
                receiver = found.setdefault(place, _Receiver(place, asker, autouse))
                receiver.items.append(item)
    for receiver in found.values():
        yield _received(suite, users, receiver)


def _request(fixture: Fixture, item: Item, asker: Fixture | None) -> tuple[Place, bool]:
    """Where the fixture is asked for; True where nobody asks for it by name."""
    asked = (*item.requests, *item.usefixtures) if asker is None else asker.requests
    for request in asked:
        if request.name == fixture.name and request.place.path:
            return request.place, False
    assert fixture.place is not None
    return fixture.place, True


def _received(suite: Suite, users: _Users, receiver: _Receiver) -> Fault:
    fixture, first = users.fixture, first_test(receiver.items)
    assert fixture.place is not None
    runner = max(users.run, key=lambda runner: len(users.run[runner]))
    what = _unrun(fixture)
    if receiver.autouse:
        count = len({item.nodeid for item in receiver.items})
        subject = f"autouse async `{fixture.name}` is not run for {tests(count)}"
        symbol = fixture.symbol
    else:
        name = _name(first) if receiver.asker is None else receiver.asker.name
        subject = f"`{name}` gets the {what} of async `{fixture.name}` in place of its value"
        symbol = symbol_of_test(first) if receiver.asker is None else receiver.asker.symbol
    reason = _REASONS.get(runner, "only tests of another plugin have it run")
    advice = _ADVICE.get(runner, "make the test one that the plugin runs")
    test = suite.loops.test(first)
    if receiver.asker is None and test is not None and test.runner == "asyncio":
        reason = f"pytest-asyncio in strict mode does not run it, as {_PLUGINS[runner]} does"
        advice = "use `@pytest_asyncio.fixture`, or run the test as the others"
    run = users.run[runner]
    related = [
        at(first_test(run).place, f"{_PLUGINS.get(runner, 'a plugin')} runs it for this one")
    ]
    if receiver.autouse:
        related.append(at(first.place, "and not for this one"))
    else:
        related.insert(0, at(fixture.place, f"async `{fixture.name}`"))
        if receiver.asker is not None:
            related.append(_use(first, receiver.asker))
    return Fault(
        receiver.place,
        f"{subject}: {reason}",
        symbol,
        tuple(related),
        (_value(suite, fixture, receiver.items),),
        advice,
        frozenset(item.nodeid for item in receiver.items),
    )


def _fault(
    items: Sequence[Item],
    message: str,
    symbol: str,
    related: Iterable[Place] = (),
    notes: Iterable[str] = (),
    advice: str = "",
    certainty: Certainty | None = None,
    names: tuple[str, ...] = (),
) -> Fault:
    """A fault at the name of the first of some tests."""
    return Fault(
        first_test(items).place,
        message,
        symbol,
        tuple(related),
        tuple(notes),
        advice,
        frozenset(item.nodeid for item in items),
        certainty=certainty,
        names=names,
    )


def _name(item: Item) -> str:
    return item.nodeid.rpartition("::")[2]


def _source(suite: Suite, path: str, function: Function) -> str:
    lines = suite.text(path).split("\n")
    return "\n".join(lines[function.first_line - 1 : function.end_line])


def _pytest(suite: Suite) -> str:
    """`pytest 9.2`."""
    return f"pytest {suite.version[0]}.{suite.version[1]}"


def _agrees(suite: Suite, *number: int) -> bool:
    """Whether every version of pytest that may be in force is on the same side of this one."""
    known = suite.loops.pytest
    return known is not None and known.agrees(*number)


def _certainty(suite: Suite, item: Item) -> Certainty | None:
    """Likely where the plugin is only supposed to be there, or where its version decides it."""
    loops = suite.loops
    found = [other.test(item) for other in loops.others]
    differs = any(loop is not None and loop.runner != "none" for loop in found)
    return "likely" if loops.assumed or differs else None
