"""Scope: fixtures that request what lives a shorter time than they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.places import mark_place
from scopecheck.checks.wording import (
    at,
    definition,
    first_test,
    request_place,
    scoped,
    tests,
    written,
)
from scopecheck.finding import Fault, Place
from scopecheck.suite.lookups import LOOP_FIXTURES, is_settled
from scopecheck.suite.marks import argument_names
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.lookups import Lookup
    from scopecheck.suite.model import Fixture, Item, Problem

    _Key: TypeAlias = tuple[str | None, str, Span]

_WIDER_BUILTINS = {
    "tmp_path": "`tmp_path_factory`",
    "tmpdir": "`tmpdir_factory`",
    "monkeypatch": "`pytest.MonkeyPatch.context()`",
}


class _Mismatch(Struct):
    """One pair of definitions, and every test that it breaks."""

    problem: Problem
    first: Item
    items: list[Item] = field(default_factory=list)

    @property
    def requester(self) -> Fixture:
        return self.problem.stack[-1]

    @property
    def requested(self) -> Fixture:
        assert self.problem.requested is not None
        return self.problem.requested

    @property
    def requesting_scope(self) -> Scope:
        assert self.problem.requesting_scope is not None
        return self.problem.requesting_scope

    @property
    def requested_scope(self) -> Scope:
        assert self.problem.requested_scope is not None
        return self.problem.requested_scope


@looks("near")
def scope_mismatch(suite: Suite) -> Iterator[Fault]:
    """SCP101: a fixture requests a narrower one, as pytest resolves it for at least one test."""
    for mismatch in _mismatches(suite):
        if _overridden(suite, mismatch) is None:
            yield from _told(suite, mismatch)


@looks("near")
def override_narrows_scope(suite: Suite) -> Iterator[Fault]:
    """SCP102: the same, where only an override near some tests makes it so."""
    for mismatch in _mismatches(suite):
        base = _overridden(suite, mismatch)
        override = mismatch.requested
        if base is None or override.place is None:
            continue
        requester = mismatch.requester
        requested, requesting = scoped(override.scope), scoped(mismatch.requesting_scope)
        related = [*_chain(mismatch, with_requested=False)]
        if base.place is not None and base.path is not None:
            related.insert(
                0, at(base.place, f"the {scoped(base.scope)} `{base.name}` it overrides")
            )
        yield Fault(
            override.place,
            f"{requested} override of {definition(base)} is requested by {requesting} "
            f"{definition(requester)}",
            override.symbol,
            tuple(related),
            notes=(
                f"without the override {definition(requester)} gets a {scoped(base.scope)} "
                f"`{base.name}`; with it pytest stops {_how_many(mismatch.items)} "
                "with ScopeMismatch",
            ),
            help=(
                f'give the override `scope="{mismatch.requesting_scope.word}"` or wider, or '
                f"override `{requester.name}` at {mismatch.requested_scope.word} scope here too"
            ),
            tests=frozenset(item.nodeid for item in mismatch.items),
        )


def _mismatches(suite: Suite) -> list[_Mismatch]:
    """The scope mismatches of the suite, one for each pair of definitions."""
    found: dict[tuple[object, object], _Mismatch] = {}
    for plan, items in suite.items_of.items():
        if not plan.problems:
            continue
        live = [item for item in items if _is_live(item)]
        if not live:
            continue
        first = first_test(live)
        for problem in plan.problems:
            requested = problem.requested
            if problem.kind != "scope-mismatch" or not problem.certain or requested is None:
                continue
            if _is_about_loops(requested):
                continue
            if not (is_settled(first, requested) and is_settled(first, problem.stack[-1])):
                continue
            key = (written(problem.stack[-1]), written(requested))
            mismatch = found.get(key)
            if mismatch is None:
                mismatch = found[key] = _Mismatch(problem, first)
            elif first_test((first, mismatch.first)) is first:
                mismatch.problem, mismatch.first = problem, first
            mismatch.items.extend(live)
    return list(found.values())


def _is_about_loops(requested: Fixture) -> bool:
    """Whether a mismatch is told by the rules about event loops."""
    if requested.name == "anyio_backend":
        return True
    return requested.path is None and requested.name in LOOP_FIXTURES


def _is_live(item: Item) -> bool:
    """Whether pytest sets the test up, once it can be collected, and reports what fails in it."""
    return not item.skipped


def _overridden(suite: Suite, mismatch: _Mismatch) -> Fixture | None:
    """The definition further out that the requester could have had, if an override hides it."""
    requested, requester = mismatch.requested, mismatch.requester
    if requested.pseudo:
        return None
    visible = suite.resolver.visible(mismatch.first.levels, requested.name)
    if requested not in visible:
        return None
    for base in reversed(visible[: visible.index(requested)]):
        if base is requester:
            return None
        if base.scope is not None and base.scope >= mismatch.requesting_scope:
            return base
    return None


def _told(suite: Suite, mismatch: _Mismatch) -> Iterator[Fault]:
    requester, requested, first = mismatch.requester, mismatch.requested, mismatch.first
    requesting_word, requested_word = mismatch.requesting_scope.word, mismatch.requested_scope.word
    mark: Place | None = None
    own = requester.path is not None
    subject = f"{requesting_word}-scoped " + (
        f"`{requester.name}`" if own else definition(requester)
    )
    what = f"{requested_word}-scoped {definition(requested)}"
    advice = _advice(requester, requested, requesting_word, requested_word)
    if requested.pseudo or requested.scope is not mismatch.requested_scope:
        mark = _parametrization(suite, first, requested.name)
        what = f"`{requested.name}`, which a test parametrizes at {requested_word} scope"
        if requested.pseudo and mismatch.requested_scope is Scope.FUNCTION:
            what = (
                f"`{requested.name}`, which a test parametrizes directly: that is function-scoped"
            )
        advice = (
            f'pass `scope="{requesting_word}"` to the parametrize call, or make `{requester.name}` '
            f"{requested_word}-scoped"
        )
    elif isinstance(first.parametrized.indirect.get(requester.name), Scope):
        mark = _parametrization(suite, first, requester.name)
        subject = f"`{requester.name}`, which a test parametrizes at {requesting_word} scope,"
        advice = (
            f'pass `scope="{requested_word}"` to the parametrize call, or make `{requested.name}` '
            f"{requesting_word}-scoped"
        )
    # A plugin's own fixture is not where the fault can be mended.
    place = requester.place if own else requested.place if requested.path is not None else mark
    if place is None:
        return
    symbol = requester.symbol if own else first.nodeid if requested.pseudo else requested.symbol
    related = _chain(mismatch, with_requested=True, mark=mark)
    yield Fault(
        place,
        f"{subject} requests {what}",
        symbol,
        tuple(other for other in related if (other.path, other.span) != (place.path, place.span)),
        notes=(f"pytest stops {_how_many(mismatch.items)} with ScopeMismatch",),
        help=advice,
        tests=frozenset(item.nodeid for item in mismatch.items),
    )


def _parametrization(suite: Suite, item: Item, name: str) -> Place | None:
    """Where a test's `parametrize` of a name stands."""
    return mark_place(
        suite,
        item,
        lambda mark: mark.name == "parametrize" and name in (argument_names(mark) or ()),
    )


def _advice(
    requester: Fixture, requested: Fixture, requesting_word: str, requested_word: str
) -> str:
    if requester.path is None:
        return f"make `{requested.name}` {requesting_word}-scoped"
    advice = f"make `{requester.name}` {requested_word}-scoped"
    if requested.path is not None and requested.name == requester.name:
        return f"make it {requested_word}-scoped, or the one it overrides {requesting_word}-scoped"
    if requested.path is not None:
        return f"{advice}, or `{requested.name}` {requesting_word}-scoped"
    if requested.name in _WIDER_BUILTINS:
        return f"{advice}, or use {_WIDER_BUILTINS[requested.name]} instead"
    return advice


def _chain(
    mismatch: _Mismatch, *, with_requested: bool, mark: Place | None = None
) -> Iterator[Place]:
    """Every step from a test to the definition that lives too short."""
    requester, requested = mismatch.requester, mismatch.requested
    asked = request_place(requester, requested.name)
    if asked is not None:
        yield at(asked, "requested here")
    if with_requested and requested.place is not None and requested.path is not None:
        yield at(requested.place, f"{scoped(requested.scope)} `{requested.name}`")
    if mark is not None:
        yield at(mark, "parametrized here")
    stack = mismatch.problem.stack
    for outer, inner in zip(reversed(stack[:-1]), reversed(stack[1:]), strict=True):
        if outer.place is not None:
            yield at(
                request_place(outer, inner.name) or outer.place,
                f"`{inner.name}` is requested by {scoped(outer.scope)} `{outer.name}`",
            )
    if not with_requested and requester.place is not None and requester.path is not None:
        yield at(requester.place, f"{scoped(requester.scope)} `{requester.name}`")
    yield _used_by(mismatch.first, stack[0].name)


def _used_by(item: Item, name: str) -> Place:
    """Where a test asks for a fixture, or else the test itself."""
    how = "used by this test"
    for request in (*item.requests, *item.usefixtures):
        if request.name == name:
            return at(request.place, how)
    return at(item.place, f"{how}, which does not name `{name}` itself")


def _how_many(items: list[Item]) -> str:
    count = len({item.nodeid for item in items})
    return "the 1 test that reaches it" if count == 1 else f"all {tests(count)} that reach it"


class _Refused(Struct):
    """A lookup that asks for too narrow a fixture, and the tests that may reach it."""

    lookup: Lookup
    requester: Fixture
    requesting: Scope
    requested: Scope
    answers: dict[object, Fixture] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)


@looks("far")
def getfixturevalue_scope_mismatch(suite: Suite) -> Iterator[Fault]:
    """SCP103: `request.getfixturevalue("name")` asks for a narrower fixture."""
    lookups = {fixture: made for fixture in suite.fixtures if (made := suite.lookups.of(fixture))}
    if not lookups:
        return
    refused: dict[_Key, _Refused] = {}
    granted: set[_Key] = set()
    for plan, items in suite.items_of.items():
        askers = [fixture for fixture in plan.order if fixture in lookups]
        live = [item for item in items if _is_live(item)] if askers else []
        if not live:
            continue
        first = first_test(live)
        for asker in askers:
            requesting = suite.lookups.scope_of(first, asker)
            for lookup in lookups[asker]:
                key: _Key = (asker.path, lookup.name, lookup.call.span)
                answer = suite.lookups.answer(first, asker, lookup.name)
                if answer is None or answer.scope is None or requesting is None:
                    granted.add(key)
                elif requesting > answer.scope:
                    found = refused.setdefault(
                        key, _Refused(lookup, asker, requesting, answer.scope)
                    )
                    found.answers.setdefault(written(answer), answer)
                    found.items.extend(live)
                else:
                    granted.add(key)
    for key, each in refused.items():
        depends = key in granted
        # Where it depends on the test, a condition may let only the right ones through.
        if not (depends and (each.lookup.conditional or each.lookup.nested)):
            yield _told_lookup(each, depends=depends)


def _told_lookup(refused: _Refused, *, depends: bool) -> Fault:
    lookup, requester = refused.lookup, refused.requester
    answers = list(refused.answers.values())
    answer = answers[0]
    if answer.pseudo:
        what = f"`{lookup.name}`, which a test parametrizes directly"
    else:
        what = definition(answer)
    requesting, requested = refused.requesting.word, refused.requested.word
    related = [
        at(each.place, f"{scoped(each.scope)} `{each.name}`")
        for each in answers
        if each.place is not None and each.path is not None
    ]
    if requester.place is not None:
        related.append(at(requester.place, f"{requesting}-scoped `{requester.name}`"))
    first = first_test(refused.items)
    related.append(_used_by(first, requester.name))
    note = f"pytest stops {_how_many(refused.items)} with ScopeMismatch when the call is run"
    if depends:
        note = (
            "other tests get a wider definition: whether pytest raises ScopeMismatch depends on "
            f"which test sets `{requester.name}` up"
        )
    advice = f"make `{requester.name}` {requested}-scoped"
    if answer.path is not None:
        advice += f", or `{lookup.name}` {requesting}-scoped"
    elif lookup.name in _WIDER_BUILTINS:
        advice += f", or use {_WIDER_BUILTINS[lookup.name]} instead"
    return Fault(
        Place(requester.path or "", lookup.call.span),
        f"{requesting}-scoped `{requester.name}` looks up {requested}-scoped {what} "
        "with `getfixturevalue`",
        requester.symbol,
        tuple(related),
        notes=(note,),
        help=advice,
        tests=frozenset(item.nodeid for item in refused.items),
        certainty="likely" if depends or lookup.conditional else None,
        names=tuple(f"{path}:{line}" for path, line in (written(each)[:2] for each in answers)),
    )
