"""Turns a function's statements into what was seen in them, for the bodies that matter."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scopecheck.facts import Body, CallFact
from scopecheck.read.expressions import dotted
from scopecheck.read.loop_calls import loop_calls
from scopecheck.read.yields import yield_facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal, TypeAlias

    from scopecheck.read.expressions import ExpressionReader
    from scopecheck.read.text import Text
    from scopecheck.source import Span

    _Under: TypeAlias = Literal["", "condition", "caught"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ClassDef)
_LEAVES = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.Constant)
_CONDITIONS = (
    *(ast.If, ast.IfExp, ast.BoolOp, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match),
    ast.comprehension,
)
_FAILURES = frozenset({"BaseException", "Failed", "OutcomeException"})
# What may find a nested function by its name, or all of them.
_ALL_NAMES = frozenset({"locals", "vars", "dir", "eval", "exec", "inspect", "sys"})
_ALWAYS_KEPT = frozenset(
    {"getfixturevalue", "getfuncargvalue", "parametrize", "add_marker"}
    | {"register_fixture", "_register_fixture", "parsefactories"}
)


def read_body(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    text: Text,
    expressions: ExpressionReader,
    called: frozenset[str] | None,
    yields: bool,
    loop_names: frozenset[str] | None = None,
) -> Body:
    """What a function's statements do.

    Args:
        function: the function.
        text: of its file.
        expressions: reads the calls that are kept.
        called: names whose calls are kept; None for every call.
        yields: whether the word yield occurs in the body.
        loop_names: functions that may run an event loop; None where the body calls none.
    """
    calls: list[CallFact] = []
    bound: dict[str, None] = {}
    stores: list[tuple[str, Span, bool]] = []
    loaded: set[str] = set()
    tests: list[tuple[str, Span]] = []
    inner: dict[str, None] = {}
    left = False
    first = function.args.args[0].arg if function.args.args else None
    for node, nested, under in _nodes(function):
        match node:
            case ast.Call():
                parts = dotted(node.func)
                kept = parts is not None and (
                    called is None or parts[-1] in _ALWAYS_KEPT or parts[-1] in called
                )
                if kept or (
                    isinstance(node.func, ast.Attribute) and node.func.attr in _ALWAYS_KEPT
                ):
                    met = under or ("condition" if left else "")
                    calls.append(CallFact(expressions.call(node), nested, met))
            case ast.Name(ctx=ast.Load()):
                loaded.add(node.id)
            case ast.Name():
                if not nested:
                    bound[node.id] = None
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()):
                if name == first:
                    stores.append((node.attr, text.span(node), nested))
            case ast.Return() | ast.Raise():
                left = left or bool(under and not nested)
            case ast.arg():
                inner[node.arg] = None
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                if not nested:
                    bound[node.name] = None
                    if node.name.startswith("test") and not node.decorator_list:
                        tests.append((node.name, text.name_span(node)))
            case ast.ClassDef():
                if not nested:
                    bound[node.name] = None
            case ast.ExceptHandler(name=str(name)):
                bound[name] = None
            case ast.alias():
                bound[(node.asname or node.name).partition(".")[0]] = None
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound[name] = None
    return Body(
        tuple(calls),
        tuple(bound),
        yield_facts(function, text) if yields else None,
        tuple((n, span) for n, span, deep in stores if not (deep and first in inner)),
        ()
        if loaded & _ALL_NAMES
        else tuple((name, span) for name, span in tests if name not in loaded),
        tuple(inner),
        () if loop_names is None else loop_calls(function, expressions, loop_names),
    )


def _nodes(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
) -> Iterator[tuple[ast.AST, bool, _Under]]:
    """Every node below the function's statements in source order.

    With each, whether it is in a nested function, and what it stands under (see `CallFact`).
    """
    stack: list[tuple[ast.AST, bool, _Under]] = [(n, False, "") for n in reversed(function.body)]
    while stack:
        found = stack.pop()
        yield found
        node, nested, under = found
        inner = nested or isinstance(node, _SCOPES)
        if isinstance(node, _CONDITIONS) and under != "caught":
            under = "condition"
            if isinstance(node, ast.Try) and any(map(_catches_all, node.handlers)):
                under = "caught"
        for name in reversed(node._fields):
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                if not isinstance(value, _LEAVES):
                    stack.append((value, inner, under))
            elif isinstance(value, list):
                stack.extend(
                    (item, inner, under) for item in reversed(value) if isinstance(item, ast.AST)
                )


def _catches_all(handler: ast.ExceptHandler) -> bool:
    """Whether the handler catches the exception by which pytest fails a test."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = [parts for kind in kinds if (parts := dotted(kind))]
    return any(parts[-1] in _FAILURES or parts[-2:] == ("fail", "Exception") for parts in names)
