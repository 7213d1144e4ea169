"""Resolves what a test requests to the definitions that pytest would set up, and in which order.

Follows `_pytest.fixtures.FixtureManager.getfixtureclosure` and
`FixtureRequest._get_active_fixturedef` of pytest 9.2, with the differences of earlier versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from scopecheck.suite.marks import NOT_PARAMETRIZED
from scopecheck.suite.model import Edge, Fixture, Plan, Problem, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence, Set

    from scopecheck.suite.model import Item, Level, Parametrized, ProblemKind

_MAX_STEPS = 50_000
# Problems of a name that has no definition, or none further out.
_UNANSWERED = frozenset({"unknown-fixture", "cycle"})


class Resolver:
    """Makes the plans of one suite's items; items of one shape share one plan.

    Args:
        version: pytest's, as (major, minor).
        usefixtures: the names of the ini option.
        possible: fixtures that a well-known plugin may supply, by name; everything overrides them.
    """

    def __init__(
        self,
        version: tuple[int, int],
        usefixtures: Sequence[str],
        possible: Mapping[str, tuple[Fixture, ...]],
    ) -> None:
        self.version = version
        self._usefixtures = tuple(usefixtures)
        self._possible = possible
        self._plans: dict[object, Plan] = {}
        self._edges: dict[tuple[Fixture | None, str, Fixture], Edge] = {}
        self._visible: dict[tuple[Level, ...], dict[str, tuple[Fixture, ...]]] = {}
        self._autouse: dict[tuple[Level, ...], tuple[str, ...]] = {}
        self._trees: dict[tuple[tuple[Level, ...], bool], dict[str, _Tree | None]] = {}
        self._starts: dict[tuple[Level, ...], tuple[tuple[Level, ...], tuple[str, ...]]] = {}

    def plan(self, item: Item) -> Plan:
        """The plan of an item."""
        levels, initial = self._start(item.levels)
        if item.usefixtures or item.requests:
            asked = [request.name for request in (*item.usefixtures, *item.requests)]
            initial = tuple(dict.fromkeys((*initial, *asked)))
        parametrized = item.parametrized
        key = (
            levels,
            initial,
            tuple(parametrized.direct.items()) if parametrized.direct else (),
            tuple(parametrized.indirect.items()) if parametrized.indirect else (),
            item.testcase,
        )
        plan = self._plans.get(key)
        if plan is None:
            shape = _Shape(self, levels, parametrized, testcase=item.testcase)
            plan = self._plans[key] = shape.plan(initial)
        if not plan.problems:
            return plan
        unseen = {problem.name for problem in plan.problems if _may_be_answered(problem, item)}
        return self._without(plan, unseen) if unseen else plan

    def _start(self, levels: tuple[Level, ...]) -> tuple[tuple[Level, ...], tuple[str, ...]]:
        """Those of the levels that matter, and the names that each test below them gets."""
        found = self._starts.get(levels)
        if found is None:
            # Levels that register nothing decide nothing.
            deciding = tuple(
                level
                for level in levels
                if level.fixtures or not level.complete or level.generates or level.generates_any
            )
            found = (deciding, tuple(dict.fromkeys(self.autouse(deciding))))
            self._starts[levels] = found
        return found

    def _without(self, plan: Plan, names: set[str]) -> Plan:
        """The plan of tests for which these names may be answered by what cannot be seen."""
        key = (plan, frozenset(names))
        found = self._plans.get(key)
        if found is None:
            problems = tuple(
                problem
                for problem in plan.problems
                if problem.kind not in _UNANSWERED or problem.name not in names
            )
            unknown = tuple(dict.fromkeys((*plan.unknown, *sorted(names))))
            found = self._plans[key] = replace(plan, problems=problems, unknown=unknown)
        return found

    def autouse(self, levels: tuple[Level, ...]) -> tuple[str, ...]:
        """The autouse names that apply below the levels, outermost first."""
        names = self._autouse.get(levels)
        if names is None:
            names = (*self._usefixtures, *(name for level in levels for name in level.autouse))
            self._autouse[levels] = names
        return names

    def visible(self, levels: tuple[Level, ...], name: str) -> tuple[Fixture, ...]:
        """The definitions of a name that can be seen from the levels, the one chosen last."""
        memo = self._visible.setdefault(levels, {})
        found = memo.get(name)
        if found is None:
            found = tuple(fixture for level in levels for fixture in level.fixtures.get(name, ()))
            possible = self._possible.get(name, ())
            # What is defined here stands for itself, unless it extends what only a plugin can give.
            if possible and (not found or any(map(_extends, found))):
                found = (*possible, *found)
            memo[name] = found
        return found

    def edge(self, asker: Fixture | None, name: str, answer: Fixture) -> Edge:
        """The one edge object for a request and its answer; plans share them."""
        key = (asker, name, answer)
        found = self._edges.get(key)
        if found is None:
            found = self._edges[key] = Edge(asker, name, answer)
        return found

    def tree(self, levels: tuple[Level, ...], name: str, *, testcase: bool) -> _Tree | None:
        """What setting a name up sets up, where nothing is set up yet.

        None where that may be another thing in another test below the levels: where a fixture is
        requested that overrides one of those that wait for it, or something is wrong.
        """
        found = self._trees.setdefault((levels, testcase), {})
        if name not in found:
            tree = self.tree(levels[:-1], name, testcase=testcase) if len(levels) > 1 else None
            own = levels[-1].fixtures.keys() | levels[-1].generates
            if tree is None or not tree.is_beside(own):
                shape = _Shape(self, levels, NOT_PARAMETRIZED, testcase=testcase)
                tree = shape.tree(name)
            found[name] = tree
        return found[name]

    def found_later(self, levels: tuple[Level, ...], name: str) -> tuple[Fixture, ...]:
        """The definitions of a name that came with plugins loaded after the test's collection."""
        level = levels[0] if levels else None
        while level is not None and level.later is not None:
            level = level.later
        return () if level is None else tuple(level.fixtures.get(name, ()))


class _Request:
    """The request object of a fixture that is being set up, or of the test (no fixture)."""

    __slots__ = ("fixture", "name", "parent", "scope")

    def __init__(
        self, parent: _Request | None, fixture: Fixture | None, name: str, scope: Scope | None
    ) -> None:
        self.parent = parent
        self.fixture = fixture
        self.name = name
        self.scope = scope

    def chain(self) -> Iterator[_Request]:
        current: _Request | None = self
        while current is not None and current.fixture is not None:
            yield current
            current = current.parent

    def depth_of(self, name: str) -> int:
        """How many fixtures of that name are being set up already."""
        depth = 0
        current: _Request | None = self
        while current is not None:
            depth += current.name == name
            current = current.parent
        return depth

    def stack(self) -> tuple[Fixture, ...]:
        fixtures = [request.fixture for request in self.chain() if request.fixture is not None]
        fixtures.reverse()
        return tuple(fixtures)


_TEST = _Request(None, None, "", None)


class _Tree(NamedTuple):
    """What setting one name up does, in order.

    active: the definitions that are set up, by name. unknown: as in `Plan`.
    """

    edges: dict[Edge, None]
    order: dict[Fixture, None]
    active: dict[str, Fixture]
    unknown: dict[str, None]

    def is_beside(self, names: Set[str]) -> bool:
        """Whether it neither sets up nor looks for any of these names."""
        return names.isdisjoint(self.active) and names.isdisjoint(self.unknown)


class _Shape:
    """Sets up what the tests of one shape request, as pytest does."""

    def __init__(
        self,
        resolver: Resolver,
        levels: tuple[Level, ...],
        parametrized: Parametrized,
        *,
        testcase: bool,
    ) -> None:
        self._resolver = resolver
        self._version = resolver.version
        self._levels = levels
        self._testcase = testcase
        self._pseudo = {name: _pseudo(name, scope) for name, scope in parametrized.direct.items()}
        self._indirect = parametrized.indirect
        self._given = {*parametrized.direct, *parametrized.indirect}
        # With the pseudo-fixture in place of all definitions where a name is parametrized.
        self._definitions: dict[str, tuple[Fixture, ...]] = {
            name: (fixture,) for name, fixture in self._pseudo.items()
        }
        self._generates = [level.generates for level in levels if level.generates]
        self._active: dict[str, Fixture] = {}
        self._order: dict[Fixture, None] = {}
        self._edges: dict[Edge, None] = {}
        self._problems: list[Problem] = []
        self._refused: set[str] = set()
        self._unknown: dict[str, None] = {}
        self._steps = 0
        self._overrides = False
        self._open = not parametrized.complete or any(not level.complete for level in levels)

    def tree(self, name: str) -> _Tree | None:
        """See `Resolver.tree`; for a shape that has set nothing up."""
        self._get(_TEST, name)
        if self._problems or self._overrides or self._steps > _MAX_STEPS:
            return None
        return _Tree(self._edges, self._order, self._active, self._unknown)

    def plan(self, initial: tuple[str, ...]) -> Plan:
        """The plan of the tests that request these names first."""
        closure = self._closure(initial)
        alike = True
        for name in closure:
            active = self._active.get(name)
            tree = self._tree(name) if alike and active is None else None
            if tree is not None:
                self._edges.update(tree.edges)
                self._order.update(tree.order)
                self._active.update(tree.active)
                self._unknown.update(tree.unknown)
            elif alike and active is not None:
                self._edges[self._resolver.edge(None, name, active)] = None
            else:
                self._get(_TEST, name)
                # From here on, what is set up may not be what the trees have.
                alike = alike and name in self._pseudo
        return Plan(
            tuple(closure),
            tuple(self._order),
            tuple(self._edges),
            tuple(self._problems),
            tuple(self._unknown),
        )

    def _tree(self, name: str) -> _Tree | None:
        """What setting a name up does, where parametrization has nothing to do with it."""
        if name in self._given:
            return None
        tree = self._resolver.tree(self._levels, name, testcase=self._testcase)
        return tree if tree is not None and tree.is_beside(self._given) else None

    def _defined(self, name: str) -> tuple[Fixture, ...]:
        """The definitions of a name, the one chosen last."""
        found = self._definitions.get(name)
        if found is None:
            found = self._definitions[name] = self._resolver.visible(self._levels, name)
        return found

    # The closure is as in _pytest.fixtures.FixtureManager.getfixtureclosure.
    def _closure(self, initial: tuple[str, ...]) -> list[str]:
        if self._version >= (9, 1):
            names = list(self._traverse(initial))
        else:
            names = self._breadth_first(initial, overridden=self._version >= (9, 0))
        scopes: dict[str, Scope] = {}
        for name in names:
            defined = () if name in self._pseudo else self._defined(name)
            scopes[name] = (defined[-1].scope if defined else None) or Scope.FUNCTION
        return sorted(names, key=scopes.__getitem__, reverse=True)

    def _traverse(self, initial: tuple[str, ...]) -> Iterator[str]:
        """Names in depth-first order, down the override chains that are requested."""
        indices: dict[str, int] = {}
        # A stack of iterators: a chain of fixtures may be longer than Python's own stack.
        stack: list[tuple[str, int, Iterator[str]]] = [("", 0, iter(initial))]
        while stack:
            owner, restore, names = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
                if owner:
                    indices[owner] = restore
                continue
            index = indices.get(name)
            if index == -1:
                continue
            if index is None:
                yield name
                indices[name] = index = -1
            defined = () if name in self._pseudo else self._defined(name)
            if not defined or -index > len(defined):
                continue
            indices[name] = index - 1
            requests = [request.name for request in defined[index].requests]
            stack.append((name, index, iter(requests)))

    def _breadth_first(self, initial: tuple[str, ...], *, overridden: bool) -> list[str]:
        names = list(initial)
        seen = set(initial)
        for name in names:  # which grows
            if name in self._pseudo:
                continue
            for fixture in reversed(self._defined(name)):
                asked = [request.name for request in fixture.requests]
                for one in asked:
                    if one not in seen:
                        seen.add(one)
                        names.append(one)
                if not overridden or name not in asked:
                    break
        return names

    def _get(self, top: _Request, name: str) -> None:
        """Set a name up for the test; an explicit stack stands in for pytest's recursion."""
        stack: list[tuple[_Request, Iterator[str]]] = [(top, iter((name,)))]
        while stack:
            request, names = stack[-1]
            wanted = next(names, None)
            if wanted is None:
                stack.pop()
                if request.fixture is not None:
                    self._set_up(request, request.fixture)
                continue
            self._steps += 1
            if self._steps > _MAX_STEPS:
                self._unknown["too many fixtures"] = None
                return
            inner = self._enter(request, wanted)
            if inner is None or inner.fixture is None:
                continue
            if inner.fixture.requests:
                requests = [found.name for found in inner.fixture.requests]
                stack.append((inner, iter(requests)))
            else:
                self._set_up(inner, inner.fixture)

    def _set_up(self, request: _Request, fixture: Fixture) -> None:
        if self._version < (8, 4):
            self._check_again(request, fixture)
        self._active[request.name] = fixture
        self._order[fixture] = None

    def _enter(self, request: _Request, name: str) -> _Request | None:
        if name == "request":
            return None
        active = self._active.get(name)
        if active is not None:
            if self._version >= (8, 2):
                self._check(request, active, active.scope)
            self._edges[self._resolver.edge(request.fixture, name, active)] = None
            return None
        defined = self._defined(name) or self._resolver.found_later(self._levels, name)
        depth = request.depth_of(name)
        self._overrides |= depth > 0
        if depth >= len(defined):
            self._lookup_failed(request, name, bool(defined))
            return None
        fixture = defined[-1 - depth]
        scope = fixture.scope
        if name in self._indirect and not fixture.pseudo:
            scope = self._parametrized_scope(self._indirect[name])
        elif len(defined) > 1 and not self._testcase:
            scope = self._params_scope(defined, name, scope)
        # Up to 8.3 the scope of the parametrization counts here, and the own one once all requests
        # of the asker are answered.
        self._check(request, fixture, fixture.scope if self._version >= (8, 4) else scope)
        self._edges[self._resolver.edge(request.fixture, name, fixture)] = None
        if not fixture.certain or any(name in names for names in self._generates):
            # A hook may put values, or another scope, in the place of the fixture.
            self._unknown[name] = None
        return _Request(request, fixture, name, scope)

    def _check_again(self, request: _Request, asker: Fixture) -> None:
        """The check of `pytest_fixture_setup`, of what the fixture got with its own scope."""
        for wanted in asker.requests:
            answer = self._active.get(wanted.name)
            if answer is not None and not any(
                problem.name == wanted.name and problem.stack[-1:] == (asker,)
                for problem in self._problems
            ):
                self._check(request, answer, answer.scope)

    def _parametrized_scope(self, given: Scope | tuple[str, ...] | None) -> Scope | None:
        if not isinstance(given, tuple):
            return given
        scopes = [defined[-1].scope for name in given if (defined := self._defined(name))]
        known = [scope for scope in scopes if scope is not None]
        return min(known) if known and len(known) == len(scopes) else None

    def _params_scope(
        self, defined: tuple[Fixture, ...], name: str, own: Scope | None
    ) -> Scope | None:
        """The scope of the definition with `params=` that parametrizes a name, else its own.

        Of an override chain the first with parameters does, and its scope holds for all of it.
        """
        for fixture in reversed(defined):
            if fixture.has_params:
                return fixture.scope
            if all(request.name != name for request in fixture.requests):
                break
        return own

    def _lookup_failed(self, request: _Request, name: str, known: bool) -> None:
        if self._open or (not known and self._generated(name)):
            # What cannot be seen may answer, also as the definition that is overridden.
            self._unknown[name] = None
            return
        if name in self._refused and not request.stack():
            return  # The closure has the name because a fixture was refused it.
        kind: ProblemKind = "cycle" if known else "unknown-fixture"
        certain = all(fixture.certain for fixture in self._defined(name))
        self._add(Problem(kind, name, request.stack(), certain=certain))

    def _add(self, problem: Problem) -> None:
        self._problems.append(problem)
        self._refused.add(problem.name)

    def _generated(self, name: str) -> bool:
        """Whether a `pytest_generate_tests` hook may give the name its values."""
        return any(level.generates_any or name in level.generates for level in self._levels)

    def _check(self, request: _Request, fixture: Fixture, requested: Scope | None) -> None:
        asker = request.fixture
        if asker is None or requested is None or request.scope is None:
            return
        if request.scope > requested:
            self._add(
                Problem(
                    "scope-mismatch",
                    fixture.name,
                    request.stack(),
                    fixture,
                    requested,
                    request.scope,
                    certain=asker.certain and fixture.certain and not asker.opaque,
                )
            )


def _may_be_answered(problem: Problem, item: Item) -> bool:
    """Whether a name that nothing defines is bound, in sight of the test, to what is not known.

    What a fixture that requests its own name overrides may be bound so too.
    """
    overrides = problem.kind == "cycle" and problem.stack[-1].name == problem.name
    return (problem.kind == "unknown-fixture" or overrides) and any(
        problem.name in level.unseen for level in item.levels
    )


def _extends(fixture: Fixture) -> bool:
    """Whether a fixture requests its own name, which another definition has to answer."""
    return any(request.name == fixture.name for request in fixture.requests)


def _pseudo(name: str, scope: Scope | None) -> Fixture:
    return Fixture(name, scope, (), "function", "parametrize", name, pseudo=True)
