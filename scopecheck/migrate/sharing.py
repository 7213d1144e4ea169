"""Finds what shared an event loop, and the loop scope on which it must share one afterwards.

Up to pytest-asyncio 0.22 all that a test uses runs on its `event_loop`; from 0.23 to 0.26 that is
so for what has the loop scope `function`. Overriding `event_loop` with a wider scope made such a
loop wide. From 1.0 a loop scope is all there is, and only equal ones are one loop. So whatever was
on one `event_loop` for some test has to get one loop scope, and what shares a fixture with it too:

    open     a test or fixture whose loop scope was not written down, and that ran on `event_loop`
             (an option that is set counts as written down, whatever the version makes of it)
    group    open ones that share a loop for some test, directly or through others
    target   the loop scope of a group: its widest `event_loop` override, or fixture
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from scopecheck.suite.model import Item, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loop
    from scopecheck.suite.model import Fixture

FixtureKey: TypeAlias = "tuple[str, int]"
"""The same for every registration of one function: its file, or plugin, and line."""

NEWEST = (99, 0)


def key_of(fixture: Fixture) -> FixtureKey:
    """What stands for a fixture's function."""
    return (fixture.path or f"plugin {fixture.plugin}", fixture.line)


class Sharing:
    """The tests and fixtures of a suite that need a loop scope, and which.

    tests: by test, the target of those whose loop scope is not written down.
    fixtures: the same of fixtures, by function.
    floors: fixtures that need a loop scope no narrower than their own scope, and nothing else.
    definitions: the fixtures of each function.
    written: the loop scopes that are written down already.

    Args:
        suite: the suite as it was.
        overrides: the functions that override `event_loop`, and make a loop.
        turned: functions that are synchronous yet, and will be async.
        handed: async fixtures that no plugin ran, and pytest-asyncio will.
    """

    def __init__(
        self,
        suite: Suite,
        overrides: Iterable[FixtureKey],
        turned: Iterable[FixtureKey],
        handed: Iterable[FixtureKey],
    ) -> None:
        self._suite = suite
        self._overrides = frozenset(overrides)
        self._turned = frozenset(turned)
        self._handed = frozenset(handed)
        self._now = suite.loops.as_if(NEWEST)
        self.tests: dict[Item, Scope] = {}
        self.fixtures: dict[FixtureKey, Scope] = {}
        self.floors: dict[FixtureKey, Scope] = {}
        self.definitions: dict[FixtureKey, list[Fixture]] = {}
        self.written: set[Scope] = set()
        self._parents: dict[Item | FixtureKey, Item | FixtureKey] = {}
        self._widest: dict[Item | FixtureKey, Scope] = {}
        for item in suite.items:
            self._add(item)
        self._settle()
        self._add_unused()

    def override(self, item: Item) -> Scope:
        """The scope of the `event_loop` that a test had."""
        found = self._suite.loops.visible(item, "event_loop")
        if found is None or key_of(found) not in self._overrides:
            return Scope.FUNCTION
        return Scope.SESSION if found.scope is None else found.scope

    def _add(self, item: Item) -> None:
        """Take in what one test sets up."""
        assert item.plan is not None
        scope = self.override(item)
        members: list[Item | FixtureKey] = [*self._open_test(item, scope)]
        for fixture in item.plan.order:
            members += self._open_fixture(fixture, item, scope)
        for member in members:
            self._widest[member] = max(scope, self._widest.get(member, scope))
            self._join(members[0], member)

    def _open_test(self, item: Item, scope: Scope) -> Iterator[Item]:
        loop = self._now.test(item)
        if loop is None:
            if item.function is not None and (item.place.path, item.line) in self._turned:
                yield item
            return
        if loop.runner == "unknown":
            # Whatever decides it, it needs the wide loop that it had.
            if scope is not Scope.FUNCTION:
                yield item
            return
        if loop.runner != "asyncio" or loop.scope is None or loop.decision is None:
            return
        match loop.decision.kind:
            case "mark" | "hook":
                # Where it says what the default is, it ran on `event_loop` as well.
                if loop.scope is Scope.FUNCTION < scope and "loop_scope" not in loop.decision.text:
                    yield item
                else:
                    self.written.add(loop.scope)
            case "ini" if loop.scope is not Scope.FUNCTION:
                self.tests[item] = loop.scope
            case _:
                yield item

    def _open_fixture(self, fixture: Fixture, item: Item, scope: Scope) -> Iterator[FixtureKey]:
        key = key_of(fixture)
        own = Scope.SESSION if fixture.scope is None else fixture.scope
        loop = self._now.fixture(fixture, item)
        wide = scope is not Scope.FUNCTION
        handed = loop is not None and (
            key in self._handed or (wide and self._may_be_taken(fixture, loop))
        )
        if key in self._turned or handed:
            self._define(key, fixture)
            self._widest[key] = max(own, self._widest.get(key, own))
            yield key
            return
        if loop is None or loop.runner != "asyncio" or loop.scope is None:
            return
        assert loop.decision is not None
        self._define(key, fixture)
        if not fixture.is_async:
            if loop.decision.kind != "decorator":
                self.floors[key] = own
            return
        match loop.decision.kind:
            case "decorator" if not loop.scope is Scope.FUNCTION < own:
                self.written.add(loop.scope)
                return
            case "ini" if loop.scope is not Scope.FUNCTION:
                self.fixtures[key] = loop.scope
                return
        if own <= scope or any(request.name == "event_loop" for request in fixture.requests):
            self._widest[key] = max(own, self._widest.get(key, own))
            yield key
        else:
            # It had a loop of its own scope, and no other code was on it.
            self.fixtures.setdefault(key, own)

    def _may_be_taken(self, fixture: Fixture, loop: Loop) -> bool:
        """Whether pytest-asyncio runs a fixture if it is the one that it seems to be."""
        plugin = self._now.plugin
        taken = plugin is not None and plugin.takes(fixture) and fixture.loop_scope is None
        return loop.runner == "unknown" and fixture.is_async and taken

    def _define(self, key: FixtureKey, fixture: Fixture) -> None:
        known = self.definitions.setdefault(key, [])
        if fixture not in known:
            known.append(fixture)

    def _join(self, one: Item | FixtureKey, other: Item | FixtureKey) -> None:
        first, second = self._root(one), self._root(other)
        if first != second:
            self._parents[second] = first

    def _root(self, member: Item | FixtureKey) -> Item | FixtureKey:
        while (parent := self._parents.get(member, member)) != member:
            self._parents[member] = self._parents.get(parent, parent)
            member = parent
        return member

    def _settle(self) -> None:
        """Give every member the widest scope of its group."""
        widest: dict[Item | FixtureKey, Scope] = {}
        for member, scope in self._widest.items():
            root = self._root(member)
            widest[root] = max(scope, widest.get(root, scope))
        for member in self._widest:
            scope = widest[self._root(member)]
            if isinstance(member, Item):
                self.tests[member] = scope
            else:
                self.fixtures[member] = scope

    def _add_unused(self) -> None:
        """Fixtures that no test sets up: whatever they get, it must not be too narrow for them."""
        plugin = self._now.plugin
        for fixture in self._suite.fixtures:
            key = key_of(fixture)
            if fixture.path is None or key in self.definitions or plugin is None:
                continue
            takes = key in self._turned or plugin.takes(fixture)
            if takes and fixture.loop_scope is None and fixture.scope is not None:
                self._define(key, fixture)
                self.floors[key] = fixture.scope
