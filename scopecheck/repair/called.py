"""Fixer of fixtures that are called: a plain function, and a fixture that calls it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture


@looks("near")
def called_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP308: what the fixture does becomes a plain function, for those who call it."""
    place = fault.related[0]
    found = [
        fixture
        for fixture in suite.fixtures
        if fixture.path == place.path and fixture.home == place.path and fixture.certain
        if fixture.function is not None and fixture.function.span == place.span
    ]
    if len(found) != 1:
        return
    (fixture,) = found
    function = fixture.function
    assert function is not None
    if fixture.kind != "function" or function.owner >= 0 or len(function.decorators) != 1:
        return

    def write(workspace: Workspace) -> None:
        _split(workspace, fixture, fault)

    title = f"make `{function.name}` a plain function, and a fixture that calls it"
    yield Offer(title, "unsafe", write)


def _split(workspace: Workspace, fixture: Fixture, fault: Fault) -> None:
    from scopecheck.fix.calls import rewrite_call
    from scopecheck.fix.functions import delegate
    from scopecheck.fix.names import quote
    from scopecheck.fix.parsing import Statement
    from scopecheck.read.shapes import argument_names

    function, path = fixture.function, fixture.path
    assert function is not None
    assert path is not None
    editor = workspace.editor(path)
    code = workspace.code(path)
    names = argument_names(code, function.line)
    calls = workspace.code(fault.place.path).calls(function.name)
    call = next((one for one in calls if one.span == fault.place.span), None)
    if names is None or call is None or len(call.args) + len(call.keywords) != len(names):
        workspace.leave(path, function.line, "it is not called with what it asks for")
        return
    if editor.lines(function.line, function.line)[:1].isspace():
        workspace.leave(path, function.line, "it is not at the top level")
        return
    new = f"{fixture.name}_fixture"
    if re.search(rf"\b{re.escape(new)}\b", editor.source.text):
        workspace.leave(path, function.line, f"`{new}` is another name there")
    (decorator,) = function.decorators
    first, last = decorator.span.line, decorator.span.end_line
    above = editor.lines(first, last)
    text = editor.slice(decorator.span)
    if above.strip() != f"@{text}":
        workspace.leave(path, first, "a comment stands beside its decorator")
    named = text
    if "name" not in {keyword for keyword, _ in getattr(decorator.expression, "keywords", ())}:
        named = rewrite_call(text, given={"name": quote(workspace, path, fixture.name)})
    statement = Statement(editor.lines(function.line, function.end_line))
    delegate(statement, new, names)
    editor.remove_lines(first, last)
    editor.insert(function.end_line + 1, f"\n\n@{named}\n{statement.text.rstrip()}\n")
