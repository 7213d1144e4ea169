"""Turns a syntax tree's expressions into the part of their form that the suite evaluates."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scopecheck.expressions import (
    Attribute,
    Awaited,
    Call,
    Choice,
    Const,
    Expression,
    Items,
    Joined,
    Mapping,
    Name,
    Opaque,
    Star,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from scopecheck.expressions import FunctionRef
    from scopecheck.read.text import Text

_OPAQUE = Opaque()
_DATA = Opaque(data=True)
_MAX_DEPTH = 8
_MAX_ITEMS = 2_000
_MAX_STRING = 400
# Test data: how much there is may matter, never what it is.
_DATA_ARGUMENTS = frozenset({"argvalues", "params", "ids", "values", "side_effect", "return_value"})

# Of a `pytest.param`: one that pytest does not take, and those by which plugins run async tests.
_MARKS_THAT_MATTER = frozenset({"usefixtures", "asyncio", "anyio", "trio"})


def dotted(node: ast.expr) -> tuple[str, ...] | None:
    """`a.b.c` as its parts, None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(node.id)
    parts.reverse()
    return tuple(parts)


class ExpressionReader:
    """Reads expressions of one file; lambdas are handed to `add_lambda`, which numbers them."""

    def __init__(self, text: Text, add_lambda: Callable[[ast.Lambda], FunctionRef]) -> None:
        self._text = text
        self._add_lambda = add_lambda

    def read(self, node: ast.expr, depth: int = 0) -> Expression:
        """The expression's form; what lies deeper than a few levels is opaque."""
        if depth > _MAX_DEPTH:
            return _OPAQUE
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return Name((node.id,))
            case ast.Attribute():
                parts = dotted(node)
                if parts is not None:
                    return Name(parts)
                return Attribute(self.read(node.value, depth + 1), node.attr)
            case ast.Call():
                return self._call(node, depth)
            case ast.List() | ast.Tuple() | ast.Set():
                return self._items(node.elts, depth)
            case ast.Dict():
                return self._mapping(node, depth)
            case ast.Starred():
                return Star(self.read(node.value, depth + 1))
            case ast.BinOp(op=ast.Add()):
                return Joined(self.read(node.left, depth + 1), self.read(node.right, depth + 1))
            case ast.IfExp():
                return Choice(self.read(node.body, depth + 1), self.read(node.orelse, depth + 1))
            case ast.Lambda():
                return self._add_lambda(node)
            case ast.NamedExpr():
                return self.read(node.value, depth + 1)
            case ast.Await():
                return Awaited(self.read(node.value, depth + 1))
            case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=bool(value))):
                return Const(not value)
            case ast.JoinedStr(values=[ast.Constant() as start, _, *_]):
                return Joined(self._constant(start), _DATA)
            case ast.JoinedStr() | ast.BinOp() | ast.UnaryOp() | ast.Compare():
                return _DATA
        return _OPAQUE

    def call(self, node: ast.Call) -> Call:
        """A call's form."""
        return self._call(node, 1)

    def _constant(self, node: ast.Constant) -> Expression:
        value = node.value
        if value is None or isinstance(value, (bool, float)):
            return Const(value)
        if isinstance(value, int) and abs(value) < 2**53:
            return Const(value)
        if isinstance(value, str) and len(value) <= _MAX_STRING and is_text(value):
            return Const(value)
        return _DATA

    def _items(self, nodes: list[ast.expr], depth: int) -> Items:
        kept = nodes[:_MAX_ITEMS]
        return Items(tuple(self.read(n, depth + 1) for n in kept), len(nodes) - len(kept))

    def _mapping(self, node: ast.Dict, depth: int) -> Expression:
        items: list[tuple[str, Expression]] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                return _OPAQUE
            if not is_text(key.value):
                return _OPAQUE
            items.append((key.value, self.read(value, depth + 1)))
        return Mapping(tuple(items))

    def _call(self, node: ast.Call, depth: int) -> Call:
        func = self.read(node.func, depth + 1)
        last = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        names_only_first = last in ("parametrize", "param")
        args = tuple(
            self._data(arg) if names_only_first and index == 1 else self.read(arg, depth + 1)
            for index, arg in enumerate(node.args)
        )
        keywords = tuple(
            (
                keyword.arg or "**",
                self._data(keyword.value)
                if keyword.arg in _DATA_ARGUMENTS
                else self.read(keyword.value, depth + 1),
            )
            for keyword in node.keywords
        )
        return Call(func, args, keywords, self._text.span(node))

    def _data(self, node: ast.expr) -> Expression:
        if isinstance(node, (ast.List, ast.Tuple)):
            if any(isinstance(item, ast.Starred) for item in node.elts):
                return _OPAQUE
            kept = tuple(self.read(item) for item in node.elts if _has_marks(item))
            return Items(kept, len(node.elts) - len(kept))
        if isinstance(node, ast.Constant):
            return self._constant(node)
        return Name(parts) if (parts := dotted(node)) else _OPAQUE


def is_text(value: str) -> bool:
    """Whether a string can be written: not one with a lone surrogate, such as `"\\ud800"`."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _has_marks(item: ast.expr) -> bool:
    """Whether this is a `pytest.param` with marks that may matter beyond the values it is for."""
    if not isinstance(item, ast.Call):
        return False
    for keyword in item.keywords:
        if keyword.arg == "marks":
            value = keyword.value
            marks = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
            for mark in marks:
                parts = dotted(mark.func if isinstance(mark, ast.Call) else mark)
                if parts is None or parts[-2:-1] != ("mark",) or parts[-1] in _MARKS_THAT_MATTER:
                    return True
    return False
