"""What cached functions return, changed by a test for everybody who calls them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.leaks import body_of, judge, runs_in_process, symbol_of, tests_of
from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at, tests
from scopecheck.expressions import Call, Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_container, is_in_place, is_test_code
from scopecheck.suite.values import ClassValue, External

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Change, FileFacts, Function
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Fixture

_CACHES = frozenset({"functools.lru_cache", "functools.cache"})


class _Cached(NamedTuple):
    """A cached function. kind: of what it returns, a container or an object of a class."""

    path: str
    function: Function
    kind: str

    @property
    def name(self) -> str:
        return self.function.name


class _Use(NamedTuple):
    """A change of what a call of a cached function gave: `settings('a')`."""

    change: Change
    cached: _Cached
    arguments: str


@looks("far")
def cached_helper(suite: Suite) -> Iterator[Fault]:
    """SCP411: a test changes what a cached function returns."""
    cached = list(_cached(suite))
    names = "|".join(re.escape(each.name) for each in cached)
    calls = re.compile(rf"\b(?:{names})\(")
    given = dict(_given(suite, cached)) if cached else {}
    for actor in suite.changes.actors if cached else ():
        requests = dict(_requests(actor, given))
        if not requests and not suite.occurs(actor.path, _lines(actor), calls):
            continue
        if not runs_in_process(suite, actor):
            continue
        told: set[tuple[str, int]] = set()
        for use in _uses(suite, actor, cached, requests):
            key = (use.cached.path, use.cached.function.line)
            if key in told:
                continue
            fault = _fault(suite, actor, use)
            if fault is not None:
                told.add(key)
                yield fault


def _lines(actor: Actor) -> tuple[int, int]:
    return actor.function.line, actor.function.end_line


def _cached(suite: Suite) -> Iterator[_Cached]:
    """The cached functions of the project that return something that can be changed."""
    for path in sorted(suite.own_files):
        names = suite.found(path, _decorator_names) or ()
        caches = {parts for parts in names if _is_cache(suite, path, Name(parts))}
        facts = suite.facts(path) if caches else None
        for function in () if facts is None else facts.functions:
            if function.owner >= 0 or caches.isdisjoint(_decorators(function)):
                continue
            suite.counts(path)
            returned = suite.changes.returned(path, function)
            if is_container(returned):
                yield _Cached(path, function, "container")
            elif isinstance(returned, Call) and isinstance(returned.func, Name):
                space = suite.evaluator.module(path)
                made = None if space is None else suite.evaluator.evaluate(returned.func, space)
                if isinstance(made, ClassValue) and "site-packages/" not in made.module:
                    yield _Cached(path, function, "object")


def _decorator_names(facts: FileFacts) -> tuple[tuple[str, ...], ...]:
    """The names of the decorators of a file's functions."""
    plain = (function for function in facts.functions if function.owner < 0)
    return tuple(dict.fromkeys(name for function in plain for name in _decorators(function)))


def _decorators(function: Function) -> Iterator[tuple[str, ...]]:
    """The names of a function's decorators."""
    for decorator in function.decorators:
        expression = decorator.expression
        func = expression if isinstance(expression, Name) else getattr(expression, "func", None)
        if isinstance(func, Name):
            yield func.parts


def _is_cache(suite: Suite, path: str, func: Name) -> bool:
    space = suite.evaluator.module(path)
    if space is None:
        return False
    found = suite.evaluator.evaluate(func, space)
    if isinstance(found, External) and found.name in _CACHES:
        return True
    if func.parts[-1] in ("lru_cache", "cache"):
        resolved = suite.changes.subjects.resolve(path, None, func.parts)
        return resolved is not None and resolved.name in _CACHES
    return False


def _given(suite: Suite, cached: list[_Cached]) -> Iterator[tuple[Fixture, _Cached]]:
    """The fixtures that hand out what a cached function without arguments returns."""
    for fixture in suite.fixtures:
        function = fixture.function
        handout = None if function is None else function.handout
        if fixture.path is None or handout is None or len(handout.values) != 1:
            continue
        ((value, _),) = handout.values
        if isinstance(value, Call) and isinstance(value.func, Name):
            if value.args or value.keywords:
                continue
            found = _resolved(suite, fixture.path, value.func.parts, cached)
            if found is not None:
                yield fixture, found


def _resolved(
    suite: Suite, path: str, parts: tuple[str, ...], cached: list[_Cached]
) -> _Cached | None:
    subject = suite.changes.subjects.resolve(path, None, parts)
    if subject is None or subject.kind != "function" or subject.rest:
        return None
    for each in cached:
        if (each.path, each.function.line) == (subject.path, subject.line):
            return each
    return None


def _requests(actor: Actor, given: dict[Fixture, _Cached]) -> Iterator[tuple[str, _Cached]]:
    """The parameters that get what a cached function returns."""
    asker = actor.fixture if actor.kind == "fixture" else None
    for item in actor.items if given else ():
        for edge in () if item.plan is None else item.plan.edges:
            if edge.asker is asker and edge.answer in given:
                yield edge.request, given[edge.answer]


def _uses(
    suite: Suite, actor: Actor, cached: list[_Cached], requests: dict[str, _Cached]
) -> Iterator[_Use]:
    for change in suite.changes.whole(actor).changes:
        if not change.target or change.final or change.nested or change.condition:
            continue
        root, *rest = change.target
        if root in requests:
            use = _Use(change, requests[root], "")
        else:
            last = next((part for part in change.target if "(" in part), "")
            end = change.target.index(last) if last else 0
            name, _, arguments = last.partition("(")
            if not any(each.name == name for each in cached):
                continue
            target = (*change.target[:end], name)
            subject = suite.changes.subjects.resolve(
                actor.path, actor.function, target, change.imported
            )
            if subject is None or subject.kind != "function" or subject.rest:
                continue
            found = _resolved(suite, subject.path, (subject.name,), cached)
            if found is None:
                continue
            rest = list(change.target[end + 1 :])
            use = _Use(change, found, arguments.removesuffix(")"))
        if _is_of_kind(change, tuple(rest), use.cached) and "?" not in use.arguments:
            yield use


def _is_of_kind(change: Change, rest: tuple[str, ...], cached: _Cached) -> bool:
    """Whether a change is one of what the function keeps: of its items, or of its object."""
    if cached.kind == "container":
        return is_in_place(change) and change.kind != "attribute"
    return change.kind == "attribute" and not rest


def _fault(suite: Suite, actor: Actor, use: _Use) -> Fault | None:
    cached = use.cached
    clears = re.compile(rf"\b{re.escape(cached.name)}\.cache_clear\b")
    around = [actor, *(other for item in actor.items for other in suite.changes.around(item))]
    if any(clears.search(body_of(suite, other)) for other in around):
        return None
    if cached.kind == "object" and not _is_left(suite, actor, use):
        return None
    met = list(_met(suite, actor, use))
    affected = {item.nodeid for other in met for item in other.items}
    shown = f"`{cached.name}({use.arguments})`"
    if cached.kind == "container":
        gets = "gets" if len(affected) == 1 else "get"
        message = f"what {shown} returns is cached, and is changed here: "
        message += f"{tests(len(affected))} {gets} the changed value"
        advice = "change a copy, or do not cache what can be changed"
    else:
        name = use.change.name
        message = (
            f"`{name}` of what {shown} returns is changed here and never put back: it is cached"
        )
        advice = f"use `monkeypatch.setattr`, or call `{cached.name}.cache_clear()` after the test"
    if not met and (cached.kind == "container" or not _is_called_by_code(suite, cached)):
        return None
    return Fault(
        Place(actor.path, use.change.span),
        message,
        symbol_of(actor),
        (at(Place(cached.path, cached.function.span), "it is cached here"),),
        notes=("what they find depends on which tests ran before",)
        if met
        else ("the code under test gets the changed value in every test that runs later",),
        help=advice,
        tests=frozenset(affected) or tests_of(actor),
    )


def _is_called_by_code(suite: Suite, cached: _Cached) -> bool:
    """Whether the code under test names the function elsewhere than where it is defined."""
    word = re.compile(rf"(?<!def )(?<![\w.]){re.escape(cached.name)}\b")
    for path in suite.own_files:
        if not is_test_code(path) and cached.name in suite.text(path):
            found = word.findall(suite.text(path))
            if len(found) > (0 if path == cached.path else 1):
                return True
    return False


def _is_left(suite: Suite, actor: Actor, use: _Use) -> bool:
    """Whether an attribute of a cached object keeps the value that it is given."""
    change = use.change

    def touches(_: Actor, other: Change) -> bool:
        if other.target == ("monkeypatch",):
            return change.name in re.split(r"\W", other.key)
        return other.target == change.target and other.name == change.name

    words = re.compile(rf"\.{re.escape(change.name)}\s*=[^=]|(?:setattr|object)\(.*{change.name}")
    return judge(suite, actor, change, touches, lambda _: True, words) == "left"


def _met(suite: Suite, actor: Actor, use: _Use) -> Iterator[Actor]:
    """The other tests that call the function with the same arguments."""
    name = re.escape(use.cached.name)
    call = re.compile(rf"(?<!\w){name}\(([^()]*)\)")
    for other in suite.changes.actors:
        if other is actor or other.kind not in ("test", "fixture"):
            continue
        given = {_plain(found) for found in call.findall(body_of(suite, other))}
        if _plain(use.arguments) not in given or not _names_same(suite, other, use.cached):
            continue
        if other.kind == "fixture" and actor in (other, *_tests_of(suite, other)):
            continue
        yield other


def _tests_of(suite: Suite, fixture: Actor) -> Iterator[Actor]:
    tests_ = {id(item) for item in fixture.items}
    for actor in suite.changes.actors:
        if actor.kind == "test" and any(id(item) in tests_ for item in actor.items):
            yield actor


def _plain(arguments: str) -> str:
    return re.sub(r"\s+", "", arguments).replace("'", '"').rstrip(",")


def _names_same(suite: Suite, actor: Actor, cached: _Cached) -> bool:
    """Whether a file calls that function by its name."""
    body = body_of(suite, actor)
    for written in set(re.findall(rf"(?<![\w.])([\w.]*\b{re.escape(cached.name)})\(", body)):
        found = suite.changes.subjects.resolve(
            actor.path, actor.function, tuple(written.split("."))
        )
        if found is not None and found.kind == "function":
            return (found.path, found.line) == (cached.path, cached.function.line)
    return False
