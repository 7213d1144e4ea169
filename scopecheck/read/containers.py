"""Finds the parameters of a function that are given containers which outlive a call of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def mutable_defaults(arguments: ast.arguments) -> Iterator[str]:
    """The parameters whose default is a container."""
    positional = [*arguments.posonlyargs, *arguments.args]
    count = len(arguments.defaults)
    pairs = [
        *zip(positional[len(positional) - count :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is not None and _is_container(default):
            yield argument.arg


def mutable_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The parameters that `parametrize` gives values among which a container is written."""
    for decorator in function.decorator_list:
        if not isinstance(decorator, ast.Call) or len(decorator.args) < 2:
            continue
        parts = dotted(decorator.func)
        if parts is None or parts[-1] != "parametrize":
            continue
        if any(keyword.arg == "indirect" for keyword in decorator.keywords):
            continue
        names = _names_in(decorator.args[0])
        rows = decorator.args[1]
        if not isinstance(rows, (ast.List, ast.Tuple)):
            continue
        for row in rows.elts:
            cells = [row]
            if isinstance(row, ast.Call) and (dotted(row.func) or ("",))[-1] == "param":
                cells = list(row.args)
            elif len(names) > 1 and isinstance(row, (ast.Tuple, ast.List)):
                cells = list(row.elts)
            for name, cell in zip(names, cells, strict=False):
                if _is_container(cell):
                    yield name


def _is_container(node: ast.expr) -> bool:
    if isinstance(node, _DISPLAYS):
        return True
    if not isinstance(node, ast.Call):
        return False
    parts = dotted(node.func)
    return parts is not None and parts[-1] in ("list", "dict", "set", "defaultdict", "deque")


def _names_in(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [part.strip() for part in node.value.split(",") if part.strip()]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [item.value for item in node.elts if isinstance(item, ast.Constant)]  # type: ignore[misc]
    return []
