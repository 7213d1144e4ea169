"""Facts linked as pytest links them: which definition each request of each test gets.

`scopecheck.suite.build` makes a `Suite` from the files that one run of pytest would collect;
checks, plans and graphs only read it.
"""

from __future__ import annotations

import os
import re
from functools import cached_property, lru_cache
from posixpath import dirname
from typing import TYPE_CHECKING

from scopecheck import disk
from scopecheck.facts import Import
from scopecheck.learned import ALL_LINES, Notebook, checksum_of
from scopecheck.literals import occurs
from scopecheck.source import lines_of, within
from scopecheck.suite import mentions
from scopecheck.suite.asserting import Asserting
from scopecheck.suite.changes import Changes
from scopecheck.suite.events import Events
from scopecheck.suite.handed import Handouts
from scopecheck.suite.imported import Looked, Read, imported_files, is_new
from scopecheck.suite.lookups import Lookups
from scopecheck.suite.loops import Loops
from scopecheck.suite.loops.doubts import Doubts
from scopecheck.suite.loops.hooks import async_hooks
from scopecheck.suite.opened import is_held_open
from scopecheck.suite.sources import Options, Plugins, PluginSource
from scopecheck.suite.users import Users
from scopecheck.suite.vocabulary import Vocabulary
from scopecheck.whole import NeedsWhole, Part, Whole, known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TypeVar

    from scopecheck.evidence import EventForms, EventUse
    from scopecheck.facts import FileFacts, Function, LoopCall
    from scopecheck.files import SuiteFiles
    from scopecheck.learned import Lines
    from scopecheck.loader import Loader
    from scopecheck.suite.collect import Collector
    from scopecheck.suite.link import Linker
    from scopecheck.suite.model import Fixture, Item, Plan
    from scopecheck.suite.resolve import Resolver

    T = TypeVar("T")


_KEPT_TEXTS = 64
_KEPT_LINES = 16
_NO_SOURCES = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "build", "dist"})


class Suite:
    """One linked suite, or a part of one (see `scopecheck.whole`).

    files: what pytest would collect, and its configuration; of a part, its files only.
    part: what is linked of the suite, None for all of it.
    looks_far: what is asked now is asked of the tests of all files; learned: from their texts.
    read: what was read besides of files that are no test files.
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
        read: Read,
        options: Options,
        part: Part | None = None,
    ) -> None:
        self.root = load.root
        self.part = part
        self.looks_far = False
        self.learned = Notebook()
        self.read = Notebook()
        self.counting: set[str] = set()
        self._patched: bool | None = None
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

    def found(self, path: str, find: Callable[[FileFacts], T]) -> T | None:
        """What a function of a file's facts alone finds; None for a file that has none.

        Where a project has several suites, it is called once for a file that they share.
        """
        return None if self.facts(path) is None else self._load.found(path, find)

    def text(self, path: str) -> str:
        """The text of a file that was read; empty where it cannot be had any more."""
        if self.looks_far:
            self.learned.read(path, ALL_LINES, 0)
        self._load.note(path)
        return self._texts(path)

    def having(self, path: str, words: Iterable[str]) -> list[str]:
        """Those of the words that occur in the text of a file that was read, wherever.

        This is to be asked before a text is read: after an edit it is asked again, and what was
        found holds where the answer is the same.
        """
        found = self._load.having(path, words)
        if found and self.looks_far:
            self.learned.matched(path, map(re.escape, found))
        return found

    def has(self, path: str, pattern: re.Pattern[str]) -> bool:
        """Whether a pattern, which has no flags, matches in the text of a file that was read.

        To be asked for what `having` is.
        """
        found = self._load.has(path, pattern)
        if found and self.looks_far:
            self.learned.matched(path, (pattern.pattern,))
        return found

    def occurs(self, path: str, lines: tuple[int, int], pattern: re.Pattern[str]) -> bool:
        """Whether a pattern, which has no flags, matches in some lines of a file that was read.

        From those in which it does not, nothing is learned: to be asked of each function alike.
        """
        if not self.has(path, pattern):
            return False
        text = self._text_of(path, *lines)
        if not occurs(pattern, text):
            return False
        self._learn(path, lines, text)
        return True

    def in_strings(self, path: str, names: Iterable[str]) -> set[str]:
        """Those of the names that stand in strings of a file (see `mentions.in_strings`)."""
        asked = self._load.having(path, names)
        found = mentions.in_strings(self._texts(path), asked) if asked else set()
        if asked:
            self.learned.asked(path, "strings", asked, found)
        return found

    def in_code(self, path: str, names: Iterable[str]) -> set[str]:
        """Those of the names that code of a file uses (see `mentions.in_code`)."""
        asked = self._load.having(path, names)
        facts = self.facts(path) if asked else None
        if facts is None:
            return set()
        found = mentions.in_code(self._texts(path), facts, asked)
        self.learned.asked(path, "code", asked, found)
        return found

    def _learn(self, path: str, lines: Lines, text: str, *, always: bool = False) -> None:
        """Note that lines were read; always: by whatever check."""
        if lines[0] > lines[1]:
            return
        if self.looks_far or always:
            self.learned.read(path, lines, checksum_of(text))
        if path in self.test_files:
            self._load.note(path)
        elif not (self.looks_far or always):
            self.read.read(path, lines, checksum_of(text))

    def looks_into(self, path: str, function: Function) -> None:
        """Note that something is learned from what a function does, of which its facts tell all."""
        self._learn_function(path, function)

    def counts(self, path: str) -> None:
        """Note a file by which code of other files may be judged, whatever tests reach of it.

        To be called where all files are gone through, for those in which something is found: after
        an edit only these are gone through again.
        """
        self.counting.add(path)

    def _function_kept(self, path: str, function: Function) -> FileFacts | None:
        """What `_function` gives, of which something is kept for all checks."""
        self._learn_function(path, function, always=True)
        return self._load.function(path, function)

    def _lines_kept(self, path: str, first: int, last: int) -> str:
        """What `lines` gives, of which something is kept for all checks."""
        text = self._text_of(path, first, last)
        self._learn(path, (first, last), text, always=True)
        return text

    def _function(
        self, path: str, function: Function, loop_names: frozenset[str] = frozenset()
    ) -> FileFacts | None:
        """The facts of one function with all that its body does; None where it cannot be read."""
        self._learn_function(path, function)
        return self._load.function(path, function, loop_names)

    def _learn_function(self, path: str, function: Function, *, always: bool = False) -> None:
        lines = (function.first_line, function.end_line)
        self._learn(path, lines, self._text_of(path, *lines), always=always)

    def _events_in(self, path: str, function: Function, forms: EventForms) -> EventUse | None:
        self._learn_function(path, function)
        return self._load.events(path, function, forms)

    @cached_property
    def _texts(self) -> Callable[[str], str]:
        """Keeps some texts: checks go through functions and tests file by file."""

        def read(path: str) -> str:
            source = self._load.unnoted(path)
            return "" if source is None else source.text

        return lru_cache(_KEPT_TEXTS)(read)

    def lines(self, path: str, first: int, last: int) -> str:
        """The text of some lines of a file that was read, from 1, both included."""
        text = self._text_of(path, first, last)
        self._learn(path, (first, last), text)
        return text

    def checksum(self, path: str, lines: tuple[int, int]) -> int:
        """Of the text of some lines, as it is noted when they are read."""
        return checksum_of(self._text_of(path, *lines))

    def whole_text(self, path: str) -> str:
        """The text of a file; nothing is learned from it."""
        return self._texts(path)

    def text_of(self, path: str, function: Function) -> str:
        """The text of a function; nothing is learned from it."""
        return self._text_of(path, function.first_line, function.end_line)

    def _text_of(self, path: str, first: int, last: int) -> str:
        return "".join(self._lines(path)[first - 1 : last])

    @cached_property
    def _lines(self) -> Callable[[str], list[str]]:
        def split(path: str) -> list[str]:
            return lines_of(self._texts(path))

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
            whole=None if self.part is None else self.part.whole,
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
            self._function,
            lambda: [self._load(path) for path in sorted(self.own_files)],
            self.lines,
            self.options.assert_functions + self._assert_helpers,
            None if self.part is None else self.part.whole,
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
            self._events_in,
            self.options.contracts,
            None if self.part is None else self.part.whole,
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The names of events that the tested code knows."""
        self.needs_whole("the names of all events")
        return Vocabulary(self.own_files, self.text, self._load.emitted)

    @cached_property
    def handouts(self) -> Handouts:
        """What fixtures hand out, as far as event loops are concerned."""
        return Handouts(self.evaluator, self._function, self.answers)

    @cached_property
    def lookups(self) -> Lookups:
        """What fixtures ask for while they run."""
        return Lookups(self.evaluator, self.resolver)

    @cached_property
    def changes(self) -> Changes:
        """What tests, fixtures and xunit functions change that outlives them."""
        return Changes(
            self.evaluator,
            self.linker.lineages,
            self.items,
            self.fixtures,
            self.facts,
            self._function,
            self._function_kept,
            self._lines_kept,
        )

    def loop_calls(
        self, path: str, function: Function, names: frozenset[str]
    ) -> tuple[LoopCall, ...]:
        """The calls in a function that may run an event loop, those of these names included."""
        facts = self._function(path, function, names)
        body = None if facts is None else facts.functions[0].body
        return () if body is None else body.loop_calls

    def is_held_open(self, fixture: Fixture) -> bool:
        """Whether an async fixture opens what it hands out and closes it again."""
        if fixture.function is None or fixture.path is None:
            return False
        return is_held_open(fixture.function, fixture.path, self._function)

    def answers(self, fixture: Fixture, name: str) -> Iterable[Fixture]:
        """The definitions that a fixture's request of a name gets in some test."""
        found = self._answers.get((fixture, name), ())
        part = self.part
        # Of a fixture that the tests of a part do not set up, nobody needs to know.
        if part is None or fixture not in self.users:
            return found
        if not found or name in part.whole.ambiguous:
            raise NeedsWhole("what a fixture's request gets in all tests")
        return found

    @cached_property
    def _answers(self) -> Mapping[tuple[Fixture, str], set[Fixture]]:
        found: dict[tuple[Fixture, str], set[Fixture]] = {}
        for edge in {edge for plan in self.items_of for edge in plan.edges}:
            if edge.asker is not None:
                found.setdefault((edge.asker, edge.request), set()).add(edge.answer)
        return found

    @cached_property
    def own_files(self) -> frozenset[str]:
        """The suite's files and every module they import or load, installed packages left out.

        Of a part, its files and those by which others are judged.
        """
        if self.part is not None:
            return self.part.files | self.part.whole.counting
        paths = (*self._read.paths, *self.evaluator.paths)
        return frozenset(path for path in paths if "site-packages/" not in path)

    def other_tests(self, folder: str) -> Iterator[str]:
        """The texts of files below a folder that look like tests and are not the suite's own."""
        self.needs_whole("other tests")
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
        if self.part is not None and path in self.part.files:
            return False
        self.needs_whole("what imports a file")
        stem = path.rpartition("/")[2].removesuffix(".py")
        return path in self._imported or stem in self._inner_imports

    def needs_whole(self, what: str) -> None:
        """Do nothing for a whole suite.

        Args:
            what: what is asked that a part cannot tell.

        Raises:
            NeedsWhole: it is a part of one.
        """
        if self.part is not None:
            raise NeedsWhole(what)

    def whole(self) -> Whole:
        """What a look at a part will need to know of this suite."""
        files = self.files
        tests = frozenset(files.test_files)
        named = {source.path for source in self.linker.sources}
        leaves = tests - self._read.imported - named - frozenset(files.conftests)
        naming = self.linker.naming
        words = self._read.words
        unused = [one for one in self.fixtures if one not in self.users and one.path is not None]
        inner = self.__dict__
        loops = self.loops if "loops" in inner else None
        checking = self.asserting.checking if "asserting" in inner else None
        return Whole(
            frozenset(
                path
                for path in leaves - naming.keys()
                if path.rpartition("/")[2].removesuffix(".py") not in words
            ),
            frozenset(self.counting),
            {
                path: by
                for path in self.own_files - self._read.paths
                if (by := self.linker.led_to.get(path)) != ""
            },
            naming,
            any(self.facts(path) is None for path in (*files.conftests, *files.test_files)),
            frozenset(name for one in unused for name in (one.name, *_asked(one))),
            frozenset(name for (_, name), found in self._answers.items() if len(found) > 1),
            checking,
            bool(self.events.contracts) if "events" in inner else None,
            self.events.__dict__.get("sent") if "events" in inner else None,
            self.patched,
            None if loops is None else loops.uses_asyncio,
            None if loops is None else loops.uses_anyio,
            None if loops is None else loops.__dict__.get("helpers"),
            loops is not None and "usual_runner" in loops.__dict__,
        )

    @property
    def patched(self) -> bool | None:
        """Whether its loops can run inside one another, if a check has asked."""
        return self._patched if self.part is None else known(self.part.whole.patched)

    @patched.setter
    def patched(self, found: bool) -> None:
        self._patched = found

    @cached_property
    def _imported(self) -> frozenset[str]:
        modules = self.evaluator.modules
        # Of the files that were read to be linked this is known.
        found = set(self._read.imported)
        seen: set[Looked] = set()
        for path in [path for path in self._load.paths if path not in self._read.paths]:
            base, folder = modules.base(path), dirname(path)
            for binding in self._load(path).bindings:
                value = binding.value
                if isinstance(value, Import) and is_new(value, folder, base, seen):
                    found.update(imported_files(modules, value, path))
        return frozenset(found)

    @cached_property
    def _inner_imports(self) -> frozenset[str]:
        return frozenset(
            word for path in list(self._load.paths) for word in self._load(path).inner_imports
        )

    def relative(self, path: Path) -> str:
        """A file's path as findings have it."""
        return within(self._load.root, path)

    @cached_property
    def items_of(self) -> Mapping[Plan, tuple[Item, ...]]:
        """The items of each shape."""
        found: dict[Plan, list[Item]] = {}
        for item in self.items:
            assert item.plan is not None
            found.setdefault(item.plan, []).append(item)
        return {plan: tuple(items) for plan, items in found.items()}

    @cached_property
    def test_files(self) -> frozenset[str]:
        """The files that pytest collects tests from, to look them up."""
        return frozenset(self.files.test_files)

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
        return Users(self.items_of)

    @cached_property
    def searched(self) -> frozenset[str]:
        """The conftests, plugin modules and configuration whose change may make a name appear."""
        paths = {fixture.home for fixture in self.fixtures if fixture.home is not None}
        paths.difference_update(self.files.test_files)
        paths.update(self.files.conftests)
        if self.files.config.inifile is not None:
            paths.add(within(self.root, self.files.config.inifile))
        return frozenset(paths)


def _asked(fixture: Fixture) -> Iterator[str]:
    return (request.name for request in fixture.requests)


__all__ = ["PluginSource", "Plugins", "Suite", "imported_files"]
