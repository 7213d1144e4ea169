"""Finds where in the files what the suite says of marks and constants stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.facts import Call, Import, Items, Joined, Name
from scopecheck.finding import Place
from scopecheck.suite.values import ClassValue, MarkValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scopecheck.facts import Expression
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item
    from scopecheck.suite.names import Namespace

_MAX_HOPS = 8


def mark_place(suite: Suite, item: Item, wanted: Callable[[MarkValue], bool]) -> Place | None:
    """Where the mark of a test stands: on itself, else on its class, else in its module.

    None for a mark that stands elsewhere (on a base class, or put on by a hook).
    """
    for path, space, expression, span in _marks(suite, item):
        found = suite.evaluator.evaluate(expression, space)
        if isinstance(found, MarkValue) and wanted(found):
            return Place(path, first_line(span))
    return None


def first_line(span: Span) -> Span:
    """The part of a span on its first line; a call's arguments may go on for pages."""
    if span.line == span.end_line:
        return span
    end = span.column + len("pytest.mark.parametrize")
    return type(span)(span.line, span.column, span.line, end)


def _marks(suite: Suite, item: Item) -> Iterator[tuple[str, Namespace, Expression, Span]]:
    """The expressions that may be a mark of the test, nearest first."""
    evaluator = suite.evaluator
    own = evaluator.module(item.place.path)
    if own is not None and item.function is not None:
        for decorator in item.function.decorators:
            yield item.place.path, own, decorator.expression, decorator.span
    space = evaluator.module(item.path)
    if space is None:
        return
    spaces = [space]
    for part in item.nodeid.split("::")[1:-1]:
        value = evaluator.lookup(spaces[-1], part)
        if not isinstance(value, ClassValue) or value.module != item.path:
            break
        for decorator in value.class_.decorators:
            yield item.path, spaces[-1], decorator.expression, decorator.span
        spaces.append(evaluator.class_space(value))
    for each in reversed(spaces):
        for binding in each.bindings.get("pytestmark", ()):
            if isinstance(binding.value, (Call, Items, Joined, Name)):
                for expression in _parts(binding.value):
                    span = expression.span if isinstance(expression, Call) else binding.span
                    yield item.path, each, expression, span


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
        modules = suite.evaluator.modules
        if value.level:
            source = modules.relative(value.module, space.path, value.level)
        else:
            source = modules.find(value.module, space.path)
        space = None if source is None else suite.evaluator.module(source)
        name = value.name
    return None
