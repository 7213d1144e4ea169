"""Reads what a function changes that it did not make itself: statement by statement, in place.

    root     a name that the function did not give a fresh value: a parameter, a global name
    path     a root and what was followed from it: `app.state`, with `[]` for an item and `make()`
             for the result of a call
    change   an item or attribute given or taken away, a method of a container called, a global
             name bound again, or a call of one of the functions that change the process

Local names are followed as far as they stand for a path (`state = app.state`). What a local name
holds that was made here, or that cannot be told, is not followed, and its changes are not kept.
Only statements are looked at, not what stands deep inside their expressions.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeAlias

from scopecheck.facts import Change, Effects, Import, Passed
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scopecheck.facts import ChangeKind
    from scopecheck.read.text import Text

Path: TypeAlias = tuple[str, ...]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_AROUND = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
_TRACED = frozenset({ast.Subscript, ast.Await, ast.Call})
_PLAIN = frozenset({ast.Constant, ast.Name, ast.Attribute, *_DISPLAYS})
_NOTHING = (ast.Pass, ast.Raise, ast.Break, ast.Continue, ast.Nonlocal)
CONTAINER_METHODS = frozenset(
    [
        *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"),
        *("add", "discard", "update", "difference_update", "intersection_update"),
        *("symmetric_difference_update", "popitem", "setdefault", "appendleft", "popleft"),
        *("extendleft", "rotate", "subtract", "move_to_end"),
    ]
)
# Functions and methods that change the process, or put it back.
_PROCESS = frozenset(
    [
        *("chdir", "fchdir", "putenv", "unsetenv", "setlocale", "signal", "umask", "tzset"),
        *("set_event_loop_policy", "setdefaulttimeout", "setrecursionlimit", "setrlimit"),
        *("setLevel", "disable", "addHandler", "removeHandler", "basicConfig", "addFilter"),
        *("removeFilter", "set_start_method", "settrace", "setprofile", "enable", "reload"),
        *("start", "stop", "stopall", "undo", "setenv", "delenv", "setattr", "delattr", "setitem"),
        *("delitem", "syspath_prepend", "set_level", "dictConfig", "setswitchinterval"),
        *("fileConfig", "seterr", "set_printoptions", "set_option"),
        *("set_default_dtype", "captureWarnings"),
    ]
)
# Of monkeypatch: an object and the name of its attribute.
_OF_ATTRIBUTES = frozenset({"setattr", "delattr"})
_QUOTES = "'\""
_REGISTERING = ("register", "unregister", "subscribe", "unsubscribe", "add_", "remove_", "install")
# What calls a function later, when the test or the set-up is over.
_LATER = frozenset({"addCleanup", "addfinalizer", "callback", "addClassCleanup", "add_finalizer"})
# What these give is fresh, or no object that anybody shares.
_FRESH = frozenset({"super", "locals", "copy", "list", "dict", "set", "deepcopy", "pop"})
_ELEMENT = frozenset({"setdefault", "get", "values", "items"})
_BUILTINS = frozenset(
    [
        *("len", "print", "isinstance", "list", "dict", "set", "tuple", "sorted", "str", "repr"),
        *("int", "float", "bool", "type", "iter", "next", "enumerate", "zip", "map", "filter"),
        *("sum", "min", "max", "any", "all", "hasattr", "getattr", "id", "hash", "range", "super"),
        *("issubclass", "callable", "bytes", "frozenset", "vars", "dir", "open", "reversed"),
    ]
)


def read_effects(
    function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text, *, whole: bool = False
) -> Effects | None:
    """What a function changes; None where nothing is seen to change.

    Args:
        function: the function.
        text: of its file.
        whole: keep every call, whatever is called.
    """
    walker = _Walker(text, whole=whole)
    walker.function(function)
    if not (walker.changes or walker.passed):
        return None
    walker.changes.sort(key=lambda change: (change.span.line, change.span.column))
    changed = {change.target[0] for change in walker.changes if change.target}
    return Effects(
        tuple(walker.changes),
        tuple(walker.passed),
        tuple(name for name in _mutable_defaults(function.args) if name in changed),
        tuple(name for name in _mutable_parameters(function) if name in changed),
    )


def _mutable_defaults(arguments: ast.arguments) -> Iterable[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    count = len(arguments.defaults)
    pairs = [
        *zip(positional[len(positional) - count :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is not None and _is_container(default):
            yield argument.arg


def _is_container(node: ast.expr) -> bool:
    if isinstance(node, _DISPLAYS):
        return True
    if not isinstance(node, ast.Call):
        return False
    parts = dotted(node.func)
    return parts is not None and parts[-1] in ("list", "dict", "set", "defaultdict", "deque")


def _mutable_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterable[str]:
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


def _names_in(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [part.strip() for part in node.value.split(",") if part.strip()]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [item.value for item in node.elts if isinstance(item, ast.Constant)]  # type: ignore[misc]
    return []


class _Walker:
    """Walks one function's statements, and then those of the functions inside it.

    names: what local names stand for: a path, an import, or None for what is not followed.
    """

    def __init__(self, text: Text, *, whole: bool) -> None:
        self.changes: list[Change] = []
        self.passed: list[Passed] = []
        self._text = text
        self._whole = whole
        self._names: dict[str, Path | Import | None] = {}
        self._outer: list[dict[str, Path | Import | None]] = []
        self._globals: set[str] = set()
        self._inner: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self._nested = False
        self._after = False
        self._under: tuple[str, ...] = ()
        self._stopped = False

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Walk a function: the outermost first, then those inside."""
        for name in _parameters(node.args):
            self._names[name] = None if self._nested else (name,)
        self._block(node.body)
        self._later()

    def _later(self) -> None:
        inner, self._inner = self._inner, []
        for node in inner:
            before = self._names, self._globals, self._nested, self._after, self._under
            self._outer.append(self._names)
            self._names, self._globals = {}, set()
            self._nested, self._after, self._under = True, False, ()
            self.function(node)
            self._outer.pop()
            self._names, self._globals, self._nested, self._after, self._under = before

    # -- statements ----------------------------------------------------------------------------

    def _block(
        self, body: Sequence[ast.stmt], *, condition: bool = False, final: bool = False
    ) -> None:
        for node in body:
            self._statement(node, condition, final)

    def _statement(self, node: ast.stmt, condition: bool, final: bool) -> None:
        # The most frequent ones first, and without the cost of a pattern.
        if isinstance(node, ast.Expr):
            if type(node.value) is not ast.Constant:
                self._expression(node.value, condition, final)
            return
        if isinstance(node, ast.Assign):
            if type(node.value) not in _PLAIN:
                self._expression(node.value, condition, final)
            for target in node.targets:
                self._assign(target, node.value, condition, final)
            return
        if isinstance(node, ast.Assert):
            self._expression(node.test, condition, final)
            return
        if isinstance(node, _NOTHING):
            return
        self._compound(node, condition, final)

    def _compound(self, node: ast.stmt, condition: bool, final: bool) -> None:
        match node:
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    self._expression(value, condition, final)
                    self._assign(target, value, condition, final)
            case ast.AugAssign(target=target):
                self._store(target, node, None, condition, final, augmented=True)
            case ast.Delete(targets=targets):
                for one in targets:
                    self._store(one, node, None, condition, final, deleted=True)
            case ast.With() | ast.AsyncWith():
                self._with(node, condition, final)
            case ast.If():
                self._block(node.body, condition=True, final=final)
                self._block(node.orelse, condition=True, final=final)
            case ast.For() | ast.AsyncFor():
                path = self._path(node.iter)
                self._bind(node.target, None if path is None else (*path, "[]"))
                self._block([*node.body, *node.orelse], condition=condition, final=final)
            case ast.While():
                self._block([*node.body, *node.orelse], condition=condition, final=final)
            case ast.Try():
                self._block(node.body, condition=condition, final=final)
                for handler in node.handlers:
                    if handler.name:
                        self._names[handler.name] = None
                    self._block(handler.body, condition=True, final=final)
                self._block(node.orelse, condition=condition, final=final)
                self._block(node.finalbody, condition=condition, final=True)
            case ast.Match():
                for case in node.cases:
                    self._block(case.body, condition=True, final=final)
            case ast.Return(value=value):
                if value is not None:
                    self._expression(value, condition, final)
            case ast.Global(names=names):
                self._globals.update(names)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._names[node.name] = None
                self._inner.append(node)
            case ast.ClassDef():
                self._names[node.name] = None
                self._inner.extend(s for s in node.body if isinstance(s, FUNCTIONS))
            case ast.Import():
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    module = alias.name if alias.asname else name
                    self._names[name] = Import(module, None)
            case ast.ImportFrom():
                for alias in node.names:
                    value_ = Import(node.module or "", alias.name, node.level)
                    self._names[alias.asname or alias.name] = value_

    def _with(self, node: ast.With | ast.AsyncWith, condition: bool, final: bool) -> None:
        before = self._under
        for item in node.items:
            context = item.context_expr
            call = context.func if isinstance(context, ast.Call) else context
            self._under = (*self._under, ".".join(dotted(call) or ("?",)))
            if item.optional_vars is not None:
                self._bind(item.optional_vars, None)
        self._block(node.body, condition=condition, final=final)
        self._under = before

    # -- names ---------------------------------------------------------------------------------

    def _bind(self, target: ast.expr, path: Path | None) -> None:
        match target:
            case ast.Name(id=name):
                if name not in self._globals:
                    self._names[name] = path
            case ast.Tuple(elts=items) | ast.List(elts=items):
                for item in items:
                    self._bind(item, None)
            case ast.Starred(value=value):
                self._bind(value, None)

    def _root(self, name: str) -> tuple[Path | None, Import | None]:
        """What a name stands for, where the function runs."""
        if name in self._globals:
            return (name,), None
        for names in (self._names, *reversed(self._outer)):
            if name in names:
                found = names[name]
                if isinstance(found, Import):
                    return (name,), found
                return found, None
        return (name,), None

    def _path(self, node: ast.expr) -> Path | None:
        """The path that an expression is, None for what is fresh or cannot be told."""
        return self._traced(node)[0]

    def _traced(self, node: ast.expr) -> tuple[Path | None, Import | None]:
        # Most expressions by far are names, attributes and literals.
        kind = type(node)
        if kind is ast.Constant:
            return None, None
        if isinstance(node, ast.Name):
            return self._root(node.id)
        if isinstance(node, ast.Attribute):
            path, imported = self._traced(node.value)
            return (None if path is None else (*path, node.attr)), imported
        if kind not in _TRACED:
            return None, None
        match node:
            case ast.Subscript(value=value):
                path, imported = self._traced(value)
                return (None if path is None else (*path, "[]")), imported
            case ast.Await(value=value):
                return self._traced(value)
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in _ELEMENT:
                path, imported = self._traced(value)
                return (None if path is None else (*path, "[]")), imported
            case ast.Call(func=func, args=[], keywords=[]):
                path, imported = self._traced(func)
                if path is None or "[]" in path or path[-1] in _FRESH or path[-1][0].isupper():
                    return None, None
                return (*path[:-1], f"{path[-1]}()"), imported
            case ast.Call(func=func):
                parts = dotted(func)
                if parts is not None and _is_named_by_arguments(parts):
                    path, imported = self._traced(func)
                    return (None if path is None else (*path[:-1], f"{path[-1]}()")), imported
        return None, None

    # -- changes -------------------------------------------------------------------------------

    def _assign(self, target: ast.expr, value: ast.expr, condition: bool, final: bool) -> None:
        if isinstance(target, ast.Name):
            name = target.id
            if name in self._globals:
                self._add("name", (), name, target, value, condition, final)
            else:
                self._names[name] = self._path_or_import(value)
            return
        match target:
            case ast.Tuple(elts=items) | ast.List(elts=items):
                values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
                for index, item in enumerate(items):
                    if len(values) == len(items):
                        self._assign(item, values[index], condition, final)
                    else:
                        self._store(item, item, None, condition, final)
            case ast.Starred(value=inner):
                self._bind(inner, None)
            case _:
                self._store(target, target, value, condition, final)

    def _path_or_import(self, value: ast.expr) -> Path | None:
        path, imported = self._traced(value)
        # The import that a path begins with is not kept with a second name for it.
        return None if imported is not None else path

    def _store(
        self,
        target: ast.expr,
        node: ast.expr | ast.stmt,
        value: ast.expr | None,
        condition: bool,
        final: bool,
        *,
        augmented: bool = False,
        deleted: bool = False,
    ) -> None:
        match target:
            case ast.Attribute(value=owner, attr=attr):
                kind: ChangeKind = "del" if deleted else "attribute"
                self._change(kind, owner, attr, node, value, condition, final, augmented)
            case ast.Subscript(value=owner, slice=key):
                kind = "del" if deleted else "item"
                self._change(kind, owner, "[]", node, value, condition, final, augmented, key)
            case ast.Name(id=name):
                if name in self._globals:
                    self._add("name", (), name, node, value, condition, final, augmented=augmented)
                elif augmented:
                    path, imported = self._root(name)
                    if path is not None and (len(path) > 1 or name in self._names):
                        self._add(
                            "augmented", path, "", node, value, condition, final, imported=imported
                        )
                else:
                    self._names[name] = None
            case ast.Tuple(elts=items) | ast.List(elts=items):
                for item in items:
                    self._store(item, node, None, condition, final, deleted=deleted)

    def _change(
        self,
        kind: ChangeKind,
        owner: ast.expr,
        name: str,
        node: ast.expr | ast.stmt,
        value: ast.expr | None,
        condition: bool,
        final: bool,
        augmented: bool = False,
        key: ast.expr | None = None,
    ) -> None:
        path, imported = self._traced(owner)
        if path is not None:
            self._add(
                kind,
                path,
                name,
                node,
                value,
                condition,
                final,
                augmented=augmented,
                key=_key(key),
                imported=imported,
            )

    def _add(
        self,
        kind: ChangeKind,
        target: Path,
        name: str,
        node: ast.expr | ast.stmt,
        value: ast.expr | None,
        condition: bool,
        final: bool,
        *,
        augmented: bool = False,
        key: str = "",
        imported: Import | None = None,
    ) -> None:
        self.changes.append(
            Change(
                kind,
                target,
                name,
                self._text.span(node),
                key,
                "=" if augmented else _value(value),
                condition,
                final or self._after,
                self._nested,
                self._under,
                imported,
            )
        )

    # -- calls ---------------------------------------------------------------------------------

    def _expression(self, node: ast.expr, condition: bool, final: bool) -> None:
        while isinstance(node, _AROUND):
            if isinstance(node, (ast.Yield, ast.YieldFrom)):
                self._after = True
            if node.value is None:
                return
            node = node.value
        if isinstance(node, ast.Call):
            self._call(node, condition, final)
        elif isinstance(node, ast.Compare):
            if isinstance(node.left, (ast.Call, ast.Await)):
                self._expression(node.left, condition, final)
        elif isinstance(node, ast.Lambda):
            self._expression(node.body, condition, final)

    def _call(self, node: ast.Call, condition: bool, final: bool) -> None:
        func = node.func
        if isinstance(func, ast.Attribute):
            name = func.attr
            if name in _LATER and node.args:
                self._finalizer(node, condition)
                return
            if self._is_kept(name):
                path, imported = self._traced(func.value)
                if path is not None:
                    key = _key(node.args[0]) if node.args else ""
                    if name in _OF_ATTRIBUTES and len(node.args) > 1:
                        key = f"{key}.{_key(node.args[1]).strip(_QUOTES)}"
                    value = node.args[-1] if node.args else None
                    self._add(
                        "call",
                        path,
                        name,
                        node,
                        value,
                        condition,
                        final,
                        key=key,
                        imported=imported,
                    )
                return
            if isinstance(func.value, (ast.Call, ast.Await)):
                self._expression(func.value, condition, final)
        elif isinstance(func, ast.Name):
            name = func.id
            if name in ("setattr", "delattr") and len(node.args) >= 2:
                attr = node.args[1]
                if isinstance(attr, ast.Constant) and isinstance(attr.value, str):
                    given = node.args[2] if len(node.args) > 2 else None
                    kind: ChangeKind = "attribute" if name == "setattr" else "del"
                    self._change(kind, node.args[0], attr.value, node, given, condition, final)
                return
            if name in _PROCESS or self._whole:
                path, imported = self._root(name)
                if path is not None:
                    given = node.args[-1] if node.args else None
                    key = _key(node.args[0]) if node.args else ""
                    self._add(
                        "call",
                        path[:-1],
                        path[-1],
                        node,
                        given,
                        condition,
                        final,
                        key=key,
                        imported=imported,
                    )
                return
            if name in _BUILTINS:
                return
        else:
            return
        self._pass(node)

    def _is_kept(self, name: str) -> bool:
        return (
            name in CONTAINER_METHODS
            or name in _PROCESS
            or self._whole
            or name.startswith(_REGISTERING)
        )

    def _finalizer(self, node: ast.Call, condition: bool) -> None:
        """`addCleanup(function, *arguments)`: what is done when the test is over."""
        function, *arguments = node.args
        if isinstance(function, ast.Lambda):
            self._expression(function.body, condition, True)
        else:
            call = ast.Call(function, arguments, node.keywords)
            self._call(ast.copy_location(call, node), condition, True)

    def _pass(self, node: ast.Call) -> None:
        """Note the paths that a call hands to a function of the project."""
        arguments: list[tuple[str, Path]] = []
        for index, value in enumerate(node.args):
            if isinstance(value, (ast.Name, ast.Attribute)):
                path, imported = self._traced(value)
                if path is not None and imported is None:
                    arguments.append((str(index), path))
        for keyword in node.keywords:
            if keyword.arg and isinstance(keyword.value, (ast.Name, ast.Attribute)):
                path, imported = self._traced(keyword.value)
                if path is not None and imported is None:
                    arguments.append((keyword.arg, path))
        if arguments and dotted(node.func) is not None:
            called, imported = self._traced(node.func)
            if called is not None:
                self.passed.append(
                    Passed(called, tuple(arguments), self._text.span(node), self._nested, imported)
                )


def _is_named_by_arguments(parts: tuple[str, ...]) -> bool:
    """Whether a call gives what the process has one of, or a patch, whatever its arguments are."""
    if parts[-1] in ("getLogger", "freeze_time", "travel"):
        return True
    return parts[0] in ("patch", "mock") and "patch" in parts


def _parameters(arguments: ast.arguments) -> Iterable[str]:
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        yield argument.arg
    for more in (arguments.vararg, arguments.kwarg):
        if more is not None:
            yield more.arg


def _value(node: ast.expr | None) -> str:
    """A value as `Change.value` has it."""
    match node:
        case None:
            return ""
        case ast.Constant(value=value):
            return repr(value)[:40]
        case ast.List(elts=[]) | ast.Dict(keys=[]) | ast.Tuple(elts=[]):
            return "{}" if isinstance(node, ast.Dict) else "[]"
        case ast.Call(func=ast.Name(id="set" | "dict" | "list"), args=[], keywords=[]):
            return "{}"
    return ".".join(dotted(node) or ())


def _key(node: ast.expr | None) -> str:
    """A constant key as `'name'` or `1`, a name as it stands, `?` for what cannot be told."""
    match node:
        case None:
            return ""
        case ast.Constant(value=value):
            return repr(value)[:200]
        case ast.Slice(lower=None, upper=None, step=None):
            return ":"
        case _:
            parts = dotted(node)
            return "?" if parts is None else ".".join(parts)
