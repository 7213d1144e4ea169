"""Facts linked as pytest links them: which definition each request of each test gets.

`build` makes a `Suite` from the files that one run of pytest would collect; checks, plans and
graphs only read it.
"""

from __future__ import annotations

import os
import re
from functools import cached_property, lru_cache
from posixpath import dirname, join
from typing import TYPE_CHECKING

from scopecheck import disk
from scopecheck.facts import Import
from scopecheck.source import relative
from scopecheck.suite.asserting import Asserting
from scopecheck.suite.changes import Changes
from scopecheck.suite.collect import Collector
from scopecheck.suite.events import Events
from scopecheck.suite.handed import Handouts
from scopecheck.suite.link import Linker
from scopecheck.suite.loops import Loops
from scopecheck.suite.loops.doubts import Doubts
from scopecheck.suite.loops.hooks import async_hooks
from scopecheck.suite.modules import Modules
from scopecheck.suite.names import Evaluator
from scopecheck.suite.opened import is_held_open
from scopecheck.suite.refusals import refuse
from scopecheck.suite.resolve import Resolver
from scopecheck.suite.sources import Options, Plugins, PluginSource, Rules
from scopecheck.suite.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TypeAlias

    from scopecheck.facts import FileFacts, Function, LoopCall
    from scopecheck.files import SuiteFiles
    from scopecheck.loader import Loader
    from scopecheck.suite.model import Fixture, Item, Plan

    _Asked: TypeAlias = tuple[str, str | None, int, str]


_KEPT_TEXTS = 64
_KEPT_LINES = 16
# Lines as the tokenizer counts them: a form feed ends none.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# What ends a line for `str.splitlines`, and for it alone.
_OTHER_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_NO_SOURCES = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "build", "dist"})


class Suite:
    """One linked suite.

    files: what pytest would collect, and its configuration.
    version: pytest's, as (major, minor).
    items: the tests, in the order of their files and definitions; each has its `plan`.
    fixtures: every definition registered anywhere.
    """

    def __init__(
        self,
        files: SuiteFiles,
        linker: Linker,
        collector: Collector,
        resolver: Resolver,
        load: Loader,
        read: frozenset[str],
        options: Options,
    ) -> None:
        self.root = load.root
        self.options = options
        self.files = files
        self.linker = linker
        self.collector = collector
        self.resolver = resolver
        self.evaluator = linker.evaluator
        self.version = resolver.version
        self.items: tuple[Item, ...] = tuple(collector.items)
        self.fixtures: tuple[Fixture, ...] = tuple(linker.fixtures)
        self._load = load
        self._read = read

    def facts(self, path: str) -> FileFacts | None:
        """The facts of a file that was read for this suite, None if it has none."""
        facts = self._load(path)
        return None if facts.error is not None else facts

    def text(self, path: str) -> str:
        """The text of a file that was read; empty where it cannot be had any more."""
        return self._texts(path)

    def having(self, path: str, words: Iterable[str]) -> list[str]:
        """Those of the words that occur in the text of a file that was read, wherever.

        Where most files have none of them, this is to be asked before a text is read: what was
        found then still holds after an edit to a text that was not.
        """
        return self._load.having(path, words)

    def has(self, path: str, pattern: re.Pattern[str]) -> bool:
        """Whether a pattern, which has no flags, matches in the text of a file that was read.

        To be asked for what `having` is.
        """
        return self._load.has(path, pattern)

    @cached_property
    def _texts(self) -> Callable[[str], str]:
        """Keeps some texts: checks go through functions and tests file by file."""

        def read(path: str) -> str:
            source = self._load.source(path)
            return "" if source is None else source.text

        return lru_cache(_KEPT_TEXTS)(read)

    def lines(self, path: str, first: int, last: int) -> str:
        """The text of some lines of a file that was read, from 1, both included."""
        return "".join(self._lines(path)[first - 1 : last])

    @cached_property
    def _lines(self) -> Callable[[str], list[str]]:
        def split(path: str) -> list[str]:
            text = self.text(path)
            if any(end in text for end in _OTHER_ENDS):
                return _LINE.findall(text)
            return text.splitlines(keepends=True)

        return lru_cache(_KEPT_LINES)(split)

    @cached_property
    def loops(self) -> Loops:
        """Which event loop each async fixture and test runs on."""
        config, known = self.files.config, self.linker.plugins.run_async
        hooks = async_hooks(self.linker)
        return Loops(
            config,
            None if config.inifile is None else self.relative(config.inifile),
            known,
            hooks,
            Doubts(config, known, hooks, self.linker),
            self.items,
            self.fixtures,
            self.resolver,
            self._in_package,
        )

    def _in_package(self, path: str) -> bool:
        """Whether a folder between the rootdir and the file, both included, is a package."""
        top = self.linker.rules.rootdir
        folder = dirname(path)
        while folder not in (top, ""):
            if "__init__.py" in self.evaluator.modules.entries(folder):
                return True
            folder = dirname(folder)
        return "__init__.py" in self.evaluator.modules.entries(folder)

    @cached_property
    def asserting(self) -> Asserting:
        """Which functions that tests call may fail them."""
        return Asserting(
            self.linker,
            self._load.function,
            lambda: [self._load(path) for path in sorted(self.own_files)],
            self.lines,
            self.options.assert_functions + self._assert_helpers,
        )

    @property
    def _assert_helpers(self) -> tuple[str, ...]:
        return tuple(glob for one in self.options.contracts for glob in one.assert_helpers)

    @cached_property
    def events(self) -> Events:
        """What the tests do with events, and the contracts in force."""
        return Events(
            self.linker,
            self.items,
            lambda: [self._load(path) for path in sorted(self.own_files)],
            self.asserting,
            self.text,
            self._load.events,
            self.options.contracts,
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The names of events that the tested code knows."""
        return Vocabulary(self.own_files, self.text, self._load.emitted)

    @cached_property
    def handouts(self) -> Handouts:
        """What fixtures hand out, as far as event loops are concerned."""
        return Handouts(self.evaluator, self._load.function, self.answers)

    @cached_property
    def changes(self) -> Changes:
        """What tests, fixtures and xunit functions change that outlives them."""
        return Changes(
            self.evaluator,
            self.linker.lineages,
            self.items,
            self.fixtures,
            self.facts,
            self._load.function,
            self.lines,
        )

    def loop_calls(
        self, path: str, function: Function, names: frozenset[str]
    ) -> tuple[LoopCall, ...]:
        """The calls in a function that may run an event loop, those of these names included."""
        facts = self._load.function(path, function, names)
        body = None if facts is None else facts.functions[0].body
        return () if body is None else body.loop_calls

    def is_held_open(self, fixture: Fixture) -> bool:
        """Whether an async fixture opens what it hands out and closes it again."""
        if fixture.function is None or fixture.path is None:
            return False
        return is_held_open(fixture.function, fixture.path, self._load.function)

    def answers(self, fixture: Fixture, name: str) -> Iterable[Fixture]:
        """The definitions that a fixture's request of a name gets in some test."""
        return self._answers.get((fixture, name), ())

    @cached_property
    def _answers(self) -> Mapping[tuple[Fixture, str], set[Fixture]]:
        found: dict[tuple[Fixture, str], set[Fixture]] = {}
        for edge in {edge for plan in self.items_of for edge in plan.edges}:
            if edge.asker is not None:
                found.setdefault((edge.asker, edge.request), set()).add(edge.answer)
        return found

    @cached_property
    def own_files(self) -> frozenset[str]:
        """The suite's files and every module they import or load, installed packages left out."""
        paths = (*self._read, *self.evaluator.paths)
        return frozenset(path for path in paths if "site-packages/" not in path)

    def other_tests(self, folder: str) -> Iterator[str]:
        """The texts of files below a folder that look like tests and are not the suite's own."""
        read = self.own_files
        root = str(self._load.root)
        for parent, folders, names in disk.walk(f"{root}/{folder}" if folder else root):
            folders[:] = [name for name in folders if name[0] != "." and name not in _NO_SOURCES]
            for name in names:
                path = os.path.relpath(f"{parent}/{name}", root).replace(os.sep, "/")
                if name.endswith(".py") and path not in read:
                    source = self._load.source(path)
                    text = "" if source is None else source.text
                    if "pytest" in text or "def test" in text:
                        yield text

    def is_imported(self, path: str) -> bool:
        """Whether a file that was read imports this one, or may."""
        stem = path.rpartition("/")[2].removesuffix(".py")
        return path in self._imported or stem in self._inner_imports

    @cached_property
    def _imported(self) -> frozenset[str]:
        modules = self.evaluator.modules
        found: set[str] = set()
        seen: set[_Asked] = set()
        for path in list(self._load.paths):
            base, folder = modules.base(path), dirname(path)
            for binding in self._load(path).bindings:
                value = binding.value
                if isinstance(value, Import) and _is_new(value, folder, base, seen):
                    found.update(_imported(modules, value, path))
        return frozenset(found)

    @cached_property
    def _inner_imports(self) -> frozenset[str]:
        return frozenset(
            word for path in list(self._load.paths) for word in self._load(path).inner_imports
        )

    def relative(self, path: Path) -> str:
        """A file's path as findings have it."""
        return _relative(self._load.root, path)

    @cached_property
    def items_of(self) -> Mapping[Plan, tuple[Item, ...]]:
        """The items of each shape."""
        found: dict[Plan, list[Item]] = {}
        for item in self.items:
            assert item.plan is not None
            found.setdefault(item.plan, []).append(item)
        return {plan: tuple(items) for plan, items in found.items()}

    @cached_property
    def tests_of(self) -> Mapping[str, frozenset[str]]:
        """The node ids of the tests that pytest collects from each file."""
        found: dict[str, set[str]] = {}
        for item in self.items:
            found.setdefault(item.path, set()).add(item.nodeid)
        return {path: frozenset(nodeids) for path, nodeids in found.items()}

    @cached_property
    def users(self) -> Mapping[Fixture, frozenset[str]]:
        """The node ids of the tests that set a definition up."""
        found: dict[Fixture, set[str]] = {}
        for plan, items in self.items_of.items():
            nodeids = [item.nodeid for item in items]
            for fixture in plan.order:
                found.setdefault(fixture, set()).update(nodeids)
        return {fixture: frozenset(nodeids) for fixture, nodeids in found.items()}

    @cached_property
    def searched(self) -> frozenset[str]:
        """The conftests, plugin modules and configuration whose change may make a name appear."""
        paths = {fixture.home for fixture in self.fixtures if fixture.home is not None}
        paths.difference_update(self.files.test_files)
        paths.update(self.files.conftests)
        if self.files.config.inifile is not None:
            paths.add(_relative(self.root, self.files.config.inifile))
        return frozenset(paths)


def build(
    root: Path,
    files: SuiteFiles,
    load: Loader,
    version: tuple[int, int],
    plugins: Plugins,
    options: Options | None = None,
) -> Suite:
    """Read what the suite's files import, and link it.

    Args:
        root: the project's root, which every path is relative to.
        files: the files of the suite.
        load: gives the facts of a file by path.
        version: pytest's, as (major, minor).
        plugins: what is known of the plugins in force.
        options: what scopecheck's own configuration says.
    """
    config = files.config
    rootdir = _relative(root, config.rootdir)
    modules = Modules(root, _roots(root, files, rootdir), plugins.installed)
    read = read_imports(load, modules, (*files.conftests, *files.test_files))
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
    for source in plugins.start:
        linker.add_plugin(source)
    startup = [path for path in files.startup_conftests if path in files.conftests]
    # Up to 9.0 a conftest's autouse fixtures come before those of the plugins it names.
    early = startup if version < (9, 1) else []
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
    for path in files.test_files:
        linker.add_plugins_of(path, late=bool(collector.items))
        collector.add_module(path)
    resolver = Resolver(version, config.usefixtures, linker.possible())
    for item in collector.items:
        item.plan = resolver.plan(item)
    refuse(
        collector.items,
        linker.broken,
        files.test_files,
        modules,
        {path: linker.nodeid(path) for path in files.test_files},
        one_namespace=config.import_mode != "importlib",
    )
    return Suite(files, linker, collector, resolver, load, read, options or Options())


def read_imports(load: Loader, modules: Modules, paths: Iterable[str]) -> frozenset[str]:
    """Read the files and every first-party module that they import, directly or not; all paths."""
    wave = list(dict.fromkeys(paths))
    seen = set(wave)
    looked_up: set[_Asked] = set()
    while wave:
        load.read_all(wave)
        found: dict[str, None] = {}
        for path in wave:
            base, folder = modules.base(path), dirname(path)
            for binding in load(path).bindings:
                value = binding.value
                if not isinstance(value, Import) or binding.guard.never:
                    continue
                if not _is_new(value, folder, base, looked_up):
                    continue
                for target in _imported(modules, value, path):
                    if target not in seen:
                        seen.add(target)
                        found[target] = None
        wave = list(found)
    return frozenset(seen)


def _is_new(value: Import, folder: str, base: str, seen: set[_Asked]) -> bool:
    """Whether no import that means the same was seen, in files of one folder and base."""
    asked = (value.module, value.name, value.level, folder if value.level else base)
    if asked in seen:
        return False
    seen.add(asked)
    return True


def _imported(modules: Modules, value: Import, importer: str) -> Iterable[str]:
    """The first-party files that an import statement loads."""
    if value.level:
        target = modules.relative(value.module, importer, value.level)
    else:
        target = modules.find(value.module, importer)
    if target is None:
        return
    if value.level == 0 and "." in value.module:
        parts = value.module.split(".")
        for end in range(1, len(parts)):
            package = modules.find(".".join(parts[:end]), importer)
            if package is not None and package.endswith(".py"):
                yield package
    if target.endswith(".py"):
        yield target
    if value.name not in (None, "*"):
        inner = modules.submodule(target, value.name or "")
        if inner is not None and inner.endswith(".py"):
            yield inner


def _readable(load: Loader) -> Callable[[str], FileFacts | None]:
    def get(path: str) -> FileFacts | None:
        facts = load(path)
        return None if facts.error is not None else facts

    return get


def _roots(root: Path, files: SuiteFiles, rootdir: str) -> list[str]:
    """Folders to look for first-party modules in: those on `sys.path` when pytest runs."""
    pythonpath = [_relative(root, path) for path in files.config.pythonpath]
    probe = Modules(root, ())
    bases = dict.fromkeys(probe.base(path) for path in (*files.conftests, *files.test_files))
    named = [rootdir, join(rootdir, "src") if rootdir else "src", "", "src"]
    return [*pythonpath, *named, *bases]


def _relative(root: Path, path: Path) -> str:
    found = relative(root, path)
    return "" if found == "." else found


__all__ = ["PluginSource", "Plugins", "Suite", "build"]
