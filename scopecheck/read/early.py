"""Finds captures that are read before the task that fills them can have run."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from scopecheck.read.emptiness import is_empty
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.read.text import Text
    from scopecheck.source import Span

_TASKS = frozenset({"create_task", "ensure_future"})
_EVENTISH = re.compile(r"event|emitted|notification|messages|received|captured|types")
_READING = re.compile(r"^(?:list|set|tuple|copy|sorted)$|^get_|^drain|^collect|^read")


def read_early(
    function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text
) -> Iterator[tuple[str, Span, Span]]:
    """What a captured thing is copied to too early, the copying, and the call that makes the task.

    A task runs only while its maker waits: between `create_task(...)` and the next `await` nothing
    of it has been done.
    """
    if isinstance(function, ast.AsyncFunctionDef):
        yield from _in_block(function.body, text)


def _in_block(body: Sequence[ast.stmt], text: Text) -> Iterator[tuple[str, Span, Span]]:
    made: ast.Call | None = None
    for statement in body:
        nodes = list(ast.walk(statement))
        if any(isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) for node in nodes):
            made = None
            if isinstance(statement, (ast.With, ast.AsyncWith, ast.Try)):
                yield from _in_block(statement.body, text)
            continue
        if made is not None and isinstance(statement, ast.Assign):
            target = statement.targets[0]
            if (
                isinstance(target, ast.Name)
                and _EVENTISH.search(target.id.lower())
                and _reads(statement.value)
            ):
                yield target.id, text.span(statement), text.span(made)
        for node in nodes:
            if isinstance(node, ast.Call):
                parts = dotted(node.func)
                if parts is not None and parts[-1] in _TASKS:
                    made = node


def _reads(value: ast.expr) -> bool:
    """Whether this takes what was captured so far: a copy, a part, or a call without waiting."""
    match value:
        case ast.ListComp() | ast.SetComp():
            return True
        case ast.Call(func=func):
            parts = dotted(func)
            return not is_empty(value) and parts is not None and bool(_READING.search(parts[-1]))
    return False
