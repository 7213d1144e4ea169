"""Fakes that fixtures make anew for each test, and that keep what they are told in a module."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import body_of
from scopecheck.checks.wording import at, tests
from scopecheck.finding import Fault, Place
from scopecheck.source import Span
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.subjects import Subject


def of_fake(suite: Suite, subject: Subject, method: Actor, change: Change) -> Iterator[Fault]:
    """A container of a module that a method of a fake writes to, and another one reads.

    Args:
        suite: the suite.
        subject: the container, which nothing resets.
        method: of the class that is changed by it, in the same file.
        change: what it does.
    """
    facts = suite.facts(method.path)
    if facts is None or change.kind != "item" or method.path != subject.path:
        return
    owner = method.function.owner
    class_ = facts.classes[owner]
    if class_.name.startswith("Test") or not _is_read(suite, subject, method):
        return
    makes = re.compile(rf"(?<![\w.]){re.escape(class_.name)}\(")
    makers = [
        actor
        for actor in suite.changes.setups
        if actor.path == method.path
        and actor.fixture is not None
        and actor.fixture.scope is Scope.FUNCTION
        and makes.search(body_of(suite, actor))
    ]
    affected = frozenset(item.nodeid for actor in makers for item in actor.items)
    if len(affected) < 2:
        return
    made = Place(subject.path, Span(subject.line, 1, subject.line, 1 + len(subject.name)))
    fixture = makers[0].fixture
    assert fixture is not None
    yield Fault(
        Place(method.path, change.span),
        f"`{fixture.name}` makes a new `{class_.name}` for each of {tests(len(affected))}, and all "
        f"of them keep what they are given in one `{subject.name}`",
        f"{method.path}::{class_.name}.{method.function.name}",
        (
            at(made, f"`{subject.name}` is made here, once for all tests"),
            *(
                at(Place(actor.path, actor.function.span), "it is made new here")
                for actor in makers
            ),
        ),
        notes=("what a test finds in it depends on which tests ran before",),
        help=f"keep `{subject.name}` in the `{class_.name}`, or empty it in the fixture",
        tests=affected,
    )


def _is_read(suite: Suite, subject: Subject, method: Actor) -> bool:
    """Whether another method of the class reads an item of the container."""
    facts = suite.facts(method.path)
    name = re.escape(subject.name)
    reads = re.compile(rf"(?<![\w.])(?:{name}\.get\(|{name}\[[^]]+\](?!\s*=[^=])|in {name}\b)")
    return facts is not None and any(
        function.owner == method.function.owner
        and function.line != method.function.line
        and reads.search(suite.lines(method.path, function.line, function.end_line))
        for function in facts.functions
    )
