"""Finds where a name of a module or a class is given its value, and where it is used."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import msgspec

from scopecheck.read.nodes import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.read.code import Code

_CALLABLES = (*FUNCTIONS, ast.Lambda)


def is_used(code: Code, name: str) -> bool:
    """Whether a module uses a name of its own in code, or says it in `__all__`."""
    return any(map(_Uses(name).visit, code.tree.body)) or _is_exported(code, name)


class _Uses:
    def __init__(self, name: str) -> None:
        self._name = name

    def visit(self, node: ast.AST) -> bool:
        match node:
            case ast.Name(id=name) if name == self._name:
                return True
            case ast.arg(annotation=annotation):
                return annotation is not None and self.visit(annotation)
            case ast.Import() | ast.ImportFrom():
                return False
            case ast.Global(names=names) | ast.Nonlocal(names=names) if self._name in names:
                return True
        if isinstance(node, _CALLABLES) and self._has_parameter(node.args):
            outside = [*getattr(node, "decorator_list", ()), *node.args.defaults]
            outside += [default for default in node.args.kw_defaults if default is not None]
            return any(map(self.visit, outside))
        return any(map(self.visit, ast.iter_child_nodes(node)))

    def _has_parameter(self, args: ast.arguments) -> bool:
        every = (*args.posonlyargs, *args.args, *args.kwonlyargs)
        return any(arg.arg == self._name for arg in every)


def _is_exported(code: Code, name: str) -> bool:
    return any(
        isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        and any(isinstance(n, ast.Name) and n.id == "__all__" for n in ast.walk(node))
        and any(isinstance(n, ast.Constant) and n.value == name for n in ast.walk(node))
        for node in code.tree.body
    )


class Assigned(msgspec.Struct, frozen=True):
    """A name assigned once in a module or class body: its lines, and the code of its value."""

    first: int
    last: int
    name: str
    value: str
    annotation: str = ""


def assigned_at(code: Code, line: int) -> Assigned | None:
    """The assignment of one name that is alone on a line, and not inside a function."""
    for body in _bodies(code.tree):
        for index, node in enumerate(body):
            if node.lineno != line or not isinstance(node, (ast.Assign, ast.AnnAssign)):
                continue
            around = [*body[max(index - 1, 0) : index], *body[index + 1 : index + 2]]
            last = node.end_lineno or line
            if any((one.end_lineno or 0) >= line and one.lineno <= last for one in around):
                return None
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value, annotation = node.value, getattr(node, "annotation", None)
            if len(targets) != 1 or not isinstance(targets[0], ast.Name) or value is None:
                return None
            said = ast.get_source_segment(code.text.text, annotation) if annotation else ""
            written = ast.get_source_segment(code.text.text, value)
            if written is None:
                return None
            return Assigned(line, last, targets[0].id, written, said or "")
    return None


def _bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    yield tree.body
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.body


def lines_of_name(code: Code, name: str) -> list[int]:
    """The lines on which a name stands in code, its `global` statements included."""
    return [
        node.lineno
        for node in ast.walk(code.tree)
        if (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names)
    ]


def lines_of_attribute(code: Code, name: str) -> list[tuple[int, str]]:
    """The lines on which an attribute of this name stands, and the name that it is looked up on.

    (Empty where it is looked up on something else, or named in a string.)
    """
    found = []
    for node in ast.walk(code.tree):
        match node:
            case ast.Attribute(value=value, attr=attr) if attr == name:
                found.append((node.lineno, value.id if isinstance(value, ast.Name) else ""))
            case ast.Constant(value=str(text)) if text == name:
                found.append((node.lineno, ""))
    return found
