"""Which plugins pytest would load for a suite, in the order of their registration.

    loaded        a plugin that pytest registers: by itself, by entry point, or for `-p`
    possible      a popular plugin's fixture that nothing declares and nothing rules out

pytest registers its own plugins first, then those of `-p`, then the entry points of what is
installed (in the order of the folder's listing), then what conftests name. Among plugins the one
registered later answers a request. Two things are odd and kept: `-p no:NAME` from a configuration
file comes too late to take a built-in plugin's fixtures away (it was registered before), and
`tmpdir` is registered only when the configuration is complete, after every other plugin.
"""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - the type of a struct's field
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from scopecheck.plugins.environment import (
    EntryPoint,
    Environment,
    find_in,
    find_module,
    normalise,
)
from scopecheck.plugins.requirements import project_name
from scopecheck.plugins.resolved import Resolved, resolve_version
from scopecheck.plugins.stated import Stated, announced_plugins, folders_between, stated_versions
from scopecheck.plugins.table import (
    PluginFixture,
    bundled_fixtures,
    bundled_modules,
    bundled_plugins,
    table,
)
from scopecheck.plugins.versions import Version, parse_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Knowledge: TypeAlias = Literal["environment", "lock", "pins", "nothing"]

# In pytest's own order; those that ship no fixtures are left out.
BUILTIN_PLUGINS = (
    "fixtures",
    "capture",
    "legacypath",
    "tmpdir",
    "monkeypatch",
    "recwarn",
    "junitxml",
    "doctest",
    "cacheprovider",
    "logging",
    "subtests",
)
# Names that pytest takes for plugins of its own; `-p NAME` imports `_pytest.NAME`.
_OWN_NAMES = """
    mark main runner fixtures helpconfig python terminal debugging unittest capture skipping
    legacypath tmpdir monkeypatch recwarn pastebin nose assertion junitxml doctest cacheprovider
    freeze_support setuponly setupplan stepwise unraisableexception threadexception warnings
    logging reports python_path faulthandler subtests pytester pytester_assertions terminalprogress
"""
OWN_PLUGINS = frozenset(_OWN_NAMES.split())
# Registered under another name than their module's, and not with the rest.
_LEGACY_TMPDIR = frozenset({"tmpdir", "tmpdir_factory"})


_OPTION = re.compile(r"(?<!\S)--([a-z][\w-]*)")


class LoadedPlugin(msgspec.Struct, frozen=True):
    """A plugin that pytest registers.

    name: that it is registered under. dist: "pytest" for built-in ones, "" where unknown.
    path: its source file, to be read as facts: the fixtures are those of that module. Where it is
    None, they are `fixtures`, from the table. Neither: the plugin cannot be read.
    origin: why it counts as loaded. exact: the table is known to be right for this version.
    """

    name: str
    dist: str
    module: str
    origin: str
    path: Path | None = None
    fixtures: tuple[PluginFixture, ...] = ()
    readable: bool = True
    exact: bool = True


class PluginSet(msgspec.Struct, frozen=True):
    """The plugins in force for a suite, and what is known of them.

    plugins: in the order of registration, the later one wins. late: registered after those that
    conftests name. possible: fixtures, by name, of popular plugins that are neither declared nor
    ruled out: they may be there, so a request of one is no fault, but their autouse does not apply.
    unknown_sources: what may ship fixtures that nobody can see from here. ambiguous: names that two
    plugins ship, where the order of their registration is not known. versions: of every
    distribution that is stated or in force. knowledge: where the list of plugins comes from.
    namesakes: distributions that are stated and nobody can look into, as fixtures are spelled: one
        may be a plugin that ships a fixture of its own name, as `aresponses` is.
    """

    pytest: Resolved
    plugins: tuple[LoadedPlugin, ...]
    late: tuple[LoadedPlugin, ...]
    possible: dict[str, tuple[PluginFixture, ...]]
    unknown_sources: tuple[str, ...]
    ambiguous: frozenset[str]
    versions: dict[str, Resolved]
    knowledge: Knowledge
    environment: Environment | None = None
    blocked: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    namesakes: tuple[str, ...] = ()

    def in_force(self, dist: str) -> bool:
        """Whether a plugin of this distribution is loaded."""
        return any(plugin.dist == dist for plugin in (*self.plugins, *self.late))

    def version(self, dist: str) -> Resolved | None:
        """The version of a distribution that is stated or in force."""
        return self.versions.get(dist)


def plugins_in_force(
    root: Path,
    rootdir: Path,
    *,
    settings_plugins: Mapping[str, str] | None = None,
    environment: Environment | None = None,
    stated: Mapping[str, Stated] | None = None,
    names: Sequence[str] = (),
    blocked: Sequence[str] = (),
    autoload: bool = True,
    import_paths: Sequence[Path] = (),
    addopts: str = "",
) -> PluginSet:
    """The plugins that pytest would register for the suite at `rootdir`, before any conftest.

    names, blocked: the `-p NAME` and `-p no:NAME` of the configuration. autoload: False under
    `--disable-plugin-autoload`. import_paths: folders on `sys.path` (`rootdir`, `pythonpath`).
    addopts: as the configuration has it.
    """
    stated = stated_versions(root, rootdir) if stated is None else stated
    loader = _Loader(root, rootdir, dict(settings_plugins or {}), environment, stated)
    loader.import_paths = tuple(import_paths) or (rootdir,)
    loader.options = frozenset(map(normalise, _OPTION.findall(addopts)))
    loader.block(blocked, names)
    loader.add_builtins()
    for name in names:
        loader.add_named(name)
    if autoload:
        loader.add_entry_points()
    return loader.finish(autoload)


def named_plugins(
    name: str, plugins: PluginSet, import_paths: Sequence[Path] = (), *, option: bool = False
) -> tuple[LoadedPlugin, ...]:
    """What `pytest_plugins = [name]` registers (with `option`, what `-p name` does).

    Empty where the plugin is in force already or blocked; a plugin that nobody can read comes with
    `readable=False`. `-p` may give an entry point's name, and so may `pytest_plugins` from 9.2 on.
    """
    loaded = (*plugins.plugins, *plugins.late)
    if name in plugins.blocked or any(name in (p.name, p.module) for p in loaded):
        return ()
    environment = plugins.environment
    if option or plugins.pytest.at_least(9, 2):
        entries = environment.entry_points if environment else _table_entry_points(name)
        for entry in entries:
            if entry.name == name:
                return (_entry_plugin(entry, plugins.versions, environment, "entry point", ()),)
    if name in OWN_PLUGINS or name.removeprefix("_pytest.") in OWN_PLUGINS:
        return _builtin_named(name.removeprefix("_pytest."), plugins.pytest, plugins.blocked)
    for base in import_paths:
        path = find_in(base, name)
        if path:
            return (LoadedPlugin(name, "", name, "named", path=path),)
    return _with_named(name, plugins, environment)


def _with_named(
    name: str, plugins: PluginSet, environment: Environment | None
) -> tuple[LoadedPlugin, ...]:
    """A module of the table and, after it, what it names in turn (`consider_module` of pytest)."""
    plugin = _module_plugin(name, plugins.versions, environment)
    shipped = bundled_plugins().get(plugin.dist)
    inner = () if shipped is None or plugin.path is not None else shipped.names.get(name, ())
    return (plugin, *(_module_plugin(one, plugins.versions, environment) for one in inner))


class _Loader:
    """Collects plugins in the order in which pytest registers them."""

    def __init__(
        self,
        root: Path,
        rootdir: Path,
        settings_plugins: dict[str, str],
        environment: Environment | None,
        stated: Mapping[str, Stated],
    ) -> None:
        self.root = root
        self.rootdir = rootdir
        self.settings = {normalise(name): version for name, version in settings_plugins.items()}
        self.environment = environment
        self.stated = stated
        self.import_paths: tuple[Path, ...] = (rootdir,)
        self.options: frozenset[str] = frozenset()
        self.blocked: frozenset[str] = frozenset()
        self.plugins: list[LoadedPlugin] = []
        self.late: list[LoadedPlugin] = []
        self.unknown: dict[str, None] = {}
        self.notes: list[str] = list(environment.notes) if environment else []
        self.declared = self._declared()
        plugins = [entry.dist for entry in environment.entry_points] if environment else []
        self.versions = {
            dist: self.resolve(dist)
            for dist in (*self.declared, *plugins, "pytest", "pytest-asyncio", "anyio")
        }
        self.pytest = self.versions["pytest"]

    def _declared(self) -> tuple[str, ...]:
        """Distributions that are asked for, and those that come along with them."""
        found = dict.fromkeys(self.settings)
        found.update((dist, None) for dist, said in self.stated.items() if said.declared)
        if self.knowledge() in ("environment", "lock"):
            # These list what comes along too.
            return tuple(found)
        shipped, brings = bundled_plugins(), table().brings
        pending = list(found)
        while pending:
            dist = pending.pop()
            along = brings.get(dist, ())
            if dist in shipped and self.is_recent(dist):
                along = (*along, *shipped[dist].requires)
            for other in along:
                if other not in found:
                    found[other] = None
                    pending.append(other)
        return tuple(found)

    def resolve(self, dist: str) -> Resolved:
        return resolve_version(dist, self.settings, self.environment, self.stated)

    def is_recent(self, dist: str) -> bool:
        """Whether its version is of the newest kind in the table, whose requirements are known."""
        releases = bundled_plugins()[dist].releases
        since = parse_version(releases[-1].since) if releases else None
        version = parse_version(self.resolve(dist).version)
        return since is None or version is None or since <= version

    def block(self, blocked: Sequence[str], names: Sequence[str]) -> None:
        both: set[str] = set()
        for name in blocked:
            both |= {name, f"pytest_{name}"}
            if name == "cacheprovider":
                both |= {"stepwise", "pytest_stepwise"}
        # `-p NAME` unblocks, and what it has registered stays whatever follows.
        for name in names:
            both -= {name, f"pytest_{name}"}
        self.blocked = frozenset(both)

    def has(self, name: str) -> bool:
        return name in _own_by_default(self.pytest) or any(p.name == name for p in self.plugins)

    def add_builtins(self) -> None:
        groups = _builtin_fixtures(self.pytest)
        for name in BUILTIN_PLUGINS:
            fixtures = groups.get(name, ())
            if name == "legacypath":
                late = tuple(f for f in fixtures if f.name in _LEGACY_TMPDIR)
                if late and not {"tmpdir", "legacypath", "legacypath-tmpdir"} & self.blocked:
                    self.late.append(_builtin("legacypath-tmpdir", "legacypath", late))
            elif fixtures:
                self.plugins.append(_builtin(name, name, fixtures))

    def add_named(self, name: str) -> None:
        # What lies in `src` is installed, so that pytest can import it.
        paths = (*self.import_paths, self.rootdir / "src")
        made = named_plugins(name, self.snapshot(), paths, option=True)
        self.plugins.extend(made)
        self.unknown.update((name, None) for plugin in made if not plugin.readable)

    def add_entry_points(self) -> None:
        if self.environment is not None:
            for entry in self.environment.entry_points:
                self.add_entry_point(entry, self.environment.how)
        missing = [d for d in self.declared if not self.installed(d)]
        for folder in folders_between(self.root, self.rootdir):
            for entry in announced_plugins(folder):
                self.add_entry_point(entry, "announced by the project", self.source_paths(folder))
        for dist in sorted(missing):
            if self.environment is None:
                self.add_from_table(dist)
            self.add_from_folder(dist)

    def installed(self, dist: str) -> bool:
        return self.environment is not None and dist in self.environment.versions

    def add_entry_point(self, entry: EntryPoint, origin: str, paths: tuple[Path, ...] = ()) -> None:
        if self.has(entry.name) or entry.name in self.blocked:
            return
        if any(plugin.module == entry.module for plugin in self.plugins):
            return
        plugin = _entry_plugin(entry, self.versions, self.environment, origin, paths)
        self.plugins.append(plugin)
        if not plugin.readable:
            self.unknown[entry.dist] = None

    def add_from_table(self, dist: str) -> None:
        shipped = bundled_plugins().get(dist)
        for name, module in shipped.entry_points if shipped else ():
            self.add_entry_point(EntryPoint(name, module, dist), self.versions[dist].origin)

    def add_from_folder(self, dist: str) -> None:
        """A dependency that is taken from the disk: its own word on its plugins counts."""
        said = self.stated.get(dist)
        for statement in said.statements if said else ():
            if statement.path is None:
                continue
            if not statement.path.is_dir():
                self.unknown[dist] = None
                continue
            for entry in announced_plugins(statement.path):
                self.add_entry_point(entry, statement.origin, self.source_paths(statement.path))

    def source_paths(self, folder: Path) -> tuple[Path, ...]:
        return (folder / "src", folder, *self.import_paths)

    def snapshot(self) -> PluginSet:
        return PluginSet(
            pytest=self.pytest,
            plugins=tuple(self.plugins),
            late=tuple(self.late),
            possible={},
            unknown_sources=tuple(self.unknown),
            ambiguous=frozenset(),
            versions=self.versions,
            knowledge=self.knowledge(),
            environment=self.environment,
            blocked=self.blocked,
            notes=tuple(self.notes),
        )

    def knowledge(self) -> Knowledge:
        if self.environment is not None:
            return "environment"
        said = self.stated.get("pytest")
        if said is None or not said.declared:
            return "nothing"
        return "lock" if said.locked else "pins"

    def finish(self, autoload: bool) -> PluginSet:
        namesakes: list[str] = []
        for dist in self.declared:
            if self.installed(dist) or dist in bundled_plugins():
                continue
            namesakes.append(dist.replace("-", "_"))
            said = self.stated.get(dist)
            local = said is not None and any(s.path for s in said.statements)
            # Anything may be a plugin, but one that is not named so is rare.
            named = _is_named_as_plugin(dist) or self.has_option(dist)
            if not local and (named or self.brings_for_tests(said)):
                self.unknown[dist] = None
        made = self.snapshot()
        return msgspec.structs.replace(
            made,
            possible=self.possible() if autoload else {},
            ambiguous=self.ambiguous(),
            namesakes=tuple(namesakes) if autoload else (),
        )

    def has_option(self, dist: str) -> bool:
        """Whether pytest is given an option of the distribution's name, as only a plugin has one.

        (`--ruff` is the option of pytest-ruff.)
        """
        plugin = f"pytest-{dist}"
        return (
            dist in self.options and plugin not in self.declared and plugin not in bundled_plugins()
        )

    def brings_for_tests(self, said: Stated | None) -> bool:
        """Whether it is another project, asked for with what its tests need, and no lock lists it.

        A framework hands its plugins to the suites of what is built on it through such an extra.
        """
        if said is None or said.locked or not any(s.for_tests for s in said.statements):
            return False
        folders = folders_between(self.root, self.rootdir)
        return all(project_name(folder) != said.dist for folder in folders)

    def possible(self) -> dict[str, tuple[PluginFixture, ...]]:
        """What a popular plugin may supply that is neither in force nor ruled out."""
        knowledge = self.knowledge()
        in_force = {plugin.dist for plugin in self.plugins}
        found: dict[str, list[PluginFixture]] = {}
        for dist, shipped in bundled_plugins().items():
            if dist in in_force or any(name in self.blocked for name, _ in shipped.entry_points):
                continue
            # What says where pytest comes from says where plugins do, save for those that it
            # declares and that are missing.
            if knowledge != "nothing" and dist not in self.declared:
                continue
            for fixture in bundled_fixtures(dist):
                found.setdefault(fixture.name, []).append(fixture)
        return {name: tuple(fixtures) for name, fixtures in found.items()}

    def ambiguous(self) -> frozenset[str]:
        """Names from two entry points, where no environment tells which is registered later."""
        owners: dict[str, set[str]] = {}
        for plugin in self.plugins:
            if self.installed(plugin.dist) or plugin.dist in ("pytest", ""):
                continue
            for fixture in plugin.fixtures:
                owners.setdefault(fixture.name, set()).add(plugin.dist)
        return frozenset(name for name, dists in owners.items() if len(dists) > 1)


def _is_named_as_plugin(dist: str) -> bool:
    """Whether a distribution's name says that it is for pytest, as those of most plugins do.

    Linters' plugins and stubs about pytest are named so too, and pytest does not load them.
    """
    first, *_ = parts = dist.split("-")
    if first in ("flake8", "pylint", "types"):
        return False
    return len(parts) > 1 and any(part.startswith("pytest") for part in parts)


def _own_by_default(pytest: Resolved) -> frozenset[str]:
    """The names under which pytest's own plugins are registered without being asked for."""
    left_out = {"pytester", "pytester_assertions", "terminalprogress"}
    if not pytest.at_least(9, 0):
        left_out.add("subtests")
    return OWN_PLUGINS - left_out


def _builtin_fixtures(pytest: Resolved) -> dict[str, tuple[PluginFixture, ...]]:
    groups: dict[str, list[PluginFixture]] = {}
    for fixture in bundled_fixtures("pytest", pytest.version):
        groups.setdefault(fixture.module.removeprefix("_pytest."), []).append(fixture)
    return {name: tuple(fixtures) for name, fixtures in groups.items()}


def _builtin(name: str, module: str, fixtures: tuple[PluginFixture, ...]) -> LoadedPlugin:
    return LoadedPlugin(name, "pytest", f"_pytest.{module}", "built in", fixtures=fixtures)


def _builtin_named(
    name: str, pytest: Resolved, blocked: frozenset[str]
) -> tuple[LoadedPlugin, ...]:
    if name != "pytester":
        return ()
    groups = _builtin_fixtures(pytest)
    made = [_builtin(name, name, groups.get(name, ()))]
    legacy = tuple(f for f in groups.get("legacypath", ()) if f.name not in _LEGACY_TMPDIR)
    if legacy and "legacypath" not in blocked:
        made.append(_builtin("legacypath-pytester", "legacypath", legacy))
    return tuple(made)


def _table_entry_points(name: str) -> tuple[EntryPoint, ...]:
    return tuple(
        EntryPoint(name, module, dist)
        for dist, shipped in bundled_plugins().items()
        for entry, module in shipped.entry_points
        if entry == name
    )


def _entry_plugin(
    entry: EntryPoint,
    versions: Mapping[str, Resolved],
    environment: Environment | None,
    origin: str,
    paths: tuple[Path, ...],
) -> LoadedPlugin:
    """An entry point's plugin: from the table where that is exact, else from its source."""
    shipped = bundled_plugins().get(entry.dist)
    version = _version_of(entry.dist, versions, environment)
    fixtures: tuple[PluginFixture, ...] = ()
    exact = False
    if shipped is not None:
        fixtures = _fixtures_of(entry, version)
        exact = shipped.covers(version)
    path = None
    if not exact:
        for base in paths:
            path = path or find_in(base, entry.module)
        if path is None and environment is not None:
            path = find_module(environment, entry.module)
    return LoadedPlugin(
        name=entry.name,
        dist=entry.dist,
        module=entry.module,
        origin=origin,
        path=path,
        fixtures=fixtures,
        readable=path is not None or shipped is not None,
        exact=exact,
    )


def _version_of(
    dist: str, versions: Mapping[str, Resolved], environment: Environment | None
) -> Version | None:
    resolved = versions.get(dist)
    text = resolved.version if resolved else ""
    if not text and environment is not None:
        text = environment.versions.get(dist, "")
    return parse_version(text)


def _fixtures_of(entry: EntryPoint, version: Version | None) -> tuple[PluginFixture, ...]:
    """The fixtures of one of a distribution's entry points.

    A fixture whose module is no entry point itself belongs to the first one.
    """
    shipped = bundled_plugins()[entry.dist]
    modules = [module for _, module in shipped.entry_points]
    found: list[PluginFixture] = []
    for row in shipped.rows(version):
        owner = row.module if row.module in modules else (modules[0] if modules else entry.module)
        if owner == entry.module or entry.module not in modules:
            found.append(row.fixture(entry.dist))
    return tuple(found)


def _module_plugin(
    module: str, versions: Mapping[str, Resolved], environment: Environment | None
) -> LoadedPlugin:
    """A plugin named by its module, that is not one of the project's own files."""
    dist = bundled_modules().get(module, "")
    shipped = bundled_plugins().get(dist)
    version = _version_of(dist, versions, environment)
    exact = shipped is not None and shipped.covers(version)
    path = find_module(environment, module) if environment is not None and not exact else None
    fixtures: tuple[PluginFixture, ...] = ()
    if shipped is not None:
        rows = shipped.modules.get(module)
        if rows is not None:
            fixtures = tuple(row.fixture(dist) for row in rows)
        else:
            fixtures = _fixtures_of(EntryPoint(module, module, dist), version)
    return LoadedPlugin(
        name=module,
        dist=dist,
        module=module,
        origin="named",
        path=path,
        fixtures=fixtures,
        readable=path is not None or shipped is not None,
        exact=exact,
    )
