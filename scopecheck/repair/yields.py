"""Fixers of fixtures that yield twice or never: one `yield` on each path, or the test skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer
from scopecheck.repair.handling import fixture_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture


@looks("near")
def fixture_yields_twice(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP313: leave one `yield` on a path, or skip the test where there is none."""
    fixture = fixture_at(suite, fault)
    if fixture is None or fixture.function is None or len(fault.related) == 0:
        return
    if fault.names == ("twice",):
        yield from _once(fixture, fault.related[0].span, fault.related[1].span)
    elif fault.names == ("missed",):
        yield _skipping(fixture, fault.related[0].span)


def _once(fixture: Fixture, first: Span, second: Span) -> Iterator[Offer]:
    path, function = fixture.path, fixture.function
    assert path is not None
    assert function is not None

    def remove(workspace: Workspace) -> None:
        from scopecheck.read.shapes import doubled_yield

        found = doubled_yield(workspace.code(path), function.line, first, second)
        if found is None or not found.alike or found.alone:
            workspace.leave(path, first.line, "it cannot be told which of the two is meant")
            return
        workspace.editor(path).remove_lines(first.line, first.end_line)

    def end(workspace: Workspace) -> None:
        from scopecheck.read.shapes import doubled_yield

        found = doubled_yield(workspace.code(path), function.line, first, second)
        if found is None or not found.last:
            workspace.leave(path, first.line, "what follows would never run")
            return
        workspace.editor(path).insert(first.end_line + 1, f"{found.indent}return\n")

    yield Offer("take out the first `yield`: the second one yields the same", "unsafe", remove)
    yield Offer("return after the first `yield`", "unsafe", end)


def _skipping(fixture: Fixture, place: Span) -> Offer:
    path, function = fixture.path, fixture.function
    assert path is not None
    assert function is not None

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import quote, spell
        from scopecheck.read.shapes import bare_return

        found = bare_return(workspace.code(path), function.line, place)
        if found is None:
            workspace.leave(path, place.line, "it is no bare `return` in an `if`")
            return
        reason = f"{fixture.name} has no value: {found.condition}"
        if not found.condition or any(sign in reason for sign in "\"'\\{"):
            reason = f"{fixture.name} has no value here"
        skip = spell(workspace, path, "pytest", "skip")
        workspace.editor(path).replace(found.span, f"{skip}({quote(workspace, path, reason)})")

    return Offer("skip the test in place of a bare `return`", "unsafe", write)
