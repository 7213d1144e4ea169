"""Reads how a test can fail: its checks, and the loops and conditions that they stand in."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from scopecheck.evidence import Callee, Evidence
from scopecheck.read.checks import BUILTINS, Check, Round, head, last_name, may_check, shared
from scopecheck.read.dropped import read_dropped, read_returned
from scopecheck.read.expressions import dotted
from scopecheck.read.lost import read_lost
from scopecheck.read.nodes import BELOW, walk
from scopecheck.read.text import any_within
from scopecheck.read.vacuity import Vacuities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.evidence import Asserts, Dropped, Lost, Returned
    from scopecheck.read.checks import Rounds
    from scopecheck.read.dropped import Names
    from scopecheck.read.nodes import Inside, Once
    from scopecheck.read.outline import Outline
    from scopecheck.read.text import Text
    from scopecheck.source import Span

CHECK_WORDS = ("assert", "fail(", "raises(", "warns(", "expect", "verify", "should")
"""A function whose text has none of these asserts nothing itself."""

# Statements, other than assertions and expressions, that decide whether a check always runs.
_DECIDING = frozenset({ast.With, ast.AsyncWith, ast.Try, ast.Return, ast.Raise, ast.If})
_EXITS = frozenset({"skip", "skipTest", "xfail"})


def read_evidence(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    text: Text,
    names: Names,
    losing: list[int],
    outline: Outline,
    inside: Once,
) -> Evidence | None:
    """What shows how a test can fail; None where an assertion always runs, and nothing is odd.

    Args:
        function: the test.
        text: of its file.
        names: of its file, from `file_names`.
        losing: the lines of its file with one of `LOSING_WORDS`.
        outline: the statements of the test.
        inside: what stands in the test.
    """
    first, last = function.body[0].lineno, function.end_lineno or function.lineno
    checked = _always_checks(function.body)
    lost: tuple[Lost, ...] = ()
    returned: Returned | None = None
    dropped = read_dropped(function, text, names, outline, inside)
    if losing and any_within(losing, first, last):
        lost = read_lost(function, text)
    if outline.returns:
        returned = read_returned(function.body, text)
    if checked:
        if dropped or lost or returned:
            return Evidence(True, dropped=dropped, lost=lost, returned=returned)
        return None
    return _Reader(function, text, inside()).evidence(dropped, lost, returned)


def read_asserts(text: Text, words: tuple[str, ...], first: int, last: int) -> Asserts:
    """What lines of a file have that may fail a test.

    Args:
        text: of the file.
        words: those of `CHECK_WORDS` that the file has.
        first: line.
        last: line.
    """
    start, end = text.range(first, last)
    find = text.text.find
    for word in words:
        if find(word, start, end) >= 0:
            return "assert"
    return "raise" if find("raise ", start, end) >= 0 else ""


def _always_checks(body: Sequence[ast.stmt]) -> bool:
    """Whether a statement that always runs, whatever the others do, may fail the test."""
    for statement in body:
        kind = statement.__class__
        if kind is ast.Assert:
            if not _is_all(statement.test):  # type: ignore[attr-defined]
                return True
        elif kind is ast.Expr:
            value = statement.value  # type: ignore[attr-defined]
            if isinstance(value, ast.Await):
                value = value.value
            if isinstance(value, ast.Call) and may_check(last_name(value.func)):
                return True
        elif kind in _DECIDING:
            found = _decides(statement)
            if found is not None:
                return found
    return False


def _decides(statement: ast.stmt) -> bool | None:
    """Whether a compound statement checks for certain; None where those after it still may."""
    match statement:
        case ast.With() | ast.AsyncWith():
            for item in statement.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and may_check(last_name(call.func)):
                    return True
            if not _suppresses(statement) and _always_checks(statement.body):
                return True
        case ast.Try():
            if not statement.handlers and _always_checks(statement.body):
                return True
            if _always_checks(statement.finalbody):
                return True
        case ast.Return() | ast.Raise():
            return False
        case ast.If():
            if _leaves(statement.body):
                return False
    return None


def _is_all(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Call)
        and isinstance(test.func, ast.Name)
        and test.func.id == "all"
        and len(test.args) == 1
        and isinstance(test.args[0], (ast.GeneratorExp, ast.ListComp))
    )


def _suppresses(statement: ast.With | ast.AsyncWith) -> bool:
    return any(
        isinstance(item.context_expr, ast.Call) and last_name(item.context_expr.func) == "suppress"
        for item in statement.items
    )


def _leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether a block ends the test without failing it."""
    match body[-1]:
        case ast.Return():
            return True
        case ast.Expr(value=ast.Call(func=func)):
            return last_name(func) in _EXITS
    return False


def _fails(body: Sequence[ast.stmt]) -> bool:
    """Whether a block fails the test."""
    match body[-1]:
        case ast.Raise():
            return True
        case ast.Assert(test=ast.Constant(value=value)):
            return not value
        case ast.Expr(value=ast.Call(func=func)):
            return last_name(func) == "fail"
    return False


class _Reader:
    """Collects the checks of one test that none is certain to run in."""

    def __init__(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text, inside: Inside
    ) -> None:
        self._function = function
        self._text = text
        self._checks: list[Check] = []
        self._calls: dict[tuple[str, ...], list[Rounds]] = {}
        # What is defined in the test is read with it, and what is assigned there is mere data.
        self._read_with = {function.name, *(node.name for node in inside.defined)}
        self._not_called = BUILTINS | self._read_with
        self._data = inside.stored | self._read_with

    def evidence(
        self, dropped: tuple[Dropped, ...], lost: tuple[Lost, ...], returned: Returned | None
    ) -> Evidence:
        """Everything that was found."""
        self._block(self._function.body, ())
        vacuity, within = Vacuities(self._function, self._text, self._checks).find()
        callees = tuple(
            Callee(parts, within is None or any(within not in rounds for rounds in places))
            for parts, places in self._calls.items()
        )
        conditional = None if vacuity is not None else self._conditional()
        return Evidence(
            False,
            len(self._checks),
            vacuity,
            conditional,
            callees,
            dropped,
            lost,
            returned,
        )

    def _conditional(self) -> Span | None:
        """The `if` that all checks stand in, though the test does not decide what it asks."""
        arguments = self._function.args
        given = {one.arg for one in (*arguments.args, *arguments.kwonlyargs)} - {"self"}
        for one in shared(self._checks) if self._checks else ():
            if one.kind == "if" and one.subject is not None:
                known = any(
                    isinstance(node, ast.Name) and node.id in given | {"sys", "os", "platform"}
                    for node in walk(one.subject)
                )
                if not known and not isinstance(one.subject, ast.Constant):
                    return head(one.node, self._text)
        return None

    def _block(self, body: Sequence[ast.stmt], rounds: Rounds) -> None:
        for statement in body:
            left = self._statement(statement, rounds)
            if left is not None:
                rounds = (*rounds, left)

    def _statement(self, node: ast.stmt, rounds: Rounds) -> Round | None:
        """Reads a statement; what the statements after it in its block stand in because of it."""
        match node:
            case ast.Assert(test=test):
                every = None
                if _is_all(test):
                    assert isinstance(test, ast.Call)
                    every = test.args[0]
                self._checks.append(Check(node, rounds, every))
                self._expression(test, rounds)
            case ast.If(test=test):
                self._expression(test, rounds)
                if _fails(node.body) and not node.orelse:
                    self._checks.append(Check(node, rounds))
                    self._calls_below(node.body, rounds)
                    return None
                self._block(node.body, (*rounds, Round("if", node, test)))
                self._block(node.orelse, (*rounds, Round("else", node, test)))
                if _leaves(node.body) and not node.orelse:
                    return Round("exit", node, test)
            case ast.For() | ast.AsyncFor():
                self._expression(node.iter, rounds)
                self._block(node.body, (*rounds, Round("loop", node, node.iter)))
                self._block(node.orelse, rounds)
            case ast.While(test=test):
                self._expression(test, rounds)
                self._block(node.body, (*rounds, Round("other", node)))
                self._block(node.orelse, rounds)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self._expression(item.context_expr, rounds)
                inner = (*rounds, Round("except", node)) if _suppresses(node) else rounds
                self._block(node.body, inner)
            case ast.Try():
                inner = (*rounds, Round("except", node)) if node.handlers else rounds
                self._block([*node.body, *node.orelse], inner)
                for handler in node.handlers:
                    self._block(handler.body, (*rounds, Round("other", node)))
                self._block(node.finalbody, rounds)
            case ast.Match():
                self._expression(node.subject, rounds)
                for case in node.cases:
                    self._block(case.body, (*rounds, Round("other", node)))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._block(node.body, (*rounds, Round("inner", node)))
            case ast.ClassDef():
                self._block(node.body, (*rounds, Round("inner", node)))
            case ast.Raise():
                self._checks.append(Check(node, rounds))
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self._expression(child, rounds)
        return None

    def _calls_below(self, body: Sequence[ast.stmt], rounds: Rounds) -> None:
        for statement in body:
            for child in ast.iter_child_nodes(statement):
                if isinstance(child, ast.expr):
                    self._expression(child, rounds)

    def _expression(self, node: ast.expr, rounds: Rounds) -> None:
        stack: list[Any] = [node]
        while stack:
            found = stack.pop()
            kind = found.__class__
            if kind is ast.Call:
                self._call(found, rounds)
            get = BELOW[kind]
            if get is not None:
                for value in get(found):
                    if value.__class__ is list:
                        stack += value
                    elif value is not None:
                        stack.append(value)

    def _call(self, node: ast.Call, rounds: Rounds) -> None:
        parts = dotted(node.func)
        if parts is None:
            parts = ("", node.func.attr) if isinstance(node.func, ast.Attribute) else ("", "")
        if may_check(parts[-1]):
            self._checks.append(Check(node, rounds))
        elif len(parts) > 1 or parts[0] not in self._not_called:
            self._calls.setdefault(parts, []).append(rounds)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, (ast.Name, ast.Attribute)):
                handed = dotted(argument)
                if handed is not None and handed[0] not in self._data:
                    self._calls.setdefault(handed, []).append(rounds)
