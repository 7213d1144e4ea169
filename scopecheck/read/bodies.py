"""Turns a function's statements into what was seen in them, for the bodies that matter."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scopecheck.facts import Body, CallFact
from scopecheck.read.expressions import dotted
from scopecheck.read.yields import yield_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.read.expressions import ExpressionReader
    from scopecheck.read.text import Text
    from scopecheck.source import Span

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ClassDef)
_LEAVES = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.Constant)
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
) -> Body:
    """What a function's statements do.

    Args:
        function: the function.
        text: of its file.
        expressions: reads the calls that are kept.
        called: names whose calls are kept; None for every call.
        yields: whether the word yield occurs in the body.
    """
    calls: list[CallFact] = []
    bound: dict[str, None] = {}
    stores: list[tuple[str, Span]] = []
    loaded: set[str] = set()
    tests: list[tuple[str, Span]] = []
    first = function.args.args[0].arg if function.args.args else None
    for node, nested in _nodes(function):
        match node:
            case ast.Call():
                parts = dotted(node.func)
                kept = parts is not None and (
                    called is None or parts[-1] in _ALWAYS_KEPT or parts[-1] in called
                )
                if kept or (
                    isinstance(node.func, ast.Attribute) and node.func.attr in _ALWAYS_KEPT
                ):
                    calls.append(CallFact(expressions.call(node), nested))
            case ast.Name(ctx=ast.Load()):
                loaded.add(node.id)
            case ast.Name():
                if not nested:
                    bound[node.id] = None
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()):
                if name == first:
                    stores.append((node.attr, text.span(node)))
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
        tuple(stores),
        ()
        if loaded & _ALL_NAMES
        else tuple((name, span) for name, span in tests if name not in loaded),
    )


def _nodes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below the function's statements in source order, and whether it is nested."""
    stack: list[tuple[ast.AST, bool]] = [(node, False) for node in reversed(function.body)]
    while stack:
        found = stack.pop()
        yield found
        node, nested = found
        inner = nested or isinstance(node, _SCOPES)
        for name in reversed(node._fields):
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                if not isinstance(value, _LEAVES):
                    stack.append((value, inner))
            elif isinstance(value, list):
                stack.extend((item, inner) for item in reversed(value) if isinstance(item, ast.AST))
