"""Fixtures that need each other, are set up once for each import, or are parametrized away."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.places import find_mark
from scopecheck.checks.reach import Silenced, bound_at, is_sure
from scopecheck.checks.wording import (
    all_that_need,
    at,
    chain,
    first_test,
    request_place,
    scoped,
    tests,
)
from scopecheck.expressions import Const, Items, Mapping
from scopecheck.facts import Import
from scopecheck.finding import Fault, Place
from scopecheck.suite.marks import argument_names
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.checks.places import FoundMark
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item, Plan, Problem


class _Cycle(Struct):
    """Fixtures that need each other, as one test meets them, and every test that does."""

    name: str
    stack: tuple[Fixture, ...]
    ring: tuple[Fixture, ...]
    items: list[Item] = field(default_factory=list)


@looks("near")
def fixture_cycle(suite: Suite) -> Iterator[Fault]:
    """SCP302: fixtures that need each other, override layers taken into account."""
    found: dict[frozenset[tuple[str, int, str]], _Cycle] = {}
    silent = Silenced(suite)
    for plan, items in suite.items_of.items():
        live = [item for item in items if not silent.item(item)]
        for problem in plan.problems if live else ():
            if problem.kind != "cycle" or not is_sure(problem):
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
    related += chain(before, item)
    nodeids = frozenset(found.nodeid for found in cycle.items)
    return Fault(
        place,
        message,
        closing.symbol,
        tuple(related),
        notes=(
            f"pytest stops {all_that_need(nodeids)} with `recursive dependency involving fixture "
            f"'{name}' detected`",
        ),
        help=advice,
        tests=nodeids,
    )


@looks("far")
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
        # Where each gets a fixture of its own folder, each is needed.
        if len(group) > 1 and len({_got(suite, fixture) for fixture, _ in group.values()}) == 1:
            yield from _told_imports(suite, [group[home] for home in sorted(group)])


def _got(suite: Suite, fixture: Fixture) -> frozenset[tuple[str, object]]:
    """What answers a fixture's requests, for the tests that set it up."""
    return frozenset(
        (request.name, answer.key)
        for request in fixture.requests
        for answer in suite.answers(fixture, request.name)
    )


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


class _Shadow(Struct):
    """A name that a `parametrize` takes from the fixtures of a test that does not request it."""

    name: str
    real: Fixture
    holder: FoundMark
    asker: Fixture | None
    items: list[Item] = field(default_factory=list)


@looks("near")
def parametrize_shadows_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP307: direct parametrization that takes away a fixture the test does not request."""
    found: dict[tuple[Place, str], _Shadow] = {}
    silent = Silenced(suite)
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
    found: dict[tuple[Place, str], _Shadow],
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
    # A plain value replaced by another is a documented way to vary what depends on it.
    if name in suite.resolver.autouse(item.levels):
        if (askers and _only_returns(visible[-1])) or _is_switched_off(suite, item, name):
            return
        askers = []
    elif not askers or not _tears_down(visible[-1]):
        return
    holder = find_mark(
        suite,
        item,
        lambda mark: mark.name == "parametrize" and name in (argument_names(mark) or ()),
    )
    if holder is None:
        return
    key = (holder.place, name)
    shadow = _Shadow(name, visible[-1], holder, askers[0] if askers else None)
    found.setdefault(key, shadow).items.append(item)


# A `parametrize` all of whose values are None.
_ONLY_NONE = re.compile(
    r"parametrize\(\s*(?:argnames\s*=\s*)?[\[(]?(?:\s*[\"'][\w, ]*[\"']\s*,?)+\s*[\])]?\s*,?"
    r"\s*(?:argvalues\s*=\s*)?[\[(][\s()\[\],]*(?:None\b[\s()\[\],]*)+\)\s*"
)


def _is_switched_off(suite: Suite, item: Item, name: str) -> bool:
    """Whether a test gives a name nothing but None: the fixture is meant to be left out."""
    function = item.function
    if function is None:
        return False
    quoted = re.compile(rf"[\"',]\s*{re.escape(name)}\s*[\"',]")
    texts = (
        suite.lines(item.place.path, one.span.line, one.span.end_line)
        for one in function.decorators
    )
    return any(quoted.search(text) and _ONLY_NONE.search(text) for text in texts)


def _tears_down(fixture: Fixture) -> bool:
    """Whether a fixture does something once the tests are done with what it yields."""
    handout = None if fixture.function is None else fixture.function.handout
    generator = fixture.kind in ("generator", "asyncgen")
    return generator and (handout is None or handout.tears_down)


def _only_returns(fixture: Fixture) -> bool:
    """Whether a fixture does nothing else than to return what is written there."""
    function = fixture.function
    handout = None if function is None else function.handout
    if function is None or handout is None or len(handout.values) != 1:
        return False
    ((value, span),) = handout.values
    alone = span.line == function.line + 1 and span.end_line == function.end_line
    return alone and isinstance(value, (Const, Items, Mapping))


def _told_shadow(shadow: _Shadow) -> Fault:
    holder, name = shadow.holder, shadow.name
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
        holder.place,
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
