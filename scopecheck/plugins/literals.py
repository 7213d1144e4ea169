"""Literals of a Python file that says something only by running: what can be read without that.

`setup.py` states requirements and entry points, `noxfile.py` installs them, and an editable
install's finder maps modules to a checkout. Each is read as far as it is written out.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def _parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def setup_keywords(text: str) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """The keywords of `setup(...)` with every string literal in their values, and its line.

    The strings of a dict are given for each key too, as `entry_points.pytest11`.
    """
    tree = _parse(text)
    if tree is None:
        return
    named: dict[str, ast.expr] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                named[name] = value

    def strings(node: ast.AST, depth: int = 0) -> Iterator[tuple[str, int]]:
        match node:
            case ast.Constant(value=str(text), lineno=line):
                yield from ((part, line) for part in text.splitlines() if part.strip())
            case ast.Name(id=name) if name in named and depth < 5:
                yield from strings(named[name], depth + 1)
            case ast.Dict(values=items):
                for item in items:
                    yield from strings(item, depth + 1)
            case _:
                for child in ast.iter_child_nodes(node):
                    yield from strings(child, depth + 1)

    for call in ast.walk(tree):
        match call:
            case ast.Call(func=ast.Name(id="setup") | ast.Attribute(attr="setup"), keywords=given):
                pass
            case _:
                continue
        for keyword in given:
            expression = keyword.value
            if isinstance(expression, ast.Name):
                expression = named.get(expression.id, expression)
            yield keyword.arg or "**", list(strings(expression))
            if isinstance(expression, ast.Dict):
                for key, item in zip(expression.keys, expression.values, strict=True):
                    if isinstance(key, ast.Constant):
                        yield f"{keyword.arg}.{key.value!s}", list(strings(item))


def install_arguments(text: str) -> Iterator[tuple[str, int]]:
    """The literal arguments of every `session.install()`, and their lines."""
    tree = _parse(text)
    for node in ast.walk(tree) if tree else ():
        match node:
            case ast.Call(func=ast.Attribute(attr="install"), args=arguments):
                for argument in arguments:
                    match argument:
                        case ast.Constant(value=str(value), lineno=line):
                            yield value, line


def finder_mapping(text: str) -> dict[str, str] | None:
    """What setuptools' finder of an editable install maps: `MAPPING = {"pkg": "/src/pkg"}`.

    None where the file has no such literal.
    """
    tree = _parse(text)
    for node in tree.body if tree else ():
        match node:
            case ast.Assign(targets=[ast.Name("MAPPING")], value=value):
                pass
            case ast.AnnAssign(target=ast.Name("MAPPING"), value=ast.expr() as value):
                pass
            case _:
                continue
        try:
            mapping = ast.literal_eval(value)
        except ValueError:
            return None
        if isinstance(mapping, dict):
            pairs = mapping.items()
            return {n: t for n, t in pairs if isinstance(n, str) and isinstance(t, str)}
    return None
