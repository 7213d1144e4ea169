"""Tells what a test has captured, and so may be empty, from what it made itself."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import BELOW, FUNCTIONS, walk

if TYPE_CHECKING:
    from typing import TypeAlias

_CALLABLES = (*FUNCTIONS, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
# What hands on the items that it gets, as many as there are.
_PASSING = frozenset(
    {"list", "tuple", "set", "frozenset", "sorted", "reversed", "enumerate", "iter", "dict"}
)
_PASSING_METHODS = frozenset({"items", "values", "keys", "copy", "json"})
_PASSING_CALLS = frozenset({"wait_for", "ensure_async", "run_until_complete"})
# Lists that exist whatever the tested code does, or that are as long as what goes in.
_STATIC = frozenset(
    {
        *("range", "dir", "vars", "globals", "locals", "zip", "map", "filter", "len", "open"),
        *("getattr", "type", "super", "next", "chain", "count", "cycle", "repeat", "product"),
        *("permutations", "combinations", "combinations_with_replacement", "groupby", "islice"),
        *("getmembers", "signature", "get_type_hints", "fields", "glob", "rglob", "iglob"),
        *("iterdir", "listdir", "scandir", "walk", "iter_modules", "walk_packages", "gather"),
        *("as_completed", "wait", "imap", "starmap", "imap_unordered", "split", "partition"),
        *(
            "linspace",
            "arange",
            "tee",
            "pairwise",
            "sample",
            "choices",
            "getfixturevalue",
            "entry_points",
        ),
        *(
            "enumerate",
            "subTest",
            "attempt",
            "retry",
            "retrying",
            "__subclasses__",
            "read_text",
            "mro",
        ),
    }
)
_EMPTY_MAKERS = frozenset({"list", "dict", "set", "deque", "defaultdict", "Counter", "OrderedDict"})
_FILLING = frozenset({"append", "extend", "add", "put", "put_nowait", "update", "insert"})
_BUILTINS = _PASSING | {
    "len",
    "print",
    "str",
    "repr",
    "isinstance",
    "type",
    "any",
    "all",
    "sum",
    "zip",
}
# What the test compares with, which it had before.
_WANTED = re.compile(r"_?(?:expect|want|original|before|previous|reference)")
_LOOKING = frozenset({"min", "max", "next"})
_RECORDS = re.compile(
    r"records$|(?<!_)messages$|record_tuples|call_args_list|mock_calls|await_args_list|method_calls"
    r"|events$"
)

# Nodes that say by themselves what is in a list, or that something is in it.
_SAYING = frozenset(
    {
        *(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.AugAssign, ast.For, ast.AsyncFor),
        *(ast.With, ast.AsyncWith, ast.FunctionDef, ast.AsyncFunctionDef, ast.Call),
        *(ast.Attribute, ast.Subscript),
    }
)
# Nodes below which not everything stands where they stand.
_DIVIDING = frozenset({*_CALLABLES, ast.ClassDef, ast.For, ast.AsyncFor, ast.While, ast.If})

Where: TypeAlias = Literal["plain", "inner", "loop", "branch"]


class _Fill(NamedTuple):
    """How something gets into a list: where the statement stands, and the loop round it."""

    where: Where
    loop: ast.expr | None = None
    function: str = ""


class Emptiness:
    """What one test's names stand for, as far as it matters whether they hold anything."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = function.args
        self._given = {
            one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        }
        # What differs from case to case may well be empty in one of them.
        self._cases = {name for one in function.decorator_list for name in _parametrized(one)}
        self._bound: dict[str, list[ast.expr | None]] = {}
        self._fills: dict[str, list[_Fill]] = {}
        # Expressions that are not empty, or the test fails in another way, and the first line that
        # shows it.
        self._proved: dict[str, int] = {}
        self._before = 0
        self._busy: set[str] = set()
        # Functions that the test calls itself: what they fill is filled.
        self._called_here: set[str] = set()
        # What the test gives to the code under test: it had it before.
        self._handed: set[str] = set()
        # What the test gives to attributes, by their dotted name: `client.list = listed`.
        self._given_parts: set[tuple[str, ...]] = set()
        # Functions that the test defines; True for what a decorator of the tested code makes one
        # that yields.
        self._own: dict[str, bool] = {}
        self.origin: ast.Call | None = None
        """The call that the last answer named."""
        self._function = ""
        for statement in function.body:
            self._read(statement, "plain", None)

    def asked(self, node: ast.expr, line: int) -> str | None:
        """As `captured`, for what a statement on this line asks for: only what is above it counts.

        What comes below is run only if there is something.
        """
        self._before = line
        found = self.captured(node)
        self._before = 0
        return found

    def _is_proved(self, words: str) -> bool:
        line = self._proved.get(words, 0)
        return line > 0 and (not self._before or line < self._before)

    def _prove(self, node: ast.expr) -> None:
        self._proved.setdefault(ast.unparse(node), node.lineno)

    def captured(self, node: ast.expr, *, streamed: bool = False) -> str | None:
        """The dotted name of the call that gave what may be empty; None where that is not known.

        It is empty for a list that something else fills while the test runs.

        Args:
            node: what is gone over, or asked for.
            streamed: by `async for`: then any call gives something that may end at once.
        """
        match node:
            case ast.Await(value=value) | ast.NamedExpr(value=value):
                return self.captured(value)
            case ast.Name(id=name):
                return self._named(name)
            case ast.Call():
                return self._called(node, streamed)
            case ast.Attribute() | ast.Subscript():
                return self._part(node)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
                if len(node.generators) != 1:
                    return None
                return self.captured(node.generators[0].iter)
            case ast.BoolOp(op=ast.Or(), values=[value, *_]):
                return self.captured(value)
        return None

    def is_filtered(self, node: ast.expr) -> bool:
        """Whether this is what a condition has left of something."""
        if isinstance(node, ast.Name):
            values = self._bound.get(node.id) or [None]
            return any(value is not None and self.is_filtered(value) for value in values)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            return node.func.id in _PASSING and self.is_filtered(node.args[0])
        return isinstance(node, _COMPREHENSIONS) and any(one.ifs for one in node.generators)

    def is_part(self, node: ast.expr) -> bool:
        """Whether this is a part of what a call gave, by its key: `answer["items"]`."""
        match node:
            case ast.Name(id=name):
                values = self._bound.get(name) or [None]
                return any(value is not None and self.is_part(value) for value in values)
            case ast.Call(func=ast.Name(id=name), args=[value]) if name in _PASSING:
                return self.is_part(value)
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[]):
                return attr in _PASSING_METHODS and self.is_part(value)
            case ast.Subscript(slice=ast.Constant(value=str())):
                return True
            case ast.Await(value=value):
                return self.is_part(value)
        return False

    def made_of(self, node: ast.expr) -> set[str]:
        """The names of what calls gave that got this, or what this is a part of."""
        while isinstance(node, (ast.Subscript, ast.Attribute)):
            node = node.value
        if not isinstance(node, ast.Name):
            return set()
        return {
            name
            for name, values in self._bound.items()
            if any(value is not None and _takes(value, node.id) for value in values)
        }

    def _named(self, name: str) -> str | None:
        if _WANTED.match(name):
            return None
        if name in self._given or self._is_proved(name) or name in self._busy:
            return None
        values = self._bound.get(name)
        if not values:
            return None
        self._busy.add(name)
        try:
            source: str | None = None
            for value in values:
                if value is not None and is_empty(value):
                    continue
                found = None if value is None else self.captured(value)
                if found is None:
                    return None
                source = source or found
            for fill in self._fills.get(name, ()):
                found = self._filled(fill)
                if found is None:
                    return None
                source = source or found
            return source
        finally:
            self._busy.discard(name)

    def _filled(self, fill: _Fill) -> str | None:
        if fill.where == "inner":
            return None if fill.function in self._called_here else ""
        if fill.where == "loop":
            return "" if fill.loop is None else self.captured(fill.loop, streamed=True)
        return None

    def _called(self, node: ast.Call, streamed: bool) -> str | None:
        parts = dotted(node.func)
        name = parts[-1] if parts else getattr(node.func, "attr", "")
        if isinstance(node.func, ast.Name) and name in _PASSING:
            return self.captured(node.args[0]) if len(node.args) == 1 else None
        if name in _PASSING_CALLS and node.args:
            return self.captured(node.args[0], streamed=streamed)
        if isinstance(node.func, ast.Attribute) and name in _PASSING_METHODS and not node.args:
            return self.captured(node.func.value)
        if name in _STATIC or not name or name[:1].isupper():
            return None
        if parts == ("dict", "fromkeys") and node.args:
            return self.captured(node.args[0])
        if parts is not None and len(parts) > 1 and parts[0] in self._handed & self._bound.keys():
            return None
        if parts is not None and self._is_own(parts):
            return None
        if parts is None and not streamed:
            return None
        self.origin = node
        return ".".join(parts) if parts is not None else name

    def _is_own(self, parts: tuple[str, ...]) -> bool:
        """Whether a function hands out what the test has put there, or what differs by case."""
        if parts[0] in self._cases:
            return True
        if len(parts) == 1:
            # What a fixture makes was made for the test.
            own = parts[0] in self._own and not self._own[parts[0]]
            return own or parts[0] in self._given
        return any(given[: len(parts)] == parts for given in self._given_parts)

    def _part(self, node: ast.Attribute | ast.Subscript) -> str | None:
        if self._is_proved(ast.unparse(node)):
            return None
        match node:
            case ast.Subscript(slice=index) if is_number(index):
                return None
            case ast.Attribute(attr=attr) if _WANTED.match(attr):
                return None
        if isinstance(node, ast.Attribute) and _RECORDS.search(node.attr):
            parts = dotted(node)
            if parts is not None and (parts[0] in self._given or parts[0] in self._bound):
                return ".".join(parts)
        if isinstance(node, ast.Attribute) and self._is_made(node.value):
            return None
        return self.captured(node.value)

    def _is_made(self, node: ast.expr) -> bool:
        """Whether this is what the test makes to begin with, by a plain function or class."""
        if isinstance(node, ast.Name):
            values = self._bound.get(node.id) or [None]
            return any(value is not None and self._is_made(value) for value in values)
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)

    def _read(self, node: ast.AST, where: Where, loop: ast.expr | None) -> None:
        kind = node.__class__
        if kind in _SAYING:
            self._say(node, where, loop)
        get = BELOW[kind]
        if get is None:
            return
        if kind in _DIVIDING:
            self._divided(node, where, loop)
            return
        values = get(node)
        if kind is ast.Call:
            func, *arguments = values
            if func.__class__ is ast.Attribute and func.attr in _FILLING:
                # `events.append(...)`: the list is not read here, but filled.
                values = (func.value, *arguments)
        for value in values:
            if value.__class__ is list:
                for item in value:
                    if item is not None:
                        self._read(item, where, loop)
            elif value is not None:
                self._read(value, where, loop)

    def _say(self, node: ast.AST, where: Where, loop: ast.expr | None) -> None:
        """Take in what a node says by itself."""
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, value)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._bind(target, value)
            case ast.NamedExpr(target=target, value=value):
                self._bind(target, value)
            case ast.AugAssign(target=ast.Name(id=name)):
                self._fills.setdefault(name, []).append(_Fill(where, loop, self._function))
            case ast.For(target=target) | ast.AsyncFor(target=target):
                self._bind(target, None)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                for item in items:
                    if item.optional_vars is not None:
                        self._bind(item.optional_vars, None)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._own[node.name] = bool(node.decorator_list) and _yields(node)
            case ast.Call():
                if isinstance(node.func, ast.Name):
                    self._called_here.add(node.func.id)
                self._call(node, where, loop)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in _FILLING:
                # `on_event=events.append`: a call of it has been seen already.
                self._fills.setdefault(name, []).append(_Fill("inner"))
            case ast.Subscript(value=value, slice=index) if is_number(index):
                if where != "inner" and isinstance(node.ctx, ast.Load):
                    self._prove(value)

    def _divided(self, node: ast.AST, where: Where, loop: ast.expr | None) -> None:
        """Read what is below a node of which a part stands elsewhere than the node itself."""
        outer = self._function
        if isinstance(node, (*_CALLABLES, ast.ClassDef)):
            where, loop = "inner", None
            self._function = outer or getattr(node, "name", "")
        if isinstance(node, ast.While):
            # A loop that waits until something has come.
            for inner in walk(node.test):
                if isinstance(inner, ast.Name):
                    self._prove(inner)
        for field, value in ast.iter_fields(node):
            place, inside = where, loop
            if where != "inner" and field in ("body", "orelse", "handlers"):
                if isinstance(node, (ast.For, ast.AsyncFor)) and field == "body":
                    place, inside = "loop", node.iter
                elif isinstance(node, ast.While) and field == "body":
                    place, inside = "loop", None
                elif isinstance(node, ast.If):
                    place = "branch"
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.AST):
                    self._read(item, place, inside)
        self._function = outer

    def _call(self, node: ast.Call, where: Where, loop: ast.expr | None) -> None:
        if not (isinstance(node.func, ast.Name) and node.func.id in _BUILTINS):
            self._handed.update(one.id for one in node.args if isinstance(one, ast.Name))
        match node:
            case ast.Call(func=ast.Attribute(attr="start_soon"), args=[ast.Name(id=name), *_]):
                # A task of a group has ended, or the test has failed, when the group is left.
                self._called_here.add(name)
        match node.func:
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in _FILLING:
                self._fills.setdefault(name, []).append(_Fill(where, loop, self._function))
            case ast.Attribute(value=value, attr="pop" | "popleft" | "popitem" | "index"):
                self._prove(value)
            case ast.Name(id=name) if name in _LOOKING and node.args:
                self._prove(node.args[0])
                match node.args[0]:
                    case ast.Call(args=[value]):
                        self._prove(value)

    def _bind(self, target: ast.expr, value: ast.expr | None) -> None:
        match target:
            case ast.Name(id=name):
                self._bound.setdefault(name, []).append(value)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                plain = not any(isinstance(item, ast.Starred) for item in items)
                if plain and isinstance(value, (ast.Name, ast.Attribute)):
                    self._prove(value)
                for item in items:
                    self._bind(item, None)
            case ast.Starred(value=inner):
                self._bind(inner, None)
            case ast.Subscript(value=ast.Name(id=name)):
                self._fills.setdefault(name, []).append(_Fill("branch"))
            case ast.Attribute() if value is not None and not is_empty(value):
                parts = dotted(target)
                if parts is not None:
                    self._given_parts.add(parts)


def _takes(node: ast.expr, name: str) -> bool:
    """Whether this is a call that is given what has this name."""
    call = node.value if isinstance(node, ast.Await) else node
    if not isinstance(call, ast.Call):
        return False
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(value, ast.Name) and value.id == name for value in given)


def _parametrized(decorator: ast.expr) -> list[str]:
    """The parameters that `pytest.mark.parametrize("a, b", ...)` names."""
    match decorator:
        case ast.Call(func=ast.Attribute(attr="parametrize"), args=[names, *_]):
            strings = [one.value for one in walk(names) if isinstance(one, ast.Constant)]
            return re.findall(r"\w+", ",".join(map(str, strings)))
    return []


def is_number(index: ast.expr) -> bool:
    """Whether this is an index that is written there: `0`, `-1`."""
    if isinstance(index, ast.UnaryOp):
        index = index.operand
    return isinstance(index, ast.Constant) and isinstance(index.value, int)


def _yields(function: ast.AST) -> bool:
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in walk(function))


def truth_of(test: ast.expr, *, holds: bool) -> ast.expr | None:
    """What a condition asks to be there: `x`, `len(x)`, `len(x) > 0`; None for another condition.

    Args:
        test: the condition.
        holds: False for what must not be there, as in `if not x: return`.
    """
    if not holds:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return truth_of(operand, holds=True)
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=0)]):
                return _measured(left)
        return None
    match test:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return test
        case ast.Call():
            return _measured(test)
        case ast.Compare(left=left, ops=[ast.Gt()], comparators=[ast.Constant(value=0)]):
            return _measured(left)
        case ast.Compare(left=left, ops=[ast.GtE()], comparators=[ast.Constant(value=1)]):
            return _measured(left)
    return None


def _measured(node: ast.expr) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[value]):
            return value
    return None


def is_empty(node: ast.expr) -> bool:
    """Whether this makes an empty list, dict, set or queue."""
    match node:
        case ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=func, args=args):
            parts = dotted(func)
            if parts is None or parts[-1] not in _EMPTY_MAKERS:
                return False
            return not args or parts[-1] == "defaultdict"
    return False
