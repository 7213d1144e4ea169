"""Contexts of users, requests and sessions that several tests, or several users, get one of."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import body_of, runs_in_process, symbol_of
from scopecheck.checks.wording import at, scoped, tests
from scopecheck.facts import Call, Items, Mapping, Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_container, is_in_place
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue, FunctionValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Expression
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Fixture

_DEFAULTS = ("*Context", "*Session", "create_*_context")
# Tests whose name says that two users, or two contexts, are kept apart.
_APART = re.compile(
    r"isolat|(?:other|another|different|separate|two|both|cross|multiple)_?(?:user|client|session"
    r"|tenant|context|connection)|users_(?:do_not|dont|cannot|see|share)|concurrent_users"
)


def shared_context(suite: Suite) -> Iterator[Fault]:
    """SCP404: a context outlives a test, or is given to two users."""
    globs = suite.options.context_factories
    made = {f: _maker(suite, f, globs or _DEFAULTS, told=globs is not None) for f in suite.fixtures}
    told: set[tuple[str, int]] = set()
    for fixture, maker in made.items():
        if maker is None or fixture.scope in (None, Scope.FUNCTION) or fixture.place is None:
            continue
        key = (fixture.path or "", fixture.line)
        users = _requesting(suite, fixture)
        if key in told or len(users) < 2 or _is_reset(suite, fixture):
            continue
        told.add(key)
        yield Fault(
            fixture.place,
            f"{scoped(fixture.scope)} `{fixture.name}` makes one `{maker}` for "
            f"{tests(len(users))}: what one leaves in it, the others find",
            fixture.symbol,
            notes=("a context belongs to one user and one test",),
            help=f"give `{fixture.name}` function scope, or let it return what makes a context",
            tests=users,
        )
    yield from _given_twice(suite, made)


def _requesting(suite: Suite, fixture: Fixture) -> frozenset[str]:
    """The tests that get a fixture's value themselves, or through a fixture of theirs."""
    return frozenset(
        item.nodeid
        for item in suite.items
        if item.plan is not None
        and any(edge.asker is None and edge.answer is fixture for edge in item.plan.edges)
    )


def _maker(suite: Suite, fixture: Fixture, globs: tuple[str, ...], *, told: bool) -> str | None:
    """The name of the context that a fixture makes, if it makes one that can be changed."""
    if fixture.function is None or fixture.path is None or not fixture.certain or fixture.pseudo:
        return None
    function = fixture.function
    if function.handout is None or len(function.handout.values) != 1:
        return None
    ((expression, _),) = function.handout.values
    if isinstance(expression, Name) and len(expression.parts) == 1:
        bound = [b.value for b in function.bindings if b.name == expression.parts[0]]
        if len(bound) != 1:
            return None
        expression = bound[0]  # type: ignore[assignment]
    return _made(suite, fixture.path, expression, globs, told=told)


def _made(
    suite: Suite, path: str, expression: Expression, globs: tuple[str, ...], *, told: bool
) -> str | None:
    if not isinstance(expression, Call) or not isinstance(expression.func, Name):
        return None
    name = expression.func.parts[-1]
    if not any(fnmatchcase(name, glob.rpartition(".")[2]) for glob in globs):
        return None
    space = suite.evaluator.module(path)
    found = None if space is None else suite.evaluator.evaluate(expression.func, space)
    if isinstance(found, ClassValue) and "site-packages/" not in found.module:
        return name if told or _can_change(suite, found) else None
    if isinstance(found, FunctionValue) and "site-packages/" not in found.module:
        returned = suite.changes.returned(found.module, found.function)
        if told:
            return name
        inner = (
            None if returned is None else _made(suite, found.module, returned, ("*",), told=False)
        )
        return None if inner is None else name
    return None


def _can_change(suite: Suite, value: ClassValue) -> bool:
    """Whether an object of a class keeps a container, or has a method that changes it."""
    for decorator in value.class_.decorators:
        expression = decorator.expression
        if isinstance(expression, Call):
            frozen = expression.keyword("frozen")
            if frozen is not None and getattr(frozen, "value", None) is True:
                return False
    lineage = suite.linker.lineages.of(value)
    for holder in lineage.classes:
        space = suite.evaluator.class_space(holder)
        for bindings in space.bindings.values():
            for binding in bindings:
                if _is_container_field(binding.value):
                    return True
        facts = suite.facts(holder.module)
        for function in () if facts is None else facts.functions:
            if function.owner != holder.index or function.effects is None:
                continue
            first = function.parameters[0].name if function.parameters else ""
            for change in function.effects.changes:
                own = change.target[:1] == (first,)
                if own and function.name != "__init__" and is_in_place(change):
                    return True
    return False


def _is_container_field(value: object) -> bool:
    """Whether a class body gives its objects a container: `field(default_factory=list)`."""
    if isinstance(value, (Items, Mapping)) and not value.items:
        return True
    if not isinstance(value, Call):
        return False
    factory = value.keyword("default_factory")
    if isinstance(factory, Name):
        return is_container(Call(factory, (), (), value.span))
    return False


def _is_reset(suite: Suite, fixture: Fixture) -> bool:
    """Whether another fixture, or an xunit function, empties or resets what a fixture keeps."""
    reset = re.compile(rf"\b{re.escape(fixture.name)}\b[\w.]*\.(?:\w*reset\w*|clear)\(")
    return any(
        actor.kind in ("fixture", "xunit") and reset.search(body_of(suite, actor))
        for actor in suite.changes.actors
    )


# -- one context for two users -------------------------------------------------------------------


def _given_twice(suite: Suite, made: dict[Fixture, str | None]) -> Iterator[Fault]:
    """A test about users kept apart that gives two of them one context."""
    for actor in suite.changes.actors:
        effects = actor.function.effects
        if effects is None or actor.kind != "test" or not _APART.search(actor.function.name):
            continue
        if not runs_in_process(suite, actor):
            continue
        seen: dict[object, Place] = {}
        for passed in effects.passed:
            for _, path in passed.arguments:
                maker = _context(actor, path, made)
                if maker is None or passed.nested:
                    continue
                place = Place(actor.path, passed.span)
                before = seen.setdefault((passed.function, path), place)
                if before is not place:
                    called = ".".join(passed.function)
                    yield Fault(
                        place,
                        f"`{'.'.join(path)}` is given to `{called}` a second time: the two share "
                        f"one `{maker}`, so that they cannot be kept apart",
                        symbol_of(actor),
                        (at(before, "it is given here first"),),
                        notes=("both are the same user, whatever the names say",),
                        help=f"make a second `{maker}` for the second one",
                        tests=frozenset(item.nodeid for item in actor.items),
                    )


def _context(actor: Actor, path: tuple[str, ...], made: dict[Fixture, str | None]) -> str | None:
    if len(path) != 1:
        return None
    for item in actor.items:
        assert item.plan is not None
        for edge in item.plan.edges:
            if edge.asker is None and edge.request == path[0]:
                return made.get(edge.answer)
    return None
