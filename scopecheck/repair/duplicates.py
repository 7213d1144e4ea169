"""Fixer of fixtures that share a public name: the one that never runs gets its own name back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer
from scopecheck.repair.handling import fixture_at
from scopecheck.repair.unknown import rename_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Function
    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture


@looks("far")
def duplicate_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP304: take `name=` off, and let those request it whose name has the words of it alone."""
    loser = fixture_at(suite, fault)
    if loser is None or loser.attribute == loser.name or not fault.related:
        return
    place = fault.related[0]
    winner = next(
        (
            fixture
            for fixture in suite.fixtures
            if fixture.place is not None
            and (fixture.path, fixture.place.span) == (place.path, place.span)
        ),
        None,
    )
    if winner is None or any(fixture.name == loser.attribute for fixture in suite.fixtures):
        return
    users = _meant(suite, loser, winner)
    if not users:
        return

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.calls import rewrite_call

        assert loser.function is not None
        assert loser.path is not None
        (decorator,) = loser.function.decorators
        editor = workspace.editor(loser.path)
        text = rewrite_call(editor.slice(decorator.span), dropped=["name"]).removesuffix("()")
        editor.replace(decorator.span, text)
        for path, function in users:
            rename_request(workspace, path, function, loser.name, loser.attribute)

    if loser.function is not None and len(loser.function.decorators) == 1:
        title = f"call it `{loser.attribute}`, and request it where that is meant"
        yield Offer(title, "unsafe", write)


def _meant(suite: Suite, loser: Fixture, winner: Fixture) -> list[tuple[str, Function]]:
    """The tests and fixtures that get the winner, and whose name has words of the loser alone."""
    own, other = _words(loser.attribute), _words(winner.attribute)
    own, other = own - other, other - own
    found: dict[tuple[str, int], tuple[str, Function]] = {}
    for plan, items in suite.items_of.items():
        for edge in plan.edges:
            if edge.answer is not winner or edge.request != loser.name:
                continue
            asker = edge.asker
            if asker is not None:
                askers = [(asker.path, asker.function)]
            else:
                askers = [(item.place.path, item.function) for item in items]
            for path, function in askers:
                if path is None or function is None:
                    continue
                words = _words(function.name)
                if words & own and not words & other:
                    found[path, function.line] = (path, function)
    return [found[key] for key in sorted(found)]


def _words(name: str) -> set[str]:
    return set(name.lower().split("_")) - {""}
