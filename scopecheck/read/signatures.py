"""Turns the first lines of a function into facts: its parameters and what they default to."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scopecheck.facts import Parameter
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from scopecheck.expressions import Expression
    from scopecheck.facts import ParameterKind
    from scopecheck.read.expressions import ExpressionReader
    from scopecheck.read.text import Text


def parameters(args: ast.arguments, text: Text) -> tuple[Parameter, ...]:
    """A function's parameters, in order."""
    if not (args.args or args.kwonlyargs or args.posonlyargs or args.vararg or args.kwarg):
        return ()
    found: list[Parameter] = []
    first_default = len(args.posonlyargs) + len(args.args) - len(args.defaults)
    for argument in args.posonlyargs:
        found.append(_parameter(text, argument, "positional", len(found) >= first_default))
    for argument in args.args:
        found.append(_parameter(text, argument, "normal", len(found) >= first_default))
    if args.vararg is not None:
        found.append(_parameter(text, args.vararg, "args", False))
    for argument, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        found.append(_parameter(text, argument, "keyword", default is not None))
    if args.kwarg is not None:
        found.append(_parameter(text, args.kwarg, "kwargs", False))
    return tuple(found)


def _parameter(text: Text, node: ast.arg, kind: ParameterKind, default: bool) -> Parameter:
    column = text.column(node.lineno, node.col_offset)
    return Parameter(node.arg, kind, default, node.lineno, column)


def defaults(
    args: ast.arguments, expressions: ExpressionReader
) -> tuple[tuple[str, Expression], ...]:
    """What the parameters stand for where nothing is given."""
    read = expressions.read
    positional = [*args.posonlyargs, *args.args]
    last = positional[len(positional) - len(args.defaults) :]
    found = [(arg.arg, read(value)) for arg, value in zip(last, args.defaults, strict=True)]
    for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        if value is not None:
            found.append((arg.arg, read(value)))
    return tuple(found)


def takes_fixture_name(arguments: ast.arguments) -> bool:
    """Whether a function has a parameter `fixture_name`, by which it may ask for any fixture."""
    return any(one.arg == "fixture_name" for one in (*arguments.args, *arguments.kwonlyargs))


def looks_like_fixture(decorators: list[ast.expr]) -> bool:
    """Whether a decorator's spelling has the word fixture in it (aliases are seen when linked)."""
    for node in decorators:
        called = node.func if node.__class__ is ast.Call else node
        if called.__class__ is ast.Attribute:
            name = called.attr
        else:
            name = called.id if isinstance(called, ast.Name) else ""
        if "fixture" in name and name != "usefixtures" and dotted(called) is not None:
            return True
    return False
