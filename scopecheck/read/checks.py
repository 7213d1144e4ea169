"""What checks are called, and what the statements stand in that are checks."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from scopecheck.read.text import Text
    from scopecheck.source import Span

_CHECK_NAME = re.compile(r"assert|^fail$|^raises$|^warns$|^fail_|^expect|deprecated_call")
BUILTINS = frozenset(
    {
        *("print", "len", "list", "set", "dict", "tuple", "str", "int", "float", "bool", "sorted"),
        *("range", "enumerate", "zip", "isinstance", "type", "repr", "min", "max", "sum", "any"),
        *("all", "iter", "next", "getattr", "setattr", "hasattr", "open", "super", "id", "abs"),
        *("map", "filter", "reversed", "bytes", "object", "vars", "dir", "callable", "frozenset"),
    }
)
"""Functions of Python itself, of which nobody thinks that they check anything."""


class Round(NamedTuple):
    """What a check stands in; `inner` of a function defined inside the test."""

    kind: Literal["loop", "if", "else", "except", "inner", "exit", "other"]
    node: ast.stmt
    subject: ast.expr | None = None


class Check(NamedTuple):
    """A statement or a call that may fail the test; `every` is what an `all(...)` goes over."""

    node: ast.AST
    rounds: tuple[Round, ...]
    every: ast.expr | None = None


Rounds: TypeAlias = "tuple[Round, ...]"


@lru_cache(maxsize=4096)
def may_check(name: str) -> bool:
    """Whether a function of this name may check something."""
    return _CHECK_NAME.search(name) is not None


def last_name(func: ast.expr) -> str:
    """The last part of a function's name; empty where it has none."""
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def shared(checks: Sequence[Check]) -> list[Round]:
    """What every check stands in, the outermost first."""
    return [
        one
        for one in checks[0].rounds
        if all(any(one is other for other in check.rounds) for check in checks)
    ]


def head(node: ast.stmt, text: Text) -> Span:
    """The first line of a compound statement, up to its colon."""
    span = text.span(node)
    subject = getattr(node, "test", None) or getattr(node, "iter", None)
    if subject is None:
        return span
    end = text.span(subject)
    return type(span)(span.line, span.column, end.end_line, end.end_column)
