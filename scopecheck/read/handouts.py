"""Reads what a function gives to its caller: what it yields or returns, and its annotation."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from scopecheck.expressions import Choice, Const, Items, Name, Opaque
from scopecheck.facts import Handout
from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from scopecheck.expressions import Expression
    from scopecheck.facts import YieldFacts
    from scopecheck.read.expressions import ExpressionReader
    from scopecheck.read.text import Text
    from scopecheck.source import Span

    _Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_SCOPES = DEFINITIONS
_OPAQUE = Opaque()
_NONE = Const(None)
# The first argument of these is what a generator yields.
_GENERATORS = frozenset(
    ["AsyncGenerator", "AsyncIterator", "AsyncIterable", "Generator", "Iterator", "Iterable"]
)
_CONTAINERS = frozenset(
    [
        *("tuple", "list", "set", "frozenset", "dict"),
        *("Tuple", "List", "Set", "FrozenSet", "Dict", "Sequence", "Mapping"),
    ]
)
_WRAPPERS = frozenset(["Annotated", "Final", "Awaitable", "Coroutine"])
# `asyncio.Lock`, `get_running_loop`, `group.create_task`, `ensure_future`
_OF_LOOP = re.compile("asyncio|loop|task|future|spawn", re.IGNORECASE)
_NAMES = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def read_handout(
    function: _Function, text: Text, expressions: ExpressionReader, yields: YieldFacts | None
) -> Handout:
    """What a function yields where it is a generator, else what it returns."""
    values: list[tuple[Expression, Span]] = []
    for node, value in _handed(function.body, generator=yields is not None):
        values.append((_NONE if value is None else expressions.read(value), text.span(node)))
    if yields is not None:
        # A yield deep inside an expression, or `yield from`: there is one, of what is not known.
        found = {(span.line, span.column) for _, span in values}
        odd = (span for span in yields.yields if (span.line, span.column) not in found)
        values.extend((_OPAQUE, span) for span in odd)
    annotation = None
    if function.returns is not None:
        annotation = read_annotation(function.returns, generator=yields is not None)
    awaits = isinstance(function, ast.AsyncFunctionDef) and any(map(_awaits, function.body))
    return Handout(tuple(values), annotation, awaits, not _ends_with_yield(function))


def _awaits(statement: ast.stmt) -> bool:
    """Whether a statement waits for something, or may leave something on the loop that runs."""
    for node in ast.walk(statement):
        match node:
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith() | ast.comprehension(is_async=1):
                return True
            case ast.Name(id=name) | ast.Attribute(attr=name):
                if _OF_LOOP.search(name):
                    return True
    return False


def _ends_with_yield(function: _Function) -> bool:
    last = function.body[-1]
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Yield)


def _handed(
    body: Iterable[ast.stmt], *, generator: bool
) -> Iterator[tuple[ast.expr | ast.stmt, ast.expr | None]]:
    """The yields or returns of statements, with the value of each; nested functions left out."""
    for statement in body:
        if isinstance(statement, _SCOPES):
            continue
        if generator:
            value = getattr(statement, "value", None)
            if isinstance(value, ast.Yield):
                yield value, value.value
        elif isinstance(statement, ast.Return):
            yield statement, statement.value
        for field in ("body", "orelse", "finalbody"):
            yield from _handed(getattr(statement, field, ()), generator=generator)
        for field in ("handlers", "cases"):
            for arm in getattr(statement, field, ()):
                yield from _handed(arm.body, generator=generator)


def read_annotation(node: ast.expr, *, generator: bool = False) -> Expression:
    """The types that an annotation names; a container stands for its items.

    generator: it is that of a generator function; what it yields is wanted.
    """
    match node:
        case ast.Constant(value=None):
            return _NONE
        case ast.Constant(value=str(words)):
            return Name(tuple(words.split("."))) if _NAMES.fullmatch(words) else _OPAQUE
        case ast.Name() | ast.Attribute():
            parts = dotted(node)
            return _OPAQUE if parts is None or generator else Name(parts)
        case ast.BinOp(op=ast.BitOr()):
            return Choice(read_annotation(node.left), read_annotation(node.right))
        case ast.Subscript(value=outer, slice=inner):
            parts = dotted(outer)
            arguments = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            last = "" if parts is None else parts[-1]
            if generator:
                return read_annotation(arguments[0]) if last in _GENERATORS else _OPAQUE
            if last in _CONTAINERS:
                kept = [a for a in arguments if not _is_ellipsis(a)]
                return Items(tuple(read_annotation(argument) for argument in kept))
            if last == "Optional":
                return Choice(read_annotation(arguments[0]), _NONE)
            if last in _WRAPPERS and arguments:
                return read_annotation(arguments[-1 if last == "Coroutine" else 0])
            if last == "Union" and len(arguments) == 2:
                return Choice(read_annotation(arguments[0]), read_annotation(arguments[1]))
            return _OPAQUE
    return _OPAQUE


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis
