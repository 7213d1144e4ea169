"""Clients that outlive a test, and what one test leaves on them that the next ones send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.leaks import body_of, runs_in_process, symbol_of
from scopecheck.checks.once import bound_calls
from scopecheck.checks.request_state import (
    Kept,
    made_at,
    span_in,
    users_of,
    values_of_wide_fixtures,
)
from scopecheck.checks.wording import at, scoped
from scopecheck.expressions import Call, Entered, Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_test_code
from scopecheck.suite.model import Scope
from scopecheck.suite.values import External

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Fixture, Item

# Classes whose objects keep headers, cookies and credentials, and send them with every request;
# entered, they give themselves (httpx 0.28, Starlette 0.46, requests 2.32).
_CLIENTS = frozenset(
    [
        *("fastapi.testclient.TestClient", "starlette.testclient.TestClient"),
        *("fastapi.TestClient", "httpx.Client", "httpx.AsyncClient", "requests.Session"),
        *("litestar.testing.TestClient", "litestar.testing.AsyncTestClient"),
        *("rest_framework.test.APIClient", "django.test.Client", "ninja.testing.TestClient"),
    ]
)
_KEEPS = r"headers|cookies|params"
_SENDS = r"(?:get|post|put|patch|delete|head|options|request|send|stream|websocket_connect)\("


class _Left(NamedTuple):
    """What an actor leaves on a client, and where it does."""

    actor: Actor
    span: Span
    what: str


def left_on_clients(suite: Suite) -> Iterator[Fault]:
    """Headers, cookies and credentials that a test leaves on a client of many tests."""
    for kept in (*_of_fixtures(suite), *_of_modules(suite)):
        users = {
            actor: name for actor, name in users_of(suite, kept) if not _hides(suite, actor, name)
        }
        left: list[_Left] = []
        assigned = kept.fixture is None or _is_entered(kept.fixture)
        for actor, name in users.items():
            found = _left(suite, actor, name, assigned)
            if found is not None and _is_for_one(actor):
                left.append(found)
            elif actor.kind != "test" and (found is not None or _undoes(suite, actor, name)):
                break
        else:
            if left:
                yield from _told(suite, kept, users, left)


def _of_fixtures(suite: Suite) -> Iterator[Kept]:
    for fixture, path, given in values_of_wide_fixtures(suite):
        maker = "" if fixture.has_params else _client(suite, path, given)
        if maker:
            yield Kept(fixture.name, maker, {}, fixture=fixture)


def _of_modules(suite: Suite) -> Iterator[Kept]:
    for path, binding in bound_calls(suite):
        if not isinstance(binding.value, Call) or not is_test_code(path):
            continue
        maker = _client(suite, path, binding.value)
        subject = suite.changes.subjects.resolve(path, None, (binding.name,)) if maker else None
        if subject is not None and subject.kind == "object":
            suite.counts(path)
            yield Kept(binding.name, maker, {}, subject=subject)


def _is_entered(fixture: Fixture) -> bool:
    """Whether a fixture hands out what a `with` statement gives."""
    function = fixture.function
    return function is not None and any(isinstance(b.value, Entered) for b in function.bindings)


def _client(suite: Suite, path: str, value: object) -> str:
    """The class of a client that an expression makes; empty for anything else."""
    if isinstance(value, Entered):
        value = value.value
    if not isinstance(value, Call) or not isinstance(value.func, Name):
        return ""
    space = suite.evaluator.module(path)
    made = None if space is None else suite.evaluator.evaluate(value.func, space)
    if isinstance(made, External) and made.name in _CLIENTS:
        return made.name.rpartition(".")[2]
    return ""


def _hides(suite: Suite, actor: Actor, name: str) -> bool:
    """Whether a function binds the name itself."""
    own = rf"^[ \t]+{name}\s*(?::[^=\n]+)?=[^=]|\b(?:as|for)\s+{name}\b"
    return re.search(own, body_of(suite, actor), re.MULTILINE) is not None


def _is_for_one(actor: Actor) -> bool:
    """Whether an actor runs for the tests that ask for it, and for no others."""
    if actor.kind != "fixture" or actor.fixture is None:
        return actor.kind == "test"
    return actor.fixture.scope is Scope.FUNCTION and not actor.fixture.autouse


def _left(suite: Suite, actor: Actor, name: str, assigned: bool) -> _Left | None:
    """The first that a function leaves on a client; None where it takes anything back.

    assigned: what is assigned to an attribute counts. (SCP401 tells it of other fixtures.)
    """
    body = body_of(suite, actor)
    owner = rf"(?<![\w.]){re.escape(name)}\."
    given = f"{_KEEPS}|auth" if assigned else r"(?!)"
    found = re.search(
        rf"^[ \t]+{owner}(?:(?P<kept>{_KEEPS})(?:\[[^\]\n]+\]\s*=[^=]|\.(?:update|set)\()"
        rf"|(?P<given>{given})\s*=[^=]"
        rf"|force_(?P<user>login|authenticate)\()",
        body,
        re.MULTILINE,
    )
    if found is None or not runs_in_process(suite, actor) or _undoes(suite, actor, name):
        return None
    start = found.start() + len(found[0]) - len(found[0].lstrip())
    end = found.end() if found["user"] else found.end() - 1
    written = re.search(rf"{owner}\w+", body[start:end])
    assert written is not None
    place = re.compile(re.escape(written[0])).search(body, start)
    assert place is not None
    what = found["kept"] or found["given"] or "user"
    return _Left(actor, span_in(actor, body, place), what)


def _undoes(suite: Suite, actor: Actor, name: str) -> bool:
    """Whether a function takes something from a client again, or may."""
    body = body_of(suite, actor)
    owner = rf"(?<![\w.]){re.escape(name)}\."
    back = (
        rf"{owner}(?:{_KEEPS})\.(?:pop|clear|delete)\(|\bdel\s+{owner}|{owner}logout\("
        rf"|{owner}force_authenticate\((?:user\s*=\s*)?(?:None)?\s*\)|\bfinally:|(?<![.\w])patch[.(]"
        rf"|mock\w*\.patch|monkeypatch|=\s*{owner}(?:{_KEEPS}|auth)\b"
    )
    return re.search(back, body) is not None


def _told(suite: Suite, kept: Kept, users: dict[Actor, str], left: list[_Left]) -> Iterator[Fault]:
    """One finding for each client: what is left first, and the tests that send it."""
    first = min(left, key=lambda each: (each.actor.path, each.span.line))
    same = [each.actor for each in left if each.what == first.what]
    given = {each.actor.fixture for each in left if each.actor.fixture is not None}
    items = []
    for actor, name in users.items():
        if actor.kind != "test" or actor in same:
            continue
        sends = rf"(?<![\w.]){re.escape(name)}\.{_SENDS}"
        if not re.search(sends, body_of(suite, actor)) or _undoes(suite, actor, name):
            continue
        for item in actor.items:
            if item.skipped or item.plan is None or not given.isdisjoint(item.plan.order):
                continue
            if kept.fixture is None or _shares(kept.fixture, item, first.actor):
                items.append(item)
    if not items:
        return
    affected = frozenset(item.nodeid for item in items)
    one = len(affected) == 1
    others = f"{len(affected)} other test{'' if one else 's'}"
    if first.what == "user":
        kept_here = f"the user given here: {others} speak{'s' if one else ''} as that user too"
    else:
        kept_here = f"the `{first.what}` set here: {others} send{'s' if one else ''} them too"
    whose = f"`{kept.name}`, one `{kept.maker}` for all tests,"
    if kept.fixture is not None and kept.fixture.scope is not None:
        whose = f"{scoped(kept.fixture.scope)} `{kept.name}`"
    shown = sorted(items, key=lambda item: (item.place.path, item.line))[:3]
    yield Fault(
        Place(first.actor.path, first.span),
        f"{whose} keeps {kept_here} if {'it runs' if one else 'they run'} later",
        symbol_of(first.actor),
        (
            at(made_at(kept), f"`{kept.name}` is made here"),
            *(at(item.place, "this test sends what is left on it") for item in shown),
        ),
        notes=("as whom a test speaks depends on which tests ran before",),
        help="pass them with the request, or make one client for each test",
        tests=affected,
    )


def _shares(fixture: Fixture, item: Item, actor: Actor) -> bool:
    """Whether a test gets the client that an actor leaves something on.

    Values handed to fixtures make the client anew: what tests of one file hand to the same ones
    is taken for the same.
    """
    given = {frozenset(other.parametrized.indirect) for other in actor.items}
    if given != {frozenset(item.parametrized.indirect)}:
        return False
    paths = {other.path for other in actor.items}
    if fixture.scope is Scope.CLASS:
        own = {other.nodeid.rpartition("::")[0] for other in actor.items}
        return item.nodeid.rpartition("::")[0] in own
    return item.path in paths or (fixture.scope is not Scope.MODULE and given == {frozenset()})
