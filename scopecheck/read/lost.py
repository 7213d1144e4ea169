"""Finds assertions in functions inside a test whose failure does not reach the test."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scopecheck.evidence import Lost
from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import DEFINITIONS, FUNCTIONS, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from scopecheck.read.text import Text

# Only a test whose text has one of these is looked at.
LOSING_WORDS = ("Thread(", "create_task(", "ensure_future(", ".submit(")

_COMPOUND = (ast.With, ast.AsyncWith, ast.For, ast.While, ast.Try, ast.If)
_TASKS = frozenset({"create_task", "ensure_future"})


def read_lost(function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text) -> tuple[Lost, ...]:
    """The assertions that are lost, one for each function inside the test.

    Args:
        function: a test.
        text: of its file.
    """
    inner = {
        node.name: node
        for node in walk(function)
        if isinstance(node, FUNCTIONS) and node is not function and not node.decorator_list
    }
    found: list[Lost] = []
    for name, node in inner.items():
        assertion = _lasting(node)
        if assertion is None:
            continue
        uses = [
            each
            for each in walk(function)
            if isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load)
        ]
        if len(uses) != 1:
            continue
        run = _run_by(function, uses[0])
        if run is not None and not _asserts_after(function, run[1].lineno):
            kind, cause = run
            found.append(Lost(kind, text.span(assertion), name, text.span(cause)))
    return tuple(found)


def _asserts_after(function: ast.FunctionDef | ast.AsyncFunctionDef, line: int) -> bool:
    """Whether the test itself asserts something once the function may have run."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, DEFINITIONS):
            continue
        if isinstance(node, ast.Assert) and node.lineno > line:
            return True
        stack.extend(ast.iter_child_nodes(node))
    return False


def _lasting(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.Assert | None:
    """The first assertion of a function, where nothing that comes after it can be missed.

    A statement after it that stores or sends something would show by its absence that it failed.
    """
    found: ast.Assert | None = None
    for statement in node.body:
        if isinstance(statement, ast.Assert):
            found = found or statement
        elif found is not None or isinstance(statement, _COMPOUND):
            return None
    return found


def _run_by(
    function: ast.AST, use: ast.Name
) -> tuple[Literal["thread", "task", "future"], ast.expr] | None:
    """What runs the function, if that keeps its failure to itself."""
    for node in walk(function):
        if not isinstance(node, ast.Call):
            continue
        parts = dotted(node.func)
        name = parts[-1] if parts else getattr(node.func, "attr", "")
        if name == "Thread":
            if any(keyword.arg == "target" and keyword.value is use for keyword in node.keywords):
                return "thread", node
        elif name in _TASKS and node.args:
            made = node.args[0]
            if isinstance(made, ast.Call) and made.func is use and _is_dropped(function, node):
                return "task", node
        elif name == "submit" and node.args and node.args[0] is use and _is_dropped(function, node):
            return "future", node
    return None


def _is_dropped(function: ast.AST, call: ast.Call) -> bool:
    """Whether nothing can wait for what a call gives, since nothing keeps it."""
    for node in walk(function):
        if isinstance(node, ast.Expr) and node.value is call:
            return True
        if isinstance(node, ast.Assign) and node.value is call:
            return not any(_reads(function, target) for target in node.targets)
    return False


def _reads(function: ast.AST, target: ast.expr) -> bool:
    if not isinstance(target, ast.Name):
        return True
    return any(_loads(function, target.id))


def _loads(function: ast.AST, name: str) -> Iterator[bool]:
    for node in walk(function):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            yield True
