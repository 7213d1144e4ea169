"""Answers what single nodes of a function have to do with events."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import BELOW

if TYPE_CHECKING:
    from collections.abc import Sequence

FILLING = frozenset({"append", "extend", "add", "clear", "put", "put_nowait"})
"""Methods by which something gets into a list, set or queue, or out of it."""


def names_in(node: ast.AST) -> list[str]:
    """The names that are read, those left out that are only filled (`events.append`)."""
    found: list[str] = []
    below, load = BELOW, ast.Load
    stack: list[Any] = [node]
    while stack:
        inner = stack.pop()
        kind = inner.__class__
        if kind is ast.Name:
            if inner.ctx.__class__ is load:
                found.append(inner.id)
        elif kind is ast.Attribute:
            value = inner.value
            if value.__class__ is not ast.Name or inner.attr not in FILLING:
                stack.append(value)
        elif kind is not ast.Constant:
            get = below[kind]
            if get is not None:
                for value in get(inner):
                    if value.__class__ is list:
                        stack += value
                    elif value is not None:
                        stack.append(value)
    return found


def method_of(node: ast.Call | ast.Dict) -> str:
    """The method that a call calls; empty for anything else."""
    return getattr(node.func, "attr", "") if isinstance(node, ast.Call) else ""


def is_argument(node: ast.AST, name: str) -> bool:
    """Whether this is the parameter of this name."""
    return isinstance(node, ast.arg) and node.arg == name


def fails(body: Sequence[ast.stmt]) -> bool:
    """Whether a block ends by failing the test."""
    match body[-1]:
        case ast.Raise():
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="fail") | ast.Name(id="fail"))):
            return True
    return False


def source_of(value: ast.expr) -> str:
    """The dotted name of a call that may hand out what was captured; empty for anything else."""
    if isinstance(value, ast.Await):
        value = value.value
    if isinstance(value, ast.ListComp):
        return source_of(value.generators[0].iter) or (
            source_of(value.elt) if isinstance(value.elt, ast.Await) else ""
        )
    if not isinstance(value, ast.Call):
        return ""
    parts = dotted(value.func)
    if parts is None or parts[-1][:1].isupper() or parts[-1] in ("list", "set", "sorted", "len"):
        return ""
    return ".".join(parts)
