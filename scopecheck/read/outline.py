"""Sorts the statements of a test by what they are, so that what has none of a kind is not read."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAY_LEAVE = frozenset({ast.Raise, ast.Break, ast.Continue})
_LOOPS_AND_BRANCHES = frozenset({ast.If, ast.For, ast.AsyncFor, ast.While})
# (`except*` came with Python 3.11.)
_TRIES = (ast.Try, getattr(ast, "TryStar", ast.Try))


class Outline:
    """The statements of a function by kind, those of functions and classes inside it left out.

    asserts: the assertions.
    expressions: the expressions that are statements of their own, calls left out.
    calls: the calls that are statements of their own, awaited ones left out.
    returns: the `return` statements with a value.
    withs: the `with` statements.
    leaves: a statement may leave its block, or handle an exception.
    """

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.asserts: list[ast.Assert] = []
        self.expressions: list[ast.expr] = []
        self.calls: list[ast.Call] = []
        self.returns: list[ast.Return] = []
        self.withs: list[ast.With | ast.AsyncWith] = []
        self.leaves = False
        self._sort([function.body])

    def _sort(self, blocks: list[Sequence[ast.stmt]]) -> None:
        # (The list grows while it is gone through.)
        for block in blocks:
            for node in block:
                kind = node.__class__
                if kind is ast.Assign:
                    continue
                if kind is ast.Expr:
                    value = node.value  # type: ignore[attr-defined]
                    if value.__class__ is ast.Call:
                        self.calls.append(value)
                    else:
                        self.expressions.append(value)
                elif kind is ast.Assert:
                    self.asserts.append(node)  # type: ignore[arg-type]
                elif kind in _LOOPS_AND_BRANCHES:
                    blocks += (node.body, node.orelse)  # type: ignore[attr-defined]
                elif isinstance(node, (ast.With, ast.AsyncWith)):
                    self.withs.append(node)
                    blocks.append(node.body)
                elif isinstance(node, ast.Return):
                    self.leaves = True
                    if node.value is not None:
                        self.returns.append(node)
                elif kind in _MAY_LEAVE:
                    self.leaves = True
                elif isinstance(node, ast.Match):
                    blocks += [case.body for case in node.cases]
                elif isinstance(node, _TRIES):
                    self.leaves = True
                    blocks += (node.body, node.orelse, node.finalbody)
                    blocks += [handler.body for handler in node.handlers]
