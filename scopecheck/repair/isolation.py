"""Fixers of isolation: what a test sets is set through `monkeypatch`, which puts it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.fix.edits import Withheld
from scopecheck.repair.bench import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Function
    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite

_FIXTURE = "monkeypatch"


def unrestored_environ(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP405: `monkeypatch.setenv` in place of the assignment."""
    path = fault.place.path
    function = _function(suite, fault)
    if not fault.names or function is None:
        return
    lines = sorted({int(name) for name in fault.names})

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.assignments import by_setenv
        from scopecheck.fix.parsing import Statement

        editor, code = workspace.editor(path), workspace.code(path)
        for line in lines:
            place = code.inner_statement(line)
            if place is None:
                raise Withheld("it is not a statement of its own")
            statement = Statement(editor.lines(*place))
            by_setenv(statement, _FIXTURE)
            editor.replace_lines(*place, statement.text)
        _request(workspace, path, function)

    yield Offer("set it with `monkeypatch.setenv`", "safe", write)


def _function(suite: Suite, fault: Fault) -> Function | None:
    """The innermost function that holds the place of a fault."""
    facts = suite.facts(fault.place.path)
    line = fault.place.span.line
    around = [
        function
        for function in (facts.functions if facts is not None else ())
        if function.line <= line <= function.end_line and function.name != "<lambda>"
    ]
    return max(around, key=lambda function: function.line, default=None)


def _request(workspace: Workspace, path: str, function: Function) -> None:
    """Let a function request `monkeypatch`, where it does not yet."""
    from scopecheck.fix.functions import add_parameter
    from scopecheck.fix.names import spell
    from scopecheck.fix.parsing import Statement

    if any(parameter.name == _FIXTURE for parameter in function.parameters):
        return
    editor = workspace.editor(path)
    statement = Statement(editor.lines(function.line, function.end_line))
    before = statement.text
    annotation = "pytest.MonkeyPatch"
    add_parameter(statement, _FIXTURE, annotation)
    if annotation in statement.text and annotation not in before:
        spell(workspace, path, "pytest", "MonkeyPatch")
    editor.replace_lines(function.line, function.end_line, statement.text)
