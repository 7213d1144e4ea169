"""Tells what captures events: test clients of sockets, records of logs and warnings, mocks."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from scopecheck.evidence import SINGLE
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable

CAPTURE_WORDS = {
    **{word: (word,) for word in ("recv(", "readouterr", "catch_warnings")},
    "_args_list": ("call_args_list", "await_args_list"),
    "_calls": ("mock_calls", "method_calls"),
}
"""A function whose text has one of these may capture."""

# Methods of other objects, too: what they are called on tells.
_COMMON = frozenset({"receive", "recv"})
_SOCKET = re.compile(r"ws|sock|client|conn|communicator|sio", re.IGNORECASE)
_METHODS = frozenset({"get_received", "readouterr"})
_CALLS = frozenset({"call_args_list", "mock_calls", "method_calls", "await_args_list"})
_RECORDS = frozenset({"records", "messages", "record_tuples", "text"})
_WARNINGS = "catch_warnings"
# What hands on what it is given, or what comes of it.
_PASSING = frozenset({"wait_for", "loads", "list", "tuple", "reversed", "enumerate"})


def known_source(value: ast.expr) -> str:
    """The dotted name of what captured this, where that is known; empty for anything else."""
    match value:
        case ast.Await(value=inner) | ast.Subscript(value=inner):
            return known_source(inner)
        case ast.ListComp(elt=elt, generators=[one, *_]):
            return known_source(one.iter) or known_source(elt)
        case ast.Attribute(value=owner, attr=attr):
            parts = dotted(value)
            if attr in _CALLS and parts is not None:
                return ".".join(parts)
            if parts is not None and len(parts) == 2 and attr in _RECORDS:
                return ".".join(parts) if parts[0] in ("caplog", "recwarn") else ""
            return known_source(owner) if isinstance(owner, ast.Call) else ""
        case ast.Call(func=func, args=args):
            if is_capturing(value):
                return ".".join(dotted(func) or ("", getattr(func, "attr", "")))
            name = getattr(func, "attr", "") or getattr(func, "id", "")
            if name == _WARNINGS and any(one.arg == "record" for one in value.keywords):
                return name
            return known_source(args[0]) if name in _PASSING and args else ""
    return ""


def is_capturing(node: ast.Call) -> bool:
    """Whether this is a call of a method by which a test client hands out what has come."""
    if not isinstance(node.func, ast.Attribute):
        return False
    method = node.func.attr
    if method in _COMMON:
        parts = dotted(node.func)
        return parts is not None and bool(_SOCKET.search(parts[-2]))
    return method in SINGLE or method in _METHODS


def may_capture(node: ast.Call) -> bool:
    """Whether this is a call that captures something."""
    return is_capturing(node) or _WARNINGS in (
        getattr(node.func, "attr", ""),
        getattr(node.func, "id", ""),
    )


def is_record(node: ast.Attribute) -> bool:
    """Whether this is where a mock keeps its calls."""
    return node.attr in _CALLS


def opener(values: Iterable[ast.expr]) -> str:
    """The call that gave a name its only value, one of several names that were given values."""
    found: set[str] = set()
    for value in values:
        inner = value.elts[0] if isinstance(value, ast.Tuple) and value.elts else value
        if isinstance(inner, ast.Await):
            inner = inner.value
        parts = dotted(inner.func) if isinstance(inner, ast.Call) else None
        found.add(".".join(parts or ()))
    return found.pop() if len(found) == 1 else ""
