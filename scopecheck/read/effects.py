"""Reads what a function changes that it did not make itself: statement by statement, in place.

    change   an item or attribute given or taken away, a method of a container called, a global
             name bound again, or a call of one of the functions that change the process

Local names are followed as far as they stand for a path (`state = app.state`), see `read.paths`;
changes of anything else are not kept. Only statements are looked at, not what stands deep inside
their expressions.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from scopecheck.facts import Change, Effects, Passed
from scopecheck.read.containers import mutable_defaults, mutable_parameters
from scopecheck.read.expressions import dotted, is_text
from scopecheck.read.nodes import FUNCTIONS
from scopecheck.read.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scopecheck.facts import ChangeKind, Import
    from scopecheck.read.paths import Path
    from scopecheck.read.text import Text

    _Handler: TypeAlias = Callable[["_Walker", Any, bool, bool], None]

_AROUND = frozenset({ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr})
# Expressions in which there may be a call that runs with its statement, and changes something.
_LOOKED_INTO = _AROUND | {ast.Call, ast.Compare, ast.Lambda}
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
        *("fileConfig", "seterr", "set_printoptions", "set_option", "reset_option"),
        *("set_default_dtype", "captureWarnings"),
    ]
)
_KEPT_METHODS = CONTAINER_METHODS | _PROCESS
# Of monkeypatch: an object and the name of its attribute.
_OF_ATTRIBUTES = frozenset({"setattr", "delattr"})
_QUOTES = "'\""
_REGISTERING = (
    *("register", "unregister", "deregister", "subscribe", "unsubscribe", "add_", "remove_"),
    *("delete_", "install", "uninstall"),
)
# What calls a function later, when the test or the set-up is over.
_LATER = frozenset({"addCleanup", "addfinalizer", "callback", "addClassCleanup", "add_finalizer"})
# What makes an empty container, called with nothing.
_EMPTY = frozenset({"set", "dict", "list", "OrderedDict", "deque", "Counter"})
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
    changes = walker.changes
    if not changes:
        return Effects((), tuple(walker.passed)) if walker.passed else None
    changes.sort(key=lambda change: (change.span.line, change.span.column))
    changed = {change.target[0] for change in changes if change.target}
    return Effects(
        tuple(changes),
        tuple(walker.passed),
        tuple(name for name in mutable_defaults(function.args) if name in changed),
        tuple(name for name in mutable_parameters(function) if name in changed),
    )


class _Walker:
    """Walks one function's statements, and then those of the functions inside it."""

    def __init__(self, text: Text, *, whole: bool) -> None:
        self.changes: list[Change] = []
        self.passed: list[Passed] = []
        self._text = text
        self._whole = whole
        self._paths = Paths(whole=whole)
        self._inner: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self._nested = False
        self._after = False
        self._under: tuple[str, ...] = ()

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Walk a function: the outermost first, then those inside."""
        self._paths.parameters(node.args)
        self._block(node.body, False, False)
        if self._inner:
            self._later()

    def _later(self) -> None:
        inner, self._inner = self._inner, []
        for node in inner:
            before = self._nested, self._after, self._under
            self._paths.enter()
            self._nested, self._after, self._under = True, False, ()
            self.function(node)
            self._paths.leave()
            self._nested, self._after, self._under = before

    def _block(self, body: Sequence[ast.stmt], condition: bool, final: bool) -> None:
        for node in body:
            handle = _HANDLERS.get(node.__class__)
            if handle is not None:
                handle(self, node, condition, final)

    def _expr(self, node: ast.Expr, condition: bool, final: bool) -> None:
        value = node.value
        kind = value.__class__
        if kind is ast.Call:
            self._call(value, condition, final)  # type: ignore[arg-type]
        elif kind in _LOOKED_INTO:
            self._expression(value, condition, final)

    def _assignment(self, node: ast.Assign, condition: bool, final: bool) -> None:
        value = node.value
        kind = value.__class__
        if kind is ast.Call:
            self._call(value, condition, final)  # type: ignore[arg-type]
        elif kind is ast.Lambda:
            # As a function inside of this one, it is not run where it is kept.
            before, self._nested = self._nested, True
            self._expression(value, condition, final)
            self._nested = before
        elif kind in _LOOKED_INTO:
            self._expression(value, condition, final)
        for target in node.targets:
            self._assign(target, value, condition, final)

    def _assert(self, node: ast.Assert, condition: bool, final: bool) -> None:
        if node.test.__class__ in _LOOKED_INTO:
            self._expression(node.test, condition, final)

    def _return(self, node: ast.Return, condition: bool, final: bool) -> None:
        if node.value.__class__ in _LOOKED_INTO:
            self._expression(node.value, condition, final)  # type: ignore[arg-type]

    def _annotated(self, node: ast.AnnAssign, condition: bool, final: bool) -> None:
        if node.value is not None:
            self._expression(node.value, condition, final)
            self._assign(node.target, node.value, condition, final)

    def _augmented(self, node: ast.AugAssign, condition: bool, final: bool) -> None:
        self._store(node.target, node, None, condition, final, augmented=True)

    def _delete(self, node: ast.Delete, condition: bool, final: bool) -> None:
        for one in node.targets:
            self._store(one, node, None, condition, final, deleted=True)

    def _with(self, node: ast.With | ast.AsyncWith, condition: bool, final: bool) -> None:
        before = self._under
        for item in node.items:
            context = item.context_expr
            call = context.func if isinstance(context, ast.Call) else context
            self._under = (*self._under, ".".join(dotted(call) or ("?",)))
            if item.optional_vars is not None:
                self._paths.bind(item.optional_vars, None)
        self._block(node.body, condition, final)
        self._under = before

    def _if(self, node: ast.If, _: bool, final: bool) -> None:
        self._block(node.body, True, final)
        self._block(node.orelse, True, final)

    def _for(self, node: ast.For | ast.AsyncFor, condition: bool, final: bool) -> None:
        self._paths.bind(node.target, self._paths.item(node.iter))
        self._block(node.body, condition, final)
        self._block(node.orelse, condition, final)

    def _while(self, node: ast.While, condition: bool, final: bool) -> None:
        self._block(node.body, condition, final)
        self._block(node.orelse, condition, final)

    def _try(self, node: ast.Try, condition: bool, final: bool) -> None:
        self._block(node.body, condition, final)
        for handler in node.handlers:
            if handler.name:
                self._paths.forget(handler.name)
            self._block(handler.body, True, final)
        self._block(node.orelse, condition, final)
        self._block(node.finalbody, condition, True)

    def _match(self, node: ast.Match, _: bool, final: bool) -> None:
        for case in node.cases:
            self._block(case.body, True, final)

    def _global(self, node: ast.Global, *_: bool) -> None:
        self._paths.declared_global(node.names)

    def _import(self, node: ast.Import | ast.ImportFrom, *_: bool) -> None:
        self._paths.imported(node)

    def _definition(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, *_: bool
    ) -> None:
        self._paths.forget(node.name)
        if isinstance(node, ast.ClassDef):
            self._inner.extend(one for one in node.body if isinstance(one, FUNCTIONS))
        else:
            self._inner.append(node)

    def _assign(self, target: ast.expr, value: ast.expr, condition: bool, final: bool) -> None:
        if target.__class__ is ast.Name:
            name = target.id
            if name in self._paths.globals:
                self._add("name", (), name, target, value, condition, final)
            else:
                self._paths.assign(name, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            items = target.elts
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            for index, item in enumerate(items):
                if len(values) == len(items):
                    self._assign(item, values[index], condition, final)
                else:
                    self._store(item, item, None, condition, final)
        elif isinstance(target, ast.Starred):
            self._paths.bind(target.value, None)
        else:
            self._store(target, target, value, condition, final)

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
                if name in self._paths.globals:
                    self._add("name", (), name, node, value, condition, final, augmented=augmented)
                elif augmented:
                    path, imported = self._paths.names[name]
                    if path is not None and (len(path) > 1 or self._paths.is_known(name)):
                        self._add(
                            "augmented", path, "", node, value, condition, final, imported=imported
                        )
                else:
                    self._paths.forget(name)
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
        path, imported = self._paths.traced(owner)
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

    def _expression(self, node: ast.expr, condition: bool, final: bool) -> None:
        kind = node.__class__
        while kind in _AROUND:
            if kind is ast.Yield or kind is ast.YieldFrom:
                self._after = True
            value = node.value  # type: ignore[attr-defined]
            if value is None:
                return
            node, kind = value, value.__class__
        if kind is ast.Call:
            self._call(node, condition, final)  # type: ignore[arg-type]
        elif kind is ast.Compare:
            for side in (node.left, *node.comparators):  # type: ignore[attr-defined]
                if side.__class__ is ast.Call or side.__class__ is ast.Await:
                    self._expression(side, condition, final)
        elif kind is ast.Lambda:
            # Whoever gets it may run it, or not.
            nested, self._nested = self._nested, True
            self._expression(node.body, condition, final)  # type: ignore[attr-defined]
            self._nested = nested

    def _call(self, node: ast.Call, condition: bool, final: bool) -> None:
        func = node.func
        if isinstance(func, ast.Attribute):
            name = func.attr
            if name in _LATER and node.args:
                self._finalizer(node, condition)
                return
            if self._whole or _is_kept(name):
                self._method(node, func, condition, final)
                return
            below = func.value.__class__
            if below is ast.Call or below is ast.Await:
                self._expression(func.value, condition, final)
                return
        elif isinstance(func, ast.Name):
            name = func.id
            if name in _OF_ATTRIBUTES and len(node.args) >= 2:
                self._attribute(node, name, condition, final)
                return
            if name in _PROCESS or self._whole:
                path, imported = self._paths.names[name]
                if path is not None:
                    self._add_call(node, path[:-1], path[-1], condition, final, imported)
                return
            if name in _BUILTINS:
                return
        else:
            return
        if node.args or node.keywords:
            self._pass(node)

    def _attribute(self, node: ast.Call, name: str, condition: bool, final: bool) -> None:
        """`setattr(owner, name, value)` and `delattr(owner, name)`."""
        attr = node.args[1]
        value = attr.value if isinstance(attr, ast.Constant) else None
        if isinstance(value, str) and is_text(value):
            given = node.args[2] if len(node.args) > 2 else None
            kind: ChangeKind = "attribute" if name == "setattr" else "del"
            self._change(kind, node.args[0], value, node, given, condition, final)

    def _method(self, node: ast.Call, func: ast.Attribute, condition: bool, final: bool) -> None:
        path, imported = self._paths.traced(func.value)
        if path is not None:
            self._add_call(node, path, func.attr, condition, final, imported, method=True)

    def _add_call(
        self,
        node: ast.Call,
        path: Path,
        name: str,
        condition: bool,
        final: bool,
        imported: Import | None,
        *,
        method: bool = False,
    ) -> None:
        given = node.args[-1] if node.args else None
        key = _key(node.args[0]) if node.args else ""
        if method and name in _OF_ATTRIBUTES and len(node.args) > 1:
            key = f"{key}.{_key(node.args[1]).strip(_QUOTES)}"
        self._add("call", path, name, node, given, condition, final, key=key, imported=imported)

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
        root = node.func
        while isinstance(root, ast.Attribute):
            root = root.value
        # Most calls are methods of something that is not followed.
        if not isinstance(root, ast.Name) or self._paths.names[root.id][0] is None:
            return
        arguments = self._paths.arguments(node)
        if arguments:
            called, imported = self._paths.traced(node.func)
            if called is not None:
                span = self._text.span(node)
                self.passed.append(Passed(called, arguments, span, self._nested, imported))


_HANDLERS: dict[type[ast.stmt], _Handler] = {
    ast.Expr: _Walker._expr,
    ast.Assign: _Walker._assignment,
    ast.Assert: _Walker._assert,
    ast.Return: _Walker._return,
    ast.AnnAssign: _Walker._annotated,
    ast.AugAssign: _Walker._augmented,
    ast.Delete: _Walker._delete,
    ast.With: _Walker._with,
    ast.AsyncWith: _Walker._with,
    ast.If: _Walker._if,
    ast.For: _Walker._for,
    ast.AsyncFor: _Walker._for,
    ast.While: _Walker._while,
    ast.Try: _Walker._try,
    ast.Match: _Walker._match,
    ast.Global: _Walker._global,
    ast.Import: _Walker._import,
    ast.ImportFrom: _Walker._import,
    ast.FunctionDef: _Walker._definition,
    ast.AsyncFunctionDef: _Walker._definition,
    ast.ClassDef: _Walker._definition,
}
"""Statements of any other class change nothing."""


@lru_cache(maxsize=4096)
def _is_kept(name: str) -> bool:
    """Whether calls of a method of this name are kept as changes."""
    return name in _KEPT_METHODS or name.startswith(_REGISTERING)


def _value(node: ast.expr | None) -> str:
    """A value as `Change.value` has it."""
    match node:
        case None:
            return ""
        case ast.Constant(value=value):
            return repr(value)[:40]
        case ast.List(elts=[]) | ast.Dict(keys=[]) | ast.Tuple(elts=[]):
            return "{}" if isinstance(node, ast.Dict) else "[]"
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]) if name in _EMPTY:
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
