"""Reads how a test can fail: its checks, and the loops and conditions that they stand in."""

from __future__ import annotations

import ast
import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from scopecheck.evidence import Callee, Evidence, Vacuity
from scopecheck.read.dropped import read_dropped, read_returned
from scopecheck.read.emptiness import Emptiness, is_empty, truth_of
from scopecheck.read.expressions import dotted
from scopecheck.read.lost import read_lost
from scopecheck.read.nodes import BELOW, walk
from scopecheck.read.siblings import is_pinned
from scopecheck.read.text import any_within

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from scopecheck.evidence import Asserts, Dropped, Lost, Returned
    from scopecheck.read.dropped import Names
    from scopecheck.read.nodes import Inside, Once
    from scopecheck.read.outline import Outline
    from scopecheck.read.text import Text
    from scopecheck.source import Span

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# A function whose text has none of these asserts nothing itself.
_CHECK_WORDS = ("assert", "fail(", "raises(", "warns(", "expect", "verify", "should")
_CHECK_NAME = re.compile(r"assert|^fail$|^raises$|^warns$|^fail_|^expect|deprecated_call")
# Functions of Python itself, of which nobody thinks that they check anything.
_BUILTINS = frozenset(
    {
        *("print", "len", "list", "set", "dict", "tuple", "str", "int", "float", "bool", "sorted"),
        *("range", "enumerate", "zip", "isinstance", "type", "repr", "min", "max", "sum", "any"),
        *("all", "iter", "next", "getattr", "setattr", "hasattr", "open", "super", "id", "abs"),
        *("map", "filter", "reversed", "bytes", "object", "vars", "dir", "callable", "frozenset"),
    }
)
# Methods that look at a value, or keep it, and do not make another one of it.
_LOOKS = frozenset(
    {
        *("append", "add", "get", "startswith", "endswith", "index", "count", "join", "match"),
        *("search", "fullmatch", "lower", "loads", "dumps", "debug", "info", "warning", "pop"),
        *("remove", "discard", "extend", "format", "update", "items", "keys", "values"),
    }
)
# Statements, other than assertions and expressions, that decide whether a check always runs.
_DECIDING = frozenset({ast.With, ast.AsyncWith, ast.Try, ast.Return, ast.Raise, ast.If})
_EXITS = frozenset({"skip", "skipTest", "xfail"})
# A name for what was captured, as opposed to what the test needs in order to run at all.
_CAPTURE_NAME = re.compile(
    r"event|messag|result|receiv|captur|emit|notif|respons|record|collected|items|updates|chunks"
)

_EVENTS = re.compile(r"event|messag|receiv|captur|emit|notif|record")


class _Round(NamedTuple):
    """What a check stands in; `inner` of a function defined inside the test."""

    kind: Literal["loop", "if", "else", "except", "inner", "exit", "other"]
    node: ast.stmt
    subject: ast.expr | None = None


class _Check(NamedTuple):
    node: ast.AST
    rounds: tuple[_Round, ...]
    every: ast.expr | None = None


_Rounds: TypeAlias = "tuple[_Round, ...]"


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


def check_words(text: Text) -> tuple[str, ...]:
    """The words in a file without which a function asserts nothing itself."""
    return tuple(word for word in _CHECK_WORDS if word in text.text)


def read_asserts(text: Text, words: tuple[str, ...], first: int, last: int) -> Asserts:
    """What lines of a file have that may fail a test.

    Args:
        text: of the file.
        words: from `check_words`.
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
            if isinstance(value, ast.Call) and _may_check(_last_name(value.func)):
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
                if isinstance(call, ast.Call) and _may_check(_last_name(call.func)):
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


@lru_cache(maxsize=4096)
def _may_check(name: str) -> bool:
    """Whether a function of this name may check something."""
    return _CHECK_NAME.search(name) is not None


def _last_name(func: ast.expr) -> str:
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


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
        isinstance(item.context_expr, ast.Call) and _last_name(item.context_expr.func) == "suppress"
        for item in statement.items
    )


def _leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether a block ends the test without failing it."""
    match body[-1]:
        case ast.Return():
            return True
        case ast.Expr(value=ast.Call(func=func)):
            return _last_name(func) in _EXITS
    return False


def _fails(body: Sequence[ast.stmt]) -> bool:
    """Whether a block fails the test."""
    match body[-1]:
        case ast.Raise():
            return True
        case ast.Assert(test=ast.Constant(value=value)):
            return not value
        case ast.Expr(value=ast.Call(func=func)):
            return _last_name(func) == "fail"
    return False


class _Reader:
    """Collects the checks of one test that none is certain to run in."""

    def __init__(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text, inside: Inside
    ) -> None:
        self._function = function
        self._text = text
        self._checks: list[_Check] = []
        self._calls: dict[tuple[str, ...], list[_Rounds]] = {}
        # What is defined in the test is read with it, and what is assigned there is mere data.
        self._read_with = {function.name, *(node.name for node in inside.defined)}
        self._not_called = _BUILTINS | self._read_with
        self._data = inside.stored | self._read_with

    def evidence(
        self, dropped: tuple[Dropped, ...], lost: tuple[Lost, ...], returned: Returned | None
    ) -> Evidence:
        """Everything that was found."""
        self._block(self._function.body, ())
        vacuity, within = self._vacuity()
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
        for one in self._shared() if self._checks else ():
            if one.kind == "if" and one.subject is not None:
                known = any(
                    isinstance(node, ast.Name) and node.id in given | {"sys", "os", "platform"}
                    for node in walk(one.subject)
                )
                if not known and not isinstance(one.subject, ast.Constant):
                    return self._head(one.node)
        return None

    def _shared(self) -> list[_Round]:
        """What every check stands in, the outermost first."""
        return [
            one
            for one in self._checks[0].rounds
            if all(any(one is other for other in check.rounds) for check in self._checks)
        ]

    # -- statements ------------------------------------------------------------------------

    def _block(self, body: Sequence[ast.stmt], rounds: _Rounds) -> None:
        for statement in body:
            left = self._statement(statement, rounds)
            if left is not None:
                rounds = (*rounds, left)

    def _statement(self, node: ast.stmt, rounds: _Rounds) -> _Round | None:
        """Reads a statement; what the statements after it in its block stand in because of it."""
        match node:
            case ast.Assert(test=test):
                every = None
                if _is_all(test):
                    assert isinstance(test, ast.Call)
                    every = test.args[0]
                self._checks.append(_Check(node, rounds, every))
                self._expression(test, rounds)
            case ast.If(test=test):
                self._expression(test, rounds)
                if _fails(node.body) and not node.orelse:
                    self._checks.append(_Check(node, rounds))
                    self._calls_below(node.body, rounds)
                    return None
                self._block(node.body, (*rounds, _Round("if", node, test)))
                self._block(node.orelse, (*rounds, _Round("else", node, test)))
                if _leaves(node.body) and not node.orelse:
                    return _Round("exit", node, test)
            case ast.For() | ast.AsyncFor():
                self._expression(node.iter, rounds)
                self._block(node.body, (*rounds, _Round("loop", node, node.iter)))
                self._block(node.orelse, rounds)
            case ast.While(test=test):
                self._expression(test, rounds)
                self._block(node.body, (*rounds, _Round("other", node)))
                self._block(node.orelse, rounds)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self._expression(item.context_expr, rounds)
                inner = (*rounds, _Round("except", node)) if _suppresses(node) else rounds
                self._block(node.body, inner)
            case ast.Try():
                inner = (*rounds, _Round("except", node)) if node.handlers else rounds
                self._block([*node.body, *node.orelse], inner)
                for handler in node.handlers:
                    self._block(handler.body, (*rounds, _Round("other", node)))
                self._block(node.finalbody, rounds)
            case ast.Match():
                self._expression(node.subject, rounds)
                for case in node.cases:
                    self._block(case.body, (*rounds, _Round("other", node)))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._block(node.body, (*rounds, _Round("inner", node)))
            case ast.ClassDef():
                self._block(node.body, (*rounds, _Round("inner", node)))
            case ast.Raise():
                self._checks.append(_Check(node, rounds))
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self._expression(child, rounds)
        return None

    def _calls_below(self, body: Sequence[ast.stmt], rounds: _Rounds) -> None:
        for statement in body:
            for child in ast.iter_child_nodes(statement):
                if isinstance(child, ast.expr):
                    self._expression(child, rounds)

    # -- expressions -----------------------------------------------------------------------

    def _expression(self, node: ast.expr, rounds: _Rounds) -> None:
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

    def _call(self, node: ast.Call, rounds: _Rounds) -> None:
        parts = dotted(node.func)
        if parts is None:
            parts = ("", node.func.attr) if isinstance(node.func, ast.Attribute) else ("", "")
        if _may_check(parts[-1]):
            self._checks.append(_Check(node, rounds))
        elif len(parts) > 1 or parts[0] not in self._not_called:
            self._calls.setdefault(parts, []).append(rounds)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, (ast.Name, ast.Attribute)):
                handed = dotted(argument)
                if handed is not None and handed[0] not in self._data:
                    self._calls.setdefault(handed, []).append(rounds)

    # -- vacuity ---------------------------------------------------------------------------

    def _vacuity(self) -> tuple[Vacuity | None, _Round | None]:
        """The outermost thing that all checks stand in and that may never be entered."""
        found = self._entrance()
        vacuity, entered = found
        if vacuity is not None and vacuity.kind in ("loop", "all") and self._is_pinned(entered):
            return None, None
        return found

    def _is_pinned(self, entered: _Round | None) -> bool:
        """Whether another test of the file does the same and fails where nothing comes."""
        body = self._function.body
        if body and _is_docstring(body[0]):
            body = body[1:]
        if entered is None:
            node: ast.AST = self._checks[0].node
            every = self._checks[0].every
            assert isinstance(every, (ast.GeneratorExp, ast.ListComp))
            subject: ast.expr | None = every.generators[0].iter
        else:
            node, subject = entered.node, entered.subject
        if subject is None or node not in body:
            return False
        return is_pinned(body[: body.index(node)], subject, self._function, self._text)

    def _entrance(self) -> tuple[Vacuity | None, _Round | None]:
        if not self._checks or _has_examples(self._function):
            return None, None
        if any(one.kind == "inner" for check in self._checks for one in check.rounds):
            return None, None
        if any(one.kind in ("except", "other") for one in self._checks[0].rounds):
            return None, None
        shared = self._shared()
        if not shared and (len(self._checks) > 1 or self._checks[0].every is None):
            return None, None
        for one in shared:
            found = self._entered(one)
            if found is None:
                if one.kind == "loop" and not _is_listed(one.subject):
                    # What is in it may well be nothing in one round of many.
                    break
                continue
            kind, words, source = found
            return Vacuity(kind, self._head(one.node), words, source, self._spans()), one
        if len(self._checks) == 1 and self._checks[0].every is not None and not shared:
            if _is_absence(self._checks[0]):
                return None, None
            every = self._checks[0].every
            assert isinstance(every, (ast.GeneratorExp, ast.ListComp))
            subject = every.generators[0].iter
            origin = self._emptiness.captured(subject)
            if origin is not None and len(every.generators) == 1:
                span = self._text.span(every)
                return Vacuity("all", span, self._text.words(subject), origin, self._spans()), None
        return None, None

    def _spans(self) -> tuple[Span, ...]:
        return tuple(self._text.span(check.node) for check in self._checks)  # type: ignore[arg-type]

    @cached_property
    def _emptiness(self) -> Emptiness:
        return Emptiness(self._function)

    def _entered(self, one: _Round) -> tuple[Literal["loop", "if", "exit"], str, str] | None:
        subject = one.subject
        if subject is None:
            return None
        if one.kind == "loop":
            assert isinstance(one.node, (ast.For, ast.AsyncFor))
            if not self._about(one.node) or all(map(_is_absence, self._checks)):
                return None
            if isinstance(subject, ast.Call) and isinstance(one.node.body[-1], ast.Break):
                # What is wanted is the one thing that a generator lends.
                return None
            source = self._emptiness.captured(subject, streamed=isinstance(one.node, ast.AsyncFor))
            return None if source is None else ("loop", self._text.words(subject), source)
        asked = truth_of(subject, holds=one.kind == "if")
        if one.kind not in ("if", "exit") or asked is None:
            return None
        name = _last_name(asked)
        if not _CAPTURE_NAME.search(name):
            return None
        # What is below the question shows nothing, unless it asks for more than events.
        line = one.node.lineno if _EVENTS.search(name) else 0
        source = self._emptiness.asked(asked, line)
        kind: Literal["if", "exit"] = "if" if one.kind == "if" else "exit"
        return None if source is None else (kind, self._text.words(asked), source)

    def _about(self, loop: ast.For | ast.AsyncFor) -> bool:
        """Whether the checks in a loop are about its items, and not about what is made of them."""
        items = {node.id for node in walk(loop.target) if isinstance(node, ast.Name)}
        for statement in loop.body:
            for node in walk(statement):
                match node:
                    case ast.Call(func=func, args=args, keywords=keywords):
                        name = _last_name(func)
                        if name in _BUILTINS or name in _LOOKS or _may_check(name):
                            continue
                        given = [*args, *(keyword.value for keyword in keywords)]
                        if any(_mentions(value, items) for value in given):
                            return False
                    case ast.Await():
                        return False
        return any(
            _mentions(check.node, items)
            for check in self._checks
            if any(one.node is loop for one in check.rounds)
        )

    # -- words and places ------------------------------------------------------------------

    def _head(self, node: ast.stmt) -> Span:
        """The first line of a compound statement, up to its colon."""
        span = self._text.span(node)
        subject = getattr(node, "test", None) or getattr(node, "iter", None)
        if subject is None:
            return span
        end = self._text.span(subject)
        return type(span)(span.line, span.column, end.end_line, end.end_column)


def _has_examples(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether Hypothesis runs a test on many values, of which some may be empty."""
    return any(
        isinstance(one, ast.Call) and _last_name(one.func) == "given"
        for one in function.decorator_list
    )


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_listed(subject: ast.expr | None) -> bool:
    """Whether a loop goes over values that are written there, or over a constant."""
    match subject:
        case ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
            return True
        case ast.Name(id=name):
            return name.isupper()
    return False


_ABSENCES = frozenset(
    {
        *("assertNotIn", "assertNotEqual", "assertFalse", "assertIsNone", "assertIsNot"),
        *("assertNotIsInstance", "assertNotRegex", "assert_not_called", "assert_not_awaited"),
    }
)


def _is_absence(check: _Check) -> bool:
    """Whether this asserts that something is not there, which holds when nothing is."""
    if isinstance(check.node, ast.Call):
        return _last_name(check.node.func) in _ABSENCES
    if not isinstance(check.node, ast.Assert):
        return False
    test = check.node.test
    if check.every is not None and isinstance(check.every, (ast.GeneratorExp, ast.ListComp)):
        test = check.every.elt
    match test:
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Compare(ops=[ast.NotIn() | ast.NotEq() | ast.IsNot()]):
            return True
        case ast.Compare(ops=[ast.Is()], comparators=[ast.Constant(value=None | False)]):
            return True
        case ast.Compare(left=ast.Name(), ops=[ast.In()], comparators=[ast.Name(id=name)]):
            # There is nothing else than what is allowed.
            return name.isupper()
        case ast.Compare(ops=[ast.Eq()], comparators=[right]):
            return (isinstance(right, ast.Constant) and right.value == 0) or is_empty(right)
        case ast.Constant(value=value):
            return not value
    return False


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id in names for inner in walk(node))
