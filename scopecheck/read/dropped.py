"""Finds what a test returns instead of asserting it, and results that it drops."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from scopecheck.evidence import Dropped, Returned
from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import DEFINITIONS, blocks, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.read.nodes import Inside, Once
    from scopecheck.read.outline import Outline
    from scopecheck.read.text import Text

# Statements that have no blocks, or none that run with the function.
_NO_BLOCKS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, *DEFINITIONS)
# What may stand between `def` and a name.
_BETWEEN = " \t\f\\\r\n"
_EXPECTING = re.compile(r"raises|warns|suppress|Raises|Warns|deprecated_call")


class Names(NamedTuple):
    """The functions of a file that may be coroutine functions.

    known: names that the module imports, and its coroutine functions.
    methods: the coroutine functions of its classes.
    inner: there are others, which may stand in a function.
    """

    known: frozenset[str]
    methods: frozenset[str]
    inner: bool


def file_names(tree: ast.Module, *, inner: bool) -> Names:
    """What of a file's names may be a coroutine function, for `read_evidence`.

    inner: whether `async def` stands anywhere in the file.
    """
    known: set[str] = set()
    methods: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            if statement.module not in ("unittest.mock", "typing"):
                known.update(alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, ast.AsyncFunctionDef):
            known.add(statement.name)
        elif isinstance(statement, ast.ClassDef):
            methods.update(
                inner.name for inner in statement.body if isinstance(inner, ast.AsyncFunctionDef)
            )
    # A class is no coroutine function.
    known = {name for name in known if not name[0].isupper()}
    return Names(frozenset(known), frozenset(methods), inner)


def read_returned(body: Iterable[ast.stmt], text: Text) -> Returned | None:
    """The first `return` of a truth value among a test's own statements."""
    for statement in body:
        if isinstance(statement, ast.Return) and statement.value is not None:
            kind = _truth_value(statement.value)
            if kind is not None:
                span = text.span(statement)
                words = text.line(span.line).strip() if span.line == span.end_line else ""
                return Returned(kind, span, words if len(words) <= 60 else "")
        elif not isinstance(statement, DEFINITIONS):
            for inner in blocks(statement):
                found = read_returned(inner, text)
                if found is not None:
                    return found
    return None


def _truth_value(node: ast.expr) -> Literal["comparison", "bool"] | None:
    match node:
        case ast.Compare():
            return "comparison"
        case ast.Constant(value=bool()):
            return "bool"
        case ast.UnaryOp(op=ast.Not()):
            return "comparison"
        case ast.BoolOp(values=values):
            return "comparison" if any(map(_truth_value, values)) else None
        case ast.Call(func=ast.Name(id="all" | "any" | "isinstance" | "hasattr" | "bool")):
            return "comparison"
    return None


def read_dropped(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    text: Text,
    names: Names,
    outline: Outline,
    inside: Once,
) -> tuple[Dropped, ...]:
    """Calls of what may be a coroutine function, with nothing done with what they give."""
    first, last = function.body[0].lineno, function.end_lineno or function.lineno
    made = [*outline.calls, *filter(None, map(_asserted_call, outline.asserts))]
    has_inner = names.inner and any(
        isinstance(call.func, ast.Name) and text.has(f"async def {call.func.id}", first, last)
        for call in made
    )
    if not (has_inner or any(_may_be_coroutine(call.func, names) for call in made)):
        return ()
    inner = _inner_coroutines(inside(), text) if has_inner else frozenset[str]()
    bound: set[str] | None = None
    only_called: dict[str, bool] = {}
    found: list[Dropped] = []
    for call, asserted in _results(function.body):
        parts = dotted(call.func)
        if parts is None:
            continue
        if len(parts) == 1 and parts[0] in inner:
            found.append(Dropped(parts, text.span(call), True, asserted))
        elif _may_be_coroutine(call.func, names):
            if len(parts) == 1:
                name = parts[0]
                if name not in only_called:
                    only_called[name] = _is_only_called(name, function, text)
                if not only_called[name]:
                    bound = bound or _bound(function.args, inside())
                    if name in bound:
                        continue
            found.append(Dropped(parts, text.span(call), False, asserted))
    return tuple(found)


def _may_be_coroutine(func: ast.expr, names: Names) -> bool:
    if isinstance(func, ast.Name):
        return func.id in names.known
    return (
        isinstance(func, ast.Attribute)
        and func.attr in names.methods
        and isinstance(func.value, ast.Name)
        and func.value.id == "self"
    )


def _inner_coroutines(inside: Inside, text: Text) -> frozenset[str]:
    """The coroutine functions inside a function, generators and decorated ones left out."""
    return frozenset(
        node.name
        for node in inside.defined
        if isinstance(node, ast.AsyncFunctionDef)
        and not node.decorator_list
        and not (
            text.has("yield", node.lineno, node.end_lineno or node.lineno)
            and any(isinstance(one, (ast.Yield, ast.YieldFrom)) for one in walk(node))
        )
    )


def _is_only_called(
    name: str, function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text
) -> bool:
    """Whether the text of a function has a name in calls alone, so that nothing in it binds it.

    (A quick look: False where that cannot be told so.)
    """
    first = min((node.lineno for node in function.decorator_list), default=function.lineno)
    start, end = text.range(first, function.end_lineno or function.lineno)
    whole = text.text
    at = whole.find(name, start, end)
    while at >= 0:
        after = at + len(name)
        word = not (_is_part(whole[at - 1 : at]) or _is_part(whole[after : after + 1]))
        if word and (
            whole[after : after + 1] != "("
            or whole[start:at].rstrip(_BETWEEN).endswith(("def", "class"))
        ):
            return False
        at = whole.find(name, after, end)
    # Python takes other spellings of a letter for the same name.
    return text.ascii or whole[start:end].isascii()


def _is_part(character: str) -> bool:
    return character == "_" or character.isalnum()


def _bound(arguments: ast.arguments, inside: Inside) -> set[str]:
    """The names that a function binds, its parameters included."""
    bound = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    bound |= inside.stored
    bound.update(node.name for node in inside.defined)
    bound.update(alias.asname or alias.name for node in inside.imports for alias in node.names)
    return bound


def _asserted_call(statement: ast.Assert) -> ast.Call | None:
    """The call that is all that an assertion asserts, or denies."""
    test = statement.test
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    return test if isinstance(test, ast.Call) else None


def _results(body: Iterable[ast.stmt]) -> list[tuple[ast.Call, bool]]:
    """Calls that are statements of their own, or all that an `assert` asserts."""
    found: list[tuple[ast.Call, bool]] = []
    _add_results(body, found)
    return found


def _add_results(body: Iterable[ast.stmt], found: list[tuple[ast.Call, bool]]) -> None:
    for statement in body:
        if isinstance(statement, ast.Expr):
            if isinstance(statement.value, ast.Call):
                found.append((statement.value, False))
        elif isinstance(statement, ast.Assert):
            call = _asserted_call(statement)
            if call is not None:
                found.append((call, True))
        elif isinstance(statement, (ast.With, ast.AsyncWith)):
            expects = any(
                isinstance(item.context_expr, ast.Call)
                and _EXPECTING.search(".".join(dotted(item.context_expr.func) or ()))
                for item in statement.items
            )
            if not expects:
                _add_results(statement.body, found)
        elif not isinstance(statement, _NO_BLOCKS):
            for block in blocks(statement):
                _add_results(block, found)
