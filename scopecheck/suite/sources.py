"""What linking starts from: the plugins in force, and what pytest's configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scopecheck.plugins import Knowledge, Resolved, Said
    from scopecheck.suite.contracts import Contract
    from scopecheck.suite.model import FixtureKind


class KnownFixture(Protocol):
    """A fixture of a plugin, as a table or a reader of installed plugins gives it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def scope(self) -> str | None: ...  # noqa: D102
    @property
    def autouse(self) -> bool: ...  # noqa: D102
    @property
    def requests(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def kind(self) -> FixtureKind: ...  # noqa: D102
    @property
    def has_params(self) -> bool: ...  # noqa: D102
    @property
    def plugin(self) -> str: ...  # noqa: D102
    @property
    def loop_scope(self) -> str | None: ...  # noqa: D102
    @property
    def asyncio(self) -> bool: ...  # noqa: D102


class PluginSource(Struct, frozen=True):
    """A plugin that pytest registers: its known fixtures, or the module to read them from.

    name: that it is registered under. dist: the distribution, as users know it.
    readable: False where nobody can say which fixtures it ships.
    """

    name: str
    dist: str = ""
    fixtures: tuple[KnownFixture, ...] = ()
    path: str | None = None
    readable: bool = True
    module: str = ""


class AsyncPlugins(Struct, frozen=True):
    """What is known of the plugins that run async fixtures and tests, before a file is read.

    asyncio: pytest-asyncio's version, if it is in force; asyncio_loaded: whether it is, None where
        nothing says so. anyio, trio: whether their plugins are.
    anyio_outside: anyio's plugin is registered after pytest-asyncio's, so that its hooks wrap
        those; None where the order of the two is not known.
    runners: distributions that run async tests by rules of their own wherever they are in force.
    complete: every plugin that is registered at start-up is known; installed: by what is installed
        or locked, not by pins alone.
    pytest: its version. said: what scripts and CI files say of plugins and modes that is not known
        from elsewhere; they are searched when it is asked for.
    """

    asyncio: Resolved | None = None
    asyncio_loaded: bool | None = None
    anyio: bool = False
    trio: bool = False
    anyio_outside: bool | None = None
    runners: frozenset[str] = frozenset()
    complete: bool = False
    installed: bool = False
    pytest: Resolved | None = None
    said: Callable[[], Said] | None = None


class Plugins(Struct, frozen=True):
    """The plugins of a suite, as far as they are known before its files are read.

    start: registered at start-up, in order; late: after those that conftests name.
    possible: fixtures, by name, of well-known plugins that are neither installed nor declared;
        they answer a request that nothing else does, and their autouse ones do not run.
    unknown: plugins whose fixtures nobody can see. ambiguous: names that two plugins ship, where
        it is not known which is registered last.
    named: what a name in `pytest_plugins` registers. installed: the file of an installed module.
    known_fixtures: names that the configuration says exist, or that a distribution may ship. anyio:
        its plugin is in force.
    run_async: what runs async fixtures and tests.
    knowledge: how it is known what is installed: by what is (`environment`) or will be (`lock`), by
        pins, which do not name what comes along, or not at all. hinted: whether a plugin that
        scripts or files of the CI name has a fixture of this name; they are searched then.
    """

    start: tuple[PluginSource, ...] = ()
    late: tuple[PluginSource, ...] = ()
    possible: Mapping[str, Sequence[KnownFixture]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    ambiguous: frozenset[str] = frozenset()
    named: Callable[[str], Sequence[PluginSource]] = lambda _: ()
    installed: Callable[[str], str | None] | None = None
    known_fixtures: tuple[str, ...] = ()
    fixture_decorators: tuple[str, ...] = ()
    anyio: bool = False
    run_async: AsyncPlugins = AsyncPlugins()
    knowledge: Knowledge = "environment"
    hinted: Callable[[str], bool] = lambda _: False

    @property
    def listed(self) -> bool:
        """Whether all that is installed is known."""
        return self.knowledge in ("environment", "lock")


class Options(Struct, frozen=True):
    """What scopecheck's own configuration says that a suite is to know.

    paired_calls: functions that change a state, each with the one that puts it back.
    context_factories: what makes the context of a user or a request (globs); None for the defaults.
    assert_functions: functions that assert, by plain or dotted name (globs).
    selectors: how the rules to be checked were selected, as written.
    contracts: what the tests have to assert of events.
    """

    paired_calls: Mapping[str, str] = field(default_factory=dict)
    context_factories: tuple[str, ...] | None = None
    assert_functions: tuple[str, ...] = ()
    selectors: frozenset[str] = frozenset()
    contracts: tuple[Contract, ...] = ()


class Rules(Struct, frozen=True):
    """What pytest's configuration says about collection, and its version (major, minor)."""

    version: tuple[int, int]
    rootdir: str
    python_functions: tuple[str, ...] = ("test",)
    python_classes: tuple[str, ...] = ("Test",)
    collect_imported_tests: bool = True
    anyio_auto: bool = False
    asyncio_auto: bool = False
