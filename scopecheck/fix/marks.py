"""Writes marks: on a function, a class or a module, in the form that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.expressions import Name
from scopecheck.fix.calls import with_item
from scopecheck.fix.edits import Withheld
from scopecheck.fix.names import quote, spell
from scopecheck.source import indent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.expressions import Call
    from scopecheck.fix.workspace import Workspace


def spell_mark(workspace: Workspace, path: str, name: str, loop_scope: str | None = None) -> str:
    """A mark of pytest's as a file spells it, with a loop scope if it is to have one."""
    mark = spell(workspace, path, "pytest", f"mark.{name}")
    return (
        mark if loop_scope is None else f"{mark}(loop_scope={quote(workspace, path, loop_scope)})"
    )


def decorate(workspace: Workspace, path: str, line: int, mark: str) -> None:
    """Put a mark on the function or class whose `def` or `class` is on this line."""
    editor = workspace.editor(path)
    facts = workspace.project.load(path)
    first = line
    for function in facts.functions:
        if function.line == line:
            first = function.first_line
    for class_ in facts.classes:
        if class_.line == line and class_.decorators:
            first = class_.decorators[0].span.line
    text = editor.lines(line, line)
    indent = indent_of(text)
    editor.insert(first, f"{indent}@{mark}\n")


def mark_module(workspace: Workspace, path: str, mark: str) -> None:
    """Put a mark on all tests of a file."""
    editor = workspace.editor(path)
    code = workspace.code(path)
    for binding in workspace.project.load(path).bindings:
        if binding.name == "pytestmark" and not binding.target:
            part = code.items_of(binding.span.line, "pytestmark")
            if part is not None:
                try:
                    editor.replace(part.span, with_item(editor.slice(part.span), mark))
                except Withheld as reason:
                    message = f"add `{mark}` to the module's `pytestmark` ({reason})"
                    workspace.leave(path, binding.span.line, message)
            return
    imports = code.imports()
    line = imports[-1].last + 1 if imports else code.first_line
    after = "" if line > editor.text.line_count or editor.is_blank(line) else "\n"
    editor.insert(line, f"\npytestmark = {mark}\n{after}")


def calls_of_marks(workspace: Workspace, path: str) -> Iterator[Call]:
    """Calls of what may be an asyncio mark: `....asyncio(...)`, or a name that stands for it."""
    names = {"asyncio"}
    for binding in workspace.project.load(path).bindings:
        if isinstance(binding.value, Name) and binding.value.parts[-1] == "asyncio":
            names.add(binding.name)
    code = workspace.code(path)
    for name in sorted(names):
        yield from code.calls(name)
