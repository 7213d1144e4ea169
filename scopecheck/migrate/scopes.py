"""Chooses how loop scopes are written: as the suite's defaults, or in decorators and marks.

Where the root conftest's override was everything's loop, both defaults get its scope. Otherwise
they are tried as they are, with `function`, and with a scope that is the suite's own: what an
override in the root conftest had, or what every async test and fixture needs. The choice with the
fewest edits is taken: an option is one edit, and so is each decorator and each mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scopecheck.suite.model import SCOPES, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.migrate.marks import Marks, Step
    from scopecheck.migrate.sharing import FixtureKey, Sharing
    from scopecheck.pytest_config import PytestConfig

FIXTURE_OPTION = "asyncio_default_fixture_loop_scope"
TEST_OPTION = "asyncio_default_test_loop_scope"
# pytest-asyncio warns of a fixture default that is not set, and means to change what that stands
# for; where warnings are errors, 1.5 ends the run.
_UNSET, _UNSET_WITH_ERRORS = 3, 20
# A fixture whose decorator cannot be changed.
_OUT_OF_REACH = 5


@dataclass(frozen=True)
class Defaults:
    """The values of both options; None where an option is not set."""

    fixture: Scope | None
    test: Scope | None

    @property
    def of_tests(self) -> Scope:
        """The loop scope of a test that says nothing."""
        return self.test if self.test is not None else Scope.FUNCTION

    def of(self, scope: Scope) -> Scope:
        """The loop scope of a fixture of this scope that says nothing."""
        return self.fixture if self.fixture is not None else scope


@dataclass(frozen=True)
class Choice:
    """Defaults, and what has to be written besides."""

    defaults: Defaults
    fixtures: dict[FixtureKey, Scope]
    steps: list[Step]


def current(config: PytestConfig) -> Defaults:
    """The defaults that the configuration sets."""
    return Defaults(
        SCOPES.get(config.asyncio_default_fixture_loop_scope or ""),
        SCOPES.get(config.asyncio_default_test_loop_scope or ""),
    )


def choose(
    sharing: Sharing,
    marks: Marks,
    now: Defaults,
    rooted: frozenset[Scope],
    *,
    writable: bool,
    configured: bool,
    errors: bool,
    reachable: frozenset[FixtureKey],
) -> Choice:
    """The cheapest way to write the loop scopes down.

    Args:
        sharing: which loop scope each test and fixture needs.
        marks: where those of tests are written.
        now: the defaults as they are.
        rooted: the scopes of `event_loop` overrides that the whole suite has.
        writable: options can be set. configured: there is a table where options stand.
        errors: pytest's warnings are errors.
        reachable: the fixtures whose decorators can be changed.
    """
    suited = _suited(sharing, rooted)
    best: tuple[tuple[object, ...], Choice] | None = None
    steps: dict[Scope, list[Step]] = {}
    for defaults in _candidates(sharing, now, rooted, writable):
        fixtures = _fixtures(sharing, defaults)
        if defaults.of_tests not in steps:
            steps[defaults.of_tests] = marks.steps(sharing.tests, defaults.of_tests)
        added = steps[defaults.of_tests]
        explicit = sum(1 if key in reachable else _OUT_OF_REACH for key in fixtures) + len(added)
        options = (defaults.fixture is not now.fixture) + (defaults.test is not now.test)
        unset = 0
        if defaults.fixture is None and (configured or defaults.test is not None):
            unset = _UNSET_WITH_ERRORS if errors else _UNSET
        order = (
            defaults != suited,
            explicit + options + unset,
            explicit,
            defaults.of_tests is not defaults.fixture,
            defaults.fixture or Scope.FUNCTION,
        )
        if best is None or order < best[0]:
            best = order, Choice(defaults, fixtures, added)
    assert best is not None
    return best[1]


def _suited(sharing: Sharing, rooted: frozenset[Scope]) -> Defaults | None:
    """The defaults for a suite whose root had one loop for everything; None for any other."""
    needed = {*sharing.fixtures.values(), *sharing.tests.values()}
    if len(needed) != 1 or not needed <= rooted - {Scope.FUNCTION}:
        return None
    (scope,) = needed
    return Defaults(scope, scope)


def _candidates(
    sharing: Sharing, now: Defaults, rooted: frozenset[Scope], writable: bool
) -> Iterable[Defaults]:
    yield now
    if not writable:
        return
    needed = {*sharing.fixtures.values(), *sharing.tests.values()}
    # `class` is no default that anybody would choose: it says nothing of functions.
    own = rooted & needed if len(needed | sharing.written) > 1 else needed - {Scope.CLASS}
    fixtures = dict.fromkeys((now.fixture, Scope.FUNCTION, *sorted(own)))
    tests = dict.fromkeys((now.test, *sorted(own - {Scope.FUNCTION})))
    if now.test is not None:
        tests[Scope.FUNCTION] = None
    for fixture in fixtures:
        for test in tests:
            yield Defaults(fixture, test)


def _fixtures(sharing: Sharing, defaults: Defaults) -> dict[FixtureKey, Scope]:
    """The fixtures that need a loop scope of their own under these defaults."""
    found: dict[FixtureKey, Scope] = {}
    for key, target in sharing.fixtures.items():
        scopes = {_scope(fixture.scope) for fixture in sharing.definitions.get(key, ())}
        if any(defaults.of(scope) is not target for scope in scopes):
            found[key] = target
    for key, floor in sharing.floors.items():
        if defaults.of(floor) < floor:
            found[key] = floor
    return found


def _scope(scope: Scope | None) -> Scope:
    return Scope.SESSION if scope is None else scope
