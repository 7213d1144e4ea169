"""Lists, dicts and sets of modules that tests change and that tests read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.asserted import ANY, asserted_keys
from scopecheck.checks.fakes import of_fake
from scopecheck.checks.leaks import (
    body_of,
    first_words,
    is_for_all,
    judge,
    runs_in_process,
    symbol_of,
)
from scopecheck.checks.looks import looks
from scopecheck.checks.naming import naming, written
from scopecheck.checks.wording import at, tests
from scopecheck.expressions import Mapping
from scopecheck.facts import PASSES_GLOBALS
from scopecheck.finding import Fault, Place
from scopecheck.source import Span
from scopecheck.suite.changes import WIDE_XUNIT, is_container, is_in_place, is_test_code
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.subjects import Subject

# Changes that leave something behind, where the others take something away.
_TAKE_AWAY = frozenset(
    {"clear", "pop", "popitem", "popleft", "remove", "discard", "sort", "reverse"}
)
_RESETS = frozenset({"clear"})
# `update(passed=0, failed=0)`
_KEYWORD = re.compile(r"[(,]\s*(\w+)\s*=")
_DEPENDS = re.compile(r"\b(?:Depends)\(")


class _Shared(Struct):
    """A container of a module, and what is done to it.

    polluters: who leaves something in it, each with the first change.
    """

    subject: Subject
    polluters: dict[Actor, Change] = field(default_factory=dict)


@looks("far")
def module_state_mutation(suite: Suite) -> Iterator[Fault]:
    """SCP402: a container of a module that tests change."""
    for shared in _shared(suite).values():
        if is_test_code(shared.subject.path):
            yield from _of_tests(suite, shared)
        else:
            yield from _of_code(suite, shared)


def _shared(suite: Suite) -> dict[object, _Shared]:
    found: dict[object, _Shared] = {}
    for actor in (*suite.changes.actors, *suite.changes.helpers):
        if not actor.function.kept_effects:
            continue
        for change, subject in _changed(suite, actor):
            # A fake decides by what it is told.
            fake = actor.kind == "helper" and actor.function.owner >= 0 and change.kind == "item"
            if (change.condition and not fake) or change.final or not _leaves_something(change):
                continue
            if not runs_in_process(suite, actor):
                break
            shared = found.setdefault(subject.key, _Shared(subject))
            shared.polluters.setdefault(actor, change)
    return found


def _changed(suite: Suite, actor: Actor) -> Iterator[tuple[Change, Subject]]:
    """The changes that an actor makes to containers of modules, calls of its helpers included."""
    for change in actor.changes:
        if change.target and is_in_place(change) and change.kind != "attribute":
            subject = _container(suite, actor, change.target, change)
            if subject is not None and not _may_be_tuple(suite, change, subject):
                yield change, subject
    # To a helper a container may come by a parameter, too.
    if actor.kind != "helper" and not actor.function.has & PASSES_GLOBALS:
        return
    for passed in actor.function.passed:
        if all(_container(suite, actor, path, None) is None for _, path in passed.arguments):
            continue
        for _, path in suite.changes.given(actor.path, actor.function, passed):
            subject = _container(suite, actor, path, None)
            if subject is not None:
                yield _as_change(passed.span, path), subject


def _may_be_tuple(suite: Suite, change: Change, subject: Subject) -> bool:
    """Whether `name += ...` may make another tuple, and leave that of the module as it is."""
    if change.kind != "augmented":
        return False
    name = re.escape(subject.name)
    made = rf"\s*{name}\s*(?::[^=]*)?=\s*(?:\[|\{{|[\w.]+\()"
    return re.match(made, suite.lines(subject.path, subject.line, subject.line + 2)) is None


def _as_change(span: Span, path: tuple[str, ...]) -> Change:
    from scopecheck.facts import Change

    return Change("call", path, "update", span)


def _container(
    suite: Suite, actor: Actor, path: tuple[str, ...], change: Change | None
) -> Subject | None:
    """The container of a module that a path leads to."""
    imported = None if change is None else change.imported
    known = imported is not None or path[0].removesuffix("()") in suite.changes.subjects.bound_in(
        actor.path
    )
    if not known and actor.kind != "helper":
        return None
    subject = suite.changes.subjects.resolve(actor.path, actor.function, path, imported)
    if subject is not None and subject.kind == "parameter":
        subject = _injected(suite, actor, subject)
    if subject is None or subject.kind != "object" or subject.rest not in ((), ("[]",)):
        return None
    if subject.rest:
        return None
    return subject if is_container(subject.value) else None


def _injected(suite: Suite, actor: Actor, subject: Subject) -> Subject | None:
    """What `parameter = Depends(function)` gives, where the function returns an object."""
    if actor.kind != "helper" or subject.rest or not suite.has(actor.path, _DEPENDS):
        return None
    head = suite.lines(actor.path, actor.function.line, actor.function.line + 12)
    found = re.search(rf"\b{re.escape(subject.name)}\b[^,=]*=\s*Depends\((\w+)\)", head)
    if found is None:
        return None
    return suite.changes.subjects.resolve(actor.path, None, (f"{found[1]}()",))


def _leaves_something(change: Change) -> bool:
    if change.kind in ("item", "augmented"):
        return change.key != ":"
    return change.kind == "call" and change.name not in _TAKE_AWAY


def _of_tests(suite: Suite, shared: _Shared) -> Iterator[Fault]:
    subject = shared.subject
    if _is_reset(suite, subject):
        return
    victims = _victims(suite, subject)
    for actor, change in shared.polluters.items():
        met = [] if change.condition else _met(actor, change, victims)
        if met:
            yield _told(shared, actor, change, met)
        elif actor.kind == "helper" and actor.function.owner >= 0:
            yield from of_fake(suite, subject, actor, change)


class _Victim(Struct):
    """A test that asserts something of a container, and of which keys that others may give."""

    actor: Actor
    keys: frozenset[str]


def _victims(suite: Suite, subject: Subject) -> list[_Victim]:
    found = []
    for actor in naming(suite, subject):
        if actor.kind != "test":
            continue
        words = written(suite, actor, subject)
        if words is None:
            continue
        keys = asserted_keys(body_of(suite, actor), words)
        own = _own_keys(suite, actor, subject)
        if own is None or not keys or (ANY not in keys and keys <= own):
            continue
        given = _given_before(suite, actor, subject)
        if given is None:
            continue
        left = keys if ANY in keys else keys - own - given
        if left:
            found.append(_Victim(actor, left))
    return found


def _given_before(suite: Suite, actor: Actor, subject: Subject) -> frozenset[str] | None:
    """The keys that what runs before a test gives anew for it; None where it may be all of them."""
    keys: set[str] = set()
    for other in suite.changes.around(actor.items[0]):
        fixture = other.fixture
        wide = fixture.scope is not Scope.FUNCTION if fixture else other.function.name in WIDE_XUNIT
        if wide or subject.name not in body_of(suite, other):
            continue
        own = _own_keys(suite, other, subject)
        if own is None or _is_filled(suite, other, subject):
            return None
        keys |= own
    return frozenset(keys)


def _is_filled(suite: Suite, actor: Actor, subject: Subject) -> bool:
    """Whether a set-up calls a function that gives a container items, and does no more to it."""
    for passed in actor.function.passed:
        for name, path in suite.changes.given(actor.path, actor.function, passed):
            found = _container(suite, actor, path, None)
            if found is None or found.key != subject.key:
                continue
            called = suite.changes.subjects.resolve(
                actor.path, actor.function, passed.function, passed.imported
            )
            facts = None if called is None else suite.facts(called.path)
            made = [
                change
                for function in (() if facts is None else facts.functions)
                if called is not None and function.line == called.line
                for change in function.changes
                if change.target[:1] == (name,)
            ]
            if made and all(change.kind == "item" for change in made):
                return True
    return False


def _own_keys(suite: Suite, actor: Actor, subject: Subject) -> frozenset[str] | None:
    """The keys that a test gives itself before it asserts; None where it empties the container."""
    keys: set[str] = set()
    for change in actor.changes:
        if change.kind == "name" and change.name == subject.name:
            return None
        if not change.target:
            continue
        found = suite.changes.subject(actor.path, actor.function, change)
        if found is None or found.key != subject.key:
            continue
        if change.name in _RESETS or change.key == ":":
            return None
        if change.kind == "item" and not change.nested:
            keys.add(change.key.strip("'\""))
        if change.kind == "call" and change.name == "update" and not change.nested:
            call = suite.lines(actor.path, change.span.line, change.span.end_line)
            keys.update(_KEYWORD.findall(call))
    return frozenset(keys)


def _is_reset(suite: Suite, subject: Subject) -> bool:
    """Whether something other than a test empties a container or puts another in its place."""
    facts = suite.facts(subject.path)
    name = re.escape(subject.name)
    if facts is not None and subject.name in facts.global_names:
        return True
    emptied = rf"\b{name}\.clear\b|\b{name}\s*\[:\]|\b{name}\.__init__|[\"']{name}[\"']"
    if suite.has(subject.path, re.compile(rf"\.{name}\s*=[^=]")):
        return True
    patched = re.compile(rf"[\"'][\w.]*\b{name}[\"']")
    for actor in naming(suite, subject):
        body = body_of(suite, actor)
        if subject.name not in body:
            continue
        if actor.kind != "test" and re.search(emptied, body):
            return True
        if actor.kind == "test" and "patch" in body and patched.search(body):
            return True
    return False


def _met(actor: Actor, change: Change, victims: list[_Victim]) -> list[_Victim]:
    """The victims that meet what an actor leaves."""
    key = change.key.strip("'\"") if change.kind == "item" else ANY
    touched = [v for v in victims if key in (ANY, "?") or ANY in v.keys or key in v.keys]
    if actor.kind == "test":
        others = [victim for victim in touched if victim.actor is not actor]
        if not others and touched and _runs_again(actor):
            return touched
        return others
    if actor.kind == "helper" and len(touched) < 2:
        return []
    by_key: dict[str, int] = {}
    for victim in touched:
        for each in victim.keys:
            by_key[each] = by_key.get(each, 0) + 1
    whole = by_key.get(ANY, 0)
    same = {k for k, count in by_key.items() if count + (whole if k != ANY else 0) > 1}
    if not same:
        return []
    return [victim for victim in touched if victim.keys & same]


def _runs_again(actor: Actor) -> bool:
    return any(item.parametrized.direct for item in actor.items)


def _told(shared: _Shared, actor: Actor, change: Change, met: list[_Victim]) -> Fault:
    subject = shared.subject
    place = Place(subject.path, Span(subject.line, 1, subject.line, 1 + len(subject.name)))
    related = [at(place, f"`{subject.name}` is made here, once for all tests")]
    met = sorted(met, key=lambda victim: (victim.actor.path, victim.actor.function.line))
    related += [
        at(Place(v.actor.path, v.actor.function.span), "this test asserts what is in it")
        for v in met[:5]
    ]
    affected = {item.nodeid for victim in met for item in victim.actor.items}
    count = tests(len({item.nodeid for victim in met for item in victim.actor.items}))
    return Fault(
        Place(actor.path, change.span),
        f"`{subject.name}` of the module is changed here and stays so, and {count} "
        f"assert{'s' if count.startswith('1 ') else ''} what is in it",
        symbol_of(actor),
        tuple(related),
        notes=("what they find depends on which tests ran before",),
        help=f"make `{subject.name}` in a function-scoped fixture",
        tests=frozenset(affected),
    )


def _of_code(suite: Suite, shared: _Shared) -> Iterator[Fault]:
    subject = shared.subject
    for actor, change in shared.polluters.items():
        if actor.kind == "helper" or is_for_all(actor) or change.nested:
            continue
        if _is_given_again(change, subject) or _is_of_its_own(suite, actor, change, subject):
            continue
        if _verdict(suite, actor, change, subject) != "left":
            continue
        place = Place(subject.path, Span(subject.line, 1, subject.line, 1 + len(subject.name)))
        yield Fault(
            Place(actor.path, change.span),
            f"`{subject.name}` of the code under test is changed and never put back",
            symbol_of(actor),
            (at(place, f"`{subject.name}` is made here, once for all tests"),),
            notes=("every test that runs later in the same process meets it",),
            help="use `monkeypatch.setitem` or `patch.dict`, or put back a copy after the `yield`",
            tests=frozenset(item.nodeid for item in actor.items),
        )


def _emptying(suite: Suite, subject: Subject) -> Iterator[str]:
    """The functions of a container's own module that empty it."""
    emptied = re.compile(rf"^[ \t]+{re.escape(subject.name)}\.clear\(\)", re.MULTILINE)
    facts = suite.facts(subject.path) if emptied.search(suite.text(subject.path)) else None
    for function in () if facts is None else facts.functions:
        if emptied.search(suite.lines(subject.path, function.line, function.end_line)):
            yield function.name


def _is_asserted_gone(suite: Suite, actor: Actor, change: Change, name: str) -> bool:
    """Whether the test asserts later that what it has put in is not there: the code took it out."""
    below = suite.lines(actor.path, change.span.end_line + 1, actor.function.end_line)
    key = re.escape(change.key.strip("'\""))
    name = rf"(?:[\w.]+\.)?{name}"
    keys = rf"[\"']?{key}[\"']?\s+not\s+in\s+{name}\b|" if change.kind == "item" else ""
    empty = rf"not\s+{name}\s*$|len\({name}\)\s*==\s*0\b|{name}\s*==\s*[\[{{][\]}}]"
    return re.search(rf"assert\s+(?:{keys}{empty})", below, re.MULTILINE) is not None


def _is_of_its_own(suite: Suite, actor: Actor, change: Change, subject: Subject) -> bool:
    """Whether a test has put a container in the place of it before."""
    for other in actor.changes:
        if other.kind != "attribute" or other.name != subject.name:
            continue
        found = suite.changes.subject(actor.path, actor.function, other)
        before = other.span.line < change.span.line
        if before and found is not None and found.kind == "module" and found.path == subject.path:
            return True
    return False


def _is_given_again(change: Change, subject: Subject) -> bool:
    """Whether a change gives back what the container has from the start, or may."""
    initial = subject.value.items if isinstance(subject.value, Mapping) else ()
    if change.kind != "item":
        return change.name == "update" and bool(initial)
    return change.key.strip("'\"") in {key for key, _ in initial}


def _verdict(suite: Suite, actor: Actor, change: Change, subject: Subject) -> str:
    def touches(actor: Actor, other: Change) -> bool:
        if other.kind == "call" and other.target == ("monkeypatch",):
            return subject.name in re.split(r"\W", other.key)
        if other.name == "reload":
            return True
        if not other.target:
            return False
        found = suite.changes.subject(actor.path, actor.function, other)
        return found is not None and found.key == subject.key

    def undoes(other: Change) -> bool:
        return other.kind == "del" or other.name in (*_TAKE_AWAY, "reload", "update")

    name = re.escape(subject.name)
    words = re.compile(
        rf"\b{name}\b|\breload\(|{first_words(subject.path)}\.\w*(?:reset|clear)"
        + "".join(rf"|\b{function}\(" for function in _emptying(suite, subject))
    )
    if re.search(rf"{first_words(subject.path)}\.\w*(?:reset|clear)\w*\(", body_of(suite, actor)):
        return "restored"
    if re.search(rf"dict\([^)]*\b{name}\b|\b{name}\.copy\(|copy\(\s*{name}", body_of(suite, actor)):
        return "restored"
    if _is_asserted_gone(suite, actor, change, name):
        return "restored"
    return judge(suite, actor, change, touches, undoes, words)
