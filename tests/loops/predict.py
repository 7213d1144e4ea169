"""scopecheck's answer to what `record` asks pytest: what becomes of a test, and on which loop."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from loops.deprecations import Deprecation
from loops.trouble import Trouble
from scopecheck.checks.event_loop import event_loop_fixture
from scopecheck.checks.loop_spellings import deprecated_asyncio_mark
from scopecheck.config import Settings
from scopecheck.project import Project as Linked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loop
    from scopecheck.suite.model import Fixture, Item


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One test.

    loop: who runs it, or its loop scope, if it has one that is known; None where it is not async.
    fixtures: the functions that are set up for it.
    handed, unhanded: whether an async function and an async fixture that it uses share a loop;
        None where that is not known. Unhanded are those of which it gets no value.
    unknown: what scopecheck says it cannot know; of a pair only that it cannot.
    """

    nodeid: str
    function: str
    loop: str | None
    fixtures: frozenset[str]
    troubles: tuple[Trouble, ...]
    handed: Mapping[tuple[str | None, str], bool | None]
    unhanded: Mapping[tuple[str | None, str], bool | None]
    unknown: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Predicted:
    """All tests, by node id, and what is wrong with the configuration.

    broken: nodes that pytest cannot collect.
    """

    items: Mapping[str, Prediction]
    deprecations: tuple[Deprecation, ...] = ()
    broken: frozenset[str] = frozenset()
    errors: tuple[str, ...] = ()


def predict(folder: Path, python: Path) -> Predicted:
    """What scopecheck says of the project in a folder, in the environment of an interpreter."""
    linked = Linked(folder, Settings(python=str(python)), jobs=1)
    suites = linked.suites([folder])
    errors = [fault.message for suite in suites for fault in suite.files.config.errors]
    items = [_item(suite, item) for suite in suites for item in suite.items]
    deprecations = [each for suite in suites for each in _deprecations(suite)]
    broken = frozenset(node for suite in suites for node in suite.linker.broken)
    predictions = {item.nodeid: item for item in items}
    return Predicted(predictions, tuple(deprecations), broken, tuple(errors))


def _deprecations(suite: Suite) -> Iterator[Deprecation]:
    """From what the rules report; what is an error already is none."""
    for fault in event_loop_fixture(suite):
        function = fault.symbol.rpartition("::")[2]
        kind = "override" if function == "event_loop" else "request"
        if "deprecated" in fault.message:
            yield Deprecation(kind, function, fault.tests)
    for fault in deprecated_asyncio_mark(suite):
        kind = "policy" if "overrides" in fault.message else "mark"
        if "deprecated" in fault.message:
            yield Deprecation(kind, fault.symbol.rpartition("::")[2], fault.tests)


def _item(suite: Suite, item: Item) -> Prediction:
    assert item.plan is not None
    assert item.function is not None
    loop = suite.loops.test(item)
    pairs = list(suite.loops.pairs(item))
    shared: tuple[dict[tuple[str | None, str], bool | None], ...] = ({}, {})
    for pair in pairs:
        key = (_function(pair.user), pair.fixture.function.name if pair.fixture.function else "")
        shared[pair.handed][key] = pair.same
    loops = [loop, *(found for pair in pairs for found in (pair.user_loop, pair.fixture_loop))]
    loops += [suite.loops.fixture(fixture, item) for fixture in item.plan.order]
    unknown = [
        *item.unknown,
        *(f"{name} cannot be resolved" for name in item.plan.unknown),
        *(found.reason for found in loops if found is not None and _is_unknown(suite, found)),
    ]
    word = None
    if loop is not None:
        word = loop.scope.word if loop.scope is not None else loop.runner
    return Prediction(
        item.nodeid,
        item.function.name,
        word,
        frozenset(_function(fixture) or "" for fixture in item.plan.order),
        tuple(_troubles(suite, item)),
        shared[True],
        {key: same for key, same in shared[False].items() if key not in shared[True]},
        tuple(dict.fromkeys(unknown)),
    )


def _is_unknown(suite: Suite, loop: Loop) -> bool:
    plugin = suite.loops.plugin
    scoped = loop.runner == "asyncio" and plugin is not None and not plugin.one_loop
    return loop.runner == "unknown" or (scoped and loop.scope is None)


def _troubles(suite: Suite, item: Item) -> Iterator[Trouble]:
    assert item.plan is not None
    if item.refusal is not None:
        yield Trouble("refusal", name=item.refusal.reason)
    for own in item.plan.problems:
        asker = own.stack[-1] if own.stack else None
        scope = own.requested_scope.word if own.requested_scope is not None else None
        yield Trouble(own.kind, _function(asker), own.name, scope)
    for problem in suite.loops.problems(item):
        scope = problem.requested_scope.word if problem.requested_scope is not None else None
        kind, name = problem.kind, problem.name
        if kind == "unhandled-fixture" and problem.fixture is not None:
            name = problem.fixture.name
            if suite.loops.visible(item, name) is not problem.fixture:
                scope = "overridden"
        yield Trouble(kind, _function(problem.fixture), name, scope)


def _function(fixture: Fixture | None) -> str | None:
    if fixture is None:
        return None
    return fixture.function.name if fixture.function is not None else fixture.name
