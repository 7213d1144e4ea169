"""Definitions: fixtures and tests that are lost, repeated, called, marked or wrongly written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.checks.once import registrations
from scopecheck.checks.wording import at, listed, taken_pytest
from scopecheck.checks.wording import tests as how_many_tests
from scopecheck.expressions import ClassRef
from scopecheck.finding import Fault, Place
from scopecheck.suite.collect import as_function, matches
from scopecheck.suite.values import (
    ClassValue,
    External,
    FixtureMarker,
    FixtureValue,
    FunctionValue,
    Literal,
    MarkValue,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Binding, FileFacts, Redefinition
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.values import Value

# Fixture decorators that end in `pytest.fixture`, and let the function's yields mean what they do
# there.
_PYTEST_DECORATORS = frozenset({"pytest.fixture", "pytest.yield_fixture", "pytest_asyncio.fixture"})


@looks("near")
def duplicate_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP304: two fixtures with one public name in one module or class; one never runs."""
    yield from _replaced_fixtures(suite)
    yield from _outsorted_fixtures(suite)


def _replaced_fixtures(suite: Suite) -> Iterator[Fault]:
    """Fixtures whose function is replaced by another of the same name below it."""
    registered: dict[tuple[str, Span], list[Fixture]] = {}
    for fixture in suite.fixtures:
        if fixture.path is not None and fixture.function is not None and fixture.plugin is None:
            registered.setdefault((fixture.path, fixture.function.span), []).append(fixture)
    for path in dict.fromkeys(path for path, _ in registered):
        facts = suite.facts(path)
        for lost, last in _lost(facts):
            winners = registered.get((path, last))
            if not winners or facts is None:
                continue
            value = _value_at(suite, path, lost.owner, lost.name, lost.first)
            if not isinstance(value, FixtureValue):
                continue
            name = _public_name(value, lost.name)
            if name != winners[0].name or not winners[0].certain or lost.first == last:
                continue
            yield Fault(
                Place(path, lost.first),
                f"fixture `{name}` is defined again on line {last.line}: this one never runs",
                _symbol(path, facts, lost.owner, lost.name),
                (Place(path, last, f"every request of `{name}` gets this one"),),
                notes=("the second `def` takes the name away from the first",),
                help="delete one of the two, or give it a name of its own",
                tests=_users(suite, winners),
            )


def _outsorted_fixtures(suite: Suite) -> Iterator[Fault]:
    """Fixtures that `name=` gives the public name of another attribute."""
    places: dict[tuple[str, str, str], dict[str, Fixture]] = {}
    for fixture in suite.fixtures:
        if fixture.path is None or fixture.home is None or fixture.plugin is not None:
            continue
        home = fixture.path if fixture.owner else fixture.home
        key = (home, fixture.owner, fixture.name)
        places.setdefault(key, {}).setdefault(fixture.attribute, fixture)
    losers: list[tuple[Fixture, Fixture]] = []
    alive: set[tuple[str, int, str]] = set()
    for (home, _, name), attributes in places.items():
        ranked = [attributes[attribute] for attribute in sorted(attributes)]
        winner = ranked[-1]
        distinct = {fixture.key for fixture in ranked}
        asked = any(request.name == name for fixture in ranked for request in fixture.requests)
        if len(distinct) == 1 or asked or not all(fixture.certain for fixture in ranked):
            alive.update(distinct)
            continue
        alive.add(winner.key)
        losers += [(loser, winner) for loser in ranked[:-1] if loser.path == home]
    for loser, winner in losers:
        if loser.key in alive or loser.place is None or winner.place is None:
            continue
        imported = "" if winner.path == loser.path else f" of {winner.path}"
        yield Fault(
            loser.place,
            f"fixture `{loser.name}` is also the name of `{winner.attribute}`{imported}: "
            f"`{loser.attribute}` never runs",
            loser.symbol,
            (at(winner.place, f"every request of `{loser.name}` gets this one"),),
            notes=(
                "pytest registers the fixtures of a module or class in the alphabetical order of "
                "their Python names, and of two with one public name takes the last",
            ),
            help="delete one of the two, or give it a name of its own",
            tests=_users(suite, [winner]),
        )


def _users(suite: Suite, fixtures: list[Fixture]) -> frozenset[str]:
    return frozenset().union(*(suite.users.get(fixture, frozenset()) for fixture in fixtures))


def _may_all_be_skipped(suite: Suite, tests: frozenset[str]) -> bool:
    """Whether a `skipif` of each of these tests may be what a branch of their fixture asks."""
    marks = [item.marks for item in suite.items if item.nodeid in tests] if tests else []
    return bool(marks) and all(any(mark.name == "skipif" for mark in own) for own in marks)


def _public_name(value: FixtureValue, attribute: str) -> str | None:
    """The name of a fixture; None where it is computed."""
    name = value.marker.name
    if name is None or name == Literal(None):
        return attribute
    if isinstance(name, Literal) and isinstance(name.value, str):
        return name.value or attribute
    return None


@looks("near")
def duplicate_test(suite: Suite) -> Iterator[Fault]:
    """SCP305: two tests with one name in one module or class; the first is never run."""
    items: dict[str, list[Item]] = {path: [] for path in suite.files.test_files}
    for item in reversed(suite.items):
        items.setdefault(item.place.path, []).append(item)
    for path, own in items.items():
        facts = suite.facts(path)
        if facts is None:
            continue
        collected: dict[tuple[str, Span], str] = {}
        for lost, last in _lost(facts):
            collected = collected or {
                (path, item.function.span): item.nodeid for item in own if item.function is not None
            }
            value = _value_at(suite, path, lost.owner, lost.name, lost.first)
            if isinstance(value, ClassValue):
                yield from _lost_class(suite, path, facts, lost, last, value)
            elif not _is_plain_test(suite, value):
                continue
            elif (path, last) in collected:
                yield _lost_test(path, facts, lost, last, collected[path, last])
            elif path in suite.test_files and _may_be_collected(suite, path, lost, last):
                nodeid = f"{suite.linker.nodeid(path)}::{lost.name}"
                yield _lost_test(path, facts, lost, last, nodeid)


def _may_be_collected(suite: Suite, path: str, lost: Redefinition, last: Span) -> bool:
    """Whether a condition alone decides if the definition that is left is a test."""
    if lost.owner >= 0 or lost.first == last:
        return False
    if not matches(suite.linker.rules.python_functions, lost.name):
        return False
    space = suite.evaluator.module(path)
    binding = None if space is None else _binding_at(space, lost.name, last)
    if space is None or binding is None or binding.guard.branch in ("", "loop"):
        return False
    return _is_plain_test(suite, suite.evaluator.bound(binding, space))


def _lost_test(path: str, facts: FileFacts, lost: Redefinition, last: Span, nodeid: str) -> Fault:
    symbol = _symbol(path, facts, lost.owner, lost.name)
    if lost.first == lost.second:
        return Fault(
            Place(path, lost.first),
            f"test `{lost.name}` is defined anew in each round of a loop: "
            "only the last one is ever run",
            symbol,
            notes=("each `def` takes the name away from the one before",),
            help="parametrize one test over what the loop goes through",
            tests=frozenset([nodeid]),
        )
    return Fault(
        Place(path, lost.first),
        f"test `{lost.name}` is defined again on line {last.line}: this one is never run",
        symbol,
        (Place(path, last, "pytest collects this one only"),),
        notes=("the second `def` takes the name away from the first before pytest looks",),
        help="rename one of the two, or delete it",
        tests=frozenset([nodeid]),
        names=(lost.name,),
    )


def _lost_class(
    suite: Suite,
    path: str,
    facts: FileFacts,
    lost: Redefinition,
    last: Span,
    value: ClassValue,
) -> Iterator[Fault]:
    """A class of tests that another one of its name replaces."""
    linker = suite.linker
    if lost.first == lost.second or path not in suite.test_files or value.decorated:
        return
    lineage = linker.lineages.of(value)
    flag = linker.lineages.is_test(lineage)
    named = matches(linker.rules.python_classes, lost.name)
    if lineage.opaque or flag is False or linker.lineages.is_abstract(lineage):
        return
    if not lineage.testcase and (
        not (named or flag) or linker.lineages.has_constructor(lineage) is not None
    ):
        return
    if _is_skipped(value.marks):
        return
    patterns = ("test",) if lineage.testcase else linker.rules.python_functions
    space = suite.evaluator.class_space(value)
    tests = [
        name
        for name in space.bindings
        if matches(patterns, name) and _is_plain_test(suite, suite.evaluator.lookup(space, name))
    ]
    if not tests:
        return
    parts = [path, *_owners(facts, lost.owner), lost.name]
    prefix = "::".join([linker.nodeid(path), *parts[1:]]) + "::"
    yield Fault(
        Place(path, lost.first),
        f"class `{lost.name}` is defined again on line {last.line}: {_count(len(tests))} never run",
        "::".join(parts),
        (Place(path, last, "pytest collects this one only"),),
        notes=(
            "the second `class` takes the name away from the first before pytest looks; lost: "
            f"{listed(f'`{name}`' for name in tests[:8])}{' and others' * (len(tests) > 8)}",
        ),
        help="rename one of the two, or join them",
        tests=frozenset(f"{prefix}{name}" for name in tests),
    )


def _count(number: int) -> str:
    return "its one test is" if number == 1 else f"its {how_many_tests(number)} are"


def _is_plain_test(suite: Suite, value: Value | None) -> bool:
    """Whether pytest would collect the function, and nothing unknown may have kept it."""
    if not isinstance(value, FunctionValue) or value.opaque or value.hidden is not None:
        return False
    if as_function(value) is None or _is_skipped(value.marks):
        return False
    space = value.env
    for decorator in value.function.decorators:
        found = suite.evaluator.evaluate(decorator.expression, space)
        if isinstance(found, External) and found.name.endswith(".overload"):
            return False
    return True


def _is_skipped(marks: tuple[MarkValue, ...]) -> bool:
    """Whether it would be skipped anyway, so that nothing is lost."""
    return any(mark.name == "skip" for mark in marks)


@looks("near")
def marked_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP309: a mark on a fixture, which has no effect, and is an error since pytest 9."""
    for fixture in _definitions(suite):
        if not fixture.marks or fixture.spelling not in _PYTEST_DECORATORS:
            continue
        assert fixture.place is not None
        assert fixture.path is not None
        marks = tuple(dict.fromkeys(mark.name for mark in fixture.marks))
        named = listed(f"`{name}`" for name in marks)
        word = "mark" if len(marks) == 1 else "marks"
        taken = taken_pytest(suite, 9, 0)
        if suite.version >= (9, 0):
            effect = "pytest refuses to collect the file"
            note = "since 9.0 it is an error; before, the mark had no effect"
        elif suite.version >= (8, 0):
            effect = "no effect, and an error from pytest 9 on"
            note = f"pytest {suite.version[0]}.{suite.version[1]} warns of it"
        else:
            effect = "no effect"
            note = "pytest 8 warns of it, and pytest 9 refuses to collect the file"
        yield Fault(
            fixture.place,
            f"{word} {named} on fixture `{fixture.name}`: {effect}",
            fixture.symbol,
            tuple(_mark_places(suite, fixture)),
            notes=(note, *((taken,) if taken is not None else ())),
            help=_instead(marks, fixture),
            tests=_users(suite, registrations(suite)[fixture.key]),
        )


def _mark_places(suite: Suite, fixture: Fixture) -> Iterator[Place]:
    function = fixture.function
    assert function is not None
    assert fixture.path is not None
    space = suite.evaluator.body(fixture.path, function.owner)
    if space is None:
        return
    for decorator in function.decorators:
        found = suite.evaluator.evaluate_at(decorator.expression, space, function.span)
        if isinstance(found, MarkValue):
            yield Place(fixture.path, decorator.span, f"the mark `{found.name}`")


def _instead(marks: tuple[str, ...], fixture: Fixture) -> str:
    if marks == ("usefixtures",):
        return "take the fixtures as parameters instead"
    if marks == ("parametrize",):
        return "pass `params=` to the fixture instead, and read `request.param`"
    if marks == ("asyncio",) and fixture.is_async:
        return "remove it: `pytest_asyncio.fixture` alone makes an async fixture run"
    return "remove it, or put it on the tests that use the fixture"


@looks("near")
def fixture_yields_twice(suite: Suite) -> Iterator[Fault]:
    """SCP313: a path through a fixture with two yields, or one with none."""
    for fixture in _definitions(suite):
        function = fixture.function
        assert fixture.place is not None
        assert fixture.path is not None
        facts = None if function is None else function.faulty_yields
        if function is None or facts is None or not _is_generator_fixture(suite, fixture):
            continue
        tests = _users(suite, registrations(suite)[fixture.key])
        if facts.twice is not None:
            second, first = facts.twice
            yield Fault(
                fixture.place,
                f"fixture `{fixture.name}` can yield twice: on line {first.line} "
                f"and again on line {second.line}",
                fixture.symbol,
                (
                    Place(fixture.path, first, "the value that the tests get"),
                    Place(fixture.path, second, "reached in the teardown, where pytest stops"),
                ),
                notes=(
                    "every test that gets this far has an error in its teardown, and the code "
                    "below the second `yield` never runs",
                ),
                help="leave one `yield` on every path, with `return` after it where it must end",
                tests=tests,
                names=("twice",),
            )
        if facts.missed is not None and (
            facts.missed_surely or not _may_all_be_skipped(suite, tests)
        ):
            at_end = facts.missed == function.span
            where = "its end" if at_end else f"the `return` on line {facts.missed.line}"
            related = () if at_end else (Place(fixture.path, facts.missed, "left without a value"),)
            shown = tuple(Place(fixture.path, span, "a `yield`") for span in facts.yields[:3])
            yield Fault(
                fixture.place,
                f"fixture `{fixture.name}` can reach {where} without a `yield`",
                fixture.symbol,
                (*related, *shown),
                notes=(
                    f"pytest then stops the test in its set-up: `{fixture.name} did not yield "
                    "a value`",
                ),
                help="yield a value on this path too, or skip the test there",
                tests=tests,
                names=() if at_end else ("missed",),
                certainty=None if facts.missed_surely else "likely",
            )


def _is_generator_fixture(suite: Suite, fixture: Fixture) -> bool:
    """Whether pytest itself drives the function's yields: no other decorator does."""
    function = fixture.function
    assert function is not None
    assert fixture.path is not None
    if fixture.spelling not in _PYTEST_DECORATORS or fixture.opaque:
        return False
    space = suite.evaluator.body(fixture.path, function.owner)
    if space is None:
        return False
    for decorator in function.decorators:
        found = suite.evaluator.evaluate_at(decorator.expression, space, function.span)
        match found:
            case FixtureMarker() | MarkValue():
                continue
            case External(name=name) if name in _PYTEST_DECORATORS | _BINDERS:
                continue
            case _:
                return False
    return True


_BINDERS = frozenset({"builtins.staticmethod", "builtins.classmethod"})


def _definitions(suite: Suite) -> list[Fixture]:
    """The suite's own fixtures, each definition once."""
    found: dict[object, Fixture] = {}
    for fixture in suite.fixtures:
        if (
            fixture.path is not None
            and fixture.plugin is None
            and fixture.function is not None
            and fixture.place is not None
            and not fixture.pseudo
        ):
            found.setdefault((fixture.path, fixture.function.span), fixture)
    return list(found.values())


def _lost(facts: FileFacts | None) -> Iterator[tuple[Redefinition, Span]]:
    """The definitions that are replaced, and what is left in the end."""
    if facts is None or not facts.redefined:
        return
    after = {(one.owner, one.first): one.second for one in facts.redefined}
    for lost in facts.redefined:
        last = lost.second
        passed = [lost.first]
        while last != after.get((lost.owner, last), last):
            passed.append(last)
            last = after[lost.owner, last]
        after.update(((lost.owner, span), last) for span in passed)
        yield lost, last


def _value_at(suite: Suite, path: str, owner: int, name: str, span: Span) -> Value | None:
    """What the definition at this place gave its name."""
    space = suite.evaluator.body(path, owner)
    binding = None if space is None else _binding_at(space, name, span)
    if space is None or binding is None:
        return None
    if isinstance(binding.value, ClassRef):
        value = suite.evaluator.evaluate_at(binding.value, space, span)
        return value if isinstance(value, ClassValue) else None
    return suite.evaluator.bound(binding, space)


def _binding_at(space: Namespace, name: str, span: Span) -> Binding | None:
    for binding in space.bindings.get(name, ()):
        if binding.span == span:
            return binding
    return None


def _owners(facts: FileFacts, owner: int) -> list[str]:
    names: list[str] = []
    while owner >= 0:
        names.append(facts.classes[owner].name)
        owner = facts.classes[owner].owner
    names.reverse()
    return names


def _symbol(path: str, facts: FileFacts, owner: int, name: str) -> str:
    return "::".join([path, *_owners(facts, owner), name])
