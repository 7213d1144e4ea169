"""Follows what local names stand for: the path that an expression of a function is.

    root     a name that the function did not give a fresh value: a parameter, a global name
    path     a root and what was followed from it: `app.state`, with `[]` for an item and `make()`
             for the result of a call, `make('a')` where a function is read whole

What a local name holds that was made here, or that cannot be told, is not followed.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeAlias

from scopecheck.facts import Import

if TYPE_CHECKING:
    from collections.abc import Iterable

Path: TypeAlias = tuple[str, ...]
Traced: TypeAlias = "tuple[Path | None, Import | None]"
"""A path, and the import inside the function that binds its root; None for what is not followed."""

# What these give is fresh, or no object that anybody shares.
_FRESH = frozenset({"super", "locals", "copy", "list", "dict", "set", "deepcopy", "pop"})
_ELEMENT = frozenset({"setdefault", "get", "values", "items"})
# These give what the process has one of.
_SINGLE = frozenset({"getLogger", "freeze_time", "travel"})
_PATCHERS = frozenset({"patch", "mock"})
_NOTHING: Traced = (None, None)


class Paths:
    """What the names of one function stand for, and those of the functions around it.

    Args:
        whole: calls with arguments are followed, too.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self.globals: set[str] = set()
        self._names: dict[str, Path | Import | None] = {}
        self._outer: list[tuple[dict[str, Path | Import | None], set[str]]] = []

    def enter(self) -> None:
        """Begin with a function inside this one."""
        self._outer.append((self._names, self.globals))
        self._names, self.globals = {}, set()

    def leave(self) -> None:
        """Go on with the function around this one."""
        self._names, self.globals = self._outer.pop()

    def parameters(self, arguments: ast.arguments) -> None:
        """Take in a function's parameters; those of an inner function may be anything."""
        nested = bool(self._outer)
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self._names[one.arg] = None if nested else (one.arg,)
        for more in (arguments.vararg, arguments.kwarg):
            if more is not None:
                self._names[more.arg] = None if nested else (more.arg,)

    def set(self, name: str, value: Path | Import | None) -> None:
        """Say what a name stands for from here on."""
        self._names[name] = value

    def imported(self, node: ast.Import | ast.ImportFrom) -> None:
        """Take in what an import statement binds."""
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                value = Import(node.module or "", alias.name, node.level)
                self._names[alias.asname or alias.name] = value
            else:
                name = alias.asname or alias.name.partition(".")[0]
                self._names[name] = Import(alias.name if alias.asname else name, None)

    def is_known(self, name: str) -> bool:
        """Whether the function itself binds the name, so far."""
        return name in self._names

    def bind(self, target: ast.expr, path: Path | None) -> None:
        """Let a target stand for a path; of several names nothing is known."""
        if isinstance(target, ast.Name):
            if target.id not in self.globals:
                self._names[target.id] = path
        elif isinstance(target, (ast.Tuple, ast.List)):
            for item in target.elts:
                self.bind(item, None)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, None)

    def assign(self, name: str, value: ast.expr) -> None:
        """Let a name stand for what an expression is."""
        path, imported = self.traced(value)
        # The import that a path begins with is not kept with a second name for it.
        self._names[name] = None if imported is not None else path

    def root(self, name: str) -> Traced:
        """What a name stands for, where the function runs."""
        if name not in self.globals:
            if name in self._names:
                found = self._names[name]
            else:
                for names, _ in reversed(self._outer):
                    if name in names:
                        found = names[name]
                        break
                else:
                    return (name,), None
            return ((name,), found) if found.__class__ is Import else (found, None)  # type: ignore[return-value]
        return (name,), None

    def traced(self, node: ast.expr) -> Traced:
        """The path that an expression is."""
        # Most expressions by far are names, attributes and literals.
        kind = node.__class__
        if kind is ast.Name:
            return self.root(node.id)  # type: ignore[attr-defined]
        if kind is ast.Attribute:
            path, imported = self.traced(node.value)  # type: ignore[attr-defined]
            return _NOTHING if path is None else ((*path, node.attr), imported)  # type: ignore[attr-defined]
        if kind is ast.Call:
            return self._called(node)  # type: ignore[arg-type]
        if kind is ast.Subscript:
            return self._item(node.value)  # type: ignore[attr-defined]
        if kind is ast.Await:
            return self.traced(node.value)  # type: ignore[attr-defined]
        return _NOTHING

    def item(self, node: ast.expr) -> Path | None:
        """The path of an item of what an expression is."""
        return self._item(node)[0]

    def _item(self, node: ast.expr) -> Traced:
        path, imported = self.traced(node)
        return _NOTHING if path is None else ((*path, "[]"), imported)

    def _called(self, node: ast.Call) -> Traced:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in _ELEMENT:
            return self._item(func.value)
        if not node.args and not node.keywords:
            path, imported = self.traced(func)
            if path is None or "[]" in path or path[-1] in _FRESH or path[-1][0].isupper():
                return _NOTHING
        elif _is_named_by_arguments(func):
            path, imported = self.traced(func)
            if path is None:
                return _NOTHING
        elif self._whole:
            path, imported = self.traced(func)
            if path is None or path[-1] in _FRESH or path[-1][:1].isupper():
                return _NOTHING
            return (*path[:-1], f"{path[-1]}({_given(node)})"), imported
        else:
            return _NOTHING
        return (*path[:-1], f"{path[-1]}()"), imported

    def arguments(self, node: ast.Call) -> Iterable[tuple[str, Path]]:
        """The paths that a call is given, each with its position or keyword."""
        for index, value in enumerate(node.args):
            kind = value.__class__
            if kind is ast.Name or kind is ast.Attribute:
                path, imported = self.traced(value)
                if path is not None and imported is None:
                    yield str(index), path
        for keyword in node.keywords:
            kind = keyword.value.__class__
            if keyword.arg and (kind is ast.Name or kind is ast.Attribute):
                path, imported = self.traced(keyword.value)
                if path is not None and imported is None:
                    yield keyword.arg, path


def _given(node: ast.Call) -> str:
    """The arguments of a call, `?` for each that is no constant."""
    given = [_constant(value) for value in node.args]
    given += [f"{keyword.arg or '**'}={_constant(keyword.value)}" for keyword in node.keywords]
    return ", ".join(given)


def _constant(node: ast.expr) -> str:
    return repr(node.value)[:200] if isinstance(node, ast.Constant) else "?"


def _is_named_by_arguments(func: ast.expr) -> bool:
    """Whether a call gives what the process has one of, or a patch, whatever its arguments are."""
    last = func.attr if isinstance(func, ast.Attribute) else ""
    patched = False
    while isinstance(func, ast.Attribute):
        patched = patched or func.attr == "patch"
        func = func.value
    if not isinstance(func, ast.Name):
        return False
    if (last or func.id) in _SINGLE:
        return True
    return func.id in _PATCHERS and (patched or func.id == "patch")
