"""Fixers of event loops: loop scopes written where they are missing, or in today's spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.repair.bench import Offer
from scopecheck.repair.handling import fixture_at
from scopecheck.suite.values import MarkValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Scope


def loop_scope_too_narrow(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP202: give the fixture a loop that lives as long as it does."""
    fixture = fixture_at(suite, fault)
    if fixture is None or fixture.scope is None or fault.names != ("loop_scope",):
        return
    yield give_loop_scope(suite, fixture, fixture.scope)


def give_loop_scope(suite: Suite, fixture: Fixture, scope: Scope) -> Offer:
    """Write `loop_scope=` in a fixture's decorator."""

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.decorators import Decorators

        decorators = Decorators(workspace, suite)
        if not decorators.set_loop_scope(fixture, scope):
            workspace.leave(fixture.path or "", fixture.line, "its decorator cannot be rewritten")
        decorators.write()

    return Offer(f'write `loop_scope="{scope.word}"` on `{fixture.name}`', "safe", write)


def deprecated_asyncio_mark(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP207: `scope=` of the mark is called `loop_scope=` now."""
    if not fault.names:
        return
    path, line = fault.place.path, fault.place.span.line
    both = fault.names[0] == "both"

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.calls import rewrite_call
        from scopecheck.fix.marks import calls_of_marks

        editor = workspace.editor(path)
        space = suite.evaluator.module(path)
        for call in calls_of_marks(workspace, path):
            if call.span.line != line or call.keyword("scope") is None or space is None:
                continue
            value = suite.evaluator.evaluate(call.func, space)
            if isinstance(value, MarkValue) and value.name == "asyncio":
                changes = {} if both else {"scope": "loop_scope"}
                dropped = ["scope"] if both else []
                text = editor.slice(call.span)
                editor.replace(call.span, rewrite_call(text, renamed=changes, dropped=dropped))

    title = "take `scope` out of the mark" if both else "write `loop_scope` in place of `scope`"
    yield Offer(title, "safe", write)
