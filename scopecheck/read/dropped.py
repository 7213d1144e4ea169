"""Finds what a test returns instead of asserting it, and results that it drops."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from scopecheck.evidence import Dropped, Returned
from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.read.text import Text

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BARE_CALL = re.compile(r"^[ \t]+(?:assert (?:not )?)?(self\.)?([a-z_]\w*)\(", re.MULTILINE)
_INNER = re.compile(r"^[ \t]+async def (\w+)", re.MULTILINE)
_EXPECTING = re.compile(r"raises|warns|suppress|Raises|Warns|deprecated_call")


class Names(NamedTuple):
    """The functions of a file that may be coroutine functions, and the lines that call them.

    imported: names that the module imports. local: coroutine functions of the module; methods:
        those of its classes.
    lines: lines that begin with a call of one of them.
    """

    imported: frozenset[str]
    local: frozenset[str]
    methods: frozenset[str]
    lines: list[int]


def file_names(tree: ast.Module, text: Text) -> Names:
    """What of a file's names may be a coroutine function, for `read_evidence`."""
    imported: set[str] = set()
    local: set[str] = set()
    methods: set[str] = set()
    for statement in tree.body:
        match statement:
            case ast.ImportFrom(module=module) if module not in ("unittest.mock", "typing"):
                imported.update(alias.asname or alias.name for alias in statement.names)
            case ast.AsyncFunctionDef():
                local.add(statement.name)
            case ast.ClassDef():
                methods.update(
                    inner.name
                    for inner in statement.body
                    if isinstance(inner, ast.AsyncFunctionDef)
                )
    lines: list[int] = []
    if imported or local or methods or "async def" in text.text:
        plain = imported | local
        inner = set(_INNER.findall(text.text))
        lines = [
            text.line_at(match.start())
            for match in _BARE_CALL.finditer(text.text)
            if match[2] in (methods if match[1] else plain | inner)
        ]
    return Names(frozenset(imported), frozenset(local), frozenset(methods), lines)


def read_returned(body: Iterable[ast.stmt], text: Text) -> Returned | None:
    """The first `return` of a truth value among a test's own statements."""
    for statement in body:
        if isinstance(statement, ast.Return) and statement.value is not None:
            kind = _truth_value(statement.value)
            if kind is not None:
                span = text.span(statement)
                words = text.line(span.line).strip() if span.line == span.end_line else ""
                return Returned(kind, span, words if len(words) <= 60 else "")
        elif not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            for inner in blocks(statement):
                found = read_returned(inner, text)
                if found is not None:
                    return found
    return None


def _truth_value(node: ast.expr) -> Literal["comparison", "bool"] | None:
    match node:
        case ast.Compare():
            return "comparison"
        case ast.Constant(value=bool()):
            return "bool"
        case ast.UnaryOp(op=ast.Not()):
            return "comparison"
        case ast.BoolOp(values=values):
            return "comparison" if any(map(_truth_value, values)) else None
        case ast.Call(func=ast.Name(id="all" | "any" | "isinstance" | "hasattr" | "bool")):
            return "comparison"
    return None


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement, handlers and cases included."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if block:
            yield block
    for handler in getattr(statement, "handlers", ()):
        yield handler.body
    for case in getattr(statement, "cases", ()):
        yield case.body


def read_dropped(
    function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text, names: Names
) -> Iterator[Dropped]:
    """Calls of what may be a coroutine function, with nothing done with what they give."""
    bound: set[str] = set()
    inner: set[str] = set()
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        bound.add(argument.arg)
    for node in walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)) and node is not function:
            bound.add(node.name)
            if isinstance(node, ast.AsyncFunctionDef) and not node.decorator_list:
                yields = any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in walk(node))
                if not yields:
                    inner.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound.update(alias.asname or alias.name for alias in node.names)
    known = names.imported | names.local
    for call, asserted in _results(function.body):
        parts = dotted(call.func)
        if parts is None:
            continue
        own = len(parts) == 2 and parts[0] == "self" and parts[1] in names.methods
        if len(parts) == 1 and parts[0] in inner:
            yield Dropped(parts, text.span(call), True, asserted)
        elif own or (len(parts) == 1 and parts[0] not in bound and parts[0] in known):
            yield Dropped(parts, text.span(call), False, asserted)


def _results(body: Iterable[ast.stmt]) -> Iterator[tuple[ast.Call, bool]]:
    """Calls that are statements of their own, or all that an `assert` asserts."""
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Call() as call):
                yield call, False
            case ast.Assert(test=ast.Call() as call):
                yield call, True
            case ast.Assert(test=ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call)):
                yield call, True
            case ast.With() | ast.AsyncWith():
                expects = any(
                    isinstance(item.context_expr, ast.Call)
                    and _EXPECTING.search(".".join(dotted(item.context_expr.func) or ()))
                    for item in statement.items
                )
                if not expects:
                    yield from _results(statement.body)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                continue
            case _:
                for block in blocks(statement):
                    yield from _results(block)
