"""Finds where in the files what the suite says of marks and constants stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scopecheck.expressions import Call, Items, Joined, Name
from scopecheck.facts import Extended, Import
from scopecheck.finding import Place
from scopecheck.suite.values import ClassValue, MarkValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scopecheck.expressions import Expression
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item
    from scopecheck.suite.namespace import Namespace

_MAX_HOPS = 8


class FoundMark(NamedTuple):
    """Where a mark stands: the expression that makes it, and `path::Class::function` round it.

    holder: the name of the function or class that it is put on, or the assignment to `pytestmark`.
    """

    place: Place
    symbol: str
    expression: Expression
    space: Namespace
    holder: Place

    @property
    def name(self) -> str:
        """The function, class or file that has the mark."""
        return self.symbol.rpartition("::" if "::" in self.symbol else "/")[2]


def mark_place(suite: Suite, item: Item, wanted: Callable[[MarkValue], bool]) -> Place | None:
    """Where the mark of a test stands; None for one that stands elsewhere (put on by a hook)."""
    found = find_mark(suite, item, wanted)
    return None if found is None else found.place


def find_mark(suite: Suite, item: Item, wanted: Callable[[MarkValue], bool]) -> FoundMark | None:
    """The mark of a test: on itself, else on its class or a base of it, else in its module.

    None for a mark that stands elsewhere (put on by a hook).
    """
    for mark in _marks(suite, item):
        found = suite.evaluator.evaluate(mark.expression, mark.space)
        if isinstance(found, MarkValue) and wanted(found):
            path, span = mark.place.path, first_line(mark.place.span)
            return mark._replace(place=Place(path, span))
    return None


def first_line(span: Span) -> Span:
    """The part of a span on its first line; a call's arguments may go on for pages."""
    if span.line == span.end_line:
        return span
    end = span.column + len("pytest.mark.parametrize")
    return type(span)(span.line, span.column, span.line, end)


def _marks(suite: Suite, item: Item) -> Iterator[FoundMark]:
    """The expressions that may be a mark of the test, nearest first."""
    evaluator = suite.evaluator
    path = item.place.path
    own = evaluator.module(path)
    if own is not None and item.function is not None:
        symbol = "::".join([path, *item.nodeid.split("::")[1:-1], item.function.name])
        for decorator in item.function.decorators:
            place = Place(path, decorator.span)
            yield FoundMark(place, symbol, decorator.expression, own, item.place)
    module = evaluator.module(item.path)
    if module is None:
        return
    space = module
    classes: list[ClassValue] = []
    for part in item.nodeid.split("::")[1:-1]:
        value = evaluator.lookup(space, part)
        if not isinstance(value, ClassValue):
            break
        classes.append(value)
        space = evaluator.class_space(value)
    for value in reversed(classes):
        for holder in suite.linker.lineages.of(value).classes:
            symbol = f"{holder.module}::{holder.class_.name}"
            name = Place(holder.module, holder.class_.span)
            for decorator in holder.class_.decorators:
                place = Place(holder.module, decorator.span)
                yield FoundMark(place, symbol, decorator.expression, holder.env, name)
            yield from _assigned(evaluator.class_space(holder), symbol)
    yield from _assigned(module, item.path)


def _assigned(space: Namespace, symbol: str) -> Iterator[FoundMark]:
    """The marks of `pytestmark` in a module or class."""
    for binding in space.bindings.get("pytestmark", ()):
        value = binding.value.value if isinstance(binding.value, Extended) else binding.value
        if isinstance(value, (Call, Items, Joined, Name)):
            for expression in _parts(value):
                span = expression.span if isinstance(expression, Call) else binding.span
                holder = Place(space.path, binding.span)
                yield FoundMark(Place(space.path, span), symbol, expression, space, holder)


def _parts(expression: Expression) -> Iterator[Expression]:
    match expression:
        case Items():
            for item in expression.items:
                yield from _parts(item)
        case Joined():
            yield from _parts(expression.left)
            yield from _parts(expression.right)
        case _:
            yield expression


def option_places(suite: Suite, fixture: Fixture, option: str) -> Iterator[tuple[Place, str]]:
    """The decorator that gives a fixture an option, and the constant that it takes it from."""
    if fixture.function is None or fixture.path is None:
        return
    space = suite.evaluator.module(fixture.path)
    for decorator in fixture.function.decorators:
        call = decorator.expression
        if not isinstance(call, Call) or (given := call.keyword(option)) is None:
            continue
        if call.span.line == call.span.end_line:
            yield Place(fixture.path, decorator.span), ""
        constant = constant_place(suite, space, given)
        if constant is not None:
            yield constant


def constant_place(
    suite: Suite, space: Namespace | None, expression: Expression
) -> tuple[Place, str] | None:
    """Where a constant that an expression names is bound, and its name."""
    if space is None or not isinstance(expression, Name):
        return None
    *owners, name = expression.parts
    if owners:
        owner = suite.evaluator.evaluate(Name(tuple(owners)), space)
        path = getattr(owner, "path", None)
        space = suite.evaluator.module(path) if isinstance(path, str) else None
    for _ in range(_MAX_HOPS):
        if space is None or name not in space.bindings:
            return None
        binding = space.bindings[name][-1]
        value = binding.value
        if not isinstance(value, Import) or value.name is None:
            return Place(space.path, binding.span), name
        source = suite.evaluator.modules.imported(value, space.path)
        space = None if source is None else suite.evaluator.module(source)
        name = value.name
    return None
