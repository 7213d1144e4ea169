"""What of a test file the rest of a suite may rest on, or may bear on.

Two states of a file with the same face are alike to all tests and fixtures of other files: they
use the same fixtures in the same ways, have fixtures of the same kind, import the same. What their
tests are called, how many there are and what they do otherwise is no part of it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from scopecheck.expressions import Const, Name
from scopecheck.facts import Import
from scopecheck.suite.asserting import checking_methods
from scopecheck.suite.changes import XUNIT
from scopecheck.suite.contracts import AGENT_EVENTS
from scopecheck.suite.events import event_names, sent_names
from scopecheck.suite.loops.overrides import askers
from scopecheck.suite.loops.pytest_asyncio import FIXTURE_SPELLING
from scopecheck.suite.model import Scope
from scopecheck.suite.setups import is_set_up

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator

    from scopecheck.facts import FileFacts
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item, Plan

_ASYNC_MARKS = frozenset({"asyncio", "asyncio_event_loop", "anyio", "trio"})
_LOOP_NAMES = frozenset({"anyio_backend", "event_loop", "event_loop_policy"})
_ASKED_LOOPS = _LOOP_NAMES - {"event_loop_policy"}
# What changes how all tests run, or what they are, wherever it is imported.
_FOR_ALL = ("nest_async", "sybil")
_LOOKUPS = ("getfixturevalue", "getfuncargvalue")


class Face(NamedTuple):
    """What others may rest on, part by part."""

    unread: bool
    fixtures: Hashable
    used: Hashable
    edges: Hashable
    flags: Hashable
    bearing: Hashable
    runners: Hashable
    askers: Hashable
    problems: Hashable
    unknown: Hashable
    parametrized: Hashable
    unseen: bool
    level: Hashable
    text: _Text | None

    def differs(self, other: Face) -> str:
        """The names of the parts in which two faces differ."""
        parts = [name for name in self._fields if getattr(self, name) != getattr(other, name)]
        if parts == ["text"] and self.text and other.text:
            parts = [
                f"text: {name}"
                for name in _Text._fields
                if getattr(self.text, name) != getattr(other.text, name)
            ]
        return ", ".join(parts)


def face(suite: Suite, path: str, left_out: Collection[int] = ()) -> Face:
    """The face of a file that was linked; equal for two states that are alike to all others.

    left_out: tests that are left out, by the lines of their functions.

    Raises:
        NeedsWhole: it cannot be told from a part of the suite.
    """
    facts = suite.facts(path)
    every = [item for item in suite.items if item.path == path]
    items = [item for item in every if not (item.place.path == path and item.line in left_out)]
    plans = {item.plan for item in items if item.plan is not None}
    own = [fixture for fixture in suite.fixtures if fixture.home == path]
    level = suite.linker.modules.get(path)
    used = {_key(f, path) for plan in plans for f in plan.order if f.path is not None}
    edges = {
        (edge.asker and _key(edge.asker, path), edge.request, _key(edge.answer, path))
        for plan in plans
        for edge in plan.edges
        if _is_of_others(edge.answer, path)
        or (edge.asker is not None and _is_of_others(edge.asker, path))
    }
    names = {name for item in items for name in _parametrized(item)}
    whole = suite.part.whole if suite.part is not None else suite.whole()
    return Face(
        facts is None,
        frozenset(_shape(fixture, path) for fixture in own),
        frozenset(used),
        frozenset(edges),
        (bool(every), frozenset(flags for item in items if (flags := _flags(item)) != _PLAIN)),
        frozenset(each for item in items for each in _bearing(suite, item, path)),
        _runners(suite, items) if whole.compares_runners else (),
        askers(suite.loops, items) if whole.helpers is not None else (),
        frozenset((p.kind, p.name, p.certain) for plan in plans for p in plan.problems),
        frozenset(name for plan in plans for name in plan.unknown),
        frozenset(names & whole.unreached),
        path in suite.collector.with_unseen_tests,
        level and (level.complete, level.generates, level.generates_any),
        None if facts is None else _of_text(facts, every, whole.unreached),
    )


def users_of(suite: Suite, path: str, names: Collection[str]) -> object:
    """The tests of a file that set up fixtures of some names, one after another; and who gets them.

    Equal for two states of the file in which as many do so on the same loops, in the same classes:
    then there are as many set-ups of each fixture, whatever its scope were.
    """
    users: list[Hashable] = []
    edges: set[Hashable] = set()
    seen: dict[Plan, list[Hashable]] = {}
    for item in suite.items:
        plan = item.plan
        if plan is None or item.path != path:
            continue
        if plan not in seen:
            seen[plan] = [_key(fixture, path) for fixture in plan.order if fixture.name in names]
            edges |= {
                (edge.asker and _key(edge.asker, path), edge.request, _key(edge.answer, path))
                for edge in plan.edges
                if edge.answer.name in names or (edge.asker and edge.asker.name in names)
            }
        if seen[plan]:
            loop = suite.loops.test(item)
            class_ = item.nodeid.rpartition("::")[0]
            users.append((seen[plan], class_, is_set_up(item), loop and (loop.runner, loop.scope)))
    return users, edges


def imports_of(facts: FileFacts) -> frozenset[Import]:
    """The import statements at a file's top level."""
    return frozenset(b.value for b in facts.bindings if isinstance(b.value, Import))


def is_for_all(value: Import) -> bool:
    """Whether an import may change how the tests of all files run."""
    return value.module.startswith(_FOR_ALL)


def _is_of_others(fixture: Fixture, path: str) -> bool:
    return fixture.path is not None and fixture.home != path


def _key(fixture: Fixture, path: str) -> Hashable:
    """The same for one fixture in two states of the file."""
    if fixture.home == path:
        return (fixture.name, fixture.attribute, fixture.owner)
    return (*fixture.key, fixture.pseudo)


def _shape(fixture: Fixture, path: str) -> Hashable:
    """All that others may see of a file's own fixture."""
    return (
        _key(fixture, path),
        fixture.path if fixture.path == path else fixture.key,
        (fixture.level, fixture.spelling, fixture.kind, fixture.wrapper),
        (fixture.scope, fixture.scope_text, fixture.loop_scope, fixture.loop_scope_known),
        (fixture.autouse, fixture.has_params, fixture.param_marks),
        tuple(request.name for request in fixture.requests),
        (fixture.certain, fixture.opaque, fixture.assumed, fixture.hands_on),
        tuple(mark.name for mark in fixture.marks),
    )


def _parametrized(item: Item) -> Iterator[str]:
    yield from item.parametrized.direct
    yield from item.parametrized.indirect


def _flags(item: Item) -> Hashable:
    """How pytest deals with a test, whatever it asks for."""
    return (
        (item.skipped, item.opaque, item.testcase, item.runs_async, item.is_async),
        (tuple(item.unknown), item.refusal and item.refusal.reason, item.refused_here),
        frozenset(mark.name for mark in item.marks if mark.name in _ASYNC_MARKS),
    )


# The flags of a test that any run of pytest runs, without a plugin.
_PLAIN: Hashable = ((False, False, False, False, False), ((), None, False), frozenset())


def _bearing(suite: Suite, item: Item, path: str) -> Iterator[Hashable]:
    """What tests of other files share with a test, or meet because of it."""
    order = () if item.plan is None else item.plan.order
    closure = frozenset(() if item.plan is None else item.plan.closure)
    names = frozenset(_parametrized(item))
    for fixture in order:
        if _is_async(fixture) and _is_of_others(fixture, path):
            loop = suite.loops.fixture(fixture, item)
            yield (_key(fixture, path), loop and (loop.runner, loop.scope))
    looking = frozenset(_key(fixture, path) for fixture in order if _looks_up(fixture))
    if looking:
        wide = frozenset(_key(fixture, path) for fixture in order if _is_wide(fixture, path))
        yield (looking, wide, names, closure, item.parametrized.complete)
    flags = _flags(item)
    if flags == _PLAIN:
        if closure & _ASKED_LOOPS:
            yield (closure & _ASKED_LOOPS, names & _LOOP_NAMES)
        return
    is_async = item.is_async or any(map(_is_async, order))
    shared = frozenset(
        _key(fixture, path)
        for fixture in order
        if _is_wide(fixture, path)
        or fixture.name in _LOOP_NAMES
        or (is_async and (_is_of_others(fixture, path) or _is_async(fixture)))
    )
    if is_async or shared:
        loop = suite.loops.test(item) if item.is_async else None
        complete = item.parametrized.complete
        asked = closure & _LOOP_NAMES
        yield (
            flags,
            loop and (loop.runner, loop.scope),
            shared,
            asked,
            names & _LOOP_NAMES,
            complete,
        )


def _is_async(fixture: Fixture) -> bool:
    return fixture.is_async or fixture.spelling == FIXTURE_SPELLING


def _runners(suite: Suite, items: Iterable[Item]) -> Hashable:
    """How many async tests each plugin runs, in the order in which it gets one."""
    return tuple(Counter(loop.runner for i in items if (loop := suite.loops.test(i))).items())


def _is_wide(fixture: Fixture, path: str) -> bool:
    """Whether tests of several files may share what a fixture makes."""
    wide = fixture.scope is None or fixture.scope >= Scope.PACKAGE
    return wide and _is_of_others(fixture, path)


def _looks_up(fixture: Fixture) -> bool:
    body = None if fixture.function is None else fixture.function.body
    return body is not None and any(_is_lookup(found.call.func) for found in body.calls)


def _is_lookup(func: Any) -> bool:
    return isinstance(func, Name) and func.parts[-1] in _LOOKUPS


class _Text(NamedTuple):
    setups: Hashable
    asked: Hashable
    lookups: Hashable
    checking: Hashable
    events: Hashable
    sent: Hashable
    plugins: bool
    stops: Hashable


def _of_text(facts: FileFacts, items: Iterable[Item], unreached: frozenset[str]) -> _Text:
    """What the statements of a file say that may matter to others."""
    collected = {(item.place.path, item.line) for item in items}
    owners = [class_.name for class_ in facts.classes]
    asked = {
        parameter.name
        for function in facts.functions
        if (function.decorators or function.name.startswith("test"))
        and (facts.path, function.line) not in collected
        for parameter in function.parameters
    }
    lookups = {
        isinstance(found.call.args[0] if found.call.args else None, Const)
        for function in facts.functions
        if function.body is not None
        for found in function.body.calls
        if _is_lookup(found.call.func)
    }
    return _Text(
        frozenset(
            (function.name, owners[function.owner] if function.owner >= 0 else "")
            for function in facts.functions
            if function.name in XUNIT
        ),
        frozenset(asked & unreached),
        frozenset(lookups),
        frozenset(checking_methods(facts)),
        frozenset(event_names(facts)) & frozenset(AGENT_EVENTS),
        frozenset(sent_names(facts)),
        any(binding.name == "pytest_plugins" for binding in facts.bindings),
        (facts.dynamic, facts.changes_path, facts.stops_at > 0, facts.always_stops),
    )
