"""Says which tests the names in a hook stand for, and what its conditions ask of them."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import msgspec

from scopecheck.expressions import Const, Opaque
from scopecheck.hook_facts import ITEM, Condition
from scopecheck.read.conditions import truth
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from scopecheck.expressions import Expression
    from scopecheck.read.expressions import ExpressionReader

    Conditions: TypeAlias = tuple[Condition, ...]

UNDECIDED = Condition(Opaque())
"""What nothing decides."""
NEVER = Condition(Const(False))

_ITERATES = frozenset({"list", "tuple", "sorted", "set"})
# Of a condition on the tests of a generator: it is asked of each when its turn comes.
_LATER = -1
_RELATIONS: dict[type[ast.cmpop], tuple[Literal["is", "==", "in"], bool]] = {
    ast.Is: ("is", True),
    ast.IsNot: ("is", False),
    ast.Eq: ("==", True),
    ast.NotEq: ("==", False),
    ast.In: ("in", True),
    ast.NotIn: ("in", False),
}
_MAX_DEPTH = 8


class NamesOfTest:
    """The local names of one function.

    tests: names that stand for the one test. items: names of sequences of tests, with what holds
        of each of those. values: what other names stand for.
    parameters: the function's. once: names that are given a value in one place.
    now: the function's time, see `MarkAddition`.
    """

    __test__ = False

    def __init__(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, expressions: ExpressionReader
    ) -> None:
        arguments = function.args
        self.parameters = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
        self.tests: set[str] = set()
        self.items: dict[str, Conditions] = {}
        self.values: dict[str, ast.expr] = {}
        stored = Counter(
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        )
        self.once = frozenset(name for name, count in stored.items() if count == 1)
        self.now = 0
        self._expressions = expressions
        self._times: dict[str, int] = {}

    def keep(self, name: str, value: ast.expr) -> None:
        """A name stands for a value that is found now."""
        self.values[name] = value
        self._times[name] = self.now

    def read(self, node: ast.expr) -> Expression:
        """An expression's form, local names replaced by what they stand for."""
        return self._expressions.read(_Replaced(self).of(node))

    def meant(self, node: ast.expr) -> ast.expr:
        """What a name stands for, if it is a local one."""
        for _ in range(_MAX_DEPTH):
            if not (isinstance(node, ast.Name) and node.id in self.values):
                break
            node = self.values[node.id]
        return node

    @contextmanager
    def naming(self, test: str) -> Iterator[None]:
        """One more name stands for the test."""
        before = set(self.tests)
        self.tests.add(test)
        yield
        self.tests = before

    def sequence(self, node: ast.expr) -> Conditions | None:
        """What holds of each test of a sequence of tests; None for anything else."""
        match node:
            case ast.Name(id=name):
                return self.items.get(name)
            case ast.Attribute(attr="items"):
                parts = dotted(node)
                return () if parts is not None and parts[-2:] == ("session", "items") else None
            case ast.Subscript(slice=ast.Slice(lower=None, upper=None, step=None)):
                return self.sequence(node.value)
            case ast.Call(func=ast.Attribute(attr="copy", value=value), args=[]):
                return self.sequence(value)
            case ast.Call(func=ast.Name(id="filter"), args=[asked, value]):
                return self._filtered(asked, value)
            case ast.Call(func=ast.Name(id=name), args=[value, *_]) if name in _ITERATES:
                return self.gone_over(self.sequence(value))
            case ast.Call(func=ast.Name(id="iter" | "reversed"), args=[value]):
                return self.sequence(value)
            case ast.ListComp(elt=ast.Name(id=name), generators=[one]):
                if isinstance(one.target, ast.Name) and one.target.id == name:
                    return self.gone_over(self.selected(one))
            case ast.GeneratorExp(elt=ast.Name(id=name), generators=[one]):
                if isinstance(one.target, ast.Name) and one.target.id == name:
                    return self.selected(one)
        return None

    def gone_over(self, sequence: Conditions | None) -> Conditions | None:
        """The same, where what is asked of each test when its turn comes is asked now."""
        if sequence is None:
            return None
        return tuple(_at(one, self.now) if one.since == _LATER else one for one in sequence)

    def selected(self, generator: ast.comprehension) -> Conditions | None:
        """What holds of each test that a comprehension goes over, when its turn comes."""
        sequence = self.sequence(generator.iter)
        target = generator.target
        if sequence is None or not isinstance(target, ast.Name):
            return None
        return (*sequence, *self._of(target.id, generator.ifs))

    def _filtered(self, asked: ast.expr, value: ast.expr) -> Conditions | None:
        sequence = self.sequence(value)
        if sequence is None:
            return None
        match asked:
            case ast.Lambda(args=ast.arguments(args=[parameter]), body=body):
                return (*sequence, *self._of(parameter.arg, [body]))
            case ast.Name() | ast.Attribute():
                test = ast.copy_location(ast.Name(ITEM, ast.Load()), asked)
                call = ast.copy_location(ast.Call(asked, [test], []), asked)
                return (*sequence, Condition(self.read(call), since=_LATER))
        return (*sequence, UNDECIDED)

    def _of(self, name: str, tests: Iterable[ast.expr]) -> Conditions:
        """The conditions that all of these set for the test of this name."""
        with self.naming(name):
            found = [one for test in tests for one in self.conditions(test, True)]
        return tuple(_at(one, _LATER) for one in found)

    def conditions(self, test: ast.expr, holds: bool) -> Conditions:
        """What is known where a test is true, or where it is not."""
        known = truth(test)
        if known is not None:
            return () if known is holds else (NEVER,)
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.conditions(operand, not holds)
            case ast.BoolOp(op=op, values=values):
                each = tuple(self.conditions(value, holds) for value in values)
                if isinstance(op, ast.And) is holds:
                    return tuple(one for conditions in each for one in conditions)
                return (any_of(each, self.now),)
            case ast.NamedExpr(value=value):
                return self.conditions(value, holds)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _RELATIONS:
                relation, positive = _RELATIONS[type(op)]
                first, second = self.read(left), self.read(right)
                since = self._since(left)
                return (Condition(first, relation, second, holds is positive, since=since),)
            case ast.Name(id=name) if name in self.values:
                value, now = self.values.pop(name), self.now
                self.now = self._times[name]
                found = self.conditions(value, holds)
                self.values[name], self.now = value, now
                return found
            case ast.Call(func=ast.Name(id="bool"), args=[value]):
                return self.conditions(value, holds)
        return (Condition(self.read(test), holds=holds, since=self._since(test)),)

    def _since(self, node: ast.expr) -> int:
        """When what an expression says was found."""
        names = (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
        times = (self._times[name] for name in names if name in self.values)
        return min(times, default=self.now)


def any_of(each: Iterable[Conditions], since: int) -> Condition:
    """One of these must hold whole."""
    return Condition(Opaque(), "or", either=tuple(each), since=since)


def _at(condition: Condition, time: int) -> Condition:
    """The condition, asked at another time."""
    either = tuple(tuple(_at(one, time) for one in each) for each in condition.either)
    return msgspec.structs.replace(condition, since=time, either=either)


class _Replaced(ast.NodeTransformer):
    """Puts ITEM for the names of the test, and for other local names what they stand for."""

    def __init__(self, names: NamesOfTest) -> None:
        self._names = names
        self._depth = 0

    def of(self, node: ast.expr) -> ast.expr:
        """A copy of the expression with its names replaced."""
        return self.visit(copy.deepcopy(node))  # type: ignore[no-any-return]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The name, or what it stands for."""
        if node.id in self._names.tests:
            return ast.copy_location(ast.Name(ITEM, ast.Load()), node)
        value = self._names.values.get(node.id)
        if value is None or self._depth > _MAX_DEPTH:
            return node
        self._depth += 1
        found = self.of(value)
        self._depth -= 1
        return found
