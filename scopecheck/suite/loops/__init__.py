"""Which event loop every async fixture and test of a suite runs on, and what decided it.

`Suite.loops` answers for one suite. What a hook decides by running code is unknown, and said so.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from scopecheck.finding import Place
from scopecheck.source import Span
from scopecheck.suite.loops import overrides
from scopecheck.suite.loops.added import runs_on_two_loops
from scopecheck.suite.loops.model import (
    Decision,
    Loop,
    LoopProblem,
    LoopProblemKind,
    Pair,
    Runner,
)
from scopecheck.suite.loops.pairs import pairs_of
from scopecheck.suite.loops.problems import loop_fixture, problems_of
from scopecheck.suite.loops.pytest_asyncio import (
    EPOCHS,
    FIXTURE_SPELLING,
    PLAIN_SPELLINGS,
    PytestAsyncio,
)
from scopecheck.suite.marks import UNKNOWN_MARK
from scopecheck.suite.model import Scope
from scopecheck.whole import NeedsWhole
from scopecheck.whole import known as answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scopecheck.plugins import Resolved
    from scopecheck.pytest_config import PytestConfig
    from scopecheck.suite.loops.added import AsyncHooks, HookedMark
    from scopecheck.suite.loops.doubts import Doubts
    from scopecheck.suite.model import Fixture, Item, Plan
    from scopecheck.suite.resolve import Resolver
    from scopecheck.suite.sources import AsyncPlugins
    from scopecheck.whole import Whole

# Those of any other decorator are run by the decorator, or by the plugin that ships it.
_KNOWN_SPELLINGS = PLAIN_SPELLINGS | {FIXTURE_SPELLING}


class Loops:
    """The loops of one suite.

    version: pytest-asyncio's; None where it is not in force.
    assumed: nothing says that pytest-asyncio is in force, but the suite uses it.
    plugin: the rules of that version; None where it is not in force.
    pytest: its version. anyio, trio: whether their plugins are in force.
    uses_asyncio, uses_anyio: the suite says itself that it runs under the plugin.

    Args:
        config: pytest's.
        inifile: the path of its configuration file, as findings have it.
        known: the async plugins in force.
        hooks: what the suite's hooks do to async tests.
        items, fixtures: of the suite.
        resolver: resolves the names that the plugins request unseen.
        doubts: what else may run async tests and fixtures.
        in_package: whether a file lies in a package.
        number: stands in for pytest-asyncio's version, as (major, minor).
        whole: what is known of the suite that this is a part of.
    """

    def __init__(
        self,
        config: PytestConfig,
        inifile: str | None,
        known: AsyncPlugins,
        hooks: AsyncHooks,
        doubts: Doubts,
        items: Sequence[Item],
        fixtures: Sequence[Fixture],
        resolver: Resolver,
        in_package: Callable[[str], bool],
        number: tuple[int, int] | None = None,
        whole: Whole | None = None,
    ) -> None:
        self._whole = whole
        suite = (items, fixtures, resolver, in_package)
        self._arguments = (config, inifile, known, hooks, doubts, *suite)
        self._config = config
        self._inifile = inifile
        self._known = known
        self.hooks = hooks
        self._doubts = doubts
        self._items = items
        self._defined = fixtures
        self.in_package = in_package
        self._resolver = resolver
        self.pytest = known.pytest
        self.anyio, self.trio = known.anyio, known.trio
        self.mode = config.asyncio_mode or "strict"
        self.version: Resolved | None = None
        self.assumed = False
        self.plugin: PytestAsyncio | None = None
        loaded = known.asyncio_loaded
        self.uses_asyncio = self._is_used(items, fixtures)
        self.uses_anyio = any(mark.name == "anyio" for item in items for mark in item.marks)
        if whole is not None:
            self.uses_asyncio = answer(whole.uses_asyncio)
            self.uses_anyio = answer(whole.uses_anyio)
        if not loaded and "asyncio" not in config.blocked and self.uses_asyncio:
            loaded = self.assumed = True
        if loaded and known.asyncio is not None:
            self.version = known.asyncio
            if number is None:
                newest = known.asyncio.number if known.asyncio.version else (99, 0, 0)
                number = newest[:2]
            ini = {name: text for name, text in config.ini.items() if isinstance(text, str)}
            self.plugin = PytestAsyncio(number, self.mode, ini, self.option_place)
        self._anyio = known.anyio or self.uses_anyio
        self._tests: dict[Item, Loop | None] = {}
        self._have_loops: dict[Fixture, bool] = {}
        self._fixtures: dict[tuple[Fixture, bool, bool], Loop] = {}
        self._asked: tuple[Item | None, bool, bool] = (None, False, False)

    def _is_used(self, items: Sequence[Item], fixtures: Sequence[Fixture]) -> bool:
        """Whether the suite says itself that it runs under pytest-asyncio."""
        return (
            any(name.startswith("asyncio_") for name in self._config.ini)
            or self._config.asyncio_mode is not None
            or any(f.spelling == FIXTURE_SPELLING and f.path is not None for f in fixtures)
            or any(mark.name == "asyncio" for item in items for mark in item.marks)
        )

    def option_place(self, name: str) -> Place | None:
        """Where an option of pytest's configuration is written."""
        line = self._config.option_lines.get(name)
        if line is None or self._inifile is None:
            return None
        return Place(self._inifile, Span(line, 1, line, 1 + len(name)))

    def as_if(self, number: tuple[int, int]) -> Loops:
        """The same suite under another version of pytest-asyncio, as (major, minor)."""
        return Loops(*self._arguments, number, self._whole)

    @cached_property
    def others(self) -> tuple[Loops, ...]:
        """The same suite under each way to choose loops that its pins allow, the newest left out.

        Empty where the version is certain.
        """
        version = self.version
        if version is None or version.certainty == "exact" or self.plugin is None:
            return ()
        reached = [epoch for epoch in EPOCHS if not version.oldest or epoch <= self.plugin.version]
        if version.oldest:
            oldest = _number(version.oldest)
            first = max((epoch for epoch in EPOCHS if epoch <= oldest), default=EPOCHS[0])
            reached = [epoch for epoch in reached if epoch >= first]
        mine = max((epoch for epoch in EPOCHS if epoch <= self.plugin.version), default=EPOCHS[0])
        return tuple(
            Loops(*self._arguments, epoch, self._whole) for epoch in reached if epoch != mine
        )

    def test(self, item: Item) -> Loop | None:
        """The loop of a test; None for one that is not async."""
        if item not in self._tests:
            self._tests[item] = self._settled(self._test(item), item) if item.is_async else None
        return self._tests[item]

    def _settled(self, loop: Loop, item: Item) -> Loop:
        """The same loop; where nobody is known to run the code, who else may."""
        return (self._doubts.of(item) if loop.runner == "none" else None) or loop

    def _test(self, item: Item) -> Loop:
        if item.testcase:
            return Loop("none")
        if item.opaque or item.unknown:
            return Loop("unknown", reason="a decorator may run it")
        # No plugin runs an async generator; pytest-asyncio only warns of it.
        is_generator = item.function is not None and item.function.is_generator
        if self.plugin is not None:
            if self.hooks.unknown:
                return Loop("unknown", reason=f"{self.hooks.unknown[0]} may change its marks")
            found = self.hooks.mark_of(item, self.plugin.version, auto=self.plugin.auto)
            if UNKNOWN_MARK in (found.mark, found.collected):
                return Loop("unknown", reason="its marks are computed")
            if found.taken and not is_generator:
                return self._taken(self.plugin, found)
            if "anyio" in found.names and not self._in_closure(item, "anyio_backend"):
                return Loop("unknown", reason="a hook gives it the mark `anyio`")
        if not is_generator and self._in_closure(item, "anyio_backend") and self._anyio:
            return Loop("anyio")
        if not is_generator and self._is_trio(item):
            return Loop("trio")
        return Loop("none")

    def _taken(self, plugin: PytestAsyncio, found: HookedMark) -> Loop:
        """The loop of a test that pytest-asyncio runs."""
        if not plugin.valid:
            return Loop("unknown", reason="a loop scope of the configuration is not valid")
        scope, decision = plugin.test_scope(found.mark, found.place)
        if decision is None:
            return Loop("asyncio", reason="the arguments of its mark are computed")
        before = None if found.collected is None else plugin.test_scope(found.collected)[0]
        if runs_on_two_loops(plugin.version, before, scope):
            return Loop("asyncio", reason="a hook gives it another loop than its own mark")
        return Loop("asyncio", scope, decision)

    def fixture(self, fixture: Fixture, item: Item) -> Loop | None:
        """The loop of a fixture when it is set up for a test; None for one that has none.

        From pytest-asyncio 1.1 a synchronous `@pytest_asyncio.fixture` has one too.
        """
        if not self.has_loop(fixture):
            return None
        # The fixtures of one test are asked for in turn.
        if item is not self._asked[0]:
            self._asked = (item, self._in_closure(item, "anyio_backend"), self._is_trio(item))
        key = (fixture, *self._asked[1:])
        found = self._fixtures.get(key)
        if found is None:
            found = self._fixtures[key] = self._fixture(*key)
        return self._settled(found, item)

    def has_loop(self, fixture: Fixture) -> bool:
        """Whether a fixture is set up on a loop, for whichever test."""
        found = self._have_loops.get(fixture)
        if found is None:
            found = fixture.is_async or (self.plugin is not None and self.plugin.takes(fixture))
            self._have_loops[fixture] = found
        return found

    def _fixture(self, fixture: Fixture, backend: bool, trio: bool) -> Loop:
        taken = self.plugin is not None and self.plugin.takes(fixture)
        if fixture.opaque or not fixture.certain:
            return Loop("unknown", reason=f"{fixture.name!r} may be another definition")
        if fixture.is_async and backend and self._anyio:
            if not taken:
                return Loop("anyio")
            assert self.plugin is not None
            # From 1.1 the plugin that is registered last gets the fixture.
            outside = self._known.anyio_outside if self.plugin.version >= (1, 1) else False
            if outside is None:
                return Loop("unknown", reason="anyio and pytest-asyncio both run it")
            if outside:
                return Loop("anyio")
        if taken:
            assert self.plugin is not None
            if not self.plugin.valid:
                return Loop("unknown", reason="a loop scope of the configuration is not valid")
            scope, decision = self.plugin.fixture_scope(fixture)
            reason = "" if decision is not None else "its loop scope is computed"
            return Loop("asyncio", scope, decision, reason)
        if fixture.spelling.startswith("pytest_trio.") or (trio and self._known.trio):
            return Loop("trio")
        if fixture.spelling not in _KNOWN_SPELLINGS or fixture.plugin is not None:
            return Loop("other")
        return Loop("none")

    def _in_closure(self, item: Item, name: str) -> bool:
        return item.plan is not None and name in item.plan.closure

    def _is_trio(self, item: Item) -> bool:
        if not self._known.trio or not item.is_async:
            return False
        auto = self._config.ini.get("trio_mode") in ("true", "True", "1", "yes", "on")
        return auto or any(mark.name == "trio" for mark in item.marks)

    @cached_property
    def usual_runner(self) -> Runner | None:
        """The plugin that runs most of the suite's async tests."""
        self._needs_whole("which plugin runs most tests")
        return usual_runner(self, self._items)

    @cached_property
    def helpers(self) -> frozenset[str]:
        """The symbols of the suite's own fixtures that merely have the name `event_loop`."""
        if self._whole is not None:
            return answer(self._whole.helpers)
        return overrides.helpers(self, self._defined, self._items)

    @cached_property
    def shapes(self) -> tuple[tuple[Item, ...], ...]:
        """The tests with anything async, those whose loops are alike in every respect together."""
        found: dict[object, list[Item]] = {}
        is_async: dict[Plan, bool] = {}
        for item in self._items:
            plan = item.plan
            assert plan is not None
            if plan not in is_async:
                is_async[plan] = any(
                    fixture.is_async or fixture.spelling == FIXTURE_SPELLING
                    for fixture in plan.order
                )
            if item.is_async or is_async[plan]:
                asked = tuple(request.name for request in item.requests)
                in_class = any(level.kind == "class" for level in item.levels)
                key = (plan, self.test(item), asked, in_class)
                found.setdefault(key, []).append(item)
        return tuple(tuple(items) for items in found.values())

    def folders(self, fixture: Fixture) -> frozenset[str]:
        """The folders of the tests that a fixture of package scope is set up for."""
        self._needs_whole("the folders of a fixture's tests")
        return self._folders.get(fixture, frozenset())

    @cached_property
    def _folders(self) -> dict[Fixture, frozenset[str]]:
        found: dict[Fixture, set[str]] = {}
        for item in self._items:
            assert item.plan is not None
            for fixture in item.plan.order:
                if fixture.scope is Scope.PACKAGE:
                    found.setdefault(fixture, set()).add(item.path.rpartition("/")[0])
        return {fixture: frozenset(folders) for fixture, folders in found.items()}

    def _needs_whole(self, what: str) -> None:
        if self._whole is not None:
            raise NeedsWhole(what)

    def visible(self, item: Item, name: str) -> Fixture | None:
        """The definition that a name has for a test, whoever requests it."""
        found = self._resolver.visible(item.levels, name)
        return found[-1] if found else None

    def shown_scope(self, loop: Loop, item: Item) -> Scope | None:
        """The loop scope, or up to 0.22, which has none, the scope of the test's `event_loop`."""
        if loop.scope is None and self.plugin is not None and self.plugin.one_loop:
            return loop_fixture(self, self.plugin, item, None)[1]
        return loop.scope

    def pairs(self, item: Item) -> Iterator[Pair]:
        """The async fixtures of a test, each with the async code that uses it."""
        return pairs_of(self, item)

    @cached_property
    def apart(self) -> tuple[tuple[tuple[Item, ...], tuple[Pair, ...]], ...]:
        """The shapes in which two loops meet, with the pairs for which that is sure."""
        found = (
            (items, tuple(pair for pair in self.pairs(items[0]) if pair.same is False))
            for items in self.shapes
            if self._are_several(items[0])
        )
        return tuple((items, pairs) for items, pairs in found if pairs)

    def _are_several(self, item: Item) -> bool:
        """Whether a test and its async fixtures run on loops that differ: most share one."""
        assert item.plan is not None
        fixtures = (self.fixture(one, item) for one in item.plan.order if one.is_async)
        loops = (loop for loop in (self.test(item), *fixtures) if loop is not None)
        return len({(loop.runner, loop.scope) for loop in loops}) > 1

    @cached_property
    def troubled(self) -> tuple[tuple[tuple[Item, ...], tuple[LoopProblem, ...]], ...]:
        """The shapes with problems, and those."""
        found = ((items, self.problems(items[0])) for items in self.shapes)
        return tuple((items, problems) for items, problems in found if problems)

    def problems(self, item: Item) -> tuple[LoopProblem, ...]:
        """What goes wrong with the test because of its loops; two loops alone are no problem."""
        return tuple(problems_of(self, item))


def usual_runner(loops: Loops, items: Iterable[Item]) -> Runner | None:
    """The plugin that runs most of some tests; None where none of them is async and run by one."""
    found = Counter(loop.runner for item in items if (loop := loops.test(item)) is not None)
    known = [runner for runner, _ in found.most_common() if runner in ("asyncio", "anyio", "trio")]
    return known[0] if known else None


def _number(text: str) -> tuple[int, int]:
    parts = [int(part) if part.isdecimal() else 0 for part in text.split(".")[:2]]
    return (parts[0], parts[1] if len(parts) > 1 else 0)


__all__ = [
    "Decision",
    "Loop",
    "LoopProblem",
    "LoopProblemKind",
    "Loops",
    "Pair",
    "Runner",
    "usual_runner",
]
