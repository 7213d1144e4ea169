"""A pytest plugin that sees on which event loop each async fixture and test runs.

The functions of a project call `asyncio.get_running_loop()`, which the probe answers, noting who
asked; so the project imports nothing that others do not. Works with pytest 7.4 to 9.2, and needs
only the standard library.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import sys
from typing import Any

import pytest

from loops.record import CollectError, ItemRun, Reach, Run, Warned

# The hidden fixtures that make loops, in all versions.
_LOOP_FIXTURE = re.compile(r"(event_loop|<event_loop>|_scoped_runner)$")


def _as_written(function: Any) -> Any:
    """The function that a person wrote, below partials, bindings and wrappers."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif getattr(function, "__wrapped__", None) is not None:
            function = function.__wrapped__
        else:
            return function


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


class _Notes:
    """What is known of one item so far."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.test_loop: int | None = None
        self.event_loop: int | None = None
        self.loops: dict[str, int] = {}
        self.unhandled: list[str] = []
        self.reach: list[Reach] = []
        self.wanted: str | None = None
        self.failure: tuple[str, str, str] | None = None
        self.tried: set[int] = set()
        self.kept: list[str] = []
        self.again = False


class Probe:
    """Notes what happens in one run; `run()` once it is over."""

    def __init__(self) -> None:
        # With the loops themselves: the identity of one that is gone may come again.
        self.loops: dict[int, tuple[int, Any]] = {}
        self.alive: dict[str, int] = {}
        self.notes: dict[str, _Notes] = {}
        self.items: dict[str, str] = {}
        self.collect_errors: list[CollectError] = []
        self.warnings: list[Warned] = []
        self.root = ""
        self.item: Any = None

    def pytest_configure(self, config: pytest.Config) -> None:
        """Answers for asyncio from now on."""
        self.root = str(config.rootpath)
        running_loop = asyncio.get_running_loop

        def get_running_loop() -> Any:
            loop = running_loop()
            code = sys._getframe(1).f_code
            if code.co_filename.startswith(self.root):
                self._ran(code.co_name, loop)
            return loop

        setattr(asyncio, "get_running_loop", get_running_loop)  # noqa: B010
        config.add_cleanup(lambda: setattr(asyncio, "get_running_loop", running_loop))

    def _ran(self, function: str, loop: Any) -> None:
        number = self._number(loop)
        if self.item is not None and function == self.items.get(self.item.nodeid):
            self.notes[self.item.nodeid].test_loop = number
        else:
            self.alive[function] = number

    def _number(self, loop: Any) -> int:
        return self.loops.setdefault(id(loop), (len(self.loops), loop))[0]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keeps the items, in order."""
        for item in session.items:
            self.items[item.nodeid] = _as_written(getattr(item, "obj", None)).__name__

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        """Remembers whose turn it is."""
        self.item = item
        self.notes[item.nodeid] = _Notes()
        yield
        self.item = None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Any:
        """Notes the loops in the order in which they come to be."""
        self.notes[self.item.nodeid].tried.add(id(fixturedef))
        yield
        if _LOOP_FIXTURE.search(fixturedef.argname):
            named = re.match(r"_(session|package|module|class|function)_", fixturedef.argname)
            scope = named[1] if named else fixturedef.scope
            function_loop = fixturedef.argname == "event_loop"
            notes = self.notes[self.item.nodeid]
            notes.made.append("function" if function_loop else scope)
            if function_loop and fixturedef.cached_result is not None:
                notes.event_loop = self._number(fixturedef.cached_result[0])

    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        """Forgets the loop of a fixture that was taken down."""
        self.alive.pop(_as_written(fixturedef.func).__name__, None)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: pytest.CallInfo[None]) -> Any:
        """Keeps why the test did not pass, and what was alive at the end of its call."""
        outcome = yield
        report = outcome.get_result()
        notes = self.notes[item.nodeid]
        if report.outcome != "passed" and notes.failure is None and call.when != "teardown":
            notes.failure = (report.outcome, report.when, str(report.longrepr))
            notes.again = self._is_again(item, notes, call)
        if call.when == "call" or (call.when == "setup" and report.outcome != "passed"):
            self._look(item, notes)

    def _is_again(self, item: Any, notes: _Notes, call: pytest.CallInfo[None]) -> bool:
        """Whether the error is one that pytest keeps from when a fixture was set up before."""
        for definition in _Reached(item).known.values():
            kept = definition.cached_result[2] if definition.cached_result is not None else None
            error = kept[0] if isinstance(kept, tuple) else kept
            again = error is not None and id(definition) not in notes.tried
            if again and call.excinfo and error is call.excinfo.value:
                return True
        return False

    def _look(self, item: Any, notes: _Notes) -> None:
        reached = _Reached(item)
        notes.wanted = _wanted(item)
        notes.reach = reached.pairs
        names = {name: _as_written(each.func).__name__ for name, each in reached.known.items()}
        notes.loops = {name: self.alive[name] for name in names.values() if name in self.alive}
        if notes.test_loop is not None:
            notes.loops[self.items[item.nodeid]] = notes.test_loop
        for key, each in reached.known.items():
            value = each.cached_result[0] if each.cached_result is not None else None
            if value is not None and key not in notes.tried:
                notes.kept.append(names[key])
            if inspect.iscoroutine(value) or inspect.isasyncgen(value):
                notes.unhandled.append(names[key])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keeps what could not be collected."""
        if report.failed:
            self.collect_errors.append(CollectError(report.nodeid, str(report.longrepr)))

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Keeps the warnings."""
        category = warning_message.category.__name__
        self.warnings.append(Warned(category, str(warning_message.message), nodeid))

    def run(self, status: int) -> Run:
        """Everything that was noted."""
        items = []
        for nodeid, function in self.items.items():
            notes = self.notes.get(nodeid)
            if notes is not None:
                outcome, phase, message = notes.failure or ("passed", "call", "")
                items.append(
                    ItemRun(
                        nodeid,
                        function,
                        outcome,
                        phase,
                        message,
                        notes.again,
                        notes.wanted,
                        notes.made,
                        notes.kept,
                        notes.event_loop,
                        notes.loops,
                        notes.unhandled,
                        notes.reach,
                    )
                )
        return Run(status, items, self.collect_errors, self.warnings)


class _Reached:
    """The definitions that one item asks for, and which async ones reach which async function."""

    def __init__(self, item: Any) -> None:
        self.root = str(item.config.rootpath)
        self.item = item
        info = item._fixtureinfo
        self.definitions = dict(info.name2fixturedefs)
        self.known: dict[int, Any] = {}
        found: dict[tuple[str | None, str], bool] = {}
        if _is_async(_as_written(item.obj)):
            for name in info.initialnames:
                definition = self._answer(name, None)
                self._follow(None, definition, name in info.argnames, found)
        for name in info.initialnames:
            self._visit(self._answer(name, None), found)
        self.pairs = [Reach(user, fixture, handed) for (user, fixture), handed in found.items()]

    def _answer(self, name: str, asker: Any) -> Any:
        """The definition that a request gets: for an override that asks for itself, the next."""
        if name not in self.definitions:
            # Asked for by an override's base alone, up to pytest 8.4; looked up as it is set up.
            self.definitions[name] = self._looked_up(name)
        same = self.definitions[name]
        index = -1
        if asker is not None and asker.argname == name:
            index = list(same).index(asker) - len(same) - 1
        if len(same) < -index:
            return None
        definition = same[index]
        path = _as_written(definition.func).__code__.co_filename
        return definition if path.startswith(self.root) else None

    def _looked_up(self, name: str) -> Any:
        manager = self.item.session._fixturemanager
        node = self.item if pytest.version_tuple >= (8,) else self.item.parent.nodeid
        return manager.getfixturedefs(name, node) or ()

    def _visit(self, definition: Any, found: dict[tuple[str | None, str], bool]) -> None:
        if definition is None or id(definition) in self.known:
            return
        self.known[id(definition)] = definition
        function = _as_written(definition.func)
        for name in definition.argnames:
            answer = self._answer(name, definition)
            if _is_async(function):
                self._follow(function.__name__, answer, True, found)
            self._visit(answer, found)

    def _follow(
        self,
        user: str | None,
        definition: Any,
        handed: bool,
        found: dict[tuple[str | None, str], bool],
    ) -> None:
        if definition is None:
            return
        function = _as_written(definition.func)
        if _is_async(function):
            found[user, function.__name__] = found.get((user, function.__name__), False) or handed
            return
        for name in definition.argnames:
            self._follow(user, self._answer(name, definition), handed, found)


def _wanted(item: Any) -> str | None:
    """The loop scope of a test as the plugin reads it."""
    mark = item.get_closest_marker("asyncio")
    plugin = sys.modules["pytest_asyncio.plugin"]
    # From 0.23 on it runs none that had no mark when it was collected.
    own = getattr(plugin, "PytestAsyncioFunction", None)
    if mark is None or (own is not None and not isinstance(item, own)):
        return None
    has_loop_scope = hasattr(plugin, "_get_marked_loop_scope") or hasattr(
        plugin, "_parse_asyncio_marker"
    )
    default = "function"
    if hasattr(plugin, "_get_default_test_loop_scope"):
        default = item.config.getini("asyncio_default_test_loop_scope")
    scope = (has_loop_scope and mark.kwargs.get("loop_scope")) or mark.kwargs.get("scope")
    return str(scope or default)
