"""What fixtures ask for while they run: `request.getfixturevalue` with a name that is constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from scopecheck.expressions import Const, Joined, Name
from scopecheck.suite.model import Fixture, Problem
from scopecheck.suite.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.expressions import Call, Expression
    from scopecheck.facts import CallFact, Function
    from scopecheck.suite.model import Item, Scope
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.resolve import Resolver

LOOP_FIXTURES = frozenset({"anyio_backend", "event_loop"})
"""Fixtures with which mismatches are told by the rules about event loops."""


class Lookup(Struct, frozen=True):
    """A name that a fixture's body asks for; nested: in a function inside of it."""

    name: str
    call: Call
    nested: bool
    conditional: bool

    @property
    def is_made(self) -> bool:
        """Whether a set-up that does not fail before is sure to ask."""
        return not (self.nested or self.conditional)


class Lookups:
    """The lookups of one suite's fixtures, and what they get.

    Args:
        evaluator: of the suite.
        resolver: of the suite.
    """

    def __init__(self, evaluator: Evaluator, resolver: Resolver) -> None:
        self._evaluator = evaluator
        self._resolver = resolver
        self._known: dict[Fixture, tuple[Lookup, ...]] = {}

    def of(self, fixture: Fixture) -> tuple[Lookup, ...]:
        """The names that a fixture's own request object is asked for, as far as they are constant.

        Calls whose failure may be caught are left out.
        """
        found = self._known.get(fixture)
        if found is None:
            found = self._known[fixture] = tuple(self._read(fixture))
        return found

    def scope_of(self, item: Item, fixture: Fixture) -> Scope | None:
        """The scope that a fixture has for a test: of its indirect parametrization, or its own."""
        given = item.parametrized.indirect.get(fixture.name, fixture.scope)
        if not isinstance(given, tuple):
            return given
        visible = self._resolver.visible
        scopes = [found[-1].scope for name in given if (found := visible(item.levels, name))]
        known = [scope for scope in scopes if scope is not None]
        return min(known) if known and len(known) == len(scopes) else None

    def answer(self, item: Item, asker: Fixture, name: str) -> Fixture | None:
        """The definition that a lookup in a fixture's body gets for a test, if that is certain."""
        if name in item.parametrized.direct:
            direct = item.parametrized.direct[name]
            return Fixture(name, direct, (), "function", "parametrize", name, pseudo=True)
        visible = self._resolver.visible(item.levels, name)
        if asker.name == name:
            visible = visible[: visible.index(asker)] if asker in visible else ()
        if not visible or not item.parametrized.complete:
            return None
        answer = visible[-1]
        if not answer.certain or not is_settled(item, answer):
            return None
        if answer.path is None and name in LOOP_FIXTURES:
            return None
        return answer

    def made(self, item: Item) -> Iterator[tuple[Fixture, Fixture]]:
        """Who is sure to look something up in the set-up of a test, and what it gets."""
        assert item.plan is not None
        for asker in item.plan.order:
            for lookup in self.of(asker):
                answer = self.answer(item, asker, lookup.name) if lookup.is_made else None
                if answer is not None:
                    yield asker, answer

    def refused(self, item: Item) -> Iterator[Problem]:
        """What pytest raises for a lookup of something narrower, in the order of the set-up."""
        for asker, answer in self.made(item):
            scope, asked = self.scope_of(item, asker), answer.scope
            if scope is not None and asked is not None and scope > asked:
                yield Problem("scope-mismatch", answer.name, (asker,), answer, asked, scope)

    def _read(self, fixture: Fixture) -> Iterator[Lookup]:
        function = fixture.function
        if function is None or fixture.path is None or not fixture.certain:
            return
        if all(request.name != "request" for request in fixture.requests):
            return
        body = function.body
        for fact in () if body is None else body.calls:
            call = fact.call
            if fact.under == "caught" or not _is_own_request(function, fact):
                continue
            argument = call.args[0] if call.args else call.keyword("argname")
            name = None if argument is None else self._constant(fixture, function, argument)
            if name and name != "request":
                yield Lookup(name, call, fact.nested, fact.under == "condition")

    def _constant(self, fixture: Fixture, function: Function, expression: Expression) -> str | None:
        """The text of an expression in a fixture's body, if it is the same on every run."""
        match expression:
            case Const(value=str(text)):
                return text
            case Joined():
                left = self._constant(fixture, function, expression.left)
                right = self._constant(fixture, function, expression.right)
                return None if left is None or right is None else left + right
            case Name(parts=parts):
                body = function.body
                if body is None or parts[0] in body.inner_parameters:
                    return None
                if any(parameter.name == parts[0] for parameter in function.parameters):
                    return None
                if parts[0] in body.locals:
                    bound = [each for each in function.bindings if each.name == parts[0]]
                    if len(bound) != 1 or len(parts) > 1 or not isinstance(bound[0].value, Const):
                        return None
                    return bound[0].value.value if isinstance(bound[0].value.value, str) else None
                space = self._evaluator.module(fixture.path or "")
                assert space is not None
                return text_of(self._evaluator.evaluate(expression, space))
        return None


def is_settled(item: Item, fixture: Fixture) -> bool:
    """Whether nothing unseen and nearer to the test can take the definition's place."""
    name = fixture.name
    if any(level.generates_any or name in level.generates for level in item.levels):
        return False
    for level in reversed(item.levels):
        if fixture in level.fixtures.get(name, ()):
            return True
        if (not level.complete or name in level.unseen) and not fixture.pseudo:
            return False
    return True


def _is_own_request(function: Function, fact: CallFact) -> bool:
    """Whether a call is one of `getfixturevalue` on the fixture's `request` or an alias of it."""
    func = fact.call.func
    if not isinstance(func, Name) or len(func.parts) != 2 or func.parts[1] != "getfixturevalue":
        return False
    body, name = function.body, func.parts[0]
    if body is None or (fact.nested and name in body.inner_parameters):
        return False
    if name == "request":
        return name not in body.locals
    bound = [binding.value for binding in function.bindings if binding.name == name]
    return bool(bound) and all(value == Name(("request",)) for value in bound)
