"""What is made once and handed out again: defaults, parameters of pytest, cached values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import symbol_of
from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_in_place, is_test_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Change, FileFacts, Function
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Item


@looks("near")
def mutable_parametrize(suite: Suite) -> Iterator[Fault]:
    """SCP408: a test changes a container that `parametrize` gives it more than once."""
    for actor in suite.changes.changing:
        mutable = actor.function.mutable_parameters
        if actor.kind != "test" or not mutable:
            continue
        again = [item for item in actor.items if not item.testcase and _runs_again(item)]
        for name in dict.fromkeys(mutable):
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
        if change.name == "pop" and _is_decided(actor, change):
            continue
        if is_in_place(change) and all(part == "[]" for part in change.target[1:]):
            return change
    return None


def _is_decided(actor: Actor, change: Change) -> bool:
    """Whether each run decides on a key: it is given in one branch, and taken away in another."""
    return change.condition and any(
        (other.kind, other.target, other.key) == ("item", change.target, change.key)
        for other in actor.changes
        if other.condition
    )


@looks("near")
def mutable_default(suite: Suite) -> Iterator[Fault]:
    """SCP409: a function of the tests changes a container that is its default argument."""
    paths = sorted({*suite.files.test_files, *suite.files.conftests, *suite.own_files})
    for path in paths:
        facts = suite.facts(path) if is_test_code(path) else None
        for function in () if facts is None else facts.functions:
            mutable = function.mutable_defaults
            if not mutable or _is_in_a_test(facts, function):
                continue
            for name in mutable:
                fault = _default_fault(path, function, name)
                if fault is not None and not _is_emptied(suite, path, function, name):
                    yield fault


def _is_in_a_test(facts: FileFacts | None, function: Function) -> bool:
    """Whether a test defines the function, and its defaults, each time that it runs."""
    return facts is not None and any(
        outer.name.startswith("test")
        and outer.line < function.line
        and function.end_line <= outer.end_line
        for outer in facts.functions
    )


def _is_emptied(suite: Suite, path: str, function: Function, name: str) -> bool:
    """Whether the function empties its default, for what it puts in only while it runs."""
    text = suite.lines(path, function.line, function.end_line)
    emptied = rf"^[ \t]+(?:{name}\.clear\(\)|{name}\[:\]\s*=|del {name}\[:\])"
    return re.search(emptied, text, re.MULTILINE) is not None


def _default_fault(path: str, function: Function, name: str) -> Fault | None:
    for change in function.changes:
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
