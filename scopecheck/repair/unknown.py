"""Fixers of requests that nothing answers: the right name, or the definition moved up."""

from __future__ import annotations

from posixpath import basename
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer
from scopecheck.repair.imported import conftest_above

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Function
    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.read.code import Code
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture


@looks("far")
def unknown_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP301: request the fixture of nearly that name, or move the one out of reach."""
    match fault.names:
        case ("rename", name):
            yield from _renamed(suite, fault, name)
        case ("move", name):
            yield from _moved(suite, fault, name)


def _renamed(suite: Suite, fault: Fault, new: str) -> Iterator[Offer]:
    found = function_with_parameter(suite, fault)
    if found is None:
        return
    function, name = found
    path = fault.place.path

    def write(workspace: Workspace) -> None:
        rename_request(workspace, path, function, name, new)

    yield Offer(f"request `{new}` in place of `{name}`", "unsafe", write)


def function_with_parameter(suite: Suite, fault: Fault) -> tuple[Function, str] | None:
    """The function and the name of the parameter that a fault is about."""
    facts = suite.facts(fault.place.path)
    for function in () if facts is None else facts.functions:
        for parameter in function.parameters:
            if parameter.span == fault.place.span:
                return function, parameter.name
    return None


def rename_request(
    workspace: Workspace, path: str, function: Function, name: str, new: str
) -> None:
    """Let a function ask for another fixture, and use that wherever it used the one before."""
    from scopecheck.fix.functions import rename_parameter
    from scopecheck.fix.parsing import Statement
    from scopecheck.fix.wrapping import fitted

    editor = workspace.editor(path)
    before = editor.lines(function.line, function.end_line)
    statement = Statement(before)
    rename_parameter(statement, name, new)
    text = fitted(workspace, path, statement.text, before)
    editor.replace_lines(function.line, function.end_line, text)


def _moved(suite: Suite, fault: Fault, name: str) -> Iterator[Offer]:
    found = {
        fixture.key: fixture
        for fixture in suite.fixtures
        if fixture.name == name and fixture.path is not None and not fixture.assumed
    }
    if len(found) != 1:
        return
    (fixture,) = found.values()
    function, home = fixture.function, fixture.home or ""
    if function is None or function.owner >= 0 or fixture.path != home or not fixture.certain:
        return
    if basename(home) != "conftest.py" or fixture.autouse is not False:
        return
    target = conftest_above(suite, [home, fault.place.path])
    if target is None or target == home:
        return

    def write(workspace: Workspace) -> None:
        _move(workspace, fixture, function, home, target)

    yield Offer(f"move `{name}` to {target}", "unsafe", write)


def _move(
    workspace: Workspace, fixture: Fixture, function: Function, home: str, target: str
) -> None:
    editor, code = workspace.editor(home), workspace.code(home)
    text = editor.lines(function.first_line, function.end_line)
    if text[:1].isspace() or code.siblings(function.line) < 2:
        workspace.leave(home, function.line, f"`{fixture.name}` is not at the top level")
        return
    for name, module, original in _needed(workspace, code, home, function):
        there = list(_imports_of(workspace.code(target), name))
        if there == [(0, module, original)]:
            continue
        if there or workspace.code(target).binds(name):
            workspace.leave(target, 1, f"`{name}` is something else in {target}")
        elif not original and name != module:
            workspace.leave(home, function.line, f"`{name}` is an import of another name")
        else:
            spelled = original if original == name else f"{original} as {name}"
            workspace.need(target, module, spelled if original else "")
    editor.remove_lines(function.first_line, function.end_line)
    below = workspace.editor(target)
    if not text.endswith("\n"):
        text += "\n"
    below.insert(below.text.line_count + 1, f"\n\n{text.replace(editor.newline, chr(10))}")


def _needed(
    workspace: Workspace, code: Code, home: str, function: Function
) -> Iterator[tuple[str, str, str]]:
    """The imports that a function needs: the name bound, the module, and the name in it.

    What it needs of the file itself is left to a person.
    """
    from scopecheck.read.shapes import free_names

    names = free_names(code, function.line)
    own = {name for name in names if code.binds_at_top(name)}
    for name in sorted(own):
        found = list(_imports_of(code, name))
        if len(found) != 1 or found[0][0]:
            workspace.leave(home, function.line, f"it needs `{name}` of {home}")
            continue
        yield (name, *found[0][1:])


def _imports_of(code: Code, name: str) -> Iterator[tuple[int, str, str]]:
    """The imports at the top level that bind a name: dots, module, and the name in it."""
    for statement in code.imports():
        for one in statement.names:
            if one.bound == name:
                yield one.level, one.module, one.name or ""
