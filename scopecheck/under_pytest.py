"""Analyses the suite of a running pytest, with the configuration and plugins that are in force.

Needs pytest 7.2. Nothing is guessed that pytest knows: its version and those of its plugins, which
plugins are registered and in which order, the root directory, the configuration file and what it
says. What tests import is read, as everywhere, and run by pytest alone. pytest may be given a part
of a suite; the whole suite is analysed, and what touches that part is reported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO, cast

import msgspec
import pytest

from scopecheck.config import ConfigError, load_settings
from scopecheck.files import DiscoveryError, Named, SuiteFiles, collect_configured
from scopecheck.plugins import Environment, LoadedPlugin, PluginSet, find_environment, normalise
from scopecheck.project import Project
from scopecheck.pytest_config import PytestConfig, absolute, read_pytest_config
from scopecheck.source import relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.analysis import Analysis
    from scopecheck.baseline import Key
    from scopecheck.config import Settings

_Registered = list[tuple[str, Any]]
_START = pytest.StashKey[_Registered]()


def note_plugins(config: pytest.Config) -> None:
    """Keeps the plugins that are registered by now, in order."""
    config.stash[_START] = config.pluginmanager.list_name_plugin()


class Analyser:
    """Analyses when the tests have run, and reports before pytest's last line.

    Raises:
        pytest.UsageError: scopecheck's own configuration is wrong.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.analysis: Analysis | None = None
        self._stopped = False
        rules = _known_rules()
        named = _named(config)
        try:
            loaded = load_settings(named, cwd=config.invocation_params.dir, known_rules=rules)
            self.project = RunningProject(loaded.root, loaded.settings, config)
            self.known = _baseline(loaded.root, loaded.settings)
        except ConfigError as error:
            raise pytest.UsageError(f"scopecheck: {error}") from None

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """After Ctrl-C nobody waits for an analysis; errors in collection are another matter."""
        self._stopped = not isinstance(excinfo.value, pytest.Session.Interrupted)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Analyses, and makes a run that passed one that failed where something is found."""
        if self._stopped:
            return
        from scopecheck.run import analyse

        project = self.project
        try:
            self.analysis = analyse(
                _named(self.config),
                root=project.root,
                settings=project.settings,
                project=project,
                known=self.known,
            )
        except (ConfigError, DiscoveryError) as error:
            raise pytest.UsageError(f"scopecheck: {error}") from None
        passed = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self.analysis.findings and session.exitstatus in passed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The findings, as `scopecheck` prints them; with `-q` a line each."""
        if self.analysis is None:
            return
        from scopecheck.report import concise, full

        quiet = self.config.get_verbosity() < 0
        terminalreporter.write_sep("=", "scopecheck")
        write = concise.write if quiet else full.write
        stream = cast("TextIO", _Lines(terminalreporter))
        write(self.analysis, stream, color=terminalreporter.hasmarkup)


class _Lines:
    """Hands text to pytest's terminal, line by line."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def write(self, text: str) -> int:
        self._reporter.write(text)
        return len(text)

    def isatty(self) -> bool:
        return False


def _known_rules() -> set[str]:
    from scopecheck import rulebook

    rules = rulebook.rules()
    return {*rules, *(rule.code for rule in rules.values())}


def _named(config: pytest.Config) -> list[Path]:
    """The paths that pytest was given; none where `testpaths` or the folder decide."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS or config.getoption("pyargs"):
        return []
    folder = config.invocation_params.dir
    paths = [absolute(folder / word.partition("::")[0]) for word in config.args]
    return [path for path in paths if path.exists()]


def _baseline(root: Path, settings: Settings) -> dict[Key, int] | None:
    if settings.baseline is None:
        return None
    from scopecheck.baseline import BaselineError, read

    try:
        return read(root / settings.baseline)
    except BaselineError as error:
        raise ConfigError(str(error)) from None


class RunningProject(Project):
    """A project whose one suite, configuration and plugins are those of a running pytest."""

    def __init__(self, root: Path, settings: Settings, config: pytest.Config) -> None:
        dists = [*config.pluginmanager.list_plugin_distinfo()]
        versions = {normalise(dist.project_name): str(dist.version) for _, dist in dists}
        versions["pytest"] = pytest.__version__
        # One process: pytest may have threads, which a fork would not survive.
        super().__init__(root, msgspec.structs.replace(settings, plugins=versions), jobs=1)
        self._running = config
        self._dists = {id(plugin): normalise(dist.project_name) for plugin, dist in dists}

    def files(self, paths: Sequence[Path]) -> list[SuiteFiles]:
        """The suite that pytest runs; with paths, the whole suite that they are a part of."""
        found = collect_configured(
            self._config(paths),
            self._conftest_ignores,
            self.root,
            self.settings.exclude,
            [Named(relative(self.root, path), whole=False) for path in paths],
        )
        self.discovered = [found]
        return self.discovered

    def _config(self, paths: Sequence[Path]) -> PytestConfig:
        """pytest's configuration; what it was asked to run is widened to the whole suite."""
        config = self._running
        option = config.option
        folder = config.rootpath if paths else config.invocation_params.dir
        words = [f"--rootdir={config.rootpath}"]
        words += [f"--config-file={config.inipath}"] if config.inipath else []
        words += [f"--override-ini={text}" for text in option.override_ini or ()]
        for name in option.plugins or ():
            words += ["-p", name]
        read = read_pytest_config(folder, words, pytest.__version__)
        inside = read.args if paths else config.args
        whole = [absolute(folder / word) for word in inside]
        outside = [path for path in paths if not any(path.is_relative_to(one) for one in whole)]

        def ini(name: str, default: Any) -> Any:
            try:
                return config.getini(name)
            except (KeyError, ValueError):
                return default

        return msgspec.structs.replace(
            read,
            rootdir=config.rootpath,
            inifile=config.inipath,
            args=(*map(str, inside), *map(str, outside)),
            python_files=tuple(config.getini("python_files")),
            python_classes=tuple(config.getini("python_classes")),
            python_functions=tuple(config.getini("python_functions")),
            norecursedirs=tuple(config.getini("norecursedirs")),
            usefixtures=tuple(config.getini("usefixtures")),
            pythonpath=tuple(Path(path) for path in ini("pythonpath", ())),
            import_mode=option.importmode,
            asyncio_mode=option.__dict__.get("asyncio_mode") or ini("asyncio_mode", None),
            asyncio_default_fixture_loop_scope=ini("asyncio_default_fixture_loop_scope", None),
            asyncio_default_test_loop_scope=ini("asyncio_default_test_loop_scope", None),
            anyio_mode=option.__dict__.get("anyio_mode") or ini("anyio_mode", None),
            noconftest=option.noconftest,
            doctest_modules=option.doctestmodules,
            # A file named with `-c` is a choice, and shadows nothing.
            ignored=() if option.inifilename else read.ignored,
            errors=(),
        )

    def pytest_version(self, folder: Path) -> str:  # noqa: ARG002
        """That of the pytest that runs."""
        return pytest.__version__

    def environment(self, folder: Path) -> Environment | None:
        """The one that pytest runs in."""
        if folder not in self._environments:
            try:
                found = find_environment(self.root, Path(sys.prefix), start=folder)
            except FileNotFoundError:
                found = None
            self._environments[folder] = found
        return self._environments[folder]

    def plugins(self, files: SuiteFiles) -> PluginSet:
        """The plugins that are registered, in their order; the others are not in force."""
        found = super().plugins(files)
        manager = self._running.pluginmanager
        start = self._running.stash.get(_START, manager.list_name_plugin())
        modules = {
            plugin.__name__: (name, plugin)
            for name, plugin in start
            if isinstance(plugin, ModuleType) and not _is_conftest(plugin)
        }
        order = {name: number for number, (name, _) in enumerate(start)}
        kept = [p for p in found.plugins if manager.has_plugin(p.name) or p.module in modules]
        seen = {plugin.module for plugin in kept} | {plugin.name for plugin in kept}
        for module, (name, plugin) in modules.items():
            if module not in seen and name not in seen and not module.startswith("_pytest."):
                kept.append(self._registered(name, plugin))

        def place(plugin: LoadedPlugin) -> int:
            name = modules[plugin.module][0] if plugin.module in modules else plugin.name
            return order.get(name, -1)

        return msgspec.structs.replace(
            found,
            plugins=tuple(sorted(kept, key=place)),
            late=tuple(plugin for plugin in found.late if manager.has_plugin(plugin.name)),
            possible={},
            ambiguous=frozenset(),
            unknown_sources=tuple(_unreadable(start, kept)),
            knowledge="environment",
        )

    def _registered(self, name: str, plugin: ModuleType) -> LoadedPlugin:
        file = getattr(plugin, "__file__", None)
        path = Path(file) if file and file.endswith(".py") else None
        dist = self._dists.get(id(plugin), "")
        return LoadedPlugin(name, dist, plugin.__name__, "registered", path, (), path is not None)


def _is_conftest(plugin: ModuleType) -> bool:
    return os.path.basename(getattr(plugin, "__file__", None) or "") == "conftest.py"  # noqa: PTH119


def _unreadable(registered: _Registered, kept: Sequence[LoadedPlugin]) -> Iterator[str]:
    """The plugins whose fixtures nobody can read: objects with some, and modules without a file."""
    yield from (plugin.name for plugin in kept if not plugin.readable)
    for name, plugin in registered:
        if plugin is not None and not isinstance(plugin, ModuleType) and _has_fixtures(plugin):
            yield name


def _has_fixtures(plugin: object) -> bool:
    """Whether an object's class defines fixtures, by what pytest's decorator leaves there."""
    return any(
        type(value).__name__ == "FixtureFunctionDefinition"
        or hasattr(value, "_pytestfixturefunction")
        for one in type(plugin).__mro__
        for value in vars(one).values()
    )
