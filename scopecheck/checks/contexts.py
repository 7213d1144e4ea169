"""SCP404: contexts of users, requests and sessions that several tests get one of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.clients import left_on_clients
from scopecheck.checks.context_makers import Makers
from scopecheck.checks.context_sharing import given_twice
from scopecheck.checks.leaks import body_of
from scopecheck.checks.looks import looks, near
from scopecheck.checks.naming import naming, written
from scopecheck.checks.once import bound_calls
from scopecheck.checks.request_state import request_state_kept
from scopecheck.checks.wording import at, scoped, tests
from scopecheck.finding import Fault, Place
from scopecheck.suite.model import Scope
from scopecheck.suite.subjects import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Binding
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Fixture

_NOTE = "a context belongs to one user and one test"


@looks("far")
def shared_context(suite: Suite) -> Iterator[Fault]:
    """SCP404: a context outlives a test, or is given to two users or tasks."""
    makers = Makers(suite)
    yield from _of_fixtures(suite, makers)
    yield from _of_modules(suite, makers)
    yield from _of_classes(suite, makers)
    yield from near(suite, given_twice(suite, makers))
    yield from request_state_kept(suite)
    yield from left_on_clients(suite)


def _of_fixtures(suite: Suite, makers: Makers) -> Iterator[Fault]:
    """A fixture wider than function scope that makes a context."""
    told: set[tuple[str, int]] = set()
    for fixture in suite.fixtures:
        if fixture.scope in (None, Scope.FUNCTION) or fixture.place is None:
            continue
        maker = makers.of_fixture(fixture)
        key = (fixture.path or "", fixture.line)
        if maker is None or key in told:
            continue
        users = _requesting(suite, fixture)
        if len(users) < 2 or _is_reset(suite, fixture.name):
            continue
        told.add(key)
        yield Fault(
            fixture.place,
            f"{scoped(fixture.scope)} `{fixture.name}` makes one `{maker}` for "
            f"{tests(len(users))}: what one leaves in it, the others find",
            fixture.symbol,
            notes=(_NOTE,),
            help=f"give `{fixture.name}` function scope, or let it return what makes a context",
            tests=users,
        )


def _requesting(suite: Suite, fixture: Fixture) -> frozenset[str]:
    """The tests that get a fixture's value themselves, or through a fixture of theirs."""
    return frozenset(
        item.nodeid
        for item in suite.items
        if item.plan is not None
        and any(edge.asker is None and edge.answer is fixture for edge in item.plan.edges)
    )


def _is_reset(suite: Suite, name: str) -> bool:
    """Whether a fixture or an xunit function empties or resets what is kept under a name."""
    reset = re.compile(rf"\b{re.escape(name)}\b[\w.]*\.(?:\w*reset\w*|clear)\(")
    return any(
        actor.kind in ("fixture", "xunit") and reset.search(body_of(suite, actor))
        for actor in suite.changes.actors
    )


def _of_modules(suite: Suite, makers: Makers) -> Iterator[Fault]:
    """A context that a test file or conftest makes when it is imported.

    What a package of tests or a helper makes for all of them (`client_context`), they share on
    purpose.
    """
    files = {*suite.files.test_files, *suite.files.conftests}
    for path, binding in bound_calls(suite):
        maker = _made_once(makers, path, binding) if path in files else None
        facts = suite.facts(path)
        if maker is None or facts is None:
            continue
        suite.counts(path)
        same = [b for b in facts.bindings if b.name == binding.name]
        if len(same) > 1 or binding.name in facts.global_names:
            continue
        subject = Subject("object", binding.name, path, (), line=binding.span.line)
        users = {}
        for actor in naming(suite, subject):
            name = written(suite, actor, subject)
            if name is not None and not _is_local(actor, name):
                users[actor] = name
        yield from _told(suite, path, binding, maker, users)


def _of_classes(suite: Suite, makers: Makers) -> Iterator[Fault]:
    """A context that the body of a test class makes."""
    for path in suite.files.test_files:
        facts = suite.facts(path)
        for index, class_ in enumerate(() if facts is None else facts.classes):
            for binding in class_.bindings:
                maker = _made_once(makers, path, binding)
                if maker is None:
                    continue
                users = {}
                for actor in suite.changes.actors:
                    function = actor.function
                    if actor.path == path and function.owner == index and function.parameters:
                        users[actor] = f"{function.parameters[0].name}.{binding.name}"
                yield from _told(suite, path, binding, maker, users)


def _made_once(makers: Makers, path: str, binding: Binding) -> str | None:
    if binding.target or binding.guard.branch or binding.guard.never:
        return None
    return makers.of_value(path, binding.value)


def _is_local(actor: Actor, name: str) -> bool:
    """Whether a function has another value of that name."""
    body = actor.function.body
    return body is not None and name in body.locals


def _is_changed_by_others(suite: Suite, actor: Actor, name: str) -> bool:
    """Whether a function that an actor hands something to changes it, or a part of it."""
    return any(
        ".".join(path).startswith(name)
        for passed in actor.function.passed
        for _, path in suite.changes.given(actor.path, actor.function, passed)
    )


def _told(
    suite: Suite, path: str, binding: Binding, maker: str, users: dict[Actor, str]
) -> Iterator[Fault]:
    """One finding for a context that code of several tests gets to work with.

    Where the tests only hand it on, and none changes it, calls it or asserts what is in it, nothing
    shows that anyone leaves something in it, or would find it.
    """
    using: list[Actor] = []
    worked = False
    for actor, name in users.items():
        body = body_of(suite, actor)
        word = rf"(?<![\w.]){re.escape(name)}"
        if not re.search(rf"{word}\b", body):
            continue
        if re.search(
            rf"{word}\s*=[^=]|{word}\.(?:\w*reset\w*|clear)\(|patch[^\n]*{binding.name}", body
        ):
            return
        # To read one of its attributes changes nothing.
        if re.search(rf"{word}(?:\.\w+(?:\(|\s*=[^=])|\s*[,)\]}}]|\s*$)", body, re.MULTILINE):
            using.append(actor)
        of_it = rf"{word}(?:\.\w+)+(?:\(|\[[^\]\n]*\]\s*=[^=]|\s*=[^=])|{word}\[[^\]\n]*\]\s*=[^=]"
        worked = (
            worked
            or re.search(rf"{of_it}|assert\b.*{word}[.\[]", body) is not None
            or _is_changed_by_others(suite, actor, name)
        )
    affected = frozenset(item.nodeid for actor in using for item in actor.items)
    if len(affected) < 2 or not worked:
        return
    shown = sorted(using, key=lambda actor: (actor.path, actor.function.line))[:3]
    yield Fault(
        Place(path, binding.span),
        f"`{binding.name}` is one `{maker}` for {tests(len(affected))}: what one leaves in it, "
        "the others find",
        f"{path}::{binding.name}",
        tuple(at(Place(a.path, a.function.span), "it is used here") for a in shown),
        notes=(_NOTE,),
        help=f"make a `{maker}` in a function-scoped fixture",
        tests=affected,
    )
