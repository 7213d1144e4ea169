"""Finds the definitions of a module or class body that a later one of the same name replaces."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from scopecheck.facts import Redefinition
from scopecheck.read.nodes import DEFINITIONS, FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.read.text import Text

_Definition: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef"
_DEFINITIONS = DEFINITIONS
_LOOPS = (ast.For, ast.AsyncFor)
_WITHOUT_BLOCKS = frozenset(
    {ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Import, ast.ImportFrom, ast.Assert}
)
# What hands out every name of a namespace, so that none can be said to be unused.
_ALL_NAMES = frozenset({"globals", "locals", "vars", "dir", "exec", "eval", "modules"})


class _Found(NamedTuple):
    """A definition, and the statement of the block looked at in which it stands."""

    node: _Definition
    at: int
    direct: bool


def redefinitions(body: Sequence[ast.stmt], text: Text, owner: int = -1) -> Iterator[Redefinition]:
    """The definitions that are lost in a body, of which no code can have taken hold before.

    The second of a pair stands in the same block as the first, or in one that holds the first's
    block: what an `if` and its `else` define are variants, and neither replaces the other.
    """
    found = list(_definitions(body))
    names = [each.node.name for each in found]
    if len(names) > len(set(names)):
        by_name: dict[str, list[_Found]] = {}
        for each in found:
            by_name.setdefault(each.node.name, []).append(each)
        for name, same in by_name.items():
            # Those back to the last one that always runs, which replaced all before it.
            before: list[_Found] = []
            for second in same:
                if second.direct:
                    for first in before:
                        if not _is_used(body, name, first, second):
                            spans = text.name_span(first.node), text.name_span(second.node)
                            yield Redefinition(name, *spans, owner)
                    before = []
                before.append(second)
    for statement in body:
        if isinstance(statement, _LOOPS):
            yield from _made_again(statement, text, owner)
        if not isinstance(statement, _DEFINITIONS):
            for block in _blocks(statement):
                yield from redefinitions(block, text, owner)


def _is_used(body: Sequence[ast.stmt], name: str, first: _Found, second: _Found) -> bool:
    between: list[ast.AST] = [] if first.direct else [body[first.at]]
    between += body[first.at + 1 : second.at]
    between += _header(second.node)
    return any(_takes(node, name) for node in between)


def _made_again(loop: ast.For | ast.AsyncFor, text: Text, owner: int) -> Iterator[Redefinition]:
    """Definitions of a loop under one name, of which only the last round's is left."""
    for node in loop.body:
        if isinstance(node, _DEFINITIONS) and not (
            any(isinstance(inner, (ast.Break, ast.Return)) for inner in _run_now(loop))
            or _takes(loop, node.name)
        ):
            span = text.name_span(node)
            yield Redefinition(node.name, span, span, owner)


def _definitions(body: Sequence[ast.stmt]) -> Iterator[_Found]:
    for index, statement in enumerate(body):
        if isinstance(statement, _DEFINITIONS):
            yield _Found(statement, index, True)
        else:
            for node in _nested(statement):
                yield _Found(node, index, False)


def _nested(statement: ast.stmt) -> Iterator[_Definition]:
    for block in _blocks(statement):
        for inner in block:
            if isinstance(inner, _DEFINITIONS):
                yield inner
            else:
                yield from _nested(inner)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    if statement.__class__ in _WITHOUT_BLOCKS:
        return
    for field in ("body", "orelse", "finalbody"):
        block = getattr(statement, field, None)
        if block:
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _header(node: _Definition) -> list[ast.AST]:
    """What of a definition is evaluated when it is reached, its body left out."""
    found: list[ast.AST] = [*node.decorator_list]
    if isinstance(node, ast.ClassDef):
        found += [*node.bases, *node.keywords]
    else:
        found.append(node.args)
        if node.returns is not None:
            found.append(node.returns)
    return found


def _takes(node: ast.AST, name: str) -> bool:
    """Whether code that runs on definition may use the name, or take it away."""
    for inner in _run_now(node):
        if isinstance(inner, ast.Name):
            kept = isinstance(inner.ctx, ast.Store)
            if inner.id in _ALL_NAMES or (inner.id == name and not kept):
                return True
        elif isinstance(inner, ast.Attribute):
            if inner.attr in _ALL_NAMES:
                return True
        elif isinstance(inner, ast.Constant) and inner.value == name:
            return True
    return False


def _run_now(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of the code that runs on definition: function bodies left out."""
    stack: list[ast.AST] = [node]
    while stack:
        inner = stack.pop()
        yield inner
        if isinstance(inner, FUNCTIONS):
            stack += _header(inner)
        elif isinstance(inner, ast.Lambda):
            stack.append(inner.args)
        else:
            stack.extend(ast.iter_child_nodes(inner))
