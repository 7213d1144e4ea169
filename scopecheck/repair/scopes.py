"""Repairs scope mismatches: one problem over all fixtures of a suite, solved at the least cost.

    constraint   no fixture is wider than what it gets: of each request, for the tests that make it
    cost         of another scope for a fixture: set-ups added, and tests that come to share a value
    part         fixtures that constraints tie together
    way          new scopes for some of a part, under which the constraints on them hold

Figures are those of one run of the whole suite and count node ids without their `[...]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from scopecheck.checks.looks import looks
from scopecheck.expressions import Call, Const, Opaque
from scopecheck.repair.bench import Offer
from scopecheck.repair.solver import solve
from scopecheck.suite.model import Scope
from scopecheck.suite.setups import setups_at
from scopecheck.suite.values import External

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench, Preference
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item

Key: TypeAlias = tuple[str, int]
"""A definition that is written once, whatever it is registered as: its path and line."""

Direction: TypeAlias = Literal["", "narrow", "wide"]
_DECORATORS = frozenset({"pytest.fixture", "pytest.yield_fixture", "pytest_asyncio.fixture"})
# A set-up more costs time; a value that more tests share may cost their independence.
_SETUP, _SHARED, _EDIT = 10, 20, 1
# How much dearer the way is that the user does not prefer.
_DISLIKED = 10_000


@dataclass(eq=False)
class Variable:
    """A definition whose scope may be changed.

    items: the tests that reach it, by registration.
    """

    key: Key
    fixtures: list[Fixture] = field(default_factory=list)
    items: dict[Fixture, tuple[Item, ...]] = field(default_factory=dict)

    @property
    def fixture(self) -> Fixture:
        """One of its registrations; they are alike but for where they are registered."""
        return self.fixtures[0]

    @property
    def scope(self) -> Scope:
        """As it is now."""
        assert self.fixture.scope is not None
        return self.fixture.scope

    @property
    def tests(self) -> int:
        """How many tests reach it."""
        return len({item.nodeid for items in self.items.values() for item in items})


@dataclass(frozen=True)
class Way:
    """New scopes for some definitions, and what they cost.

    before, after: set-ups of these definitions, all together.
    shared: those whose value comes to be shared by tests that had one each; tests: how many do.
    counted: names of all definitions that constraints tie to these.
    """

    changes: dict[Key, Scope]
    names: tuple[str, ...]
    narrowed: tuple[str, ...]
    widened: tuple[str, ...]
    before: int
    after: int
    shared: tuple[str, ...]
    tests: int
    cost: int
    counted: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it does and what that costs, on one line."""
        return f"{', '.join((*self.narrowed, *self.widened))}: {self.figures}"

    @property
    def figures(self) -> str:
        """`2 edits, 1 -> 412 set-ups`."""
        count = len(self.changes)
        parts = ["1 edit" if count == 1 else f"{count} edits"]
        if self.narrowed and self.before != self.after:
            parts.append(f"{self.before} -> {self.after} set-ups")
        else:
            parts.append("0 set-ups added")
        if self.shared:
            parts.append(f"shares {_listed(self.shared)} between {self.tests} tests")
        return ", ".join(parts)


class Scopes:
    """The scopes of one suite's fixtures, as one problem."""

    def __init__(self, suite: Suite, prefer: Preference = "") -> None:
        self._suite = suite
        self._prefer = prefer
        self.variables: dict[Key, Variable] = {}
        self._setups: dict[tuple[Key, Scope], int] = {}
        self._by_part: dict[tuple[frozenset[Key], Direction], dict[Key, Scope] | None] = {}
        reached: dict[Fixture, list[Item]] = {}
        for plan, items in suite.items_of.items():
            for fixture in plan.order:
                reached.setdefault(fixture, []).extend(items)
        for fixture, found in reached.items():
            if _may_change(suite, fixture):
                assert fixture.path is not None
                key = (fixture.path, fixture.line)
                variable = self.variables.setdefault(key, Variable(key))
                variable.fixtures.append(fixture)
                variable.items[fixture] = tuple(found)
        for key in [k for k, v in self.variables.items() if len({f.scope for f in v.fixtures}) > 1]:
            del self.variables[key]

    @cached_property
    def _pairs(self) -> dict[tuple[Fixture, Fixture], None]:
        """Who gets what, where both have a scope that is known."""
        found: dict[tuple[Fixture, Fixture], None] = {}
        for plan in self._suite.items_of:
            broken = {
                (problem.stack[-1], problem.requested)
                for problem in plan.problems
                if problem.kind == "scope-mismatch" and problem.stack
            }
            for edge in plan.edges:
                asker, answer = edge.asker, edge.answer
                if asker is None or asker.scope is None or answer.scope is None:
                    continue
                # pytest looks at a scope only where a value is not there yet.
                if asker.scope <= answer.scope or (asker, answer) in broken:
                    found[asker, answer] = None
            for asker, requested in broken:
                if requested is not None and requested.scope is not None:
                    found[asker, requested] = None
        return found

    @cached_property
    def _broken(self) -> list[tuple[Fixture, Fixture]]:
        found = [(a, b) for a, b in self._pairs if (a.scope or 0) > (b.scope or 0)]
        return [(a, b) for a, b in found if b.name not in ("anyio_backend", "event_loop")]

    def _variable(self, fixture: Fixture) -> Variable | None:
        return None if fixture.path is None else self.variables.get((fixture.path, fixture.line))

    @cached_property
    def _ties(self) -> tuple[list[tuple[Key, Key]], dict[Key, Scope], dict[Key, Scope]]:
        """Constraints between variables, and the widest and narrowest scope that each may have."""
        ties: dict[tuple[Key, Key], None] = {}
        most: dict[Key, Scope] = {}
        least: dict[Key, Scope] = {}
        for asker, answer in self._pairs:
            one, other = self._variable(asker), self._variable(answer)
            assert asker.scope is not None
            assert answer.scope is not None
            if one is not None and other is not None:
                if one is not other:
                    ties[one.key, other.key] = None
            elif one is not None:
                most[one.key] = min(most.get(one.key, Scope.SESSION), answer.scope)
            elif (other is not None and asker.scope <= answer.scope) or other is not None:
                least[other.key] = max(least.get(other.key, Scope.FUNCTION), asker.scope)
        for variable in self.variables.values():
            limit = self._widest(variable)
            most[variable.key] = min(most.get(variable.key, Scope.SESSION), limit)
        return list(ties), most, least

    def _widest(self, variable: Variable) -> Scope:
        """The widest scope that the definition itself allows."""
        fixture = variable.fixture
        asks = {request.name for one in variable.fixtures for request in one.requests}
        if fixture.owner or "request" in asks:
            # On the class of a test, or about the test that asks.
            return variable.scope
        if not fixture.is_async and not fixture.spelling.startswith("pytest_asyncio."):
            return Scope.SESSION
        # What is kept longer must not run on a loop that is closed, nor leave its users' loop.
        widest = Scope.SESSION
        for one, items in variable.items.items():
            loop = self._suite.loops.fixture(one, items[0])
            decided = loop.decision.kind if loop is not None and loop.decision is not None else ""
            if loop is None or loop.scope is None or decided == "scope":
                return variable.scope
            widest = min(widest, max(loop.scope, variable.scope))
        return widest

    def mismatches(self, fault: Fault) -> list[tuple[Fixture, Fixture]]:
        """The broken constraints that a finding is about."""
        where = (fault.place.path, fault.place.span)
        return [
            pair
            for pair in self._broken
            if any(one.place is not None and (one.path, one.place.span) == where for one in pair)
        ]

    @cached_property
    def _beside(self) -> dict[Key, set[Key]]:
        """Those that constraints tie to each definition."""
        found: dict[Key, set[Key]] = {}
        for one, other in self._ties[0]:
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
        return found

    def _around(self, keys: Iterable[Key]) -> frozenset[Key]:
        """All that constraints tie to some definitions."""
        beside = self._beside
        found = set(keys)
        waiting = list(found)
        while waiting:
            for key in beside.get(waiting.pop(), ()):
                if key not in found:
                    found.add(key)
                    waiting.append(key)
        return frozenset(found)

    def ways(self, mismatches: Iterable[tuple[Fixture, Fixture]]) -> list[Way]:
        """The ways to mend mismatches: the cheapest first, then those in one direction alone."""
        keys = {v.key for pair in mismatches for one in pair if (v := self._variable(one))}
        part = self._around(keys)
        directions: tuple[Direction, ...] = ("", "narrow", "wide")
        found: dict[tuple[tuple[Key, Scope], ...], Way] = {}
        for direction in directions if part else ():
            if (part, direction) not in self._by_part:
                self._by_part[part, direction] = self._solved(part, direction)
            changes = self._by_part[part, direction]
            if changes is not None:
                own = self._tied_to(keys, changes)
                if own:
                    found.setdefault(tuple(sorted(own.items())), self._described(own, part))
        ways = sorted(found.values(), key=lambda way: way.cost)
        # What does all that another way does, and more, is no alternative to it.
        return [w for w in ways if not any(o.changes.items() < w.changes.items() for o in ways)]

    def _tied_to(self, keys: set[Key], changes: Mapping[Key, Scope]) -> dict[Key, Scope]:
        """Those of some changes that have to do with these definitions.

        What constraints do not tie together but through definitions that stay as they are is
        another repair: each holds without the other.
        """
        beside: dict[Key, set[Key]] = {}
        for one, other in self._ties[0]:
            if one in changes and other in changes:
                beside.setdefault(one, set()).add(other)
                beside.setdefault(other, set()).add(one)
        found = {key for key in keys if key in changes}
        waiting = list(found)
        while waiting:
            new = beside.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return {key: changes[key] for key in sorted(found)}

    def way(self, wanted: Mapping[Key, Scope]) -> Way | None:
        """The cheapest new scopes with those that are wanted; None where there are none."""
        part = self._around(wanted)
        changes = self._solved(part, "", wanted)
        if changes is None:
            return None
        return self._described(self._tied_to(set(wanted), changes), part)

    def _solved(
        self,
        part: Iterable[Key],
        direction: Direction,
        wanted: Mapping[Key, Scope] | None = None,
    ) -> dict[Key, Scope] | None:
        """The cheapest changes to a part that leave no constraint in it broken.

        direction: the only one that is taken. wanted: scopes that are decided already.
        """
        ties, most, least = self._ties
        costs: dict[Key, list[int | None]] = {}
        for key in part:
            variable = self.variables[key]
            own: list[int | None] = []
            for scope in Scope:
                allowed = least.get(key, Scope.FUNCTION) <= scope <= most[key]
                if wanted is not None and key in wanted:
                    allowed = allowed and scope is wanted[key]
                elif direction == "narrow":
                    allowed = allowed and scope <= variable.scope
                elif direction == "wide":
                    allowed = allowed and scope >= variable.scope
                own.append(self._cost(variable, scope) if allowed else None)
            costs[key] = own
        values = solve(costs, [(a, b) for a, b in ties if a in costs and b in costs])
        if values is None:
            return None
        scopes = {key: Scope(value) for key, value in values.items()}
        return {
            key: scope for key, scope in scopes.items() if scope is not self.variables[key].scope
        }

    def setups(self, variable: Variable, scope: Scope) -> int:
        """The set-ups of a definition, if it had this scope."""
        known = self._setups.get((variable.key, scope))
        if known is None:
            known = sum(setups_at(self._suite, items, scope) for items in variable.items.values())
            self._setups[variable.key, scope] = known
        return known

    def _cost(self, variable: Variable, scope: Scope) -> int:
        now = variable.scope
        if scope is now:
            return 0
        added = max(self.setups(variable, scope) - self.setups(variable, now), 0)
        shared = variable.tests if self.comes_to_be_shared(variable, scope) else 0
        cost = _SETUP * added + _SHARED * shared + _EDIT
        disliked = (self._prefer == "narrow" and scope > now) or (
            self._prefer == "wide" and scope < now
        )
        return cost * _DISLIKED if disliked else cost

    def comes_to_be_shared(self, variable: Variable, scope: Scope) -> bool:
        """Whether tests get one value that may change, which had one each before."""
        fewer = self.setups(variable, scope) < self.setups(variable, variable.scope)
        return scope > variable.scope and fewer and not _is_constant(variable.fixture)

    def _described(self, changes: dict[Key, Scope], part: Iterable[Key]) -> Way:
        variables = {key: self.variables[key] for key in sorted(changes)}
        narrow: dict[Scope, list[str]] = {}
        wide: dict[Scope, list[str]] = {}
        for key, variable in variables.items():
            side = narrow if changes[key] < variable.scope else wide
            side.setdefault(changes[key], []).append(variable.fixture.name)
        shared = [
            variable
            for key, variable in variables.items()
            if self.comes_to_be_shared(variable, changes[key])
        ]
        tests = {
            item.nodeid
            for variable in shared
            for items in variable.items.values()
            for item in items
        }
        return Way(
            changes,
            tuple(variable.fixture.name for variable in variables.values()),
            tuple(f"narrow {_listed(names)} to {scope.word}" for scope, names in narrow.items()),
            tuple(f"widen {_listed(names)} to {scope.word}" for scope, names in wide.items()),
            sum(self.setups(variable, variable.scope) for variable in variables.values()),
            sum(self.setups(variable, changes[key]) for key, variable in variables.items()),
            tuple(variable.fixture.name for variable in shared),
            len(tests),
            sum(self._cost(variable, changes[key]) for key, variable in variables.items()),
            tuple(sorted({self.variables[key].fixture.name for key in part})),
        )


def _may_change(suite: Suite, fixture: Fixture) -> bool:
    """Whether a definition is the project's own, with a decorator that can be given a scope."""
    function, path = fixture.function, fixture.path
    if function is None or path is None or fixture.scope is None or fixture.pseudo:
        return False
    if path.startswith("../") or "site-packages/" in path or not fixture.certain:
        return False
    if fixture.opaque or fixture.wrapper or fixture.spelling not in _DECORATORS:
        return False
    space = suite.evaluator.module(path)
    if space is None:
        return False
    for decorator in function.decorators:
        expression = decorator.expression
        func = expression.func if isinstance(expression, Call) else expression
        value = suite.evaluator.evaluate(func, space)
        if isinstance(value, External) and value.name in _DECORATORS:
            return not isinstance(expression, Call) or (
                not expression.args and expression.keyword("**") is None
            )
    return False


def _is_constant(fixture: Fixture) -> bool:
    """Whether a fixture visibly hands out a value that nothing can change."""
    function = fixture.function
    if function is None or function.handout is None or function.is_generator:
        return False
    values = [value for value, _ in function.handout.values]
    return bool(values) and all(
        isinstance(value, Const) or (isinstance(value, Opaque) and value.data) for value in values
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def scopes_of(bench: Bench, suite: Suite) -> Scopes:
    """The scopes of a suite, made once."""
    return bench.once(("scopes", suite), lambda: Scopes(suite, bench.prefer))


@looks("far")
def scope_mismatch(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:
    """SCP101: the cheapest set of scope changes that leaves no mismatch."""
    scopes = scopes_of(bench, suite)
    for way in scopes.ways(scopes.mismatches(fault)):
        yield way_offer(suite, scopes, way)


override_narrows_scope = scope_mismatch
"""SCP102: widen the override, or narrow the requesters; whichever is cheaper."""


@looks("far")
def getfixturevalue_scope_mismatch(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:
    """SCP103: narrow who looks the fixture up, or widen what it gets; the cheaper one first."""
    scopes = scopes_of(bench, suite)
    line = fault.place.span.line
    askers = [
        variable
        for variable in scopes.variables.values()
        if (function := variable.fixture.function) is not None
        and variable.fixture.path == fault.place.path
        and function.line <= line <= function.end_line
    ]
    answers = [f for f in suite.fixtures if f"{f.path}:{f.line}" in fault.names]
    known = [f.scope for f in answers if f.scope is not None]
    if len(askers) != 1 or not known or len(known) != len(answers):
        return
    (asker,) = askers
    ways = [scopes.way({asker.key: min(known)})]
    keys = {(f.path, f.line) for f in answers if f.path is not None}
    if keys <= scopes.variables.keys():
        ways.append(scopes.way(dict.fromkeys(keys, asker.scope)))
    for way in sorted((way for way in ways if way is not None), key=lambda way: way.cost):
        yield way_offer(suite, scopes, way)


def way_offer(suite: Suite, scopes: Scopes, way: Way, own_loop: Iterable[Fixture] = ()) -> Offer:
    """The offer to give definitions the scopes of a way.

    own_loop: those that lose the loop scope that they state.
    """

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.decorators import Decorators

        decorators = Decorators(workspace, suite)
        for key, scope in way.changes.items():
            fixture = scopes.variables[key].fixture
            if not decorators.set_scope(fixture, scope):
                workspace.leave(*key, f"the decorator of `{fixture.name}` cannot be rewritten")
        for fixture in own_loop:
            decorators.drop_loop_scope(fixture)
        decorators.write()

    return Offer(way.title, "unsafe", write, way.counted)
