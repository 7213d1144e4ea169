"""Proves which paths through a generator function yield twice, or never."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from scopecheck.facts import YieldFacts
from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import BELOW, returns
from scopecheck.read.text import any_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.read.text import Text
    from scopecheck.source import Span

_SCOPES = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef})
_NO_RETURN = frozenset({"skip", "fail", "xfail", "exit", "_exit", "abort", "skipTest"})
_MAY_NOT_RETURN = re.compile(r"skip|fail|abort|exit|raise|never|unreachable|implemented")
# How often a path has yielded so far; UNKNOWN where conditions may depend on one another.
_UNKNOWN = -1
# So many conditions that each yield and leave may be all the cases that there are.
_SEVERAL = 2
_States = frozenset[int]
_NOTHING: _States = frozenset()


def yield_facts(
    function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text, lines: list[int]
) -> YieldFacts | None:
    """The function's yields, and a path with two or with none if one is certain to exist.

    None for a function that is no generator. Only independent conditions count: a branch entered
    after another branch has decided whether to yield may be its exact complement, so what it
    yields proves nothing; nor does a loop, a handler, or `yield from`.

    Args:
        function: the function.
        text: of its file.
        lines: the lines of the file that have the word yield, in order.
    """
    if not any_within(lines, function.body[0].lineno, function.end_lineno or function.lineno):
        return None
    walk = _Walk(text, lines)
    end = walk.block(function.body, frozenset({0}))
    if not walk.yields:
        return None
    missed = walk.missed
    if missed is None and 0 in end and _UNKNOWN not in end and walk.cases < _SEVERAL:
        missed = text.name_span(function)
    return YieldFacts(tuple(walk.yields), walk.twice, missed, walk.missed_surely)


class _Walk:
    def __init__(self, text: Text, lines: list[int]) -> None:
        self._text = text
        self._lines = lines
        self.yields: list[Span] = []
        self.twice: tuple[Span, Span] | None = None
        self.missed: Span | None = None
        self.missed_surely = False
        self.cases = 0
        self._conditions = 0
        self._modules: set[str] = set()

    def block(self, body: Sequence[ast.stmt], states: _States) -> _States:
        """The states after the statements; empty when none of their paths goes on."""
        for statement in body:
            if not states:
                # Nothing reaches it, but its yields still make the function a generator.
                self.yields.extend(self._text.span(node) for node in self._yields(statement))
                continue
            states = self._statement(statement, states)
        return states

    def _statement(self, node: ast.stmt, states: _States) -> _States:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Attribute(attr="importorskip")),
            ):
                self._modules.add(name)
            case ast.Return():
                states = self._expressions(node, states)
                if 0 in states and _UNKNOWN not in states and self.missed is None:
                    self.missed = self._text.span(node)
                    self.missed_surely = not self._conditions
                return _NOTHING
            case ast.Raise():
                self._expressions(node, states)
                return _NOTHING
            case ast.If():
                return self._if(node, states)
            case ast.For() | ast.AsyncFor() | ast.While() | ast.Match():
                return self._unproved(node, states)
            case ast.Try():
                return self._try(node, states)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    states = self._expressions(item.context_expr, states)
                return self.block(node.body, states)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return states
            case ast.Break() | ast.Continue():
                return _NOTHING
            case ast.Assert(test=ast.Constant(value=False)):
                return _NOTHING
            case ast.Expr(value=ast.Call() as call) | ast.Expr(value=ast.Await(ast.Call() as call)):
                parts = dotted(call.func)
                if parts is not None and parts[-1] in _NO_RETURN:
                    return _NOTHING
                if parts is not None and _MAY_NOT_RETURN.search(parts[-1]):
                    self._expressions(node, states)
                    return frozenset({_UNKNOWN})
        if hasattr(node, "handlers"):
            return self._unproved(node, states)
        return self._expressions(node, states)

    def _if(self, node: ast.If, states: _States) -> _States:
        states = self._expressions(node.test, states)
        # After an earlier branch the paths differ by its condition, which this one may repeat.
        inside = states if len(states) == 1 else frozenset({_UNKNOWN})
        before = len(self.yields)
        self._conditions += 1
        then = self.block(node.body, inside)
        other = self.block(node.orelse, inside)
        self._conditions -= 1
        if isinstance(node.test, ast.Name) and node.test.id in self._modules:
            # What `importorskip` gives is a module, which is never false.
            return then
        self.cases += not node.orelse and not then and len(self.yields) > before
        dispatch = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
        if dispatch and len(self.yields) > before:
            # `if a: ... elif b: ...`: the cases may be all there are.
            return frozenset({_UNKNOWN})
        if len(self.yields) == before and not (then and other):
            # A guard that leaves early without a yield of its own; the rest is one path again.
            return (then or other) if len(states) == 1 else states
        return then | other

    def _try(self, node: ast.Try, states: _States) -> _States:
        before = len(self.yields)
        after = self.block([*node.body, *node.orelse], states)
        body_yields = len(self.yields) > before
        self._conditions += 1
        for handler in node.handlers:
            # Entered before or after the body's yield: nothing is proved of it.
            entry = frozenset({_UNKNOWN}) if body_yields else states
            after |= self.block(handler.body, entry) & (states | frozenset({_UNKNOWN, 1, 2}))
        self._conditions -= 1
        if node.handlers and body_yields:
            after = frozenset({_UNKNOWN}) if after else after
        if not after:
            self.block(node.finalbody, frozenset({_UNKNOWN}))
            return _NOTHING
        return self.block(node.finalbody, after)

    def _unproved(self, node: ast.stmt, states: _States) -> _States:
        found = [self._text.span(inner) for inner in self._yields(node)]
        if found:
            self.yields.extend(found)
            return frozenset({_UNKNOWN})
        leaves = returns(node)
        return frozenset({_UNKNOWN}) if leaves and 0 in states else states

    def _expressions(self, node: ast.expr | ast.stmt, states: _States) -> _States:
        for found in self._yields(node):
            span = self._text.span(found)
            if isinstance(found, ast.YieldFrom):
                states = frozenset({_UNKNOWN})
            else:
                if (states == {1} and self.twice is None and self.yields) or (
                    states == {0, 1} and self.twice is None
                ):
                    self.twice = (span, self.yields[-1])
                states = frozenset(_UNKNOWN if s == _UNKNOWN else min(s + 1, 2) for s in states)
            self.yields.append(span)
        return states

    def _yields(self, node: ast.expr | ast.stmt) -> list[ast.Yield | ast.YieldFrom]:
        """The yields in a statement or expression, in source order."""
        if any_within(self._lines, node.lineno, node.end_lineno or node.lineno):
            return list(_yields(node))
        return []


def _yields(node: ast.AST) -> Iterator[ast.Yield | ast.YieldFrom]:
    stack: list[Any] = [node]
    while stack:
        inner = stack.pop()
        kind = inner.__class__
        if kind is ast.Yield or kind is ast.YieldFrom:
            yield inner
        get = BELOW[kind]
        if get is not None:
            for value in reversed(get(inner)):
                for item in reversed(value) if value.__class__ is list else (value,):
                    if item is not None and item.__class__ not in _SCOPES:
                        stack.append(item)
