"""Evaluates the conditions that are the same for every run on this Python and platform."""

from __future__ import annotations

import ast
import operator
import os
import sys
from typing import TYPE_CHECKING

from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPARE: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,  # type: ignore[dict-item]
    ast.LtE: operator.le,  # type: ignore[dict-item]
    ast.Gt: operator.gt,  # type: ignore[dict-item]
    ast.GtE: operator.ge,  # type: ignore[dict-item]
}
_FACTS: dict[tuple[str, ...], object] = {
    ("sys", "platform"): sys.platform,
    ("os", "name"): os.name,
    ("sys", "version_info"): tuple(sys.version_info),
    ("TYPE_CHECKING",): False,
    ("typing", "TYPE_CHECKING"): False,
    ("t", "TYPE_CHECKING"): False,
}
_CALLS: dict[tuple[str, ...], object] = {
    ("platform", "system"): {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}.get(
        sys.platform, sys.platform
    ),
    ("platform", "python_implementation"): {"cpython": "CPython", "pypy": "PyPy"}.get(
        sys.implementation.name, sys.implementation.name
    ),
}


def truth(node: ast.expr) -> bool | None:
    """Whether the condition holds when pytest imports the module; None where a run must tell.

    Like mypy's, the answer is for the Python and the platform that run the analysis.
    """
    match node:
        case ast.Constant():
            return bool(node.value)
        case ast.UnaryOp(op=ast.Not()):
            inner = truth(node.operand)
            return None if inner is None else not inner
        case ast.BoolOp():
            return _boolean(node)
        case ast.Compare(ops=[op], comparators=[right]):
            if dotted(node.left) == ("__name__",):
                is_main = _value(right) == ("__main__",)
                return {ast.Eq: False, ast.NotEq: True}.get(type(op)) if is_main else None
            return _compare(node.left, op, right)
        case ast.Call(func=ast.Attribute(attr="startswith", value=owner), args=[argument]):
            value, prefix = _value(owner), _value(argument)
            if value is not None and prefix is not None and isinstance(value[0], str):
                return isinstance(prefix[0], str) and value[0].startswith(prefix[0])
            return None
        case ast.Call() if dotted(node.func) == ("sys", "gettrace"):
            return False  # set by debuggers, not by a run of the suite
        case ast.Name() | ast.Attribute():
            value = _value(node)
            return None if value is None else bool(value[0])
    return None


def _boolean(node: ast.BoolOp) -> bool | None:
    decisive = isinstance(node.op, ast.Or)
    values = [truth(value) for value in node.values]
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def _compare(left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool | None:
    compare = _COMPARE.get(type(op))
    first, second = _value(left), _value(right)
    if compare is None or first is None or second is None:
        return None
    try:
        return compare(first[0], second[0])
    except TypeError:
        return None


def _value(node: ast.expr) -> tuple[object] | None:
    """A constant's value in a one-item tuple, so that a constant None differs from no constant."""
    match node:
        case ast.Constant():
            return (node.value,)
        case ast.Tuple():
            values = [_value(item) for item in node.elts]
            if None in values:
                return None
            return (tuple(value[0] for value in values if value),)
        case ast.Subscript(value=value, slice=ast.Constant(value=int(index))):
            whole = _value(value)
            if whole and isinstance(whole[0], tuple) and index < len(whole[0]):
                return (whole[0][index],)
            return None
        case ast.Subscript(
            value=value, slice=ast.Slice(lower=None, upper=ast.Constant(value=int(end)))
        ):
            whole = _value(value)
            return (whole[0][:end],) if whole and isinstance(whole[0], tuple) else None
        case ast.Call(args=[], keywords=[]) if dotted(node.func) in _CALLS:
            return (_CALLS[dotted(node.func) or ()],)
    parts = dotted(node)
    return (_FACTS[parts],) if parts in _FACTS else None
