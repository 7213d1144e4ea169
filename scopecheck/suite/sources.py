"""What linking starts from: the plugins in force, and what pytest's configuration says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


@dataclass(frozen=True, slots=True)
class PluginSource:
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


@dataclass(frozen=True, slots=True)
class Plugins:
    """The plugins of a suite, as far as they are known before its files are read.

    start: registered at start-up, in order; late: after those that conftests name.
    possible: fixtures, by name, of well-known plugins that are neither installed nor declared;
        they answer a request that nothing else does, and their autouse ones do not run.
    unknown: plugins whose fixtures nobody can see. ambiguous: names that two plugins ship, where
        it is not known which is registered last.
    named: what a name in `pytest_plugins` registers. installed: the file of an installed module.
    known_fixtures: names that the configuration says exist. anyio: its plugin is in force.
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


@dataclass(frozen=True, slots=True)
class Rules:
    """What pytest's configuration says about collection, and its version (major, minor)."""

    version: tuple[int, int]
    rootdir: str
    python_functions: tuple[str, ...] = ("test",)
    python_classes: tuple[str, ...] = ("Test",)
    collect_imported_tests: bool = True
    anyio_auto: bool = False
    asyncio_auto: bool = False
