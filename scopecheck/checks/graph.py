"""Fixture graph: requests that nothing answers, cycles, and definitions that pytest passes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from posixpath import dirname, join, normpath, relpath
from typing import TYPE_CHECKING

from scopecheck.checks.reach import (
    bound_at,
    has_own_run,
    has_unread,
    levels_of,
    plainly_bound,
    unreached_fixtures,
)
from scopecheck.checks.wording import at, first_test, request_place, scoped, tests
from scopecheck.facts import Call as FactsCall
from scopecheck.facts import Const, FunctionRef, Import, Name
from scopecheck.finding import Fault, Place
from scopecheck.source import Span
from scopecheck.suite import mentions
from scopecheck.suite.marks import argument_names, marks_in, used_names
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue, FixtureValue, MarkValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scopecheck.facts import Class, FileFacts, Function
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item, Level, Plan, Problem
    from scopecheck.suite.names import Namespace
    from scopecheck.suite.values import Value

# Told by the rules about event loops.
_LOOP_FIXTURES = frozenset({"event_loop"})


# -- SCP301 --------------------------------------------------------------------------------------


@dataclass
class _Missing:
    """A name that nothing answers, who asks for it, and every test that it stops."""

    name: str
    asker: str
    place: Place
    symbol: str
    chain: tuple[Fixture, ...]
    fixture: Fixture | None = None
    items: list[Item] = field(default_factory=list)


def unknown_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP301: a request that no definition answers."""
    if not _is_for_pytest(suite):
        return
    found: dict[tuple[Place, str], _Missing] = {}
    silent = _Silenced(suite)
    for plan, items in suite.items_of.items():
        for problem in plan.problems:
            if problem.kind == "unknown-fixture" and _is_sure(problem):
                for item in items:
                    if not silent.item(item):
                        _add_missing(suite, found, problem, item)
    for missing in found.values():
        if has_own_run(suite, missing.place.path):
            continue
        if missing.fixture is not None or not _is_used_as_helper(suite, missing.items[0]):
            yield _told_missing(suite, missing)
    yield from _missing_in_unreached(suite)


def _is_for_pytest(suite: Suite) -> bool:
    """Whether a suite of unittest's classes shows that pytest runs it, and not unittest itself."""
    files = suite.files
    if files.conftests or files.config.ini or not any(item.testcase for item in suite.items):
        return True
    return any(
        isinstance(binding.value, Import) and binding.value.module.partition(".")[0] == "pytest"
        for path in files.test_files
        if (facts := suite.facts(path)) is not None
        for binding in facts.bindings
    )


def _is_used_as_helper(suite: Suite, item: Item) -> bool:
    """Whether other code of the file takes a function that is only named like a test."""
    function, path = item.function, item.place.path
    if function is None or item.nodeid.count("::") != 1:
        return False
    facts = suite.facts(path)
    if facts is None:
        return False
    return bool(mentions.in_code(suite.text(path), facts, (function.name,)))


def _is_sure(problem: Problem) -> bool:
    return (
        problem.certain
        and problem.name not in _LOOP_FIXTURES
        and all(fixture.certain and not fixture.opaque for fixture in problem.stack)
    )


class _Silenced:
    """Tests that pytest never sets up, or whose parameters are not known."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._skipped: dict[str, bool] = {}

    def item(self, item: Item) -> bool:
        """Whether what the test asks for stays unanswered without harm."""
        if item.skipped or item.opaque:
            return True
        skipped = self._skipped.get(item.path)
        if skipped is None:
            facts = self._suite.facts(item.path)
            skipped = self._skipped[item.path] = facts is not None and _skips_itself(facts)
        return skipped


def _skips_itself(facts: FileFacts) -> bool:
    """Whether a module skips all that is in it, by a statement under no condition."""
    return any(
        isinstance(found.call.func, Name)
        and found.call.func.parts[-1] == "skip"
        and found.call.keyword("allow_module_level") == Const(True)
        and found.call.span.column == 1
        for found in facts.module_calls
    )


def _add_missing(
    suite: Suite, found: dict[tuple[Place, str], _Missing], problem: Problem, item: Item
) -> None:
    name = problem.name
    if problem.stack:
        asker = problem.stack[-1]
        place = request_place(asker, name)
        if asker.path is None or place is None:
            return
        missing = _Missing(name, asker.name, place, asker.symbol, problem.stack, asker)
    else:
        asked = _asked_by_test(suite, item, name)
        if asked is None:
            return
        missing = _Missing(name, *asked, ())
    if "site-packages/" not in missing.place.path:
        found.setdefault((missing.place, name), missing).items.append(item)


def _asked_by_test(suite: Suite, item: Item, name: str) -> tuple[str, Place, str] | None:
    """Who asks for a name that a test needs itself, where, and the symbol of that place."""
    function = item.function
    if function is None:
        return None
    for request in item.requests:
        if request.name == name:
            return function.name, request.place, _symbol(item.place.path, item, function)
    if any(request.name == name for request in item.usefixtures):
        held = _mark_holder(
            suite, item, lambda mark: mark.name == "usefixtures" and name in used_names((mark,))
        )
        if held is not None and held.span != item.place.span:
            return held.name, Place(held.path, held.span), held.symbol
        return function.name, item.place, _symbol(item.place.path, item, function)
    config = suite.files.config
    if name in config.usefixtures and config.inifile is not None:
        rootdir = suite.linker.rules.rootdir
        relative = relpath(config.inifile.as_posix(), config.rootdir.as_posix())
        line = config.option_lines.get("usefixtures", 1)
        path = normpath(join(rootdir, relative))
        return "usefixtures", Place(path, Span(line, 1, line, len("usefixtures") + 1)), path
    return None


def _symbol(path: str, item: Item, function: Function) -> str:
    classes = item.nodeid.split("::")[1:-1]
    return "::".join([path, *classes, function.name])


def _told_missing(suite: Suite, missing: _Missing) -> Fault:
    item = first_test(missing.items)
    name = missing.name
    levels = item.levels
    elsewhere = _defined_elsewhere(suite, name)
    near = _near_name(levels, name, missing.asker)
    asks = "uses" if missing.asker == "usefixtures" else "requests"
    who = "the configuration" if missing.asker == "usefixtures" else f"`{missing.asker}`"
    related: list[Place] = []
    if elsewhere:
        what = f"which is defined only {_where(elsewhere[0])}"
        advice = f"move `{name}` to a conftest.py above both, or ask for another fixture"
        related += [at(f.place, f"`{name}` is defined here") for f in elsewhere if f.place]
    elif (unregistered := _not_imported(suite, missing)) is not None:
        what = f"which is not imported from {unregistered.path}"
        advice = f"import `{name}` too, or register the module in `pytest_plugins`"
        related.append(at(unregistered, f"`{name}` is defined here"))
    elif near is not None:
        what = f"which nothing defines; did you mean `{near.name}`?"
        advice = f"request `{near.name}`"
        if near.place is not None and near.path is not None:
            related.append(at(near.place, f"`{near.name}` is defined here"))
    else:
        what = "which nothing defines"
        advice = f"define a fixture `{name}`, or take the request out"
    related += _chain(missing.chain, item)
    nodeids = frozenset(found.nodeid for found in missing.items)
    return Fault(
        missing.place,
        f"{who} {asks} the fixture `{name}`, {what}",
        missing.symbol,
        tuple(related),
        notes=(f"pytest stops {_all(nodeids)} with `fixture '{name}' not found`",),
        help=advice,
        tests=nodeids,
        searched=suite.searched,
    )


def _all(nodeids: frozenset[str]) -> str:
    count = len(nodeids)
    return "the 1 test that needs it" if count == 1 else f"all {tests(count)} that need it"


def _chain(stack: Sequence[Fixture], item: Item) -> Iterator[Place]:
    """Every step from the fixture that asks back to a test."""
    for outer, inner in zip(reversed(stack[:-1]), reversed(stack[1:]), strict=True):
        if outer.path is not None and outer.place is not None:
            yield at(
                request_place(outer, inner.name) or outer.place,
                f"`{inner.name}` is requested by `{outer.name}`",
            )
    if stack:
        first = stack[0].name
        for request in (*item.requests, *item.usefixtures):
            if request.name == first:
                yield at(request.place, f"`{first}` is used by this test")
                return
        yield at(item.place, f"this test gets `{first}` without naming it")


def _defined_elsewhere(suite: Suite, name: str) -> list[Fixture]:
    """Definitions of the name that the asker does not see, one for each `def`."""
    found = {
        fixture.key: fixture
        for fixture in suite.fixtures
        if fixture.name == name and fixture.path is not None and not fixture.assumed
    }
    return sorted(found.values(), key=lambda fixture: (fixture.home or "", fixture.line))[:3]


def _where(fixture: Fixture) -> str:
    home = fixture.home or ""
    if fixture.level == "class":
        return f"in the class {fixture.owner} of {home}"
    if fixture.level == "module":
        return f"in {home}"
    folder = dirname(home)
    return f"below {folder}" if folder else f"in {home}"


def _not_imported(suite: Suite, missing: _Missing) -> Place | None:
    """The definition that stands beside a fixture that was imported without it."""
    asker = missing.fixture
    if asker is None or asker.path is None or asker.path == asker.home:
        return None
    space = suite.evaluator.module(asker.path)
    value = None if space is None else suite.evaluator.lookup(space, missing.name)
    if not isinstance(value, FixtureValue):
        return None
    return Place(value.function.module, value.function.function.span)


def _near_name(levels: Iterable[Level], name: str, asker: str) -> Fixture | None:
    """The visible fixture whose name is most like this one."""
    visible = {
        known: fixtures[-1]
        for level in levels
        for known, fixtures in level.fixtures.items()
        if known != asker and not known.startswith("_")
    }
    near = get_close_matches(name, list(visible), 1, 0.75)
    return visible[near[0]] if near else None


def _missing_in_unreached(suite: Suite) -> Iterator[Fault]:
    """Requests of fixtures that no test reaches, of names that exist nowhere in the suite."""
    linker = suite.linker
    if not linker.session.complete or has_unread(suite):
        return
    unreached = unreached_fixtures(suite)
    if not unreached:
        return
    known = {fixture.name for fixture in suite.fixtures}
    for item in suite.items:
        known.update(item.parametrized.direct, item.parametrized.indirect)
    homes = {*suite.files.conftests, *suite.files.test_files}
    told: set[tuple[str, int, str]] = set()
    for fixture in unreached:
        if fixture.home not in homes or fixture.key in told or not plainly_bound(suite, fixture):
            continue
        if has_own_run(suite, fixture.home):
            continue
        levels = levels_of(suite, fixture)
        if levels is None or any(not x.complete or x.generates_any for x in levels):
            continue
        generated = frozenset().union(*(level.generates for level in levels))
        for request in fixture.requests:
            name = request.name
            if name in known or name in generated or name in ("request", *_LOOP_FIXTURES):
                continue
            if any(name in level.unseen for level in levels):
                continue
            told.add(fixture.key)
            near = _near_name(levels, name, fixture.name)
            hint = "" if near is None else f"; did you mean `{near.name}`?"
            yield Fault(
                request.place,
                f"`{fixture.name}` requests the fixture `{name}`, which nothing defines{hint}",
                fixture.symbol,
                notes=(
                    f"no test reaches `{fixture.name}`; the first one to do so would stop with "
                    f"`fixture '{name}' not found`",
                ),
                help=f"take `{fixture.name}` out, or mend its request",
                searched=suite.searched,
                certainty="likely",
            )


# -- marks and where they stand ------------------------------------------------------------------


@dataclass(frozen=True)
class _Holder:
    """A function, class or module that carries a mark."""

    name: str
    path: str
    span: Span
    symbol: str
    decorator: Span | None = None


def _mark_holder(suite: Suite, item: Item, wanted: Callable[[MarkValue], bool]) -> _Holder | None:
    """What carries the mark: the test itself, else the nearest class, else its module."""
    evaluator = suite.evaluator
    function = item.function
    own = evaluator.module(item.place.path)
    if function is not None and own is not None:
        for decorator in function.decorators:
            if _is_mark(evaluator.evaluate(decorator.expression, own), wanted):
                symbol = _symbol(item.place.path, item, function)
                return _Holder(
                    function.name, item.place.path, item.place.span, symbol, decorator.span
                )
    space = evaluator.module(item.path)
    if space is None:
        return None
    chain: list[ClassValue] = []
    scope: Namespace = space
    for part in item.nodeid.split("::")[1:-1]:
        value = evaluator.lookup(scope, part)
        if not isinstance(value, ClassValue):
            break
        chain.append(value)
        scope = evaluator.class_space(value)
    for value in reversed(chain):
        for holder in suite.linker.lineages.of(value).classes:
            found = _class_mark(suite, holder, wanted)
            if found is not None:
                return found
    if any(map(wanted, marks_in(evaluator.lookup(space, "pytestmark")))):
        span = space.bindings["pytestmark"][-1].span
        return _Holder(item.path.rpartition("/")[2], item.path, span, item.path)
    return None


def _class_mark(
    suite: Suite, value: ClassValue, wanted: Callable[[MarkValue], bool]
) -> _Holder | None:
    class_: Class = value.class_
    symbol = f"{value.module}::{class_.name}"
    for decorator in class_.decorators:
        if _is_mark(suite.evaluator.evaluate(decorator.expression, value.env), wanted):
            return _Holder(class_.name, value.module, class_.span, symbol, decorator.span)
    space = suite.evaluator.class_space(value)
    if any(map(wanted, marks_in(suite.evaluator.lookup(space, "pytestmark")))):
        return _Holder(class_.name, value.module, space.bindings["pytestmark"][-1].span, symbol)
    return None


def _is_mark(value: Value, wanted: Callable[[MarkValue], bool]) -> bool:
    return isinstance(value, MarkValue) and wanted(value)


# -- SCP302 --------------------------------------------------------------------------------------


@dataclass
class _Cycle:
    """Fixtures that need each other, as one test meets them, and every test that does."""

    name: str
    stack: tuple[Fixture, ...]
    ring: tuple[Fixture, ...]
    items: list[Item] = field(default_factory=list)


def fixture_cycle(suite: Suite) -> Iterator[Fault]:
    """SCP302: fixtures that need each other, override layers taken into account."""
    found: dict[frozenset[tuple[str, int, str]], _Cycle] = {}
    silent = _Silenced(suite)
    for plan, items in suite.items_of.items():
        live = [item for item in items if not silent.item(item)]
        for problem in plan.problems if live else ():
            if problem.kind != "cycle" or not _is_sure(problem):
                continue
            ring = _ring(problem)
            if ring and all(fixture.path is not None for fixture in ring):
                key = frozenset(fixture.key for fixture in ring)
                cycle = found.setdefault(key, _Cycle(problem.name, problem.stack, ring))
                cycle.items.extend(live)
    for cycle in found.values():
        closing = cycle.ring[-1]
        if closing.place is not None:
            yield _told_cycle(cycle, closing, closing.place)


def _ring(problem: Problem) -> tuple[Fixture, ...]:
    """The part of the stack that goes round: from the fixture asked for again to the asker."""
    for index in range(len(problem.stack) - 1, -1, -1):
        if problem.stack[index].name == problem.name:
            return problem.stack[index:]
    return ()


def _told_cycle(cycle: _Cycle, closing: Fixture, place: Place) -> Fault:
    name, ring = cycle.name, cycle.ring
    if len(ring) == 1:
        message = f"`{name}` requests itself, and there is no `{name}` further out to override"
        advice = f"rename `{name}`, or request another fixture"
    else:
        way = " -> ".join([*(fixture.name for fixture in ring), name])
        message = f"`{closing.name}` requests `{name}`, which needs `{closing.name}`: {way}"
        advice = (
            "move what both need to a fixture of its own, "
            f"or take one of the {len(ring)} requests out"
        )
    related: list[Place] = []
    asked = request_place(closing, name)
    if asked is not None:
        related.append(at(asked, f"`{name}` is requested here"))
    for outer, inner in pairwise(ring):
        step = request_place(outer, inner.name) or outer.place
        if step is not None:
            related.append(at(step, f"`{outer.name}` requests `{inner.name}`"))
    item = first_test(cycle.items)
    before = cycle.stack[: len(cycle.stack) - len(ring) + 1]
    related += _chain(before, item)
    nodeids = frozenset(found.nodeid for found in cycle.items)
    return Fault(
        place,
        message,
        closing.symbol,
        tuple(related),
        notes=(
            f"pytest stops {_all(nodeids)} with `recursive dependency involving fixture "
            f"'{name}' detected`",
        ),
        help=advice,
        tests=nodeids,
    )


# -- SCP306 --------------------------------------------------------------------------------------


def imported_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP306: a fixture that every import registers, and sets up, once more."""
    groups: dict[tuple[str, int, str], dict[str, tuple[Fixture, Place]]] = {}
    for fixture in suite.users:
        if fixture.path is None or fixture.home is None or not fixture.certain:
            continue
        # A narrower one is set up for each module, class or test, whichever import it comes by.
        if fixture.scope is None or fixture.scope < Scope.PACKAGE:
            continue
        binding = bound_at(suite, fixture)
        if binding is not None and isinstance(binding.value, Import):
            place = Place(fixture.home, binding.span)
            groups.setdefault(fixture.key, {}).setdefault(fixture.home, (fixture, place))
    for group in groups.values():
        if len(group) > 1:
            yield from _told_imports(suite, [group[home] for home in sorted(group)])


def _told_imports(suite: Suite, imports: Sequence[tuple[Fixture, Place]]) -> Iterator[Fault]:
    count = len(imports)
    for fixture, place in imports:
        name, users = fixture.name, suite.users[fixture]
        related = [at(other, "imported here too") for _, other in imports if other != place]
        if fixture.place is not None:
            related.insert(0, at(fixture.place, f"{scoped(fixture.scope)} `{name}`"))
        what = f"autouse {scoped(fixture.scope)}" if fixture.autouse else scoped(fixture.scope)
        note = f"it is set up {count} times for the session, once for each import"
        yield Fault(
            place,
            f"{what} `{name}` of {fixture.path} is imported into {count} files, "
            "and each import registers it again",
            f"{place.path}::{name}",
            tuple(related),
            notes=(note,),
            help=f"move `{name}` to a conftest.py above them, or name its module in "
            "`pytest_plugins`, and take the imports out",
            tests=users,
        )


# -- SCP307 --------------------------------------------------------------------------------------


@dataclass
class _Shadow:
    """A name that a `parametrize` takes from the fixtures of a test that does not request it."""

    name: str
    real: Fixture
    holder: _Holder
    asker: Fixture | None
    items: list[Item] = field(default_factory=list)


def parametrize_shadows_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP307: direct parametrization that takes away a fixture the test does not request."""
    found: dict[tuple[str, Span, str], _Shadow] = {}
    silent = _Silenced(suite)
    for plan, items in suite.items_of.items():
        if not items[0].parametrized.direct:
            continue
        for item in items:
            if silent.item(item):
                continue
            for name in item.parametrized.direct:
                _add_shadow(suite, found, plan, item, name)
    for shadow in found.values():
        yield _told_shadow(shadow)


def _add_shadow(
    suite: Suite,
    found: dict[tuple[str, Span, str], _Shadow],
    plan: Plan,
    item: Item,
    name: str,
) -> None:
    if any(request.name == name for request in (*item.requests, *item.usefixtures)):
        return
    visible = suite.resolver.visible(item.levels, name)
    if not visible or not visible[-1].certain or visible[-1].assumed:
        return
    # A mismatch that the parametrization makes is told by the rules about scopes.
    if any(
        p.requested is not None and p.requested.pseudo and p.name == name for p in plan.problems
    ):
        return
    askers = [
        edge.asker
        for edge in plan.edges
        if edge.request == name and edge.answer.pseudo and edge.asker is not None
    ]
    if name in suite.resolver.autouse(item.levels):
        askers = []
    elif not askers or visible[-1].kind not in ("generator", "asyncgen"):
        # A plain value replaced by another is a documented way to vary what depends on it.
        return
    holder = _mark_holder(
        suite,
        item,
        lambda mark: mark.name == "parametrize" and name in (argument_names(mark) or ()),
    )
    if holder is None:
        return
    key = (holder.path, holder.decorator or holder.span, name)
    shadow = _Shadow(name, visible[-1], holder, askers[0] if askers else None)
    found.setdefault(key, shadow).items.append(item)


def _told_shadow(shadow: _Shadow) -> Fault:
    holder, name = shadow.holder, shadow.name
    span = _first_line(holder.decorator or holder.span)
    nodeids = frozenset(item.nodeid for item in shadow.items)
    related: list[Place] = []
    if shadow.real.place is not None and shadow.real.path is not None:
        related.append(at(shadow.real.place, f"the fixture `{name}`, which does not run"))
    if shadow.asker is None:
        message = f"`{holder.name}` parametrizes `{name}`, so the autouse fixture does not run"
        advice = f'parametrize another name, or pass `indirect=["{name}"]`'
    else:
        message = (
            f"`{holder.name}` parametrizes `{name}`, which it does not request: "
            f"`{shadow.asker.name}` gets the value in place of the fixture"
        )
        advice = f"request `{name}` in the test, if that is meant, or parametrize another name"
        place = request_place(shadow.asker, name)
        if place is not None:
            related.append(at(place, f"`{shadow.asker.name}` gets the parametrized value here"))
    return Fault(
        Place(holder.path, span),
        message,
        holder.symbol,
        tuple(related),
        notes=(
            "direct parametrization puts a pseudo-fixture in place of the real one, "
            f"for {tests(len(nodeids))}",
        ),
        help=advice,
        tests=nodeids,
    )


def _first_line(span: Span) -> Span:
    """The part of a span that lies on its first line; a call's arguments may go on for pages."""
    if span.line == span.end_line:
        return span
    return Span(span.line, span.column, span.line, span.column + len("pytest.mark.parametrize"))


# -- SCP308 --------------------------------------------------------------------------------------

_REFUSES_CALLS = frozenset({"pytest.fixture", "pytest.yield_fixture", "pytest_asyncio.fixture"})


def called_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP308: a fixture called as a function."""
    nodeids: dict[tuple[str, int], set[str]] = {}
    for item in suite.items:
        nodeids.setdefault((item.place.path, item.line), set()).add(item.nodeid)
    for fixture, users in suite.users.items():
        if fixture.path is not None:
            nodeids.setdefault((fixture.path, fixture.line), set()).update(users)
    for path in _own_files(suite):
        facts = suite.facts(path)
        space = suite.evaluator.module(path)
        if facts is None or space is None:
            continue
        for call, function in _calls(facts):
            value = _callee(suite, facts, space, call, function)
            if isinstance(value, FixtureValue) and value.marker.spelling in _REFUSES_CALLS:
                reached = nodeids.get((path, function.line), set()) if function else set()
                yield _told_call(facts, call, function, value, frozenset(reached))


def _own_files(suite: Suite) -> list[str]:
    """Conftests, test files and the modules of the tree that fixtures come from."""
    homes = {
        path
        for fixture in suite.fixtures
        if fixture.path is not None
        for path in (fixture.path, fixture.home)
        if path is not None
    }
    files = {*suite.files.conftests, *suite.files.test_files, *homes}
    return sorted(path for path in files if "site-packages/" not in path)


def _calls(facts: FileFacts) -> Iterator[tuple[FactsCall, Function | None]]:
    """Every call kept, with the function that it stands in; those of nested code left out."""
    end = 0
    for function in sorted(
        facts.functions, key=lambda function: (function.line, -function.end_line)
    ):
        if function.line <= end:
            continue  # defined in the one before, whose parameters and names it sees
        end = function.end_line
        if function.body is not None:
            for found in function.body.calls:
                if not found.nested:
                    yield found.call, function
    for found in facts.module_calls:
        yield found.call, None
    for bindings in (facts.bindings, *(class_.bindings for class_ in facts.classes)):
        own = set() if bindings is facts.bindings else {binding.name for binding in bindings}
        for binding in bindings:
            call = binding.value
            if isinstance(call, FactsCall) and not binding.guard.never:
                hidden = isinstance(call.func, Name) and call.func.parts[0] in own
                if not hidden:
                    yield call, None


def _callee(
    suite: Suite, facts: FileFacts, space: Namespace, call: FactsCall, function: Function | None
) -> Value | None:
    """What is called, where the name cannot be a parameter or a local one."""
    if not isinstance(call.func, Name):
        return None
    first, *rest = call.func.parts
    if function is None:
        return _settled(suite, space, call.func)
    parameters = [parameter.name for parameter in function.parameters]
    if first in parameters:
        if len(rest) != 1 or first != parameters[0] or function.owner < 0:
            return None
        return _own_method(suite, facts, space, function, rest[0])
    if function.body is None or first in function.body.locals:
        return None
    return _settled(suite, space, call.func)


def _settled(suite: Suite, space: Namespace, name: Name) -> Value | None:
    """What a name stands for, if the module gives it one value only."""
    bindings = space.bindings.get(name.parts[0], [])
    if len(bindings) != 1 or bindings[0].guard.branch or bindings[0].guard.caught:
        return None
    return suite.evaluator.evaluate(name, space)


def _own_method(
    suite: Suite, facts: FileFacts, space: Namespace, function: Function, name: str
) -> Value | None:
    """`self.name`, where neither an assignment nor a subclass seen gives it another meaning."""
    class_ = facts.classes[function.owner]
    for other in facts.functions:
        if other.body is not None and any(name == stored for stored, _ in other.body.self_stores):
            return None
    value = ClassValue(facts.path, class_, space, function.owner)
    owner = suite.linker.lineages.owner(suite.linker.lineages.of(value), name)
    if owner is None or any(other.module != facts.path for other in [owner]):
        return None
    inner = suite.evaluator.class_space(owner)
    bindings = inner.bindings[name]
    if len(bindings) != 1 or not isinstance(bindings[0].value, FunctionRef):
        return None
    return suite.evaluator.lookup(inner, name)


def _told_call(
    facts: FileFacts,
    call: FactsCall,
    function: Function | None,
    value: FixtureValue,
    users: frozenset[str],
) -> Fault:
    definition = value.function.function
    name = definition.name
    where = "at import" if function is None else f"in `{function.name}`"
    symbol = facts.path
    if function is not None:
        owner = [facts.classes[function.owner].name] if function.owner >= 0 else []
        symbol = "::".join([facts.path, *owner, function.name])
    return Fault(
        Place(facts.path, call.span),
        f"the fixture `{name}` is called as a function {where}",
        symbol,
        (Place(value.function.module, definition.span, f"`{name}` is a fixture"),),
        notes=(f'pytest stops with `Fixture "{name}" called directly`',),
        help=(
            f"request `{name}` as a parameter, or move what it does to a plain function "
            "that both call"
        ),
        tests=users,
    )


__all__ = [
    "called_fixture",
    "fixture_cycle",
    "imported_fixture",
    "parametrize_shadows_fixture",
    "unknown_fixture",
]
