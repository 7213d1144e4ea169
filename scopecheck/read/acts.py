"""Reads the simple statements of one function in a form that shows what could stand instead.

act    an assignment, a deletion or a call that is a statement of its own, with the places of
       what it is made of
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Literal

import msgspec

from scopecheck.read.nodes import DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.read.code import Code
    from scopecheck.read.text import Text
    from scopecheck.source import Span

_EQUALS = re.compile(r"[ \t]*=[ \t]*(?!=)")


class Act(msgspec.Struct, frozen=True):
    """What one simple statement does to an item or attribute, or which method it calls.

    span: the statement; text: its code. owner: what the item, attribute or method is of, as it is
    written; empty for a plain name. name: of the attribute, method or function; `[]` for an item.
    key: of the item. value: what is assigned. arguments: of the call, with their keywords; empty
    ones for positional arguments. Parts are code that can stand as an argument of a call.
    """

    kind: Literal["set", "del", "call"]
    span: Span
    text: str
    owner: str
    name: str
    key: str = ""
    value: str = ""
    arguments: tuple[tuple[str, str], ...] = ()

    @property
    def positional(self) -> tuple[str, ...] | None:
        """The arguments, where all are positional."""
        if any(keyword for keyword, _ in self.arguments):
            return None
        return tuple(code for _, code in self.arguments)


def acts(code: Code, line: int) -> list[Act]:
    """The acts of the function whose `def` is on a line, in order; not of those inside of it."""
    function = code.function(line)
    if function is None:
        return []
    reader = _Reader(code.text)
    return [act for one in simple_statements(function.body) for act in reader.read(one)]


def statement_around(code: Code, line: int, column: int) -> int | None:
    """The first line of the innermost statement around a place, if nothing is before it there."""
    found: ast.stmt | None = None
    for node in ast.walk(code.tree):
        if not isinstance(node, ast.stmt):
            continue
        span = code.text.span(node)
        start, end = (span.line, span.column), (span.end_line, span.end_column)
        if start <= (line, column) < end and (found is None or node.lineno >= found.lineno):
            found = node
    if found is None:
        return None
    before = code.text.line(found.lineno)[: code.text.span(found).column - 1]
    return None if before.strip() else found.lineno


def simple_statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block that hold no others, also of the blocks inside; in order."""
    for node in body:
        if isinstance(node, DEFINITIONS):
            continue
        blocks = [getattr(node, name, []) for name in ("body", "orelse")]
        blocks[1:1] = [handler.body for handler in getattr(node, "handlers", [])]
        blocks += [case.body for case in getattr(node, "cases", [])]
        blocks.append(getattr(node, "finalbody", []))
        if not any(blocks):
            yield node
        for block in blocks:
            yield from simple_statements(block)


class _Reader:
    def __init__(self, text: Text) -> None:
        self._text = text

    def read(self, node: ast.stmt) -> Iterator[Act]:
        match node:
            case ast.Assign(targets=[target]):
                value = self._assigned(node, target)
                if value is not None:
                    yield from self._to(node, target, "set", value)
            case ast.Delete(targets=[target]):
                yield from self._to(node, target, "del")
            case ast.Expr(value=ast.Call() as call):
                yield from self._call(node, call)

    def _to(
        self, node: ast.stmt, target: ast.expr, kind: Literal["set", "del"], value: str = ""
    ) -> Iterator[Act]:
        span, text = self._text.span(node), self._slice(node)
        match target:
            case ast.Subscript(value=owner, slice=key) if not isinstance(key, ast.Slice):
                code = self._argument(key)
                if code is not None:
                    yield Act(kind, span, text, self._slice(owner), "[]", code, value)
            case ast.Attribute(value=owner, attr=name):
                yield Act(kind, span, text, self._slice(owner), name, value=value)

    def _call(self, node: ast.stmt, call: ast.Call) -> Iterator[Act]:
        owner, name = "", ""
        match call.func:
            case ast.Name(id=name):
                pass
            case ast.Attribute(value=value, attr=name):
                owner = self._slice(value)
            case _:
                return
        given = [("", argument) for argument in call.args]
        given += [(keyword.arg or "**", keyword.value) for keyword in call.keywords]
        arguments = []
        for keyword, value in given:
            code = self._argument(value)
            if code is None or keyword == "**":
                return
            arguments.append((keyword, code))
        span, text = self._text.span(node), self._slice(node)
        yield Act("call", span, text, owner, name, arguments=tuple(arguments))

    def _assigned(self, node: ast.Assign, target: ast.expr) -> str | None:
        """What stands right of the `=`, with the parentheses round it."""
        start = self._offset(self._text.span(target), end=True)
        equals = _EQUALS.match(self._text.text, start)
        if equals is None:
            return None
        end = self._offset(self._text.span(node), end=True)
        return _as_argument(self._text.text[equals.end() : end])

    def _argument(self, node: ast.expr) -> str | None:
        return _as_argument(self._slice(node))

    def _slice(self, node: ast.expr | ast.stmt) -> str:
        span = self._text.span(node)
        return self._text.text[self._offset(span) : self._offset(span, end=True)]

    def _offset(self, span: Span, *, end: bool = False) -> int:
        if end:
            return self._text.offset(span.end_line, span.end_column)
        return self._text.offset(span.line, span.column)


def items_of(code: str) -> list[tuple[str, str]]:
    """Keys and values of a dict display, as they are written; none where it is something else."""
    display = ast.parse(code, mode="eval").body
    if not isinstance(display, ast.Dict) or None in display.keys:
        return []
    found = []
    for key, value in zip(display.keys, display.values, strict=True):
        assert key is not None
        parts = [_as_argument(ast.get_source_segment(code, part) or "") for part in (key, value)]
        if None in parts:
            return []
        found.append((parts[0] or "", parts[1] or ""))
    return found


def _as_argument(code: str) -> str | None:
    """Code that can stand as one positional argument; None where it can only stand where it is."""
    for candidate in (code, f"({code})"):
        try:
            parsed = ast.parse(f"_({candidate}\n)", mode="eval").body
        except SyntaxError:
            continue
        assert isinstance(parsed, ast.Call)
        if parsed.keywords or len(parsed.args) != 1:
            continue
        (argument,) = parsed.args
        if isinstance(argument, (ast.Starred, ast.Yield, ast.YieldFrom)):
            return None
        return candidate
    return None
