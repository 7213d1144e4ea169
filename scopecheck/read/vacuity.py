"""Finds what all checks of a test stand in, though nothing says that it is ever entered."""

from __future__ import annotations

import ast
import re
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from scopecheck.evidence import Vacuity
from scopecheck.read.checks import BUILTINS, head, last_name, may_check, shared
from scopecheck.read.emptiness import Emptiness, is_empty, truth_of
from scopecheck.read.nodes import walk
from scopecheck.read.siblings import is_pinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.read.checks import Check, Round
    from scopecheck.read.text import Text
    from scopecheck.source import Span

# Methods that look at a value, or keep it, and do not make another one of it.
_LOOKS = frozenset(
    {
        *("append", "add", "get", "startswith", "endswith", "index", "count", "join", "match"),
        *("search", "fullmatch", "lower", "loads", "dumps", "debug", "info", "warning", "pop"),
        *("remove", "discard", "extend", "format", "update", "items", "keys", "values"),
    }
)
# A name for what was captured, as opposed to what the test needs in order to run at all.
_CAPTURE_NAME = re.compile(
    r"event|messag|result|receiv|captur|emit|notif|respons|record|collected|items|updates|chunks"
)

_EVENTS = re.compile(r"event|messag|receiv|captur|emit|notif|record")


class Vacuities:
    """Looks at the checks of one test, of which none is certain to run."""

    def __init__(
        self,
        function: ast.FunctionDef | ast.AsyncFunctionDef,
        text: Text,
        checks: Sequence[Check],
    ) -> None:
        self._function = function
        self._text = text
        self._checks = checks

    def find(self) -> tuple[Vacuity | None, Round | None]:
        """The outermost thing that all checks stand in and that may never be entered."""
        found = self._entrance()
        vacuity, entered = found
        if vacuity is not None and vacuity.kind in ("loop", "all") and self._is_pinned(entered):
            return None, None
        return found

    def _is_pinned(self, entered: Round | None) -> bool:
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

    def _entrance(self) -> tuple[Vacuity | None, Round | None]:
        if not self._checks or _has_examples(self._function):
            return None, None
        if any(one.kind == "inner" for check in self._checks for one in check.rounds):
            return None, None
        if any(one.kind in ("except", "other") for one in self._checks[0].rounds):
            return None, None
        around = shared(self._checks)
        if not around and (len(self._checks) > 1 or self._checks[0].every is None):
            return None, None
        for one in around:
            found = self._entered(one)
            if found is None:
                if one.kind == "loop" and not _is_listed(one.subject):
                    # What is in it may well be nothing in one round of many.
                    break
                continue
            kind, words, source = found
            captured = kind != "loop" or self._is_captured(one, source)
            span = head(one.node, self._text)
            return Vacuity(kind, span, words, source, self._spans(), captured), one
        if len(self._checks) == 1 and self._checks[0].every is not None and not around:
            every = self._checks[0].every
            assert isinstance(every, (ast.GeneratorExp, ast.ListComp))
            if _is_absence(self._checks[0]) or _is_character(every.generators[0].target):
                return None, None
            subject = every.generators[0].iter
            origin = self._emptiness.captured(subject)
            if origin is not None and len(every.generators) == 1 and not self._is_input(subject):
                span, words = self._text.span(every), self._text.words(subject)
                captured = self._may_lack(subject, every.generators[0].target, origin)
                return Vacuity("all", span, words, origin, self._spans(), captured), None
        return None, None

    def _is_captured(self, loop: Round, source: str) -> bool:
        """Whether what a loop goes over may well be empty, or is searched for something."""
        node = loop.node
        assert isinstance(node, (ast.For, ast.AsyncFor))
        if isinstance(node, ast.AsyncFor) or self._may_lack(node.iter, node.target, source):
            return True
        inside = [check.rounds[check.rounds.index(loop) + 1 :] for check in self._checks]
        return all(any(one.kind == "if" for one in rounds) for rounds in inside)

    def _may_lack(self, subject: ast.expr, target: ast.expr, source: str) -> bool:
        """Whether something was captured, filtered, or is a part of a result, by form and name."""
        if not source or self._emptiness.is_filtered(subject) or self._emptiness.is_part(subject):
            return True
        names = {
            last_name(node)
            for one in (subject, target)
            for node in walk(one)
            if isinstance(node, ast.Name)
            # The method `items` is no name for what is in a dict.
            or (isinstance(node, ast.Attribute) and node.attr != "items")
        }
        return any(map(_CAPTURE_NAME.search, (*names, source.rpartition(".")[2])))

    def _spans(self) -> tuple[Span, ...]:
        return tuple(self._text.span(check.node) for check in self._checks)  # type: ignore[arg-type]

    @cached_property
    def _emptiness(self) -> Emptiness:
        return Emptiness(self._function)

    def _entered(self, one: Round) -> tuple[Literal["loop", "if", "exit"], str, str] | None:
        subject = one.subject
        if subject is None:
            return None
        if one.kind == "loop":
            assert isinstance(one.node, (ast.For, ast.AsyncFor))
            if not self._about(one.node) or all(map(_is_absence, self._checks)):
                return None
            if _is_character(one.node.target):
                return None
            if isinstance(subject, ast.Call) and isinstance(one.node.body[-1], ast.Break):
                # What is wanted is the one thing that a generator lends.
                return None
            if isinstance(subject, ast.Call) and _is_ended_by(subject, one.node.body):
                return None
            source = self._emptiness.captured(subject, streamed=isinstance(one.node, ast.AsyncFor))
            if source is not None and self._is_input(subject):
                return None
            return None if source is None else ("loop", self._text.words(subject), source)
        asked = truth_of(subject, holds=one.kind == "if")
        if one.kind not in ("if", "exit") or asked is None:
            return None
        name = last_name(asked)
        if not _CAPTURE_NAME.search(name):
            return None
        # What is below the question shows nothing, unless it asks for more than events.
        line = one.node.lineno if _EVENTS.search(name) else 0
        source = self._emptiness.asked(asked, line)
        kind: Literal["if", "exit"] = "if" if one.kind == "if" else "exit"
        return None if source is None else (kind, self._text.words(asked), source)

    def _is_input(self, subject: ast.expr) -> bool:
        """Whether what comes out of a call is held against this, which went into it."""
        outputs = self._emptiness.made_of(subject)
        return any(_mentions(check.node, outputs) for check in self._checks)

    def _about(self, loop: ast.For | ast.AsyncFor) -> bool:
        """Whether the checks in a loop are about its items, and not about what is made of them."""
        items = {node.id for node in walk(loop.target) if isinstance(node, ast.Name)}
        for statement in loop.body:
            for node in walk(statement):
                match node:
                    case ast.Call(func=func, args=args, keywords=keywords):
                        name = last_name(func)
                        if name in BUILTINS or name in _LOOKS or may_check(name):
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


def _is_ended_by(call: ast.Call, body: Sequence[ast.stmt]) -> bool:
    """Whether a loop's body tells what its call was given that it is enough: `stop_event.set()`.

    Without a first round, what it goes over would not end.
    """
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    names = {value.id for value in given if isinstance(value, ast.Name)}
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)), args=[])):
                if name in names:
                    return True
    return False


def _has_examples(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether Hypothesis runs a test on many values, of which some may be empty."""
    return any(
        isinstance(one, ast.Call) and last_name(one.func) == "given"
        for one in function.decorator_list
    )


def _is_character(target: ast.expr) -> bool:
    """Whether a loop goes over a text, by the name of what it goes over."""
    return isinstance(target, ast.Name) and target.id in ("c", "ch", "char", "character", "letter")


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


def _is_absence(check: Check) -> bool:
    """Whether this asserts that something is not there, which holds when nothing is."""
    if isinstance(check.node, ast.Call):
        return last_name(check.node.func) in _ABSENCES
    if isinstance(check.node, ast.If):
        return _is_presence(check.node.test)
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


def _is_presence(test: ast.expr) -> bool:
    """Whether a condition, under which a test fails, asks whether something is there or is so."""
    match test:
        case ast.Compare(ops=[ast.Eq() | ast.In() | ast.Is()]):
            return True
        case ast.BoolOp(op=ast.And(), values=values):
            return all(map(_is_presence, values))
    return isinstance(test, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id in names for inner in walk(node))
