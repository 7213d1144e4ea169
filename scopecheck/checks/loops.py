"""Event loops: async fixtures and the tests that use them, put on different loops."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.places import mark_place, option_places
from scopecheck.checks.wording import (
    at,
    definition,
    first_test,
    listed,
    scoped,
    symbol_of_test,
    taken_version,
    tests,
    written,
)
from scopecheck.expressions import Call, Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.loops.pytest_asyncio import FIXTURE_DEFAULT, TEST_DEFAULT
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.finding import Certainty
    from scopecheck.suite import Suite
    from scopecheck.suite.loop_values import Handed
    from scopecheck.suite.loops import Loop, LoopProblem, Loops, Pair
    from scopecheck.suite.model import Fixture, Item

_OPTIONS = {"fixture": FIXTURE_DEFAULT, "test": TEST_DEFAULT}


@looks("near")
def wide_async_fixture_loop(suite: Suite) -> Iterator[Fault]:
    """SCP201: an async fixture wider than function scope, on another loop than its users."""
    for apart in _apart(suite):
        if apart.fixture.scope is None or apart.fixture.scope > Scope.FUNCTION:
            yield _fault(suite, apart)


@looks("near")
def loop_mismatch(suite: Suite) -> Iterator[Fault]:
    """SCP212: an async fixture of function scope, on another loop than its users."""
    yield from _refused(suite)
    for apart in _apart(suite):
        if apart.fixture.scope is Scope.FUNCTION:
            yield _fault(suite, apart)


class _Apart(Struct):
    """An async fixture, and the users that run on other loops than it does."""

    fixture: Fixture
    loop: Loop
    pairs: list[tuple[Pair, tuple[Item, ...]]] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        return list(dict.fromkeys(item for _, items in self.pairs for item in items))


def _apart(suite: Suite) -> list[_Apart]:
    """Fixtures whose value reaches code on another loop, where no option alone is the cause."""
    found: dict[tuple[object, ...], _Apart] = {}
    loops = suite.loops
    broken = {id(problem.fixture) for _, problem in _outlived(loops)}
    refused = _refused_items(loops)
    for items, pairs in loops.apart:
        if items[0] in refused:
            continue
        for pair in pairs:
            fixture = pair.fixture
            if fixture.path is None or fixture.place is None:
                continue
            if id(fixture) in broken or not pair.handed or _by_options(pair):
                continue
            key = (written(fixture), pair.fixture_loop)
            found.setdefault(key, _Apart(fixture, pair.fixture_loop)).pairs.append((pair, items))
    return [apart for apart in found.values() if not _is_free(suite, apart.fixture)]


def _by_options(pair: Pair) -> bool:
    """Whether pytest's configuration alone put the two on different loops."""
    kinds = {_kind(pair.user_loop), _kind(pair.fixture_loop)}
    return "ini" in kinds and kinds <= {"ini", "default", "scope"}


def _kind(loop: Loop) -> str:
    return loop.decision.kind if loop.decision is not None else ""


def _is_free(suite: Suite, fixture: Fixture) -> bool:
    """Whether nothing shows that a fixture's value is worth less on another loop.

    What cannot be told is held to be free, unless the fixture opens and closes it: most of what
    real suites hand out so (an application, a record, an in-memory client) is.
    """
    if _is_plain(suite, fixture):
        return True
    if suite.handouts.of(fixture).kind != "unknown":
        return False
    return not suite.is_held_open(fixture) or _has_own_loop(suite, fixture)


# What hands a coroutine to a loop that runs in another thread.
_TO_ANOTHER_LOOP = re.compile(r"\brun_coroutine_threadsafe\(")


def _has_own_loop(suite: Suite, fixture: Fixture) -> bool:
    """Whether what is handed out is of a class of the project that works on a loop of its own."""
    function, path = fixture.function, fixture.path
    handout = None if function is None else function.handout
    space = None if path is None else suite.evaluator.module(path)
    if function is None or handout is None or space is None:
        return False
    given = [value for value, _ in handout.values]
    local = (binding.value for binding in function.bindings if Name((binding.name,)) in given)
    for value in (handout.annotation, *given, *local):
        made = value.func if isinstance(value, Call) else value
        if not isinstance(made, Name):
            continue
        for parts in (made.parts, made.parts[:-1]):
            found = suite.evaluator.evaluate(Name(parts), space) if parts else None
            if isinstance(found, ClassValue) and suite.has(found.module, _TO_ANOTHER_LOOP):
                return True
    return False


def _is_plain(suite: Suite, fixture: Fixture) -> bool:
    """Whether a fixture visibly hands out data, or nothing."""
    return suite.handouts.of(fixture).kind in ("nothing", "plain")


def _fault(suite: Suite, apart: _Apart) -> Fault:
    fixture, loops = apart.fixture, suite.loops
    assert fixture.place is not None
    items = apart.items
    users = dict.fromkeys(pair.user for pair, _ in apart.pairs)
    names = list(dict.fromkeys(f"`{user.name}`" for user in users if user is not None))
    direct = {i.nodeid for pair, found in apart.pairs if pair.user is None for i in found}
    one = len(names) + len(direct) == 1
    elsewhere = dict.fromkeys(_on(pair.user_loop, many=not one) for pair, _ in apart.pairs)
    message = (
        f"`{fixture.name}` ({scoped(fixture.scope)}) runs on {_on(apart.loop)}, and "
        f"{_who(names, len(direct))} {'runs' if one else 'run'} on {listed(elsewhere)}"
    )
    notes = [f"loop of `{fixture.name}`: {_why(apart.loop)}"]
    notes += _reasons(apart)
    notes.append(_what_happens(loops, suite.handouts.of(fixture)))
    if (version := taken_version(loops)) is not None:
        notes.append(version)
    return Fault(
        fixture.place,
        message,
        fixture.symbol,
        tuple(_related(suite, apart)),
        notes=tuple(notes),
        help=_advice(apart, loops),
        tests=frozenset(item.nodeid for item in items),
        certainty=_certainty(suite, apart),
    )


def _who(names: list[str], count: int) -> str:
    """``the async fixture `a` and the 2 tests that use it``."""
    parts = []
    if names:
        parts.append(f"the async fixture{'' if len(names) == 1 else 's'} {listed(names)}")
    if count:
        parts.append(f"the {tests(count)} that {'uses' if count == 1 else 'use'} it")
    return " and ".join(parts)


def _on(loop: Loop, *, many: bool = False) -> str:
    """`the session loop`, `a function loop`, `function loops`."""
    if loop.runner != "asyncio":
        return f"the loop of {loop.runner}"
    assert loop.scope is not None
    if loop.scope is Scope.SESSION:
        return "the session loop"
    return f"{loop.scope.word} loops" if many else f"a {loop.scope.word} loop"


def _why(loop: Loop) -> str:
    decision = loop.decision
    if decision is None:
        return f"{loop.runner} runs it"
    match decision.kind:
        case "scope":
            return f"its own scope, since neither `loop_scope` nor `{FIXTURE_DEFAULT}` is set"
        case "default":
            return f"a test's default, since neither its mark nor `{TEST_DEFAULT}` says otherwise"
        case "hook":
            return f"{decision.text} of the mark that a hook adds"
        case "mark":
            return f"{decision.text} of its mark"
    return decision.text


def _reasons(apart: _Apart) -> list[str]:
    """What decided the loops of the users, each way once."""
    found: dict[str, None] = {}
    for pair, _ in apart.pairs:
        who = "the tests" if pair.user is None else f"`{pair.user.name}`"
        found[f"loop of {who}: {_why(pair.user_loop)}"] = None
    return list(found)[:3]


def _what_happens(loops: Loops, handed: Handed | None = None) -> str:
    """What comes of two loops, by what is known of the value."""
    if handed is not None and handed.kind == "lazy":
        return (
            f"{handed.why} is bound to the loop on which something first waits for it: a later use "
            "on another fails with `is bound to a different event loop`"
        )
    if handed is not None and handed.kind == "bound":
        sentence = (
            f"{handed.why} is bound to the loop that it is made on: awaited on another it fails "
            "with `attached to a different loop`, or hangs"
        )
    else:
        sentence = (
            "what is bound to one loop (a connection, a stream, a task) fails on another with "
            "`attached to a different loop`"
        )
    if loops.plugin is not None and loops.plugin.version < (1, 2):
        sentence += "; up to pytest-asyncio 1.1 a later test may share the loop by accident"
    return sentence


def _certainty(suite: Suite, apart: _Apart) -> Certainty:
    if suite.handouts.of(apart.fixture).kind != "bound":
        return "likely"
    for loops in suite.loops.others:
        for pair, items in apart.pairs:
            loop = loops.fixture(apart.fixture, items[0])
            user = loops.test(items[0]) if pair.user is None else loops.fixture(pair.user, items[0])
            if loop is None or user is None or loop.scope == user.scope:
                return "likely"
    return "proved"


def _related(suite: Suite, apart: _Apart) -> Iterator[Place]:
    told: set[str] = set()
    for pair, _ in apart.pairs:
        for holder in pair.via:
            if holder.place is not None and holder.symbol not in told:
                told.add(holder.symbol)
                yield at(holder.place, f"`{holder.name}` hands it on")
        user = pair.user
        if user is not None and user.place is not None and user.symbol not in told:
            told.add(user.symbol)
            yield at(user.place, f"`{user.name}` uses it on {_on(pair.user_loop)}")
    direct = [item for pair, items in apart.pairs if pair.user is None for item in items]
    if direct:
        item = first_test(direct)
        loop = suite.loops.test(item)
        assert loop is not None
        yield at(item.place, f"a test uses it on {_on(loop)}")
        place = loop.decision.place if loop.decision is not None else None
        if _kind(loop) == "mark":
            place = mark_place(suite, item, lambda mark: mark.name == "asyncio")
        if place is not None:
            yield at(place, "this decides the loop of the test")
    decision = apart.loop.decision
    if decision is not None and decision.kind == "ini" and decision.place is not None:
        yield at(decision.place, f"this decides the loop of `{apart.fixture.name}`")
    for place, _ in option_places(suite, apart.fixture, "loop_scope"):
        yield at(place, f"this decides the loop of `{apart.fixture.name}`")


def _advice(apart: _Apart, loops: Loops) -> str:
    loop, fixture = apart.loop, apart.fixture
    user = apart.pairs[0][0].user_loop
    if loop.runner != "asyncio" or user.runner != "asyncio":
        return "let one plugin run both: mark the test for the other, or leave asyncio's auto mode"
    assert loop.scope is not None
    assert user.scope is not None
    assert loops.plugin is not None
    word = loop.scope.word
    if loops.plugin.version < (0, 24):
        return f'give the users `@pytest.mark.asyncio(scope="{word}")`'
    if fixture.scope is Scope.FUNCTION:
        return f'write `loop_scope="{user.scope.word}"` on `{fixture.name}`'
    names = [pair.user.name for pair, _ in apart.pairs if pair.user is not None]
    options = []
    if len(names) < len(apart.pairs):
        options.append(f'mark the tests with `pytest.mark.asyncio(loop_scope="{word}")`')
    if names:
        users = listed(f"`{name}`" for name in dict.fromkeys(names))
        options.append(f'write `loop_scope="{word}"` on {users} and on the marks of the tests')
    options.append(f"give `{fixture.name}` function scope")
    if loops.plugin.version >= (0, 26):
        options.append(f"set both `{FIXTURE_DEFAULT}` and `{TEST_DEFAULT}` to `{word}`")
    return ", or ".join(options[-3:])


@looks("near")
def loop_defaults_disagree(suite: Suite) -> Iterator[Fault]:
    """SCP208: pytest's options put async fixtures and the tests that use them on two loops."""
    loops = suite.loops
    fixtures: dict[object, tuple[Fixture, Loop]] = {}
    users: dict[Loop, None] = {}
    items: dict[Item, None] = {}
    broken = {id(problem.fixture) for _, problem in _outlived(loops)}
    for shape, pairs in loops.apart:
        for pair in pairs:
            fixture = pair.fixture
            if not _by_options(pair) or not pair.handed:
                continue
            if id(fixture) in broken or _is_plain(suite, fixture):
                continue
            fixtures.setdefault(written(fixture), (fixture, pair.fixture_loop))
            users[pair.user_loop] = None
            items.update(dict.fromkeys(shape))
    if not fixtures:
        return
    place = loops.option_place(FIXTURE_DEFAULT) or loops.option_place(TEST_DEFAULT)
    if place is None:
        return  # It comes from a command line that no file shows.
    assert loops.plugin is not None
    given = {word: loops.plugin.options.get(name, "") for word, name in _OPTIONS.items()}
    said = [f"`{_OPTIONS[word]} = {text}`" for word, text in given.items() if text]
    count = len(fixtures)
    what = "1 async fixture" if count == 1 else f"{count} async fixtures"
    verb = "runs" if count == 1 else "run"
    on = listed(dict.fromkeys(_on(loop) for _, loop in fixtures.values()))
    message = (
        f"with {listed(said)}, {what} {verb} on {on}, and what uses "
        f"{'it' if count == 1 else 'them'} on {listed(dict.fromkeys(_on(one) for one in users))}"
    )
    related = [
        at(fixture.place, f"{definition(fixture)} runs on {_on(loop)}")
        for fixture, loop in list(fixtures.values())[:3]
        if fixture.place is not None
    ]
    test = first_test(items)
    loop = loops.test(test)
    if loop is not None:
        related.append(at(test.place, f"this test runs on {_on(loop)}"))
    notes = [_what_happens(loops)]
    if (version := taken_version(loops)) is not None:
        notes.append(version)
    yield Fault(
        place,
        message,
        place.path,
        tuple(related),
        notes=tuple(notes),
        help=_missing_option(loops, given),
        names=_missing_value(loops, given),
        tests=frozenset(item.nodeid for item in items),
        certainty=_option_certainty(suite, [fixture for fixture, _ in fixtures.values()]),
    )


def _missing_option(loops: Loops, given: dict[str, str]) -> str:
    if loops.plugin is not None and loops.plugin.version < (0, 26):
        return (
            f"remove `{FIXTURE_DEFAULT}`, or mark every async test with the same `loop_scope`: "
            f"`{TEST_DEFAULT}` is known from pytest-asyncio 0.26"
        )
    if not given["test"]:
        return f"set `{TEST_DEFAULT} = {given['fixture']}` too"
    if not given["fixture"]:
        return f"set `{FIXTURE_DEFAULT} = {given['test']}` too"
    return "set both to the same scope"


def _missing_value(loops: Loops, given: dict[str, str]) -> tuple[str, ...]:
    """The option that is missing, and the value that the other one has."""
    if loops.plugin is None or loops.plugin.version < (0, 26):
        return ()
    if not given["test"]:
        return (TEST_DEFAULT, given["fixture"])
    return () if given["fixture"] else (FIXTURE_DEFAULT, given["test"])


def _option_certainty(suite: Suite, fixtures: Sequence[Fixture]) -> Certainty | None:
    """`likely` where nothing that is handed out is known to be bound to its loop.

    Likewise where another allowed version of the plugin would not put anything apart.
    """
    if all(suite.handouts.of(fixture).kind != "bound" for fixture in fixtures):
        return "likely"
    for loops in suite.loops.others:
        apart = any(
            pair.same is False and _by_options(pair)
            for items in loops.shapes
            for pair in loops.pairs(items[0])
        )
        if not apart:
            return "likely"
    return None


@looks("near")
def loop_scope_too_narrow(suite: Suite) -> Iterator[Fault]:
    """SCP202: a fixture that is cached longer than the loop lives on which it runs."""
    found: dict[object, tuple[LoopProblem, list[Item]]] = {}
    for items, problem in _outlived(suite.loops):
        fixture = problem.fixture
        if fixture is not None and fixture.place is not None and problem.certain:
            key = (written(fixture), problem.kind)
            found.setdefault(key, (problem, []))[1].extend(items)
    for problem, users in found.values():
        yield _too_narrow(suite, problem, users)


def _outlived(loops: Loops) -> Iterator[tuple[tuple[Item, ...], LoopProblem]]:
    for items, problems in loops.troubled:
        for problem in problems:
            if problem.kind == "policy-mismatch" or (
                problem.kind == "scope-mismatch" and problem.name != "anyio_backend"
            ):
                yield items, problem


def _too_narrow(suite: Suite, problem: LoopProblem, users: list[Item]) -> Fault:
    loops, fixture = suite.loops, problem.fixture
    assert fixture is not None
    assert fixture.place is not None
    loop = loops.fixture(fixture, users[0])
    related: list[Place] = []
    names: tuple[str, ...] = ()
    if problem.kind == "policy-mismatch":
        message = (
            f"`{fixture.name}` ({scoped(fixture.scope)}) does not live as long as the loop that is "
            f"made from it (`{problem.name}`)"
        )
        advice = "give it session scope"
        notes = ["pytest fails the set-up with ScopeMismatch"]
    else:
        assert problem.requested_scope is not None
        scope = problem.requested_scope
        how = loop.decision.text if loop is not None and loop.decision is not None else ""
        message = (
            f"`{fixture.name}` ({scoped(fixture.scope)}) is cached longer than the loop lives that "
            f"it runs on ({scope.word} scope, by {how})"
        )
        notes = [
            f"pytest fails the set-up with ScopeMismatch: it requests `{problem.name}`, "
            f"which is {scoped(scope)}"
        ]
        advice = _wider_loop(loops, fixture, loop)
        if loops.plugin is not None and loops.plugin.version >= (0, 24):
            names = ("loop_scope",)
        if loop is not None and _kind(loop) == "ini":
            assert loop.decision is not None
            if loop.decision.place is not None:
                related.append(at(loop.decision.place, "this decides its loop"))
        related += [
            at(place, "this decides its loop")
            for place, _ in option_places(suite, fixture, "loop_scope")
        ]
        made = loops.visible(users[0], "event_loop") if problem.name == "event_loop" else None
        if made is not None and made.place is not None and made.path is not None:
            related.append(at(made.place, f"`event_loop` is {scoped(made.scope)} here"))
    test = first_test(users)
    related.append(at(test.place, "a test that sets it up"))
    if (version := taken_version(loops)) is not None:
        notes.append(version)
    return Fault(
        fixture.place,
        message,
        fixture.symbol,
        tuple(related),
        notes=tuple(notes),
        help=advice,
        tests=frozenset(item.nodeid for item in users),
        certainty=None if _always_outlived(suite, fixture, users[0]) else "likely",
        names=names,
    )


def _wider_loop(loops: Loops, fixture: Fixture, loop: Loop | None) -> str:
    assert fixture.scope is not None
    word = fixture.scope.word
    plugin = loops.plugin
    if plugin is not None and plugin.version < (0, 24):
        return (
            f'override `event_loop` with `scope="{word}"`, or give `{fixture.name}` function scope'
        )
    if loop is not None and _kind(loop) == "decorator":
        return f'write `loop_scope="{word}"`, or leave it out'
    return f'write `loop_scope="{word}"` on `{fixture.name}`'


def _always_outlived(suite: Suite, fixture: Fixture, item: Item) -> bool:
    """Whether every allowed version of the plugin refuses the fixture."""
    return all(
        any(problem.fixture is fixture for problem in loops.problems(item))
        for loops in suite.loops.others
    )


def _refused_items(loops: Loops) -> frozenset[Item]:
    return frozenset(
        item
        for items, problems in loops.troubled
        for problem in problems
        if problem.kind == "multiple-loops"
        for item in items
    )


def _refused(suite: Suite) -> Iterator[Fault]:
    """Tests that pytest-asyncio 0.23 to 0.26 refuses to collect."""
    loops = suite.loops
    found: dict[object, tuple[LoopProblem, list[Item]]] = {}
    for items, problems in loops.troubled:
        for problem in problems:
            if problem.kind == "multiple-loops":
                cause = problem.fixture
                key = (items[0].path, None if cause is None else written(cause))
                found.setdefault(key, (problem, []))[1].extend(items)
    for problem, users in found.values():
        test = first_test(users)
        loop = loops.test(test)
        assert loop is not None
        cause = problem.fixture
        name = "`event_loop`" if cause is None else f"`{cause.name}`"
        how = "requests" if cause is None else "uses"
        related = []
        if cause is not None and cause.place is not None:
            related.append(at(cause.place, f"{definition(cause)} runs on a function loop"))
        mark = mark_place(suite, test, lambda one: one.name == "asyncio")
        if mark is not None:
            related.append(at(mark, "this puts the test on another loop"))
        notes = [
            "pytest-asyncio 0.23 to 0.26 refuse to collect it: MultipleEventLoopsRequestedError"
        ]
        if (version := taken_version(loops)) is not None:
            notes.append(version)
        yield Fault(
            test.place,
            f"the test runs on {_on(loop)} and {how} {name}, which needs a function loop",
            symbol_of_test(test),
            tuple(related),
            notes=tuple(notes),
            help="give both the same loop scope",
            tests=frozenset(item.nodeid for item in users),
            certainty="likely" if loops.others else None,
        )
