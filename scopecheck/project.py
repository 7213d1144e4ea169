"""Turns paths and settings into linked suites: finds, reads and links, for every command alike."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from scopecheck.config import ConfigError
from scopecheck.files import ConftestIgnores, collect_as_pytest, discover
from scopecheck.finding import Place
from scopecheck.loader import Loader
from scopecheck.plugins import (
    RUN_NOTHING,
    RUNNERS,
    Environment,
    FolderCache,
    LoadedPlugin,
    PluginSet,
    Said,
    find_environment,
    find_module,
    named_plugins,
    plugins_in_force,
    resolve_version,
    said_of_async,
    ships,
    stated_versions,
)
from scopecheck.source import Span, relative

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scopecheck.cache import Cache
    from scopecheck.config import Settings
    from scopecheck.files import SuiteFiles
    from scopecheck.suite import Suite
    from scopecheck.suite.contracts import Contract
    from scopecheck.suite.modules import Modules
    from scopecheck.suite.sources import AsyncPlugins, PluginSource
    from scopecheck.whole import Part

# What the names have in common by which a conftest says what is collected.
_COLLECTING = ("collect_ignore", "ignore_collect")


class Project:
    """A root, its settings, and the files read below it.

    discovered: the suites that were last asked for, unread.
    config_texts: of configuration files, in place of what is on disk.

    Args:
        root: what every path is relative to.
        settings: the configuration in force.
        jobs: processes to read with, 0 for one a core.
        cache: keeps what was found for the next run.
        settings_file: where the configuration in force stands, if it was read from a file.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        jobs: int = 0,
        cache: Cache | None = None,
        *,
        settings_file: Path | None = None,
    ) -> None:
        self.root = root
        self.settings = settings
        self.settings_file = settings_file
        self.cache = cache
        self.load = Loader(root, jobs, cache)
        self.config_texts: dict[Path, str] = {}
        self.discovered: list[SuiteFiles] = []
        self._environments: dict[Path, Environment | None] = {}
        self._stated: FolderCache = {}
        self._silent: set[str] = set()
        # Of suites of which parts are linked, which is done again and again.
        self._modules: dict[str, tuple[SuiteFiles, Modules]] = {}

    def files(self, paths: Sequence[Path]) -> list[SuiteFiles]:
        """The suites that the paths stand for, unread but for their conftests."""
        self.discovered = discover(
            self.root,
            paths,
            self.settings,
            self.pytest_version,
            self._conftest_ignores,
            self.config_texts,
            [path for text in self.load.texts_given if not (path := self.root / text).exists()],
        )
        self._read_strangers()
        return self.discovered

    def as_arguments(self, folder: Path, arguments: Sequence[str]) -> SuiteFiles:
        """What `cd FOLDER && pytest ARGUMENTS` collects, unread but for its conftests.

        The arguments decide which configuration is in force; see `determine_setup`.
        """
        version = self.pytest_version(folder)
        files = collect_as_pytest(folder, arguments, version, self._conftest_ignores, self.root)
        self.discovered = [files]
        self._read_strangers()
        return files

    def _read_strangers(self) -> None:
        """Read the conftests that were met and belong to no suite; others are read with theirs."""
        for name in self._silent.difference(*(files.conftests for files in self.discovered)):
            self.load(name)
        self._silent.clear()

    @property
    def own_files(self) -> list[str]:
        """The files read that lie below the root and are not installed packages."""
        return sorted(
            path
            for path in self.load.paths
            if not path.startswith("../") and "site-packages/" not in path
        )

    def suites(self, paths: Sequence[Path]) -> list[Suite]:
        """The suites that the paths stand for, linked."""
        return [self.link(files) for files in self.files(paths)]

    def pytest_version(self, folder: Path) -> str:
        """The version of pytest that runs in a folder."""
        stated = stated_versions(self.root, folder, self._stated)
        environment = self.environment(folder)
        return resolve_version("pytest", self.settings.plugins, environment, stated).version

    def environment(self, folder: Path) -> Environment | None:
        """The environment in which a folder's tests run, if there is one to be seen.

        Raises:
            ConfigError: the one that the settings name cannot be read.
        """
        if folder not in self._environments:
            python = Path(self.settings.python) if self.settings.python else None
            if python is not None and not python.is_absolute():
                python = self.root / python
            try:
                self._environments[folder] = find_environment(self.root, python, start=folder)
            except FileNotFoundError as error:
                raise ConfigError(f"python: {error}") from None
        return self._environments[folder]

    def plugins(self, files: SuiteFiles) -> PluginSet:
        """The plugins that pytest would register for a suite, before any conftest."""
        config = files.config
        return plugins_in_force(
            self.root,
            config.rootdir,
            settings_plugins=self.settings.plugins,
            environment=self.environment(config.rootdir),
            stated=stated_versions(self.root, config.rootdir, self._stated),
            names=config.plugins,
            blocked=config.blocked,
            autoload=config.plugin_autoload,
            import_paths=(config.rootdir, *config.pythonpath),
            addopts=_as_text(config.ini.get("addopts", "")),
        )

    def link(
        self,
        files: SuiteFiles,
        found: PluginSet | None = None,
        selectors: frozenset[str] = frozenset(),
    ) -> Suite:
        """One suite, linked.

        Args:
            files: of the suite.
            found: its plugins, where they are known already.
            selectors: how the rules to be checked were selected, as written.
        """
        return self._built(files, found or self.plugins(files), selectors, self.load, None)

    def link_part(
        self,
        files: SuiteFiles,
        found: PluginSet,
        selectors: frozenset[str],
        part: Part,
        load: Loader | None = None,
    ) -> Suite:
        """A part of a suite, linked; load: gives other facts than those of the files as they are.

        The other arguments are those of `link`.
        """
        return self._built(files, found, selectors, load or self.load, part)

    def _built(
        self,
        files: SuiteFiles,
        found: PluginSet,
        selectors: frozenset[str],
        load: Loader,
        part: Part | None,
    ) -> Suite:
        # A run in which nothing changed needs none of it.
        from scopecheck.suite.build import build, modules_of
        from scopecheck.suite.sources import Options, Plugins, PluginSource

        paths = (files.config.rootdir, *files.config.pythonpath)
        environment = found.environment

        def source(plugin: LoadedPlugin) -> PluginSource:
            path = None if plugin.path is None else relative(self.root, plugin.path)
            return PluginSource(
                plugin.name, plugin.dist, plugin.fixtures, path, plugin.readable, plugin.module
            )

        def named(name: str) -> list[PluginSource]:
            return [source(plugin) for plugin in named_plugins(name, found, paths)]

        def installed(module: str) -> str | None:
            assert environment is not None
            path = find_module(environment, module)
            return None if path is None else relative(self.root, path)

        @cache
        def said() -> Said:
            return said_of_async(self.root, files.config.rootdir)

        plugins = Plugins(
            start=tuple(source(plugin) for plugin in found.plugins),
            late=tuple(source(plugin) for plugin in found.late),
            possible=found.possible,
            unknown=found.unknown_sources,
            ambiguous=found.ambiguous,
            named=named,
            installed=None if environment is None else installed,
            known_fixtures=(
                *(
                    known if isinstance(known, str) else known.name
                    for known in self.settings.known_fixtures
                ),
                *found.namesakes,
            ),
            fixture_decorators=tuple(
                known if isinstance(known, str) else known.name
                for known in self.settings.fixture_decorators
            ),
            anyio=found.in_force("anyio"),
            run_async=self._run_async(found, said),
            knowledge="environment" if self._is_stated else found.knowledge,
            hinted=lambda name: any(ships(dist, name) for dist in said().named),
        )
        settings = self.settings
        options = Options(
            settings.paired_calls,
            settings.context_factories or None,
            settings.assert_functions,
            selectors,
            self._contracts(),
        )
        if part is None:
            self._modules.clear()
        elif files.name not in self._modules or self._modules[files.name][0] is not files:
            self._modules[files.name] = files, modules_of(self.root, files, plugins)
        _, modules = self._modules.get(files.name, (files, None))
        version = found.pytest.number[:2]
        return build(self.root, files, load, version, plugins, options, part, modules)

    def _contracts(self) -> tuple[Contract, ...]:
        """The event contracts of the configuration, each with where it stands."""
        if not self.settings.events:
            return ()
        from scopecheck.suite.contracts import EMIT_PREFIXES, Contract

        places = self.contract_places()
        return tuple(
            Contract(
                name,
                one.required,
                one.pairs,
                one.order,
                one.emit_prefixes or EMIT_PREFIXES,
                one.assert_helpers,
                one.full_flow,
                one.capture,
                one.name_at,
                places.get(name),
            )
            for name, one in self.settings.events.items()
        )

    def contract_places(self) -> dict[str, Place]:
        """The line of the configuration at which each event contract begins, where it is seen."""
        if not self.settings.events:
            return {}
        from scopecheck.toml import key_lines

        found: dict[str, Place] = {}
        for file in self._settings_files():
            if file.is_file():
                lines = key_lines(file.read_text(encoding="utf-8-sig"))
                prefix = ("tool", "scopecheck") if file.name == "pyproject.toml" else ()
                path = os.path.relpath(file, self.root).replace(os.sep, "/")
                for name in self.settings.events:
                    line = lines.get((*prefix, "events", name))
                    if line is not None:
                        found.setdefault(name, Place(path, Span(line, 1, line, 1)))
        return found

    def _settings_files(self) -> tuple[Path, ...]:
        if self.settings_file is not None:
            return (self.settings_file,)
        return (self.root / "scopecheck.toml", self.root / "pyproject.toml")

    @property
    def _is_stated(self) -> bool:
        """Whether the settings state pytest's version: then its plugins' are stated there, too."""
        return "pytest" in self.settings.plugins

    def _run_async(self, found: PluginSet, said: Callable[[], Said]) -> AsyncPlugins:
        """What the plugins in force say about running async fixtures and tests."""
        loaded: bool | None = found.in_force("pytest-asyncio")
        if not loaded and (found.knowledge in ("pins", "nothing") or found.unknown_sources):
            loaded = None
        order = [plugin.dist for plugin in found.plugins]
        outside: bool | None = None
        if found.environment is not None and {"anyio", "pytest-asyncio"} <= set(order):
            outside = order.index("anyio") > order.index("pytest-asyncio")
        runners = frozenset(
            dist
            for dist, until in RUNNERS.items()
            if not (until and (version := found.version(dist)) and version.at_least(*until))
        )
        told = found.knowledge != "nothing" or self._is_stated
        from scopecheck.suite.sources import AsyncPlugins

        return AsyncPlugins(
            asyncio=found.version("pytest-asyncio"),
            asyncio_loaded=loaded,
            anyio=found.in_force("anyio"),
            trio=found.in_force("pytest-trio"),
            anyio_outside=outside,
            runners=runners,
            complete=told and RUN_NOTHING.issuperset(found.unknown_sources),
            installed=found.knowledge in ("environment", "lock"),
            pytest=found.pytest,
            said=lambda: _beyond(found, said()),
        )

    def _conftest_ignores(self, path: Path) -> ConftestIgnores:
        """What a conftest says about what is collected."""
        name = relative(self.root, path)
        # Most say nothing: they are read with all other files, by several processes.
        if name not in self.load.paths and not self.load.may_name(name, _COLLECTING):
            self._silent.add(name)
            return ConftestIgnores()
        facts = self.load(name)
        names = {binding.name for binding in facts.bindings}
        wanted = names & {"collect_ignore", "collect_ignore_glob", "pytest_ignore_collect"}
        if not wanted:
            return ConftestIgnores()
        from scopecheck.suite.modules import Modules
        from scopecheck.suite.names import Evaluator
        from scopecheck.suite.values import MISSING, strings_of

        evaluator = Evaluator(
            lambda found: self.load(found) if self.load(found).error is None else None,
            Modules(self.root, ("", "src")),
        )
        space = evaluator.module(name)
        if space is None:
            return ConftestIgnores()
        dynamic = "pytest_ignore_collect" in wanted
        found: list[tuple[str, ...] | None] = []
        for name in ("collect_ignore", "collect_ignore_glob"):
            value = evaluator.lookup(space, name)
            names_listed = strings_of(value)
            found.append(names_listed)
            dynamic |= value != MISSING and names_listed is None
        return ConftestIgnores(found[0], found[1], dynamic)


def _beyond(found: PluginSet, said: Said) -> Said:
    """What scripts say of plugins, those left out that are in force or known to run nothing."""
    return Said(
        said.auto,
        said.tables,
        tuple((dist, where) for dist, where in said.runners if not found.in_force(dist)),
        tuple((name, where) for name, where in said.loaded if not _is_known(found, name)),
        said.workers,
        said.files,
        said.named,
    )


def _as_text(option: str | list[str]) -> str:
    return option if isinstance(option, str) else " ".join(option)


def _is_known(found: PluginSet, name: str) -> bool:
    """Whether a plugin that `-p` names is in force, or in the bundled table and runs no tests."""
    loaded = (*found.plugins, *found.late)
    if any(name in (plugin.name, plugin.module) for plugin in loaded):
        return True
    made = named_plugins(name, found, option=True)
    return all(plugin.readable and plugin.dist and plugin.dist not in RUNNERS for plugin in made)
