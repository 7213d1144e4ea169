"""The bundled table of what pytest and the popular plugins ship, from JSON to fixtures.

    shipped       one distribution: its entry points, and its fixtures for ranges of versions
    module        fixtures that a distribution ships, but that pytest only sees where the module is
                  named in `pytest_plugins` or with `-p`

The table is data, read when it is first asked for; `scripts/update_plugin_table.py` writes it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from scopecheck.plugins.versions import Version, parse_version

FixtureKind: TypeAlias = Literal["function", "generator", "coroutine", "asyncgen"]
FixtureScope: TypeAlias = Literal["function", "class", "module", "package", "session"]

TABLE = Path(__file__).parent.parent / "data" / "plugins.json"


class PluginFixture(msgspec.Struct, frozen=True):
    """A fixture that a plugin ships.

    name: what tests request. function: the Python name it is defined under. scope: None where the
    plugin works it out when pytest runs. requests: in the order of the parameters, `request`
    included. plugin: the distribution as users know it, "pytest" for the built-in ones.
    loop_scope, asyncio: what `@pytest_asyncio.fixture` was given, and whether it was used.
    """

    name: str
    function: str
    scope: FixtureScope | None
    autouse: bool
    requests: tuple[str, ...]
    kind: FixtureKind
    has_params: bool
    plugin: str
    module: str
    line: int
    loop_scope: FixtureScope | None = None
    asyncio: bool = False

    @property
    def is_async(self) -> bool:
        """Whether its function is a coroutine function or an asynchronous generator."""
        return self.kind in ("coroutine", "asyncgen")


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A fixture as the table has it; an empty `function` is the name again."""

    name: str
    scope: FixtureScope | None
    kind: FixtureKind
    module: str
    line: int
    requests: tuple[str, ...] = ()
    autouse: bool = False
    has_params: bool = False
    function: str = ""
    loop_scope: FixtureScope | None = None
    asyncio: bool = False

    def fixture(self, plugin: str) -> PluginFixture:
        """The fixture of this row, as the plugin's."""
        return PluginFixture(
            name=self.name,
            function=self.function or self.name,
            scope=self.scope,
            autouse=self.autouse,
            requests=self.requests,
            kind=self.kind,
            has_params=self.has_params,
            plugin=plugin,
            module=self.module,
            line=self.line,
            loop_scope=self.loop_scope,
            asyncio=self.asyncio,
        )


class Release(msgspec.Struct, frozen=True):
    """The fixtures of the versions from `since` on, up to the next release of the table."""

    since: str
    fixtures: tuple[Row, ...]


class Shipped(msgspec.Struct, frozen=True):
    """What one distribution ships. `version` is the newest that the table was made from.

    requires: distributions with fixtures of their own that are installed along with it.
    names: what its modules name in `pytest_plugins`, where that is of another distribution.
    """

    version: str
    entry_points: tuple[tuple[str, str], ...] = ()
    releases: tuple[Release, ...] = ()
    modules: dict[str, tuple[Row, ...]] = {}
    requires: tuple[str, ...] = ()
    names: dict[str, tuple[str, ...]] = {}

    def rows(self, version: Version | None) -> tuple[Row, ...]:
        """The fixtures of one version; of the newest where the version is not known."""
        chosen: tuple[Row, ...] = self.releases[0].fixtures if self.releases else ()
        for release in self.releases:
            since = parse_version(release.since)
            if version is None or since is None or since <= version:
                chosen = release.fixtures
        return chosen

    def covers(self, version: Version | None) -> bool:
        """Whether the table is known to be right for this version, not just near it."""
        if version is None:
            return False
        newest = parse_version(self.version)
        several = len(self.releases) > 1
        return newest is not None and (newest.same(version) or (several and version <= newest))


class Table(msgspec.Struct, frozen=True):
    """The whole table, by distribution name; and the versions that were published of some."""

    plugins: dict[str, Shipped]
    versions: dict[str, tuple[str, ...]] = {}
    brings: dict[str, tuple[str, ...]] = {}


@lru_cache(maxsize=1)
def table() -> Table:
    """The bundled table."""
    return msgspec.json.decode(TABLE.read_bytes(), type=Table)


def bundled_plugins() -> dict[str, Shipped]:
    """Every distribution of the table, by its normalised name."""
    return table().plugins


def bundled_fixtures(dist: str, version: str | None = None) -> tuple[PluginFixture, ...]:
    """The fixtures that pytest sees once this version of a distribution is installed.

    Those of pytest itself include what it registers only on demand (`pytester` and `testdir`).
    """
    shipped = bundled_plugins().get(dist)
    if shipped is None:
        return ()
    rows = shipped.rows(parse_version(version) if version else None)
    return tuple(row.fixture(dist) for row in rows)


def ships(dist: str, name: str) -> bool:
    """Whether a version of a distribution is known to have a fixture of this name."""
    shipped = bundled_plugins().get(dist)
    return shipped is not None and any(
        row.name == name for release in shipped.releases for row in release.fixtures
    )


@lru_cache(maxsize=1)
def bundled_modules() -> dict[str, str]:
    """The distribution of every plugin module that the table knows, by dotted name."""
    found: dict[str, str] = {}
    for dist, shipped in bundled_plugins().items():
        for _, module in shipped.entry_points:
            found.setdefault(module, dist)
        for module in shipped.modules:
            found.setdefault(module, dist)
    return found


def known_releases(dist: str) -> tuple[str, ...]:
    """The published versions of a distribution, oldest first; empty where none are bundled."""
    return table().versions.get(dist, ())
