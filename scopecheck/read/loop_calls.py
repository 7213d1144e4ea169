"""Finds the calls in a function that may run an event loop on the thread that runs the function.

Only what is sure to be run counts: not what is handed on as a function, stands under a condition,
or is expected to raise.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scopecheck.expressions import Entered
from scopecheck.facts import LoopCall
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from scopecheck.expressions import Expression
    from scopecheck.read.expressions import ExpressionReader

    _Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

LOOP_WORDS = ("asyncio.run(", "run_until_complete(", "asyncio.Runner(")
"""One of these, or a name imported from asyncio, stands in a function that runs a loop."""

_METHODS = frozenset({"run", "run_until_complete"})
_RUNNING_ERRORS = frozenset({"RuntimeError", "Exception", "BaseException"})
# Context managers in whose body an exception is expected, or the call is replaced.
_EXCUSES = ("raises", "Raises", "suppress", "patch", "mock")
_NO_RETURN = frozenset({"skip", "fail", "xfail", "exit", "importorskip", "skipTest"})
_SCOPES = (ast.Lambda, ast.GeneratorExp)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)


def loop_calls(
    function: _Function, expressions: ExpressionReader, names: frozenset[str]
) -> tuple[LoopCall, ...]:
    """The calls that may run an event loop.

    Args:
        function: the function.
        expressions: reads the calls.
        names: functions that may do so: imported ones, and those of this file.
    """
    walk = _Walk(expressions, names)
    walk.block(function.body)
    return tuple(walk.found)


class _Walk:
    def __init__(self, expressions: ExpressionReader, names: frozenset[str]) -> None:
        self._expressions = expressions
        self._names = names
        self._bound: dict[str, Expression | None] = {}
        self._inner: dict[str, _Function] = {}
        self.found: list[LoopCall] = []

    def block(self, body: Sequence[ast.stmt]) -> bool:
        """Walk statements; whether what follows them is run."""
        return all(self._statement(statement) for statement in body)

    def _statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                if not node.decorator_list:
                    self._inner[node.name] = node
            case ast.ClassDef():
                pass
            case ast.If() | ast.While():
                self._expression(node.test)
                # After a branch that leaves, what follows stands under its condition too.
                return not any(map(_leaves, (*node.body, *node.orelse)))
            case ast.For() | ast.AsyncFor():
                self._expression(node.iter)
                if _is_filled(node.iter):
                    self.block(node.body)
            case ast.Match():
                self._expression(node.subject)
                return not any(_leaves(inner) for case in node.cases for inner in case.body)
            case ast.With() | ast.AsyncWith():
                return self._with(node)
            case ast.Try():
                return self._try(node)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._expression(value)
                self._bind(name, value)
            case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
                self._expressions_of(node)
                return False
            case ast.Expr(value=ast.Call() as call):
                self._expression(call)
                parts = dotted(call.func)
                return parts is None or parts[-1] not in _NO_RETURN
            case _:
                self._expressions_of(node)
        return True

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        for item in node.items:
            self._expression(item.context_expr)
            if isinstance(item.optional_vars, ast.Name):
                entered = Entered(self._expressions.read(item.context_expr))
                self._bound[item.optional_vars.id] = entered
        if any(_excuses(item.context_expr) for item in node.items):
            return True
        return self.block(node.body)

    def _try(self, node: ast.Try) -> bool:
        goes_on = True
        if not any(map(_catches, node.handlers)):
            goes_on = self.block(node.body)
            goes_on = goes_on and self.block(node.orelse)
        return self.block(node.finalbody) and goes_on

    def _bind(self, name: str, value: ast.expr) -> None:
        # Bound twice, it may be either.
        known = None if name in self._bound else self._expressions.read(value)
        self._bound[name] = known

    def _expressions_of(self, node: ast.stmt) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._expression(child)

    def _expression(self, node: ast.expr, *, awaited: bool = False) -> None:
        match node:
            case ast.Call():
                self._call(node, awaited=awaited)
            case ast.Await():
                self._expression(node.value, awaited=True)
                return
            case ast.IfExp():
                self._expression(node.test)
                return
            case ast.BoolOp():
                self._expression(node.values[0])
                return
        if isinstance(node, _SCOPES):
            return
        if isinstance(node, _COMPREHENSIONS):
            self._expression(node.generators[0].iter)
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._expression(child)
            elif isinstance(child, ast.keyword):
                self._expression(child.value)

    def _call(self, node: ast.Call, *, awaited: bool) -> None:
        func = node.func
        if isinstance(func, ast.Attribute):
            if func.attr in _METHODS:
                self.found.append(LoopCall(self._expressions.call(node), self._receiver(func)))
            elif func.attr in self._names:
                self.found.append(LoopCall(self._expressions.call(node)))
        elif isinstance(func, ast.Name):
            inner = self._inner.get(func.id)
            if inner is not None:
                if awaited is isinstance(inner, ast.AsyncFunctionDef):
                    del self._inner[func.id]
                    self.block(inner.body)
            elif func.id in self._names:
                self.found.append(LoopCall(self._expressions.call(node)))

    def _receiver(self, func: ast.Attribute) -> Expression | None:
        if isinstance(func.value, ast.Name) and func.value.id in self._bound:
            return self._bound[func.value.id]
        return self._expressions.read(func.value)


def _leaves(node: ast.stmt) -> bool:
    """Whether a statement may leave the function."""
    stack: list[ast.AST] = [node]
    while stack:
        inner = stack.pop()
        if isinstance(inner, ast.Return):
            return True
        if not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)):
            stack.extend(ast.iter_child_nodes(inner))
    return False


def _is_filled(node: ast.expr) -> bool:
    """Whether a loop over this is sure to have a first turn."""
    match node:
        case ast.List(elts=[_, *_]) | ast.Tuple(elts=[_, *_]) | ast.Set(elts=[_, *_]):
            return not all(isinstance(item, ast.Starred) for item in node.elts)
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(count))]):
            return count > 0
    return False


def _excuses(node: ast.expr) -> bool:
    parts = dotted(node.func if isinstance(node, ast.Call) else node) or ()
    return any(word in part for part in parts for word in _EXCUSES)


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches what asyncio raises where a loop is running already."""
    if handler.type is None:
        return True
    kinds: Iterable[ast.expr] = [handler.type]
    if isinstance(handler.type, ast.Tuple):
        kinds = handler.type.elts
    return any((parts := dotted(kind)) and parts[-1] in _RUNNING_ERRORS for kind in kinds)
