"""Dispatchers, managers and registries that keep the state of one request for many tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.leaks import body_of, runs_in_process, symbol_of
from scopecheck.checks.naming import naming, written
from scopecheck.checks.once import bound_calls, once
from scopecheck.checks.wording import at, scoped, tests
from scopecheck.expressions import Call, Name
from scopecheck.finding import Fault, Place
from scopecheck.source import Span
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Fixture
    from scopecheck.suite.subjects import Subject

_KEEPERS = re.compile(r"(?:Dispatcher|Manager|Registry|Router|Orchestrator|Executor|Toolbox|Hub)$")
# Attributes that hold what belongs to one request or one user.
_OF_ONE = re.compile(
    r"_*(?:(?:current|active|acting)_(?:user|request|session|context|tenant|conversation|agent|run)"
    r"|user|request|context|tenant|conversation)(?:_id|_name)?"
)


class Kept(NamedTuple):
    """An object that outlives a test, with what sets its state of one request.

    subject: of a module; fixture: a wide one that makes it. setters: methods, with the attributes.
    """

    name: str
    maker: str
    setters: dict[str, str]
    subject: Subject | None = None
    fixture: Fixture | None = None


def request_state_kept(suite: Suite) -> Iterator[Fault]:
    """What one test tells a dispatcher of its user, and another test finds."""
    for kept in (*_of_fixtures(suite), *_of_modules(suite)):
        users = {actor: name for actor, name in users_of(suite, kept) if name}
        if any(a.kind != "test" and _sets_again(suite, a, n, kept) for a, n in users.items()):
            continue
        yield from _told(suite, kept, users)


def _of_fixtures(suite: Suite) -> Iterator[Kept]:
    for fixture, path, given in values_of_wide_fixtures(suite):
        found = _keeper(suite, path, given)
        if found is not None:
            yield Kept(fixture.name, *found, fixture=fixture)


def values_of_wide_fixtures(suite: Suite) -> Iterator[tuple[Fixture, str, object]]:
    """Each fixture wider than a test that hands out one value, its file, and what makes the value.

    A name is followed to the one thing that the fixture binds to it; else it is None.
    """
    seen: set[tuple[str, int]] = set()
    for actor in suite.changes.setups:
        fixture = actor.fixture
        if fixture is None or fixture.scope in (None, Scope.FUNCTION) or not fixture.certain:
            continue
        key = (actor.path, fixture.line)
        function = fixture.function
        if key in seen or function is None or function.handout is None or fixture.place is None:
            continue
        seen.add(key)
        if len(function.handout.values) != 1:
            continue
        ((value, _),) = function.handout.values
        given: object = value
        if isinstance(value, Name) and len(value.parts) == 1:
            bound = [b.value for b in function.bindings if b.name == value.parts[0]]
            given = bound[0] if len(bound) == 1 else None
        yield fixture, actor.path, given


def _of_modules(suite: Suite) -> Iterator[Kept]:
    for path, binding in bound_calls(suite):
        value = binding.value
        func = value.func if isinstance(value, Call) else None
        if not isinstance(func, Name) or not _KEEPERS.search(func.parts[-1]):
            continue
        found = _keeper(suite, path, value)
        subject = suite.changes.subjects.resolve(path, None, (binding.name,))
        if found is not None and subject is not None and subject.kind == "object":
            suite.counts(path)
            yield Kept(binding.name, *found, subject=subject)


def _keeper(suite: Suite, path: str, value: object) -> tuple[str, dict[str, str]] | None:
    """The class of an object that keeps the state of a request, and the methods that set it."""
    if not isinstance(value, Call) or not isinstance(value.func, Name):
        return None
    space = suite.evaluator.module(path)
    made = None if space is None else suite.evaluator.evaluate(value.func, space)
    if not isinstance(made, ClassValue) or "site-packages/" in made.module:
        return None
    if not _KEEPERS.search(made.class_.name):
        return None
    setters: dict[str, str] = {}
    for holder in suite.linker.lineages.of(made).classes:
        facts = suite.facts(holder.module)
        for function in () if facts is None else facts.functions:
            if function.owner != holder.index:
                continue
            if function.name.startswith("__") or function.is_generator or not function.parameters:
                continue
            first, *rest = [parameter.name for parameter in function.parameters]
            own = [c for c in function.changes if c.target == (first,)]
            for change in own:
                if change.kind != "attribute" or not _OF_ONE.fullmatch(change.name):
                    continue
                restored = any(c.name == change.name and c.final for c in own)
                if change.value in rest and not restored:
                    setters.setdefault(function.name, change.name)
    return (made.class_.name, setters) if setters else None


def users_of(suite: Suite, kept: Kept) -> Iterator[tuple[Actor, str]]:
    """Who gets the object, and by what name."""
    if kept.subject is not None:
        for actor in naming(suite, kept.subject):
            name = written(suite, actor, kept.subject)
            if name is not None and re.search(
                rf"(?<![\w.]){re.escape(name)}\b", _body(suite, actor)
            ):
                yield actor, name
        return
    assert kept.fixture is not None
    for actor in _requesters(suite).get(kept.fixture, ()):
        if any(parameter.name == kept.fixture.name for parameter in actor.function.parameters):
            yield actor, kept.fixture.name


@once
def _requesters(suite: Suite) -> dict[Fixture, dict[Actor, None]]:
    """The actors that request each definition, in some test, in their order."""
    found: dict[Fixture, dict[Actor, None]] = {}
    for actor in suite.changes.actors:
        asker = actor.fixture if actor.kind == "fixture" else None
        for plan in dict.fromkeys(item.plan for item in actor.items):
            for edge in () if plan is None else plan.edges:
                if edge.asker is asker:
                    found.setdefault(edge.answer, {})[actor] = None
    return found


def _body(suite: Suite, actor: Actor) -> str:
    return body_of(suite, actor).partition("\n")[2] or body_of(suite, actor)


def _sets_again(suite: Suite, actor: Actor, name: str, kept: Kept) -> bool:
    """Whether what is called for each test sets or resets the state, or may."""
    body = body_of(suite, actor)
    attributes = "|".join(map(re.escape, {*kept.setters, *kept.setters.values()}))
    again = rf"\b{re.escape(name)}\.(?:(?:{attributes})\b|\w*(?:reset|clear)\w*\()"
    return re.search(rf"{again}|patch", body) is not None


def _told(suite: Suite, kept: Kept, users: dict[Actor, str]) -> Iterator[Fault]:
    """One finding for each object: who sets its state first, and who finds it."""
    methods = "|".join(map(re.escape, kept.setters))
    setting: list[tuple[Actor, Span, str]] = []
    finding: list[Actor] = []
    for actor, name in users.items():
        if actor.kind != "test" or not runs_in_process(suite, actor):
            continue
        body = body_of(suite, actor)
        found = re.search(rf"\b{re.escape(name)}\.({methods})\(", body)
        if found is None:
            if not re.search(rf"\b{re.escape(name)}\.\w*(?:reset|clear)", body):
                finding.append(actor)
            continue
        attribute = kept.setters[found[1]]
        undone = rf"\b{re.escape(name)}\.(?:\w*(?:reset|clear)\w*\(|{attribute}\s*=)|\bfinally:"
        if not re.search(undone, body):
            setting.append((actor, span_in(actor, body, found), attribute))
    if not setting or not finding:
        return
    actor, span, attribute = min(setting, key=lambda each: (each[0].path, each[1].line))
    affected = frozenset(item.nodeid for each in finding for item in each.items)
    made = made_at(kept)
    place = Place(actor.path, span)
    message = (
        f"`{kept.name}`, one `{kept.maker}` for all tests, keeps `{attribute}` of the request: "
        f"{tests(len(affected))} find{'s' if len(affected) == 1 else ''} what another test has set"
    )
    related = [at(place, "it is set here")]
    if kept.fixture is not None and kept.fixture.scope is not None:
        message = f"{scoped(kept.fixture.scope)} {message}"
    else:
        related = [at(made, f"`{kept.name}` is made here, once for all tests")]
    ordered = sorted(finding, key=lambda each: (each.path, each.function.line))[:3]
    related += [at(Place(a.path, a.function.span), "this test finds it set") for a in ordered]
    yield Fault(
        made if kept.fixture is not None else place,
        message,
        kept.fixture.symbol if kept.fixture is not None else symbol_of(actor),
        tuple(related),
        notes=("whose request it is depends on which tests ran before",),
        help=f"make one `{kept.maker}` for each test, in a function-scoped fixture",
        tests=affected,
    )


def made_at(kept: Kept) -> Place:
    """Where an object that outlives a test is made."""
    if kept.fixture is not None:
        assert kept.fixture.place is not None
        return kept.fixture.place
    assert kept.subject is not None
    line, name = kept.subject.line, kept.subject.name
    return Place(kept.subject.path, Span(line, 1, line, 1 + len(name)))


def span_in(actor: Actor, body: str, found: re.Match[str]) -> Span:
    """Where in its file something stands that was found in an actor's text."""
    line = actor.function.line + body.count("\n", 0, found.start())
    column = found.start() - body.rfind("\n", 0, found.start())
    return Span(line, column, line, column + found.end() - found.start() - 1)
