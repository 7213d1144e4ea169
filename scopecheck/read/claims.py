"""Reads which names an assertion is about, and what it says of them."""

from __future__ import annotations

import ast
import re
from functools import cached_property
from typing import TYPE_CHECKING

from scopecheck.evidence import Constant, Word
from scopecheck.read.emptiness import is_empty
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scopecheck.evidence import WordUse
    from scopecheck.read.text import Text

_NAME = re.compile(r"[A-Za-z][\w.:/-]{2,59}")
TYPE_KEYS = frozenset({"type", "event", "event_type", "name", "kind", "action"})
"""Where an event keeps its name."""

_OPPOSITE: dict[WordUse, WordUse] = {"member": "absent", "equal": "absent", "absent": "member"}
_GATHERING = frozenset({"set", "list", "tuple", "sorted", "frozenset", "Counter", "next", "str"})
# Values that are no verdict by themselves.
_PLAIN = (ast.Constant, ast.Name, ast.Attribute, ast.JoinedStr)
_VERDICT = re.compile(r"valid|complete|contains|has_|verif|check|matches|all_")
_OTHER_NAMES = re.compile(r"caplog|cap(?:sys|fd)|metrics?$|labels?$|counters?$|std(?:out|err)$")
_SET_METHODS = frozenset(
    {
        *("issubset", "issuperset", "difference", "union", "intersection", "isdisjoint", "keys"),
        *("values", "items", "copy", "index", "count", "symmetric_difference"),
    }
)


class Claims:
    """The names in the assertions of one function, followed through its assignments.

    words, constants, verdicts: in the order in which they are met. ordered, open: see `EventUse`.

    Args:
        text: of its file.
        given: its parameters, and every name that it binds, comprehensions included.
        values: what it assigns to each name; it may grow until the first claim is read.
        keys: where an event keeps its name; what is compared with another part of it is no name.
    """

    def __init__(
        self,
        text: Text,
        given: set[str],
        values: Mapping[str, list[ast.expr]],
        keys: tuple[str, ...] = (),
    ) -> None:
        self.words: dict[Word, None] = {}
        self.constants: dict[Constant, None] = {}
        self.verdicts: dict[Constant, None] = {}
        self.ordered = False
        self.open = False
        # How many names were met, and how many of them in what a name was bound to.
        self._met = 0
        self._done: dict[tuple[str, WordUse], int] = {}
        self._text = text
        self._given = given
        self._values = values
        self._keys = tuple(tuple(key.split(".")) for key in keys)
        self._last_keys = frozenset(key[-1] for key in self._keys) or TYPE_KEYS

    def claim(self, node: ast.expr, use: WordUse, seen: frozenset[str] = frozenset()) -> None:
        """Reads what an expression that is used in this way asserts.

        Args:
            node: an assertion's test, or a part of it.
            use: what is done with the names in it.
            seen: names whose values are being looked at.
        """
        # The most frequent ones first, and without the cost of a pattern.
        if isinstance(node, ast.Constant):
            self.word(node, use)
        elif isinstance(node, ast.Name):
            self._name(node.id, use, seen)
        elif isinstance(node, ast.Call):
            self._call(node, use, seen)
        elif isinstance(node, ast.Attribute):
            self._attribute(node, use, seen)
        elif isinstance(node, ast.Compare):
            self._comparison(node, use, seen)
        elif isinstance(node, ast.Subscript):
            self._subscript(node, node.value, use, seen)
        else:
            self._other(node, use, seen)

    def _each(self, nodes: Iterable[ast.expr], use: WordUse, seen: frozenset[str]) -> None:
        for node in nodes:
            if node.__class__ is not ast.Constant:
                self.claim(node, use, seen)
            elif node.value.__class__ is str:
                self.word(node, use)

    def _other(self, node: ast.expr, use: WordUse, seen: frozenset[str]) -> None:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                self._each(items, use, seen)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.claim(operand, _opposite(use), seen)
            case ast.BoolOp(op=ast.Or(), values=values):
                for value in values:
                    self.claim(value, "any" if use != "absent" else use, seen)
            case ast.BoolOp(values=values):
                for value in values:
                    self.claim(value, use if use != "absent" else "any", seen)
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                # `not (REQUIRED - types)` asserts all that is required.
                self.claim(left, _opposite(use) if use == "absent" else use, seen)
                self.claim(right, "other", seen)
            case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
                inner: WordUse = use if use == "some" else "any"
                self.claim(left, inner, seen)
                self.claim(right, inner, seen)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                self._comprehension(node, use, seen)
            case ast.Await(value=value) | ast.NamedExpr(value=value) | ast.Starred(value=value):
                self.claim(value, use, seen)
            case ast.Dict():
                self._dict(node, use, seen)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                for value in (test, body, orelse):
                    self.claim(value, "any", seen)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.claim(child, use, seen)

    def _name(self, name: str, use: WordUse, seen: frozenset[str]) -> None:
        if name in self._values:
            self._named(name, use, seen)
        elif name not in self._given:
            self._constant((name,), use)

    def _named(self, name: str, use: WordUse, seen: frozenset[str]) -> None:
        """Reads what a name was bound to, once for each use: names may share much of it."""
        met = self._done.get((name, use))
        if met is not None:
            self._met += met
            return
        self._done[name, use] = 0
        before = self._met
        for value in self._values[name]:
            self.claim(value, use, seen | {name})
        self._done[name, use] = self._met - before

    def _constant(self, parts: tuple[str, ...], use: WordUse) -> None:
        self.constants.setdefault(Constant(parts, use))
        self._met += 1

    def _dict(
        self, node: ast.Dict, use: WordUse, seen: frozenset[str], path: tuple[str, ...] = ()
    ) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            known = isinstance(key, ast.Constant) and isinstance(key.value, str)
            inner = (*path, key.value) if known else path  # type: ignore[union-attr]
            if isinstance(value, ast.Dict):
                self._dict(value, use, seen, inner)
            elif known and isinstance(value, ast.Constant) and type(value.value) is int:
                # `counts == {"created": 1}`
                assert isinstance(key, ast.Constant)
                self.word(key, use)
            else:
                other = isinstance(value, _PLAIN) and known and not self._is_name(inner)
                self.claim(value, "other" if other else use, seen)

    def _subscript(
        self, node: ast.Subscript, value: ast.expr, use: WordUse, seen: frozenset[str]
    ) -> None:
        """`counts["created"]` of a Counter, and one of the values of a dict that the test fills."""
        key = node.slice
        if isinstance(value, ast.Name) and isinstance(key, ast.Constant) and value.id not in seen:
            values = self._values.get(value.id, ())
            if any(isinstance(one, ast.Call) and _last(one) == "Counter" for one in values):
                self.word(key, "member" if use == "equal" else use)
                return
            found = [
                inner
                for one in values
                if isinstance(one, ast.Dict)
                for name, inner in zip(one.keys, one.values, strict=True)
                if isinstance(name, ast.Constant) and name.value == key.value
            ]
            if found and all(isinstance(one, ast.Dict) for one in values):
                for inner in found:
                    self.claim(inner, use, seen | {value.id})
                return
        self.claim(value, use, seen)

    def _comparison(self, node: ast.Compare, use: WordUse, seen: frozenset[str]) -> None:
        right = node.comparators[-1]
        op = node.ops[-1]
        if self._keys and not all(map(self._may_be_name, (node.left, *node.comparators))):
            use = "other"
        empty = isinstance(right, (ast.List, ast.Tuple)) and not right.elts
        empty = empty or (isinstance(right, ast.Constant) and right.value in (0, None, False))
        if isinstance(op, (ast.Eq, ast.Is)) and empty:
            self.claim(node.left, _opposite(use), seen)
            return
        if use == "some":
            # What is counted are the names of which this holds.
            use = "member"
        elif _is_threshold(op, right) and use in ("equal", "member"):
            self.claim(node.left, "some", seen)
            return
        elif isinstance(op, ast.Eq) and _is_length(node.left) and not isinstance(right, ast.List):
            # `len(REQUIRED & types) == len(REQUIRED)` asserts all of them.
            match node.left:
                case ast.Call(args=[ast.BinOp(left=left, op=ast.BitAnd(), right=other)]):
                    self.claim(left, "member", seen)
                    self.claim(other, "member", seen)
                    return
        inner: WordUse = use
        if isinstance(op, (ast.In, ast.NotIn)) and _OTHER_NAMES.search(_root(right)):
            # A text that was logged, or the key of a metric: no event.
            use = inner = "other"
        if isinstance(op, (ast.NotIn, ast.NotEq, ast.IsNot)):
            inner = _opposite(use)
        elif use == "equal" and (
            isinstance(op, (ast.LtE, ast.GtE, ast.Lt, ast.Gt))
            or (isinstance(op, ast.In) and isinstance(node.left, ast.Constant))
        ):
            inner = "member"
        elif isinstance(op, ast.In) and isinstance(right, (ast.List, ast.Tuple, ast.Set)):
            # `event["type"] in ("a", "b")`: one of them.
            self.claim(node.left, use, seen)
            self.claim(right, "any", seen)
            return
        if isinstance(op, ast.Eq) and not any(map(_is_unordered, (node.left, right))):
            self.ordered = True
        for part in (node.left, *node.comparators):
            before = self._met
            self.claim(part, inner, seen)
            contained = part is (node.left if isinstance(op, (ast.LtE, ast.Lt)) else right)
            if (
                isinstance(op, (ast.LtE, ast.Lt, ast.GtE, ast.Gt))
                and contained
                and isinstance(part, (ast.Name, ast.Call))
                and _last(part) != "len"
                and before == self._met
            ):
                # A set that must be contained, of which nobody sees what is in it.
                self.open = True

    def _is_name(self, path: tuple[str, ...]) -> bool:
        """Whether this part of an event may be its name; a path is one from outside in."""
        return not (self._keys and path) or any(path[-len(key) :] == key for key in self._keys)

    def _may_be_name(self, node: ast.expr) -> bool:
        """Whether one side of a comparison may be the name of an event."""
        if isinstance(node, ast.Attribute) and _last(node) not in self._last_keys:
            # What the test's own objects hold: `recorder.names`.
            root = dotted(node)
            if root is not None and len(root) == 2 and root[0] not in self._items:
                return True
        return self._is_name(self._path(node, frozenset()))

    @cached_property
    def _items(self) -> frozenset[str]:
        """Names of what comes out of something: of loops and comprehensions, and of parts."""
        return frozenset(
            name
            for name in self._given | self._values.keys()
            if name not in self._values
            or not any(isinstance(value, ast.Call) for value in self._values[name])
        )

    def _path(self, node: ast.expr, seen: frozenset[str]) -> tuple[str, ...]:
        """Which part of an event this is, from outside in; empty where that is not seen."""
        match node:
            case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
                return (*self._path(value, seen), key)
            case ast.Call(
                func=ast.Attribute(value=value, attr="get"),
                args=[ast.Constant(value=str(key)), *_],
            ):
                return (*self._path(value, seen), key)
            case ast.Attribute(value=value, attr=attr):
                return (*self._path(value, seen), attr)
            case ast.Subscript(value=value) | ast.Await(value=value) | ast.NamedExpr(value=value):
                return self._path(value, seen)
            case ast.ListComp(elt=elt) | ast.SetComp(elt=elt) | ast.GeneratorExp(elt=elt):
                return self._path(elt, seen)
            case ast.Call(func=ast.Name(id=name), args=[value, *_]) if name in _GATHERING:
                return self._path(value, seen)
            case ast.Name(id=name) if name not in seen:
                values = [value for value in self._values.get(name, ()) if not is_empty(value)]
                paths = {self._path(value, seen | {name}) for value in values}
                return paths.pop() if len(paths) == 1 else ()
        return ()

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
        use: WordUse,
        seen: frozenset[str],
    ) -> None:
        conditions = [test for one in node.generators for test in one.ifs]
        lacks = any(
            isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.NotIn)
            for test in conditions
        )
        if use == "some" and any(map(_names_one, conditions)):
            # `len([e for e in events if e["type"] == "created"]) >= 1`
            use = "member"
        for one in node.generators:
            # `[name for name in REQUIRED if name not in types]` is what is missing.
            self.claim(one.iter, _opposite(use) if lacks else use, seen)
        for test in conditions:
            self.claim(test, "other" if lacks else use, seen)
        if isinstance(node, ast.DictComp):
            self.claim(node.key, use, seen)
        else:
            self.claim(node.elt, use, seen)

    def _call(self, node: ast.Call, use: WordUse, seen: frozenset[str]) -> None:
        parts = dotted(node.func)
        name = parts[-1] if parts else getattr(node.func, "attr", "")
        if parts is not None and parts[0] not in self._values and parts[0] not in self._given:
            self.verdicts.setdefault(Constant(parts, use))
        elif len(parts or ()) > 1 and _VERDICT.search(name):
            # What this asserts is not seen.
            self.open = True
        if name == "any":
            use = "any" if use != "absent" else use
            for argument in node.args:
                self._any(argument, use, seen)
            return
        if use == "some" and name in ("count", "get", "index"):
            use = "member"
        if name in ("index", "count") and isinstance(node.func, ast.Attribute):
            self.ordered = self.ordered or name == "index"
            use = "member" if use == "equal" else use
        if name in ("get", "getattr", "loads", "json") and isinstance(node.func, ast.Attribute):
            self.claim(node.func.value, use, seen)
            return
        if isinstance(node.func, ast.Attribute) and name == "difference" and use == "absent":
            # As with `-`: nothing of it may be missing.
            self.claim(node.func.value, _opposite(use), seen)
            return
        if isinstance(node.func, ast.Attribute):
            receiver = node.func.value
            # A module, or an object that makes something: what it is says nothing.
            known = not isinstance(receiver, ast.Name) or receiver.id in self._values
            if known or name in _SET_METHODS:
                self.claim(receiver, use, seen)
        self._each(node.args, use, seen)
        for keyword in node.keywords:
            self._each((keyword.value,), use, seen)

    def _any(self, node: ast.expr, use: WordUse, seen: frozenset[str]) -> None:
        """`any(e["type"] == "a" for e in events)` asserts `a`; over several names, one of them."""
        if isinstance(node, (ast.GeneratorExp, ast.ListComp)) and use == "any":
            names = {
                inner.value
                for inner in ast.walk(node)
                if isinstance(inner, ast.Constant)
                and isinstance(inner.value, str)
                and _NAME.fullmatch(inner.value)
                and inner.value not in self._last_keys
            }
            one = all(
                not isinstance(generator.iter, (ast.List, ast.Tuple, ast.Set))
                for generator in node.generators
            )
            if one and len(names) <= 1:
                use = "member"
        self.claim(node, use, seen)

    def _attribute(self, node: ast.Attribute, use: WordUse, seen: frozenset[str]) -> None:
        parts = dotted(node)
        if parts is None:
            self.claim(node.value, use, seen)
            return
        if len(parts) > 1 and parts[-1] in ("called", "call_count", "await_count", "call_args"):
            self.mock(node, use)
        if parts[0] in self._values:
            self._name(parts[0], use, seen)
        elif parts[0] not in self._given:
            self._constant(parts, use)

    def mock(self, node: ast.expr, use: WordUse) -> None:
        """`mock.emit_agent_started.assert_called_once`: the method before the last part."""
        if isinstance(node, ast.Attribute):
            name = _last(node.value)
            if name:
                span = self._text.span(node)
                self.words.setdefault(Word(f".{name}", use, span.line, span.column))
                self._met += 1

    def word(self, node: ast.Constant, use: WordUse) -> None:
        """Takes a string in, if it may be a name."""
        value = node.value
        if isinstance(value, str) and _NAME.fullmatch(value):
            column = self._text.column(node.lineno, node.col_offset)
            self.words.setdefault(Word(value, use, node.lineno, column))
            self._met += 1


def _opposite(use: WordUse) -> WordUse:
    return _OPPOSITE.get(use, use)


def _is_threshold(op: ast.cmpop, right: ast.expr) -> bool:
    """Whether a number is compared with one that it must reach."""
    return (
        isinstance(op, (ast.Gt, ast.GtE))
        and isinstance(right, ast.Constant)
        and isinstance(right.value, (int, float))
    )


def _is_length(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


def _names_one(test: ast.expr) -> bool:
    """Whether a condition is equality with one string."""
    match test:
        case ast.Compare(ops=[ast.Eq()], left=left, comparators=[right]):
            return any(isinstance(one, ast.Constant) for one in (left, right))
    return False


def _root(node: ast.expr) -> str:
    parts = dotted(node.func if isinstance(node, ast.Call) else node)
    return parts[0] if parts else ""


def _last(node: ast.expr) -> str:
    func = node.func if isinstance(node, ast.Call) else node
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _is_unordered(node: ast.expr) -> bool:
    """Whether this is a set, a sorted list, or a plain value."""
    match node:
        case ast.Set() | ast.SetComp() | ast.Constant():
            return True
        case ast.Call(func=ast.Name(id="set" | "sorted" | "len" | "Counter" | "frozenset")):
            return True
    return False
