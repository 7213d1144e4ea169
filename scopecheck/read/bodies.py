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
_ALWAYS_KEPT = frozenset(
    {"getfixturevalue", "getfuncargvalue", "register_fixture", "parametrize", "add_marker"}
)


def contains_yield(body: list[ast.stmt]) -> bool:
    """Whether the statements make their function a generator (nested functions left out)."""
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, _SCOPES):
            stack.extend(ast.iter_child_nodes(node))
    return False


def read_body(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    text: Text,
    expressions: ExpressionReader,
    called: frozenset[str] | None,
) -> Body:
    """What a function's statements do; calls are kept when named in `called` (None: every one)."""
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
        yield_facts(function, text),
        tuple(stores),
        tuple((name, span) for name, span in tests if name not in loaded),
    )


def _nodes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below the function's statements in source order, and whether it is nested."""
    stack: list[tuple[ast.AST, bool]] = [(node, False) for node in reversed(function.body)]
    while stack:
        node, nested = stack.pop()
        yield node, nested
        inner = nested or isinstance(node, _SCOPES)
        children = list(ast.iter_child_nodes(node))
        children.reverse()
        stack.extend((child, inner) for child in children)
