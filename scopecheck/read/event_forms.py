"""Reads in which form a test asserts the names of events, so that more can be asserted like it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import msgspec

from scopecheck.read.nodes import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from scopecheck.read.code import Code
    from scopecheck.source import Span


class NamesOf(msgspec.Struct, frozen=True):
    """A local name that stands for the names of what was captured.

    indent: of the statements beside it. last: the last line of the function.
    """

    name: str
    indent: str
    last: int


def assertion_of(
    code: Code, line: int, word: str, names: Collection[str]
) -> tuple[int, int] | None:
    """The lines of the `assert` around a line, if of these names it has this one and no other.

    It says that the name is among others: `"name" in ...`, or `any(... == "name" for ...)`.
    """
    for node in ast.walk(code.tree):
        if not isinstance(node, ast.Assert):
            continue
        first, last = node.lineno, node.end_lineno or node.lineno
        if not first <= line <= last:
            continue
        words = [text for text in _strings(node.test) if text in names]
        if words != [word] or not _is_membership(node.test, word):
            return None
        return first, last
    return None


def _is_membership(test: ast.expr, word: str) -> bool:
    match test:
        case ast.Compare(left=ast.Constant(value=left), ops=[ast.In()]):
            return left == word
        case ast.Call(func=ast.Name(id="any"), args=[ast.GeneratorExp()], keywords=[]):
            return True
    return False


def list_of_names(code: Code, line: int, names: Collection[str]) -> Span | None:
    """The last item of the one list, tuple or set of event names in a function, if there is one.

    line: of the function's `def`. It must not be compared with `==`, where the order counts.
    """
    function = code.function(line)
    if function is None:
        return None
    found: list[ast.expr] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, (ast.Eq, ast.NotEq, ast.Lt, ast.LtE)) for op in node.ops
        ):
            exact = [part for part in (node.left, *node.comparators) if _items(part)]
            if any(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops) and exact:
                return None
        items = _items(node)
        words = [item.value for item in items if isinstance(item, ast.Constant)]
        if len(items) > 1 and len(words) == len(items) and set(words) <= set(names):
            found.append(items[-1])
    return code.text.span(found[0]) if len(found) == 1 else None


def _items(node: ast.AST) -> list[ast.expr]:
    return node.elts if isinstance(node, (ast.List, ast.Tuple, ast.Set)) else []


def names_of(code: Code, line: int, captured: str, keys: Collection[str]) -> NamesOf | None:
    """The name of the names of what a function captures: `types = [e["type"] for e in events]`.

    line: of the function's `def`. keys: where an event keeps its name.
    """
    function = code.function(line)
    if function is None or isinstance(function.body[-1], (ast.Return, ast.Raise)):
        return None
    indent = code.text.line(function.body[-1].lineno)
    indent = indent[: len(indent) - len(indent.lstrip())]
    for node in _always(function.body):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.ListComp(elt=elt, generators=[generator])
                | ast.SetComp(elt=elt, generators=[generator]),
            ):
                of = generator.iter
                if not isinstance(of, ast.Name) or of.id != captured or generator.ifs:
                    continue
                if _key(elt) in keys:
                    return NamesOf(name, indent, function.end_lineno or line)
    return None


def helper_of(
    code: Code, line: int, captured: str, names: Collection[str]
) -> tuple[str, str, int] | None:
    """The function by which another test gets the names of what this one captures.

    `sent = names_of(client.drain())` with `assert "started" in sent` shows it for a test that
    captures by `events = client.drain()`. Handed back are what is called, the indent of the
    statements of the test whose `def` is on the line, and its last line.
    """
    function = code.function(line)
    if function is None or isinstance(function.body[-1], (ast.Return, ast.Raise)):
        return None
    sources = [
        ast.dump(node.value)
        for node in _always(function.body)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == captured for target in node.targets)
    ]
    if len(sources) != 1:
        return None
    indent = code.text.line(function.body[-1].lineno)
    indent = indent[: len(indent) - len(indent.lstrip())]
    for other in code.tree.body:
        if not isinstance(other, FUNCTIONS) or other is function:
            continue
        asserted = {
            node.test.comparators[0].id
            for node in _always(other.body)
            if isinstance(node, ast.Assert)
            and isinstance(node.test, ast.Compare)
            and isinstance(node.test.comparators[0], ast.Name)
            and any(text in names and _is_membership(node.test, text) for text in _strings(node))
        }
        for node in _always(other.body):
            match node:
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(func=ast.Name(id=helper), args=[argument], keywords=[]),
                ) if name in asserted and ast.dump(argument) == sources[0]:
                    return helper, indent, function.end_lineno or line
    return None


def _key(elt: ast.expr) -> str:
    match elt:
        case ast.Subscript(value=ast.Name(), slice=ast.Constant(value=str(key))):
            return key
        case ast.Attribute(value=ast.Name(), attr=attr):
            return attr
        case ast.Call(
            func=ast.Attribute(value=ast.Name(), attr="get"),
            args=[ast.Constant(value=str(key)), *_],
        ):
            return key
    return ""


def _always(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block that are always run, those of `with` blocks included."""
    for node in body:
        yield node
        if isinstance(node, (ast.With, ast.AsyncWith)):
            yield from _always(node.body)


def _strings(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value
