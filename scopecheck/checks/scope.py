"""Scope: fixtures that request what lives a shorter time than they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scopecheck.checks.wording import (
    at,
    definition,
    first_test,
    request_place,
    scoped,
    tests,
)
from scopecheck.finding import Fault, Place
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item, Problem

# Mismatches with these are told by the rules about event loops.
_LOOP_FIXTURES = frozenset({"anyio_backend", "event_loop"})


@dataclass
class _Mismatch:
    """One pair of definitions, and every test that it breaks."""

    problem: Problem
    items: list[Item] = field(default_factory=list)

    @property
    def requester(self) -> Fixture:
        return self.problem.stack[-1]

    @property
    def requested(self) -> Fixture:
        assert self.problem.requested is not None
        return self.problem.requested


def scope_mismatch(suite: Suite) -> Iterator[Fault]:
    """SCP101: a fixture requests a narrower one, as pytest resolves it for at least one test."""
    for mismatch in _mismatches(suite):
        if _overridden(suite, mismatch) is None and mismatch.requester.place is not None:
            yield _told(mismatch, mismatch.requester, mismatch.requester.place)


def override_narrows_scope(suite: Suite) -> Iterator[Fault]:
    """SCP102: the same, where only an override near some tests makes it so."""
    for mismatch in _mismatches(suite):
        base = _overridden(suite, mismatch)
        override = mismatch.requested
        if base is None or override.place is None:
            continue
        requester = mismatch.requester
        requested, requesting = scoped(override.scope), scoped(mismatch.problem.requesting_scope)
        related = [*_chain(mismatch, with_requested=False)]
        if base.place is not None:
            related.insert(0, at(base.place, f"the {scoped(base.scope)} `{base.name}` it overrides"))
        yield Fault(
            override.place,
            f"{requested} override of {definition(base)} is requested by {requesting} "
            f"{definition(requester)}",
            override.symbol,
            tuple(related),
            notes=(
                f"elsewhere {definition(requester)} gets a {scoped(base.scope)} `{base.name}`; "
                f"below this override pytest stops {_how_many(mismatch)} with ScopeMismatch",
            ),
            help=(
                f'give the override `scope="{_word(mismatch)}"` or wider, or override '
                f"`{requester.name}` at {_word_of(override)} scope here too"
            ),
            tests=frozenset(item.nodeid for item in mismatch.items),
        )


def _mismatches(suite: Suite) -> list[_Mismatch]:
    """The scope mismatches of the suite, one for each pair of definitions."""
    found: dict[tuple[object, object], _Mismatch] = {}
    for plan, items in suite.items_of.items():
        live = [item for item in items if not item.skipped]
        if not live:
            continue
        for problem in plan.problems:
            requested = problem.requested
            if problem.kind != "scope-mismatch" or not problem.certain or requested is None:
                continue
            if requested.path is None and requested.name in _LOOP_FIXTURES:
                continue
            key = (problem.stack[-1].key, requested.key)
            found.setdefault(key, _Mismatch(problem)).items.extend(live)
    return list(found.values())


def _overridden(suite: Suite, mismatch: _Mismatch) -> Fixture | None:
    """The definition further out that the requester could have had, if an override hides it."""
    requested, requester = mismatch.requested, mismatch.requester
    if requested.pseudo:
        return None
    item = first_test(mismatch.items)
    visible = suite.resolver.visible(item.levels, requested.name)
    if requested not in visible:
        return None
    for base in reversed(visible[: visible.index(requested)]):
        if base is requester:
            return None
        if base.scope is not None and mismatch.problem.requesting_scope is not None:
            return base if base.scope >= mismatch.problem.requesting_scope else None
    return None


def _told(mismatch: _Mismatch, requester: Fixture, place: Place) -> Fault:
    problem, requested = mismatch.problem, mismatch.requested
    assert problem.requesting_scope is not None and problem.requested_scope is not None
    requesting_word, requested_word = problem.requesting_scope.word, problem.requested_scope.word
    if requested.pseudo:
        what = f"`{requested.name}`, which a test parametrizes directly: that is function-scoped"
        if problem.requested_scope is not Scope.FUNCTION:
            what = f"`{requested.name}`, which a test parametrizes at {requested_word} scope"
        advice = (
            f'pass `scope="{requesting_word}"` to the parametrize call, or make `{requester.name}` '
            f"{requested_word}-scoped"
        )
    else:
        what = f"{requested_word}-scoped {definition(requested)}"
        advice = f"make `{requester.name}` {requested_word}-scoped"
        if requested.path is not None:
            advice += f", or `{requested.name}` {requesting_word}-scoped"
        elif requested.name in _WIDER_BUILTINS:
            advice += f", or request `{_WIDER_BUILTINS[requested.name]}` instead"
    return Fault(
        place,
        f"{requesting_word}-scoped `{requester.name}` requests {what}",
        requester.symbol,
        tuple(_chain(mismatch, with_requested=True)),
        notes=(f"pytest stops {_how_many(mismatch)} with ScopeMismatch",),
        help=advice,
        tests=frozenset(item.nodeid for item in mismatch.items),
    )


_WIDER_BUILTINS = {
    "tmp_path": "tmp_path_factory",
    "tmpdir": "tmpdir_factory",
    "monkeypatch": "pytest.MonkeyPatch.context()",
}


def _chain(mismatch: _Mismatch, *, with_requested: bool) -> Iterator[Place]:
    """Every step from a test to the definition that lives too short."""
    requester, requested = mismatch.requester, mismatch.requested
    asked = request_place(requester, requested.name)
    if asked is not None:
        yield at(asked, "requested here")
    if with_requested and requested.place is not None:
        yield at(requested.place, f"{scoped(requested.scope)} `{requested.name}`")
    stack = mismatch.problem.stack
    for outer, inner in zip(reversed(stack[:-1]), reversed(stack[1:]), strict=True):
        if outer.place is not None:
            yield at(
                request_place(outer, inner.name) or outer.place,
                f"`{inner.name}` is requested by {scoped(outer.scope)} `{outer.name}`",
            )
    item = first_test(mismatch.items)
    if not with_requested and requester.place is not None:
        yield at(requester.place, f"{scoped(requester.scope)} `{requester.name}`")
    first = stack[0].name
    how = "used by this test"
    for request in (*item.requests, *item.usefixtures):
        if request.name == first:
            yield at(request.place, how)
            return
    yield at(item.place, f"{how}, which does not name `{first}` itself")


def _how_many(mismatch: _Mismatch) -> str:
    count = len({item.nodeid for item in mismatch.items})
    return "the 1 test that reaches it" if count == 1 else f"all {tests(count)} that reach it"


def _word(mismatch: _Mismatch) -> str:
    scope = mismatch.problem.requesting_scope
    return scope.word if scope is not None else "session"


def _word_of(fixture: Fixture) -> str:
    return fixture.scope.word if fixture.scope is not None else "the same"
