"""Builds a suite: reads what its files import, collects its tests, and links each of them."""

from __future__ import annotations

from posixpath import join
from typing import TYPE_CHECKING

from msgspec.structs import replace

from scopecheck.source import within
from scopecheck.suite import Suite
from scopecheck.suite.collect import Collector
from scopecheck.suite.imported import reading_imports
from scopecheck.suite.link import Linker
from scopecheck.suite.modules import Modules
from scopecheck.suite.names import Evaluator
from scopecheck.suite.refusals import refuse
from scopecheck.suite.resolve import Resolver
from scopecheck.suite.sources import Options, Plugins, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scopecheck.facts import FileFacts
    from scopecheck.files import SuiteFiles
    from scopecheck.loader import Loader
    from scopecheck.suite.model import Item, Level
    from scopecheck.whole import Part


def build(
    root: Path,
    files: SuiteFiles,
    load: Loader,
    version: tuple[int, int],
    plugins: Plugins,
    options: Options | None = None,
    part: Part | None = None,
    modules: Modules | None = None,
) -> Suite:
    """Read what the suite's files import, and link it.

    Args:
        root: the project's root, which every path is relative to.
        files: the files of the suite.
        load: gives the facts of a file by path.
        version: pytest's, as (major, minor).
        plugins: what is known of the plugins in force.
        options: what scopecheck's own configuration says.
        part: the files whose tests are linked, where not all are.
        modules: those of the same files, if they were made already.
    """
    config = files.config
    rootdir = within(root, config.rootdir)
    modules = modules or modules_of(root, files, plugins)
    evaluator = Evaluator(_readable(load), modules, plugins.fixture_decorators, version)
    rules = Rules(
        version,
        rootdir,
        tuple(config.python_functions),
        tuple(config.python_classes),
        config.collect_imported_tests,
        config.anyio_mode == "auto",
        config.asyncio_mode == "auto",
    )
    linker = Linker(evaluator, rules, plugins, frozenset(files.startup_conftests))
    collector = Collector(linker)
    named = (*files.conftests, *files.test_files) if part is None else ()
    plans = _Plans(linker, config.usefixtures)
    with reading_imports(load, modules, named) as read:
        _collect(files, linker, collector, plans, load, part)
    plans.finish(collector.items)
    linker.add_possible()
    refuse(
        collector.items,
        linker.broken,
        files.test_files,
        modules,
        linker.nodeid,
        one_namespace=config.import_mode != "importlib",
    )
    if part is not None:
        tests = tuple(path for path in files.test_files if path in part.files)
        files = replace(files, test_files=tests, unmatched=())
    return Suite(files, linker, collector, plans.resolver, load, read(), options or Options(), part)


class _Plans:
    """Makes the plans of tests as they are collected, while other processes still read.

    resolver: has made those that count.

    Args:
        linker: registers what the tests see.
        usefixtures: the names of the ini option.
    """

    def __init__(self, linker: Linker, usefixtures: Sequence[str]) -> None:
        self._linker = linker
        self._usefixtures = usefixtures
        self._done = 0
        self._rests_on = (linker.session, False)
        self.resolver = self._fresh()

    def _fresh(self) -> Resolver:
        linker = self._linker
        return Resolver(linker.rules.version, self._usefixtures, linker.possible)

    def add(self, items: Sequence[Item]) -> None:
        """Make the plans of the items that have none yet."""
        if self._done == len(items):
            return
        if not self._done:
            self._rests_on = self._session
        for item in items[self._done :]:
            item.plan = self.resolver.plan(item)
        self._done = len(items)

    def finish(self, items: Sequence[Item]) -> None:
        """Make all plans again if a test file has brought plugins that others may see, too."""
        if self._session != self._rests_on:
            self.resolver = self._fresh()
            self._done = 0
        self.add(items)

    @property
    def _session(self) -> tuple[Level, bool]:
        """What a plan rests on that changes while tests are collected."""
        session = self._linker.session
        return session, session.complete


def _collect(
    files: SuiteFiles,
    linker: Linker,
    collector: Collector,
    plans: _Plans,
    load: Loader,
    part: Part | None,
) -> None:
    """Register plugins and conftests, and collect the tests, in pytest's order."""
    plugins, evaluator = linker.plugins, linker.evaluator
    for source in plugins.start:
        linker.add_plugin(source)
    startup = [path for path in files.startup_conftests if path in files.conftests]
    # Up to 9.0 a conftest's autouse fixtures come before those of the plugins it names.
    early = startup if linker.rules.version < (9, 1) else []
    for path in startup:
        if path in early:
            linker.add_conftest(path)
        linker.add_plugins_of(path)
    for source in plugins.late:
        linker.add_plugin(source)
    for path in files.conftests:
        if path not in early:
            linker.add_conftest(path)
    for path in files.conftests:
        linker.add_plugins_of(path)
    for name in plugins.unknown:
        linker.session.complete = False
        linker.session.reason = f"plugin {name!r} is declared, and its fixtures are not known"
    linker.led_to = dict.fromkeys(evaluator.paths, "")
    for path in files.test_files:
        opened = evaluator.opened
        if part is None or path in part.files:
            load.look()
            linker.add_plugins_of(path, late=bool(collector.items))
            collector.add_module(path)
            plans.add(collector.items)
        elif path in part.whole.naming:
            linker.add_plugins_of(path, late=part.whole.naming[path])
        for module in evaluator.opened_since(opened):
            linker.led_to[module] = path


def _readable(load: Loader) -> Callable[[str], FileFacts | None]:
    def get(path: str) -> FileFacts | None:
        facts = load(path)
        return None if facts.error is not None else facts

    return get


def modules_of(root: Path, files: SuiteFiles, plugins: Plugins) -> Modules:
    """Where a suite's imports are looked up; root: of the project."""
    rootdir = within(root, files.config.rootdir)
    return Modules(root, _roots(root, files, rootdir), plugins.installed)


def _roots(root: Path, files: SuiteFiles, rootdir: str) -> list[str]:
    """Folders to look for first-party modules in: those on `sys.path` when pytest runs."""
    pythonpath = [within(root, path) for path in files.config.pythonpath]
    probe = Modules(root, ())
    bases = dict.fromkeys(probe.base(path) for path in (*files.conftests, *files.test_files))
    if files.config.consider_namespace_packages:
        # pytest takes a folder below a package for a part of that, where it can import it so.
        bases = {base: None for base in bases if not probe.is_in_package(base)}
    named = [rootdir, join(rootdir, "src") if rootdir else "src", "", "src"]
    if rootdir and "__init__.py" in probe.entries(rootdir):
        del named[:2]  # It is a package itself, whose parts are imported by its name.
    return [*pythonpath, *named, *bases]
