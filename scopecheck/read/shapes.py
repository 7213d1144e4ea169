"""Finds the parts of a function that a repair has to know: its yields, loops and arguments."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.read.nodes import FUNCTIONS

if TYPE_CHECKING:
    from scopecheck.read.code import Code
    from scopecheck.source import Span


class Doubled(NamedTuple):
    """Two `yield` statements of one function, the first at the end of an `if` branch.

    alike: what they yield is spelled alike, and nothing is run between them. alone: the branch has
    nothing else. last: nothing comes after the second.
    """

    first: int
    indent: str
    alike: bool
    alone: bool
    last: bool


class Left(NamedTuple):
    """A bare `return`: its place, and the condition that leads to it where one `if` does."""

    span: Span
    condition: str


class Loop(NamedTuple):
    """A `for` over an expression: its place and text, and the name of each item.

    function: the text of the function that it is in.
    """

    span: Span
    item: str
    text: str
    function: str


class Argument(NamedTuple):
    """A name passed to a call whose result is assigned to another: `target = call(name)`."""

    span: Span
    target: str


def doubled_yield(code: Code, line: int, first: Span, second: Span) -> Doubled | None:
    """How two yields of the function whose `def` is on a line follow each other."""
    function = code.function(line)
    if function is None:
        return None
    for index, node in enumerate(function.body[:-1]):
        after = function.body[index + 1 :]
        if not isinstance(node, ast.If):
            continue
        for block in (node.body, node.orelse):
            one = block[-1] if block else None
            other = next((s for s in after if s.lineno == second.line), None)
            if one is None or one.lineno != first.line or other is None:
                continue
            if not _is_yield(one) or not _is_yield(other) or not _is_alone(code, one):
                return None
            alike = after[0] is other and ast.dump(one) == ast.dump(other)
            indent = code.text.line(one.lineno)[: code.text.span(one).column - 1]
            return Doubled(one.lineno, indent, alike, len(block) == 1, other is function.body[-1])
    return None


def bare_return(code: Code, line: int, place: Span) -> Left | None:
    """The `return` at a place in the function whose `def` is on a line, if it returns nothing."""
    function = code.function(line)
    for node in () if function is None else ast.walk(function):
        if isinstance(node, ast.If):
            for statement in (*node.body, *node.orelse):
                if isinstance(statement, ast.Return) and statement.lineno == place.line:
                    if statement.value is not None:
                        return None
                    told = statement in node.body
                    condition = code.text.words(node.test)
                    return Left(code.text.span(statement), condition if told else "")
    return None


def loop_at(code: Code, line: int) -> Loop | None:
    """The plain `for` loop that begins on a line, in a function."""
    for function in ast.walk(code.tree):
        if not isinstance(function, FUNCTIONS):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.For) and node.lineno == line:
                span = code.text.span(node.iter)
                item = node.target.id if isinstance(node.target, ast.Name) else ""
                return Loop(span, item, _text(code, span), _text(code, code.text.span(function)))
    return None


def assigned_argument(code: Code, line: int, name: str) -> Argument | None:
    """The one argument on a line that is this name, and what the call's result is assigned to."""
    for node in ast.walk(code.tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)]) if node.lineno == line:
                value = node.value.value if isinstance(node.value, ast.Await) else node.value
                passed = value.args if isinstance(value, ast.Call) else []
                found = [one for one in passed if isinstance(one, ast.Name) and one.id == name]
                return Argument(code.text.span(found[0]), target) if len(found) == 1 else None
    return None


def required_of_class(code: Code, line: int) -> list[tuple[str, str]] | None:
    """What a class has to be called with, names and annotations; None where that cannot be told.

    The class is a dataclass without bases, or has an `__init__`.
    """
    for node in ast.walk(code.tree):
        if not isinstance(node, ast.ClassDef) or node.lineno != line or node.bases:
            continue
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                own = statement.args
                plain = own.args[1 : len(own.args) - len(own.defaults)]
                named = zip(own.kwonlyargs, own.kw_defaults, strict=True)
                needed = [*plain, *(argument for argument, default in named if default is None)]
                return [(one.arg, _annotation(one.annotation)) for one in needed]
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            return [
                (ast.unparse(statement.target), _annotation(statement.annotation))
                for statement in node.body
                if isinstance(statement, ast.AnnAssign) and statement.value is None
            ]
    return None


def _annotation(node: ast.expr | None) -> str:
    return "" if node is None else ast.unparse(node)


class Asserting(NamedTuple):
    """A statement that asserts nothing, and the text of one that does."""

    span: Span
    text: str


def asserting(code: Code, line: int, kind: str) -> Asserting | None:
    """The assertion that the statement on a line is meant to be; None where that cannot be told.

    kind: the form of it, as `scopecheck.facts.Flaw` has it.
    """
    for node in ast.walk(code.tree):
        if isinstance(node, (ast.Assert, ast.Expr)) and node.lineno == line:
            text = _asserting(code, node, kind)
            return None if text is None else Asserting(code.text.span(node), text)
    return None


def _asserting(code: Code, node: ast.Assert | ast.Expr, kind: str) -> str | None:
    def written(expression: ast.expr) -> str:
        text = _text(code, code.text.span(expression))
        return f"({text})" if "\n" in text or "\r" in text else text

    value = node.value if isinstance(node, ast.Expr) else node.test
    match kind, node, value:
        case "comparison", ast.Expr(), ast.Compare():
            return f"assert {_text(code, code.text.span(node))}"
        case "tuple", ast.Assert(msg=None), ast.Tuple(elts=[condition, message]):
            told = isinstance(message, ast.JoinedStr) or (
                isinstance(message, ast.Constant) and isinstance(message.value, str)
            )
            if told and not isinstance(condition, (ast.Constant, ast.Starred, ast.NamedExpr)):
                return f"assert {written(condition)}, {written(message)}"
        case "uncalled", ast.Expr() | ast.Assert(msg=None), ast.Attribute():
            return f"{written(value)}()"
    return None


def argument_names(code: Code, line: int) -> list[str] | None:
    """The parameters of the function whose `def` is on a line, if a call can pass them all on.

    None where one has a default, or is for any number of arguments.
    """
    function = code.function(line)
    if function is None:
        return None
    own = function.args
    if own.vararg or own.kwarg or own.kwonlyargs or own.defaults:
        return None
    return [argument.arg for argument in (*own.posonlyargs, *own.args)]


def free_names(code: Code, line: int) -> set[str]:
    """The names that a function, its decorators or annotations read and do not bind themselves."""
    function = code.function(line)
    if function is None:
        return set()
    own = function.args
    every = (*own.posonlyargs, *own.args, *own.kwonlyargs, own.vararg, own.kwarg)
    bound = {argument.arg for argument in every if argument is not None}
    read: set[str] = set()
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
    outside: list[ast.expr | None] = [
        *function.decorator_list,
        *own.defaults,
        *own.kw_defaults,
        function.returns,
        *(argument.annotation for argument in every if argument is not None),
    ]
    evaluated = {
        node.id
        for expression in outside
        if expression is not None
        for node in ast.walk(expression)
        if isinstance(node, ast.Name)
    }
    return evaluated | (read - bound)


def statement_span(code: Code, line: int) -> Span | None:
    """The simple statement that begins on a line and has its lines to itself."""
    for node in ast.walk(code.tree):
        if isinstance(node, (ast.Expr, ast.Assign)) and node.lineno == line:
            return code.text.span(node) if _is_alone(code, node) else None
    return None


def _text(code: Code, span: Span) -> str:
    text = code.text
    start, end = (span.line, span.column), (span.end_line, span.end_column)
    return text.text[text.offset(*start) : text.offset(*end)]


def _is_yield(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield)


def _is_alone(code: Code, node: ast.stmt) -> bool:
    """Whether a statement has its lines to itself, but for a comment."""
    span = code.text.span(node)
    before = code.text.line(span.line)[: span.column - 1]
    after = code.text.line(span.end_line)[span.end_column - 1 :].strip()
    return not before.strip() and (not after or after.startswith("#"))
