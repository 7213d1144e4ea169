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
_FOLLOWED = frozenset({ast.Name, ast.Attribute})
_MAY_BE_TRACED = _FOLLOWED | {ast.Call, ast.Subscript, ast.Await}


class _Names(dict[str, Traced]):
    """What the names of one function stand for; one that it does not bind is looked up around it.

    around: those of the functions around it, which were read to their end before.
    free: names that were looked up around it.
    """

    def __init__(self, around: _Names | None = None) -> None:
        self.around = around
        self.free: set[str] = set()

    def __missing__(self, name: str) -> Traced:
        around = self.around
        while around is not None and (name not in around or name in around.free):
            around = around.around
        found: Traced = ((name,), None) if around is None else around[name]
        self[name] = found
        self.free.add(name)
        return found


class Paths:
    """What the names of one function stand for, and those of the functions around it.

    names: what each stands for, where the function runs.

    Args:
        whole: calls with arguments are followed, too.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self.globals: set[str] = set()
        self.names = _Names()
        self._outer: list[tuple[_Names, set[str]]] = []

    def enter(self) -> None:
        """Begin with a function inside this one."""
        self._outer.append((self.names, self.globals))
        self.names, self.globals = _Names(self.names), set()

    def leave(self) -> None:
        """Go on with the function around this one."""
        self.names, self.globals = self._outer.pop()

    def parameters(self, arguments: ast.arguments) -> None:
        """Take in a function's parameters; those of an inner function may be anything."""
        nested = bool(self._outer)
        names = self.names
        for several in (arguments.posonlyargs, arguments.args, arguments.kwonlyargs):
            for one in several:
                names[one.arg] = _NOTHING if nested else ((one.arg,), None)
        for more in (arguments.vararg, arguments.kwarg):
            if more is not None:
                names[more.arg] = _NOTHING if nested else ((more.arg,), None)

    def declared_global(self, names: Iterable[str]) -> None:
        """Take in a `global` statement: from here on the names are the module's."""
        self.globals.update(names)
        for name in names:
            self.names[name] = (name,), None
            self.names.free.add(name)

    def forget(self, name: str) -> None:
        """Say that nothing is known of what a name stands for from here on."""
        self._set(name, _NOTHING)

    def imported(self, node: ast.Import | ast.ImportFrom) -> None:
        """Take in what an import statement binds."""
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                name = alias.asname or alias.name
                value = Import(node.module or "", alias.name, node.level)
            else:
                name = alias.asname or alias.name.partition(".")[0]
                value = Import(alias.name if alias.asname else name, None)
            self._set(name, ((name,), value))

    def is_known(self, name: str) -> bool:
        """Whether the function itself binds the name, so far."""
        return name in self.names and name not in self.names.free

    def bind(self, target: ast.expr, path: Path | None) -> None:
        """Let a target stand for a path; of several names nothing is known."""
        if isinstance(target, ast.Name):
            self._set(target.id, (path, None))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for item in target.elts:
                self.bind(item, None)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, None)

    def assign(self, name: str, value: ast.expr) -> None:
        """Let a name stand for what an expression is."""
        traced = self.traced(value) if value.__class__ in _MAY_BE_TRACED else _NOTHING
        # The import that a path begins with is not kept with a second name for it.
        self._set(name, traced if traced[1] is None else _NOTHING)

    def _set(self, name: str, traced: Traced) -> None:
        if name not in self.globals:
            self.names[name] = traced
            self.names.free.discard(name)

    def traced(self, node: ast.expr) -> Traced:
        """The path that an expression is."""
        # Most expressions by far are names, attributes and literals.
        kind = node.__class__
        if kind is ast.Name:
            return self.names[node.id]  # type: ignore[attr-defined]
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

    def arguments(self, node: ast.Call) -> tuple[tuple[str, Path], ...]:
        """The paths that a call is given, each with its position or keyword."""
        found: list[tuple[str, Path]] = []
        for index, value in enumerate(node.args):
            if value.__class__ in _FOLLOWED:
                path, imported = self.traced(value)
                if path is not None and imported is None:
                    found.append((str(index), path))
        for keyword in node.keywords:
            if keyword.value.__class__ in _FOLLOWED and keyword.arg:
                path, imported = self.traced(keyword.value)
                if path is not None and imported is None:
                    found.append((keyword.arg, path))
        return tuple(found)


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
