"""Says which tests the names in a hook stand for, and what its conditions ask of them."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from scopecheck.facts import ITEM, Condition, Const, Opaque
from scopecheck.read.conditions import truth
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from scopecheck.facts import Expression
    from scopecheck.read.expressions import ExpressionReader

    Conditions: TypeAlias = tuple[Condition, ...]

UNDECIDED = Condition(Opaque())
"""What nothing decides."""
NEVER = Condition(Const(False))

_ITERATES = frozenset({"list", "tuple", "sorted", "reversed", "iter", "set"})
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
        self._expressions = expressions

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

    # -- sequences of tests --------------------------------------------------------------------

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
                return self.sequence(value)
            case (
                ast.ListComp(elt=elt, generators=[one])
                | ast.GeneratorExp(elt=elt, generators=[one])
            ):
                if isinstance(elt, ast.Name) and isinstance(one.target, ast.Name):
                    return self.selected(one) if elt.id == one.target.id else None
        return None

    def selected(self, generator: ast.comprehension) -> Conditions | None:
        """What holds of each test that a comprehension goes over."""
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
                return (*sequence, Condition(self.read(call)))
        return (*sequence, UNDECIDED)

    def _of(self, name: str, tests: Iterable[ast.expr]) -> Conditions:
        """The conditions that all of these set for the test of this name."""
        with self.naming(name):
            return tuple(one for test in tests for one in self.conditions(test, True))

    # -- conditions ----------------------------------------------------------------------------

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
                return (any_of(each),)
            case ast.NamedExpr(value=value):
                return self.conditions(value, holds)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _RELATIONS:
                relation, positive = _RELATIONS[type(op)]
                return (Condition(self.read(left), relation, self.read(right), holds is positive),)
            case ast.Name(id=name) if name in self.values:
                value = self.values.pop(name)
                found = self.conditions(value, holds)
                self.values[name] = value
                return found
            case ast.Call(func=ast.Name(id="bool"), args=[value]):
                return self.conditions(value, holds)
        return (Condition(self.read(test), holds=holds),)


def any_of(each: Iterable[Conditions]) -> Condition:
    """One of these must hold whole."""
    return Condition(Opaque(), "or", either=tuple(each))


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
