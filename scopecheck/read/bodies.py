"""Turns a function's statements into what was seen in them, for the bodies that matter."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from scopecheck.facts import Body, CallFact
from scopecheck.read.expressions import dotted
from scopecheck.read.loop_calls import loop_calls
from scopecheck.read.nodes import BELOW, DEFINITIONS, FUNCTIONS
from scopecheck.read.yields import yield_facts

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from scopecheck.read.expressions import ExpressionReader
    from scopecheck.read.text import Text
    from scopecheck.source import Span

    _Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
    _Under: TypeAlias = Literal["", "condition", "caught"]

_SCOPES = frozenset({*FUNCTIONS, ast.Lambda, ast.ClassDef})
_CONDITIONS = frozenset(
    {
        *(ast.If, ast.IfExp, ast.BoolOp, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match),
        ast.comprehension,
    }
)
_NAMING = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
# Names apart, which are the most.
_LOOKED_AT = _CONDITIONS.union(
    _SCOPES,
    (ast.Call, ast.Attribute, ast.Return, ast.Raise, ast.arg),
    (ast.alias, *_NAMING),
)
_FAILURES = frozenset({"BaseException", "Failed", "OutcomeException"})
# What may find a nested function by its name, or all of them.
_ALL_NAMES = frozenset({"locals", "vars", "dir", "eval", "exec", "inspect", "sys"})
_ALWAYS_KEPT = frozenset(
    {"getfixturevalue", "getfuncargvalue", "parametrize", "add_marker"}
    | {"register_fixture", "_register_fixture", "parsefactories"}
)


def read_body(
    function: _Function,
    text: Text,
    expressions: ExpressionReader,
    called: frozenset[str] | None,
    yield_lines: list[int],
    loop_names: frozenset[str] | None = None,
) -> Body:
    """What a function's statements do.

    Args:
        function: the function.
        text: of its file.
        expressions: reads the calls that are kept.
        called: names whose calls are kept; None for every call.
        yield_lines: the lines of the file that have the word yield.
        loop_names: functions that may run an event loop; None where the body calls none.
    """
    walk = _Walk(function, text, expressions, called)
    walk.walk()
    inner = walk.inner
    return Body(
        tuple(walk.calls),
        tuple(walk.bound),
        yield_facts(function, text, yield_lines),
        tuple((n, span) for n, span, deep in walk.stores if not (deep and walk.first in inner)),
        ()
        if walk.loaded & _ALL_NAMES
        else tuple((name, span) for name, span in walk.tests if name not in walk.loaded),
        tuple(inner),
        () if loop_names is None else loop_calls(function, expressions, loop_names),
    )


class _Walk:
    """Every node below a function's statements in source order, and what is kept of it."""

    def __init__(
        self,
        function: _Function,
        text: Text,
        expressions: ExpressionReader,
        called: frozenset[str] | None,
    ) -> None:
        self.calls: list[CallFact] = []
        self.bound: dict[str, None] = {}
        self.stores: list[tuple[str, Span, bool]] = []
        self.loaded: set[str] = set()
        self.tests: list[tuple[str, Span]] = []
        self.inner: dict[str, None] = {}
        self.first = function.args.args[0].arg if function.args.args else None
        self._function = function
        self._text = text
        self._expressions = expressions
        self._called = called
        self._left = False

    def walk(self) -> None:
        """Look at every node; with each, whether it is in a nested function, and what it is under.

        (See `CallFact`.)
        """
        below, load = BELOW, ast.Load
        stack: list[tuple[Any, bool, _Under]] = [
            (node, False, "") for node in reversed(self._function.body)
        ]
        while stack:
            node, nested, under = stack.pop()
            kind = node.__class__
            if kind is ast.Name:
                if node.ctx.__class__ is load:
                    self.loaded.add(node.id)
                elif not nested:
                    self.bound[node.id] = None
                continue
            get = below[kind]
            if kind in _LOOKED_AT:
                self._look(node, nested, under)
                nested = nested or kind in _SCOPES
                if kind in _CONDITIONS and under != "caught":
                    under = "condition"
                    if kind is ast.Try and any(map(_catches_all, node.handlers)):
                        under = "caught"
            if get is None:
                continue
            for value in reversed(get(node)):
                if value.__class__ is list:
                    for item in reversed(value):
                        if item is not None:
                            stack.append((item, nested, under))
                elif value is not None:
                    stack.append((value, nested, under))

    def _look(self, node: ast.AST, nested: bool, under: _Under) -> None:
        if isinstance(node, ast.Call):
            self._call(node, nested, under)
        elif isinstance(node, ast.Attribute):
            owner = node.value
            if (
                isinstance(node.ctx, ast.Store)
                and isinstance(owner, ast.Name)
                and owner.id == self.first
            ):
                self.stores.append((node.attr, self._text.span(node), nested))
        elif isinstance(node, (ast.Return, ast.Raise)):
            self._left = self._left or bool(under and not nested)
        elif isinstance(node, ast.arg):
            self.inner[node.arg] = None
        elif isinstance(node, DEFINITIONS):
            if not nested:
                self.bound[node.name] = None
                is_test = node.name.startswith("test") and not isinstance(node, ast.ClassDef)
                if is_test and not node.decorator_list:
                    self.tests.append((node.name, self._text.name_span(node)))
        elif isinstance(node, ast.alias):
            self.bound[(node.asname or node.name).partition(".")[0]] = None
        elif isinstance(node, _NAMING) and node.name is not None:
            self.bound[node.name] = None

    def _call(self, node: ast.Call, nested: bool, under: _Under) -> None:
        called = self._called
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
        else:
            name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name and (
            name in _ALWAYS_KEPT
            or ((called is None or name in called) and dotted(node.func) is not None)
        ):
            met = under or ("condition" if self._left else "")
            self.calls.append(CallFact(self._expressions.call(node), nested, met))


def _catches_all(handler: ast.ExceptHandler) -> bool:
    """Whether the handler catches the exception by which pytest fails a test."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = [parts for kind in kinds if (parts := dotted(kind))]
    return any(parts[-1] in _FAILURES or parts[-2:] == ("fail", "Exception") for parts in names)
