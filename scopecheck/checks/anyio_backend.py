"""anyio: fixtures that live longer than the backend that they are run with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.places import mark_place
from scopecheck.checks.wording import at, first_test, request_place, scoped, tests, written
from scopecheck.finding import Fault, Place
from scopecheck.suite.marks import argument_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item, Scope

BACKEND = "anyio_backend"


class _Outlived(Struct):
    """A fixture, a definition of the backend that is narrower, and the tests that meet both.

    sometimes: other tests may set the fixture up, and these then find it made.
    """

    fixture: Fixture
    backend: Fixture | None
    scope: Scope
    parametrized: bool
    sometimes: bool = False
    items: list[Item] = field(default_factory=list)


@looks("far")
def anyio_backend_scope(suite: Suite) -> Iterator[Fault]:
    """SCP210: a fixture run by anyio that is wider than `anyio_backend`."""
    found: dict[tuple[object, object, bool], _Outlived] = {}
    for item, fixture, scope in _narrower(suite):
        backend = suite.loops.visible(item, BACKEND)
        parametrized = BACKEND in item.parametrized.direct
        key = (written(fixture), None if backend is None else written(backend), parametrized)
        outlived = _Outlived(fixture, backend, scope, parametrized)
        found.setdefault(key, outlived).items.append(item)
    for outlived in found.values():
        asker = written(outlived.fixture)
        stopped = {item.nodeid for met in found.values() for item in met.items}
        outlived.sometimes = any(
            not suite.users[fixture] <= stopped
            for fixture in suite.users
            if fixture.name == outlived.fixture.name and written(fixture) == asker
        )
        if outlived.fixture.place is not None:
            yield _told(suite, outlived, outlived.fixture.place)


def _narrower(suite: Suite) -> Iterator[tuple[Item, Fixture, Scope]]:
    """Each test, with a fixture of it that has too narrow a backend, and the backend's scope."""
    for items, problems in suite.loops.troubled:
        for problem in problems:
            fixture, scope = problem.fixture, problem.requested_scope
            if problem.kind != "scope-mismatch" or problem.name != BACKEND or not problem.certain:
                continue
            if fixture is not None and scope is not None and _is_own(fixture):
                yield from ((item, fixture, scope) for item in items if _is_settled(item))
    for plan, items in suite.items_of.items():
        for found in plan.problems:
            if found.kind != "scope-mismatch" or found.name != BACKEND or not found.certain:
                continue
            asker, scope = found.stack[-1], found.requested_scope
            if scope is not None and _is_own(asker):
                yield from ((item, asker, scope) for item in items if _is_settled(item))


def _is_own(fixture: Fixture) -> bool:
    return fixture.path is not None and "site-packages/" not in fixture.path and fixture.certain


def _is_settled(item: Item) -> bool:
    """Whether the test is set up, and no hook may parametrize its backend."""
    return not (item.skipped or item.refusal) and not any(
        level.generates_any or BACKEND in level.generates or BACKEND in level.unseen
        for level in item.levels
    )


def _told(suite: Suite, outlived: _Outlived, place: Place) -> Fault:
    fixture, backend = outlived.fixture, outlived.backend
    assert fixture.scope is not None
    item = first_test(outlived.items)
    nodeids = frozenset(each.nodeid for each in outlived.items)
    word, narrow = fixture.scope.word, scoped(outlived.scope)
    related: list[Place] = []
    names: tuple[str, ...] = ()
    asked = request_place(fixture, BACKEND)
    if asked is not None:
        related.append(at(asked, "requested here"))
    if outlived.parametrized:
        mark = mark_place(
            suite,
            item,
            lambda one: one.name == "parametrize" and BACKEND in (argument_names(one) or ()),
        )
        what = f"`anyio_backend`, which a test parametrizes directly: that makes it {narrow}"
        advice = f'pass `scope="{word}"` to the parametrize call'
        if mark is not None:
            related.append(at(mark, "parametrized here"))
    elif backend is not None and backend.path is not None:
        what = f"the {narrow} `anyio_backend` of this suite"
        advice = f'give the override of `anyio_backend` `scope="{word}"`'
        names = ("own",)
        if backend.place is not None:
            related.append(at(backend.place, f"{narrow} `anyio_backend`"))
    else:
        what = f"anyio's own `anyio_backend`, which is {narrow}"
        advice = f'override `anyio_backend` in a conftest, with `scope="{word}"`'
        names = ("plugin",)
    related.append(at(item.place, f"a test that sets `{fixture.name}` up"))
    unseen = "anyio runs async fixtures with the backend that this fixture gives: "
    count = len(nodeids)
    sentence = "pytest stops {} with ScopeMismatch"
    if outlived.sometimes:
        sentence += ", unless another one has set it up before"
    stops = "the 1 test that reaches it" if count == 1 else f"all {tests(count)} that reach it"
    return Fault(
        place,
        f"{word}-scoped `{fixture.name}` needs {what}",
        fixture.symbol,
        tuple(related),
        notes=(f"{'' if asked else unseen}{sentence.format(stops)}",),
        help=f"{advice}, or make `{fixture.name}` {narrow}",
        tests=nodeids,
        certainty="likely" if outlived.sometimes else None,
        names=names,
    )
