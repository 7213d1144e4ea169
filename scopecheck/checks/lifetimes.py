"""Lifetimes: scopes that are none, and values that miss or outlive those they are meant for."""

from __future__ import annotations

from difflib import get_close_matches
from posixpath import dirname
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.places import constant_place, first_line, mark_place, option_places
from scopecheck.checks.wording import (
    at,
    definition,
    first_test,
    listed,
    request_place,
    scoped,
    symbol_of_test,
    taken_pytest,
    tests,
    written,
)
from scopecheck.expressions import Name
from scopecheck.finding import Cause, Fault, Place
from scopecheck.suite.marks import argument_names
from scopecheck.suite.model import SCOPES, Scope
from scopecheck.suite.values import MarkValue, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from scopecheck.expressions import Call
    from scopecheck.facts import Function
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item

    _Answer: TypeAlias = tuple[Fixture, list[Item]]


@looks("near")
def invalid_scope(suite: Suite) -> Iterator[Fault]:
    """SCP104: a scope that pytest does not know."""
    yield from _invalid_fixtures(suite)
    yield from _invalid_marks(suite)
    yield from _invalid_hooks(suite)


def _invalid_fixtures(suite: Suite) -> Iterator[Fault]:
    told: set[object] = set()
    for fixture in suite.fixtures:
        text = fixture.scope_text
        if (
            text is None
            or fixture.path is None
            or fixture.place is None
            or written(fixture) in told
        ):
            continue
        if not fixture.certain:
            continue
        told.add(written(fixture))
        in_module = fixture.level in ("module", "class")
        related = [
            at(place, f"`{name}` is {text!r}" if name else f"the scope is {text!r}")
            for place, name in option_places(suite, fixture, "scope")
        ]
        yield Fault(
            fixture.place,
            f"fixture `{fixture.name}` has the scope {text!r}, which pytest does not know",
            fixture.symbol,
            tuple(related),
            notes=(
                "pytest cannot collect the file"
                if in_module
                else "pytest stops before it runs any test",
            ),
            help=_known_scope(text),
            tests=frozenset(
                item.nodeid
                for item in suite.items
                if any(fixture in level.fixtures.get(fixture.name, ()) for level in item.levels)
                or (in_module and item.path == fixture.home)
            ),
        )


def _known_scope(text: str) -> str:
    """What to write in place of a scope that is none."""
    near = get_close_matches(text.strip().lower(), SCOPES, 1, 0.7)
    if near:
        return f'write `scope="{near[0]}"`'
    return f"use one of {listed(f'`{word}`' for word in SCOPES)}"


def _invalid_marks(suite: Suite) -> Iterator[Fault]:
    found: dict[tuple[Place, str], tuple[Item, MarkValue]] = {}
    for item in suite.items:
        for mark in item.marks:
            # unittest takes no notice of the mark.
            if mark.name != "parametrize" or item.testcase or _bad_scope(suite, mark) is None:
                continue
            place = mark_place(suite, item, lambda other, mark=mark: other == mark)  # type: ignore[misc]
            key = (place or item.place, str(_bad_scope(suite, mark)))
            found.setdefault(key, (item, mark))
    for (place, text), (item, mark) in found.items():
        names = listed(f"`{name}`" for name in argument_names(mark) or ())
        nodeids = frozenset(other.nodeid for other in suite.items if other.path == item.path)
        yield Fault(
            place,
            f"parametrization of {names or 'a test'} has the scope {text!r}, "
            "which pytest does not know",
            symbol_of_test(item),
            notes=(f"pytest cannot collect the file, which has {tests(len(nodeids))}",),
            help=_known_scope(text),
            tests=nodeids,
        )


def _bad_scope(suite: Suite, mark: MarkValue) -> str | None:
    given = mark.keyword("scope")
    if given is None and len(mark.args) > 4 and suite.version < (9, 2):
        given = mark.args[4]
    text = text_of(given)
    return None if text is None or text in SCOPES else text


def _invalid_hooks(suite: Suite) -> Iterator[Fault]:
    for path in dict.fromkeys((*suite.files.conftests, *suite.files.test_files)):
        facts = suite.facts(path)
        if facts is None:
            continue
        for binding in facts.bindings:
            if binding.name != "pytest_generate_tests" or binding.guard.never:
                continue
            index = getattr(binding.value, "index", None)
            if isinstance(index, int):
                yield from _invalid_in_hook(suite, path, facts.functions[index])


def _invalid_in_hook(suite: Suite, path: str, function: Function) -> Iterator[Fault]:
    space = suite.evaluator.module(path)
    if function.body is None or not function.parameters or space is None:
        return
    wanted = Name((function.parameters[0].name, "parametrize"))
    for fact in function.body.calls:
        call: Call = fact.call
        given = call.keyword("scope")
        if call.func != wanted or fact.nested or given is None:
            continue
        if isinstance(given, Name) and given.parts[0] in function.body.locals:
            continue
        text = text_of(suite.evaluator.evaluate(given, space))
        if text is None or text in SCOPES:
            continue
        names = _names_of(suite, call, path)
        reached = _below(suite.items, path)
        if names is not None:
            reached = [item for item in reached if names & _requested(item)]
        if not reached:
            continue
        constant = constant_place(suite, space, given)
        yield Fault(
            Place(path, first_line(call.span)),
            f"parametrization of {listed(f'`{name}`' for name in sorted(names or ())) or 'tests'} "
            f"has the scope {text!r}, which pytest does not know",
            f"{path}::{function.name}",
            () if constant is None else (at(constant[0], f"`{constant[1]}` is {text!r}"),),
            notes=("pytest cannot collect the files whose tests are parametrized here",),
            help=_known_scope(text),
            tests=frozenset(item.nodeid for item in reached),
            certainty="likely" if fact.under else None,
        )


def _names_of(suite: Suite, call: Call, path: str) -> frozenset[str] | None:
    space = suite.evaluator.module(path)
    first = call.args[0] if call.args else call.keyword("argnames")
    if first is None or space is None:
        return None
    mark = MarkValue("parametrize", (suite.evaluator.evaluate(first, space),))
    names = argument_names(mark)
    return None if names is None else frozenset(names)


def _below(items: Iterable[Item], path: str) -> list[Item]:
    """The tests that a hook in this file is called for."""
    if not path.endswith("conftest.py"):
        return [item for item in items if item.path == path]
    folder = dirname(path)
    return [item for item in items if not folder or item.path.startswith(f"{folder}/")]


def _requested(item: Item) -> frozenset[str]:
    closure = item.plan.closure if item.plan is not None else ()
    return frozenset((*closure, *(request.name for request in item.requests)))


# pytest warns of every one from here on.
_WARNS_SINCE = (9, 2)
# Before, a class-scoped fixture of a TestCase was called with the class as its `self`.
_TESTCASE_INSTANCE_SINCE = (8, 2)
_SHOWN_STORES = 3


@looks("near")
def instance_scope_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP105: a class-scoped or wider fixture that is an instance method."""
    found: dict[object, tuple[Fixture, list[Item]]] = {}
    candidates = {fixture for fixture in suite.fixtures if _is_wide_method(fixture)}
    if not candidates:
        return
    for plan, items in suite.items_of.items():
        for fixture in plan.order:
            if fixture in candidates:
                found.setdefault(written(fixture), (fixture, []))[1].extend(
                    item for item in items if _reports(suite, item)
                )
    for fixture, users in found.values():
        if users:
            yield from _told_method(suite, fixture, users)


def _is_wide_method(fixture: Fixture) -> bool:
    """Whether `self` of the fixture is an instance that no test gets."""
    return (
        fixture.owner != ""
        and fixture.path is not None
        and fixture.certain
        and fixture.scope is not None
        and fixture.scope > Scope.FUNCTION
        and not fixture.wrapper
        and fixture.function is not None
        and fixture.function.owner >= 0
        and bool(fixture.function.parameters)
        and fixture.function.parameters[0].kind in ("normal", "positional")
    )


def _reports(suite: Suite, item: Item) -> bool:
    if item.skipped:
        return False
    return not item.testcase or suite.version >= _TESTCASE_INSTANCE_SINCE


def _told_method(suite: Suite, fixture: Fixture, users: Sequence[Item]) -> Iterator[Fault]:
    function = fixture.function
    assert function is not None
    assert fixture.place is not None
    assert fixture.scope is not None
    stores = () if function.body is None else function.body.self_stores
    warns = suite.version >= _WARNS_SINCE and _is_called_by_pytest(suite, fixture)
    if not stores and not warns:
        return
    own, word = function.parameters[0].name, fixture.scope.word
    what = f"{word}-scoped `{fixture.name}` is an instance method"
    names = list(dict.fromkeys(name for name, _ in stores))
    shown = [f"`{own}.{name}`" for name in names[:_SHOWN_STORES]]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    notes = []
    if stores:
        message = f"{what}: no test sees what it stores in {listed(shown)}"
        notes.append(f"each test gets an instance of its own; `{own}` here is another one")
    else:
        message = f"{what}, which pytest {_dotted(_WARNS_SINCE)} and later warn of"
    if warns:
        notes.append("pytest warns (PytestRemovedIn10Warning) and pytest 10 will refuse it")
    taken = taken_pytest(suite, *_WARNS_SINCE) if warns else None
    if taken is not None:
        notes.append(taken)
    advice = "put `@classmethod` below the fixture decorator"
    if stores:
        advice += f" and store on `cls` instead of `{own}`"
    first: dict[str, Span] = {}
    for name, span in stores:
        first.setdefault(name, span)
    related = [
        at(Place(fixture.path or "", span), f"`{own}.{name}` is stored here")
        for name, span in list(first.items())[:_SHOWN_STORES]
    ]
    user = first_test(users)
    related.append(at(user.place, "used by this test"))
    yield Fault(
        fixture.place,
        message,
        fixture.symbol,
        tuple(related),
        notes=tuple(notes),
        help=advice,
        tests=frozenset(item.nodeid for item in users),
        certainty="likely" if taken is not None and not stores else None,
        cause=None if stores else Cause(fixture.path or "", "this one, too"),
    )


def _is_called_by_pytest(suite: Suite, fixture: Fixture) -> bool:
    """Whether pytest's own code binds the method, and so warns: anyio and trio do it themselves."""
    if not fixture.is_async or fixture.spelling == "pytest_asyncio.fixture":
        return True
    return suite.files.config.asyncio_mode == "auto"


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


class _Shared(Struct):
    """A kept fixture, a name that it requests, and who gets which answer to it."""

    keeper: Fixture
    name: str
    answers: dict[object, _Answer] = field(default_factory=dict)


class _Override(Struct):
    """A definition that a kept fixture is given or denied by the order of tests."""

    base: Fixture
    base_items: list[Item]
    override: Fixture
    items: list[Item]
    hides: bool
    keepers: list[Fixture] = field(default_factory=list)


# Asked for so that a plugin sees it, not for a value to build from.
_READ_BY_PLUGINS = frozenset({"anyio_backend", "event_loop", "event_loop_policy"})


@looks("far")
def session_override_order(suite: Suite) -> Iterator[Fault]:
    """SCP106: what a kept fixture is built from depends on which test runs first."""
    found: dict[object, _Override] = {}
    for shared in _shared(suite):
        answers = sorted(shared.answers.values(), key=lambda answer: _order(first_test(answer[1])))
        for override, base, hides in _rivals(suite, answers):
            if not _meet(base, override) or (hides and _hands_on(override[0])):
                continue
            entry = found.setdefault(override[0].key, _Override(*base, *override, hides))
            if all(keeper.key != shared.keeper.key for keeper in entry.keepers):
                entry.keepers.append(shared.keeper)
    for entry in found.values():
        if entry.override.place is not None and entry.override.path is not None:
            yield _told_order(entry)


def _rivals(suite: Suite, answers: Sequence[_Answer]) -> Iterator[tuple[_Answer, _Answer, bool]]:
    """Each override with what it hides (True); of definitions side by side, all but the first."""
    hidden: set[object] = set()
    pairs: list[tuple[_Answer, _Answer]] = []
    for override in answers:
        for base in answers:
            if override is not base and _hides(suite, override, base):
                pairs.append((override, base))
                hidden.add(base[0].key)
    overriding = {override[0].key for override, _ in pairs}
    for override, base in pairs:
        yield override, base, True
    beside = [each for each in answers if each[0].key not in hidden | overriding]
    for other in beside[1:]:
        yield other, beside[0], False


def _shared(suite: Suite) -> Iterator[_Shared]:
    """Kept fixtures whose request is answered differently for tests that share them."""
    names = _redefined(suite)
    if not names:
        return
    found: dict[tuple[Fixture, str, str], _Shared] = {}
    for plan, items in suite.items_of.items():
        live: list[Item] | None = None
        for edge in plan.edges:
            keeper, answer = edge.asker, edge.answer
            if edge.request not in names or keeper is None or answer.pseudo:
                continue
            if not _is_kept(keeper, answer) or edge.request in plan.unknown:
                continue
            if live is None:
                live = [item for item in items if not item.skipped]
            for item in live:
                key = (keeper, edge.request, _instance(keeper, item))
                shared = found.setdefault(key, _Shared(keeper, edge.request))
                shared.answers.setdefault(answer.key, (answer, []))[1].append(item)
    for shared in found.values():
        if len(shared.answers) > 1:
            yield shared


def _redefined(suite: Suite) -> Mapping[str, int]:
    """The names that more than one session- or package-scoped definition has."""
    keys: dict[str, set[object]] = {}
    for fixture in suite.fixtures:
        if fixture.name in _READ_BY_PLUGINS:
            continue
        if fixture.scope is not None and fixture.scope >= Scope.PACKAGE:
            keys.setdefault(fixture.name, set()).add(fixture.key)
    return {name: len(found) for name, found in keys.items() if len(found) > 1}


def _is_kept(keeper: Fixture, answer: Fixture) -> bool:
    scopes = (keeper.scope, answer.scope)
    return (
        keeper.certain
        and answer.certain
        and scopes[0] is not None
        and scopes[1] is not None
        and Scope.FUNCTION < scopes[0] <= scopes[1]
        and scopes[1] >= Scope.PACKAGE
    )


def _instance(keeper: Fixture, item: Item) -> str:
    """Tests with the same answer share one instance of the fixture."""
    match keeper.scope:
        case Scope.MODULE:
            return item.path
        case Scope.CLASS:
            return item.nodeid.rpartition("::")[0]
    return ""


def _order(item: Item) -> tuple[str, int]:
    return (item.path, item.line)


def _hides(suite: Suite, override: _Answer, base: _Answer) -> bool:
    """Whether the tests of one definition could see the other, further out."""
    visible = suite.resolver.visible(override[1][0].levels, override[0].name)
    keys = [fixture.key for fixture in visible]
    return base[0].key in keys and override[0].key in keys[keys.index(base[0].key) + 1 :]


def _hands_on(override: Fixture) -> bool:
    """Whether an override gives what it hides, as it is: the value is the same with and without."""
    function = override.function
    handout = None if function is None else function.handout
    if function is None or handout is None or not handout.values:
        return False
    own = override.name
    return (
        any(request.name == own for request in override.requests)
        and all(binding.name != own for binding in function.bindings)
        and all(value == Name((own,)) for value, _ in handout.values)
    )


def _meet(one: _Answer, other: _Answer) -> bool:
    """Whether what is built from one definition is still there when the other's tests run."""
    return _outlives(one[0], other[1]) or _outlives(other[0], one[1])


def _outlives(fixture: Fixture, items: Iterable[Item]) -> bool:
    if fixture.scope is Scope.SESSION or fixture.level != "folder":
        return True
    # A package-scoped fixture ends with its folder, and takes what was built from it along.
    folder = dirname(fixture.home or "")
    return any(item.path.startswith(f"{folder}/") for item in items)


def _told_order(entry: _Override) -> Fault:
    base, override, keeper = entry.base, entry.override, entry.keepers[0]
    assert override.place is not None
    nodeids = frozenset(item.nodeid for item in entry.items)
    others = ""
    if len(entry.keepers) > 1:
        others = f" and {len(entry.keepers) - 1} more"
    related: list[Place] = []
    if base.place is not None and base.path is not None:
        related.append(at(base.place, f"the {scoped(base.scope)} `{base.name}` that others get"))
    for each in entry.keepers:
        place = request_place(each, override.name)
        if place is not None and place.path:
            related.append(
                at(place, f"{scoped(each.scope)} `{each.name}` is kept with what it got")
            )
    inside, outside = first_test(entry.items), first_test(entry.base_items)
    related.append(at(outside.place, f"gets `{keeper.name}` with the other `{base.name}`"))
    related.append(at(inside.place, f"gets `{keeper.name}` with this `{override.name}`"))
    subject = f"{scoped(override.scope)} `{override.name}`"
    if entry.hides:
        subject = f"{scoped(override.scope)} override of {definition(base)}"
    return Fault(
        override.place,
        f"{subject} reaches {scoped(keeper.scope)} {definition(keeper)}{others} "
        "only if a test that sees it runs first",
        override.symbol,
        tuple(related),
        notes=(
            f"pytest sets `{keeper.name}` up once, with the `{base.name}` of the first test that "
            f"needs it, and keeps it for the {tests(len(nodeids))} that should get this one",
        ),
        help=(
            f"override `{keeper.name}` beside `{override.name}`, so that these tests have their "
            "own, or give the two definitions different names"
        ),
        tests=nodeids | {item.nodeid for item in entry.base_items},
    )
