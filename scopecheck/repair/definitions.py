"""Fixers of definitions: marks that do nothing, fixtures that nothing uses or that lose `self`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer
from scopecheck.repair.handling import fixture_at
from scopecheck.source import indent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite


@looks("near")
def marked_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP309: remove the marks, which have no effect there."""
    path = fault.place.path
    spans = [place.span for place in fault.related if place.message.startswith("the mark ")]
    if not spans:
        return

    def write(workspace: Workspace) -> None:
        editor = workspace.editor(path)
        for span in spans:
            editor.remove_lines(span.line, span.end_line)

    what = "mark" if len(spans) == 1 else "marks"
    yield Offer(f"remove the {what} from the fixture", "safe", write)


@looks("near")
def instance_scope_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP105: make the method a class method."""
    fixture = fixture_at(suite, fault)
    function = None if fixture is None else fixture.function
    if function is None or not function.parameters or not function.decorators:
        return
    path, name = fault.place.path, function.parameters[0].name

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.functions import rename_first_parameter
        from scopecheck.fix.parsing import Statement

        editor = workspace.editor(path)
        statement = Statement(editor.lines(function.line, function.end_line))
        rename_first_parameter(statement, name, "cls")
        text = editor.lines(function.line, function.line)
        indent = indent_of(text)
        editor.insert(function.line, f"{indent}@classmethod\n")
        editor.replace_lines(function.line, function.end_line, statement.text)

    yield Offer("make it a class method", "unsafe", write)


@looks("far")
def unused_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP303: delete the fixture, and those that only it needs."""
    wanted = set(fault.names)
    fixtures = {
        (fixture.path, fixture.line): fixture
        for fixture in suite.fixtures
        if fixture.path is not None and f"{fixture.path}:{fixture.line}" in wanted
    }
    if not wanted or len(fixtures) != len(wanted):
        return

    def write(workspace: Workspace) -> None:
        for fixture in fixtures.values():
            function = fixture.function
            assert fixture.path is not None
            if function is None or not workspace.may_edit(fixture.path):
                workspace.leave(
                    fixture.path, fixture.line, f"`{fixture.name}` is not a plain `def`"
                )
                continue
            if workspace.code(fixture.path).siblings(function.line) == 1 and (
                function.owner >= 0
                or workspace.editor(fixture.path).lines(function.line, function.line)[:1].isspace()
            ):
                workspace.leave(fixture.path, fixture.line, "it is all that its block has")
            workspace.editor(fixture.path).remove_lines(function.first_line, function.end_line)

    names = ", ".join(f"`{fixture.name}`" for fixture in fixtures.values())
    yield Offer(f"delete {names}", "unsafe", write)
