"""What is made once and handed out again: defaults, parameters of pytest, cached values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import body_of, runs_in_process, symbol_of
from scopecheck.checks.wording import at, tests
from scopecheck.facts import Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_container, is_in_place, is_test_code
from scopecheck.suite.values import External

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Change, Function
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Item

_CACHES = frozenset({"functools.lru_cache", "functools.cache"})


def mutable_parametrize(suite: Suite) -> Iterator[Fault]:
    """SCP408: a test changes a container that `parametrize` gives it more than once."""
    for actor in suite.changes.actors:
        effects = actor.function.effects
        if effects is None or actor.kind != "test" or not effects.mutable_parameters:
            continue
        again = [item for item in actor.items if not item.testcase and _runs_again(item)]
        for name in dict.fromkeys(effects.mutable_parameters):
            change = _change_of(actor, name)
            if change is None or not any(name in item.parametrized.direct for item in again):
                continue
            yield Fault(
                Place(actor.path, change.span),
                f"the value of the parameter `{name}` is changed, and pytest passes the same "
                "object again under the other parameters",
                symbol_of(actor),
                notes=("a value in `parametrize` is made once, when the module is imported",),
                help=f"change a copy of `{name}`",
                tests=frozenset(item.nodeid for item in again),
            )


def _runs_again(item: Item) -> bool:
    """Whether a value of one parameter meets several of another."""
    marks = sum(mark.name == "parametrize" for mark in item.marks)
    fixtures = () if item.plan is None else item.plan.order
    return marks > 1 or any(fixture.has_params for fixture in fixtures)


def _change_of(actor: Actor, name: str) -> Change | None:
    """The first change in place of what a parameter is given."""
    for change in actor.changes:
        if change.target[:1] != (name,) or change.kind == "attribute" or change.final:
            continue
        # Given again each time, an item or an update is what it was the time before.
        if change.kind == "item" or change.name in ("update", "setdefault", "sort"):
            continue
        if is_in_place(change) and all(part == "[]" for part in change.target[1:]):
            return change
    return None


def mutable_default(suite: Suite) -> Iterator[Fault]:
    """SCP409: a function of the tests changes a container that is its default argument."""
    paths = sorted({*suite.files.test_files, *suite.files.conftests, *suite.own_files})
    for path in paths:
        facts = suite.facts(path) if is_test_code(path) else None
        for function in () if facts is None else facts.functions:
            effects = function.effects
            for name in () if effects is None else effects.mutable_defaults:
                fault = _default_fault(path, function, name)
                if fault is not None:
                    yield fault


def _default_fault(path: str, function: Function, name: str) -> Fault | None:
    assert function.effects is not None
    for change in function.effects.changes:
        if change.target == (name,) and is_in_place(change) and change.kind != "attribute":
            place = next(p.span for p in function.parameters if p.name == name)
            return Fault(
                Place(path, place),
                f"the default of `{name}` is made once, and `{function.name}` changes it: each "
                "call finds what the calls before have left",
                f"{path}::{function.name}",
                (at(Place(path, change.span), "it is changed here"),),
                help=f"make the default None, and a new one inside of `{function.name}`",
            )
    return None


def cached_helper(suite: Suite) -> Iterator[Fault]:
    """SCP411: a test changes what a cached function returns."""
    for actor in suite.changes.actors:
        if not runs_in_process(suite, actor):
            continue
        told: set[str] = set()
        for change in actor.changes:
            root = change.target[0] if change.target else ""
            if not root.endswith("()") or root in told or change.final or change.nested:
                continue
            if not is_in_place(change) or change.kind == "attribute":
                continue
            fault = _cached_fault(suite, actor, change, root.removesuffix("()"))
            if fault is not None:
                told.add(root)
                yield fault


def _cached_fault(suite: Suite, actor: Actor, change: Change, name: str) -> Fault | None:
    subject = suite.changes.resolve(actor.path, actor.function, (name,), change.imported)
    if subject is None or subject.kind != "function" or subject.rest:
        return None
    function = suite.changes.function_at(subject.path, subject.line)
    if function is None or not _is_cached(suite, subject.path, function):
        return None
    if not is_container(suite.changes.returned(subject.path, function)):
        return None
    clears = re.compile(rf"\b{re.escape(name)}\.cache_clear\(")
    around = [actor, *(other for item in actor.items for other in suite.changes.around(item))]
    if any(clears.search(body_of(suite, other)) for other in around):
        return None
    call = re.compile(rf"(?<![\w.]){re.escape(name)}\(")
    met = [
        other
        for other in suite.changes.actors
        if other is not actor and other.kind == "test" and call.search(body_of(suite, other))
    ]
    met = [other for other in met if suite.changes.names_same(other, name, subject)]
    if not met:
        return None
    affected = {item.nodeid for other in met for item in other.items}
    return Fault(
        Place(actor.path, change.span),
        f"what `{name}()` returns is cached, and is changed here: "
        f"{tests(len(affected))} get{'s' if len(affected) == 1 else ''} the changed value",
        symbol_of(actor),
        (at(Place(subject.path, function.span), "it is cached here"),),
        notes=("what they find depends on which tests ran before",),
        help="change a copy, or do not cache what can be changed",
        tests=frozenset(affected),
    )


def _is_cached(suite: Suite, path: str, function: Function) -> bool:
    space = suite.evaluator.module(path)
    for decorator in function.decorators:
        expression = decorator.expression
        func = expression if isinstance(expression, Name) else getattr(expression, "func", None)
        if space is None or func is None:
            continue
        found = suite.evaluator.evaluate(func, space)
        if isinstance(found, External) and found.name in _CACHES:
            return True
        if isinstance(func, Name) and func.parts[-1] in ("lru_cache", "cache"):
            resolved = suite.changes.resolve(path, None, func.parts)
            if resolved is not None and resolved.name in _CACHES:
                return True
    return False
