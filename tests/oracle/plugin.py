"""A pytest plugin that turns a run into a dump of what pytest resolves for every item.

pytest itself does the resolving: each item goes through pytest's own set-up, with every fixture
function replaced by one that does nothing and every test left out. A request that pytest refuses is
noted and answered with an empty value, so that the rest of the item's fixtures are seen too; what
comes after the first refusal is therefore what pytest *would* set up.

Works with pytest 7.4 to 9.2, and needs only the standard library.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
from pathlib import Path
from typing import Any

import pytest
from _pytest import fixtures
from _pytest.scope import Scope

from oracle.dump import CollectError, Definition, Dump, Item, Problem


def _nothing(**_: object) -> None:
    """Stands in for a fixture function."""


class _Refused(fixtures.FixtureDef[None]):
    """Stands in for the definition that a refused request did not get."""

    def __init__(self) -> None:
        vars(self).update(argname="", cached_result=(None, [0], None), _scope=Scope.Session)

    def addfinalizer(self, finalizer: object) -> None:
        """There is nothing to take down."""


@functools.cache
def _def_lines(path: str) -> dict[tuple[int, str], int]:
    """The line of each `def` of a file, by the function's first line (a decorator's) and name."""
    lines: dict[tuple[int, str], int] = {}
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        for node in ast.walk(ast.parse(Path(path).read_bytes())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                lines[first, node.name] = node.lineno
    return lines


def _as_written(function: Any) -> Any:
    """The function that a person wrote, below partials, bindings and wrappers."""
    for _ in range(100):
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif getattr(function, "__wrapped__", None) is not None:
            function = function.__wrapped__
        else:
            break
    return function


def _place(function: Any) -> tuple[str | None, int | None]:
    """The file, and the line of the `def`."""
    code = getattr(_as_written(function), "__code__", None)
    if code is None:
        return None, None
    path: str = code.co_filename
    line: int = code.co_firstlineno
    return path, _def_lines(path).get((line, code.co_name), line)


def _is_parametrization(definition: Any) -> bool:
    """Whether this is the pseudo fixture that directly parametrized names get."""
    return getattr(definition.func, "__name__", "") == "get_direct_param_fixture_func"


def _is_xunit(definition: Any) -> bool:
    """Whether this is the hidden fixture that runs a `setup_module`, `setUp` or the like."""
    module = getattr(definition.func, "__module__", "")
    return definition.argname.startswith("_") and module in ("_pytest.python", "_pytest.unittest")


class _Record:
    """What happened while one item was set up."""

    def __init__(self) -> None:
        self.definitions: dict[int, Any] = {}
        self.problems: list[Problem] = []
        self.seen: set[tuple[int, str | None]] = set()
        self.skipped = False

    def refuse(self, kind: str, requester: Any, requests: str | None, message: str) -> None:
        """Notes a problem once for each pair of requester and name."""
        definition = getattr(requester, "_fixturedef", None)
        fixture = None if definition is None else requester.fixturename
        key = (id(definition), requests)
        # pytest asks several times for what a fixture requests, and at last for the item itself.
        again = fixture is None and any(each.requests == requests for each in self.problems)
        if key not in self.seen and not again:
            self.seen.add(key)
            self.problems.append(Problem(kind, fixture, requests, message))


class Oracle:
    """Records what pytest resolves; `dump()` once the run is over."""

    def __init__(self, run: bool = False) -> None:
        self.run = run
        self.requests: list[tuple[Any, str]] = []
        self.records: dict[str, _Record] = {}
        self.items: list[Any] = []
        self.collect_errors: list[CollectError] = []
        self.rootdir = ""
        self.manager: Any = None

    def pytest_configure(self, config: pytest.Config) -> None:
        """Sets up only, and watches every request."""
        self.rootdir = str(config.rootpath)
        config.option.setuponly = not self.run
        config.option.continue_on_collection_errors = True
        self._watch_requests(config)
        self._watch_scope_checks(config)

    def _watch_requests(self, config: pytest.Config) -> None:
        resolve = fixtures.FixtureRequest._get_active_fixturedef

        @functools.wraps(resolve)
        def watched(request: Any, argname: str) -> Any:
            record = self.records.setdefault(request._pyfuncitem.nodeid, _Record())
            self.requests.append((request, argname))
            try:
                definition: Any = resolve(request, argname)
            except fixtures.FixtureLookupError as error:
                found = "recursive dependency" in error.formatrepr().errorstring
                kind = "cycle" if found else "unknown-fixture"
                record.refuse(kind, request, argname, error.formatrepr().errorstring.strip())
                return _Refused()
            except pytest.fail.Exception as error:
                if not any(word in str(error) for word in ("no parameter", "not support")):
                    raise
                record.refuse("no-param", request, argname, str(error))
                return _Refused()
            finally:
                self.requests.pop()
            if argname != "request" and not _is_parametrization(definition):
                record.definitions.setdefault(id(definition), definition)
            return definition

        setattr(fixtures.FixtureRequest, "_get_active_fixturedef", watched)  # noqa: B010
        config.add_cleanup(
            lambda: setattr(fixtures.FixtureRequest, "_get_active_fixturedef", resolve)
        )

    def _watch_scope_checks(self, config: pytest.Config) -> None:
        check = fixtures.SubRequest._check_scope

        @functools.wraps(check)
        def watched(request: Any, requested: Any, *scopes: Any) -> None:
            try:
                check(request, requested, *scopes)
            except pytest.fail.Exception as error:
                # `request` is the requester's from pytest 8.2 on, the requested one's before.
                requester, _ = self.requests[-1]
                name = requested if isinstance(requested, str) else requested.argname
                record = self.records[request._pyfuncitem.nodeid]
                record.refuse("scope-mismatch", requester, name, str(error))

        setattr(fixtures.SubRequest, "_check_scope", watched)  # noqa: B010
        config.add_cleanup(lambda: setattr(fixtures.SubRequest, "_check_scope", check))

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> object:
        """pytest's own set-up, checks and all, of a function that does nothing."""
        function = fixturedef.func
        if self.run and not _is_xunit(fixturedef):
            return None
        self.requests.append((request, ""))
        fixturedef.func = _nothing
        try:
            # Not None, which would call the next implementation of the hook.
            return (fixtures.pytest_fixture_setup(fixturedef, request),)
        finally:
            fixturedef.func = function
            self.requests.pop()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: pytest.CallInfo[None]) -> Any:
        """Notes skips, and errors that are no refused request."""
        outcome = yield
        report = outcome.get_result()
        record = self.records.setdefault(item.nodeid, _Record())
        error = call.excinfo.value if call.excinfo else None
        if call.when == "setup" and report.skipped:
            record.skipped = True
        elif error is not None and "called directly" in str(error):
            record.refuse("called", None, None, str(error))
        elif call.when == "setup" and report.failed and not self.run:
            record.refuse("other", None, None, str(error))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keeps the items, in order."""
        self.manager = session._fixturemanager
        self.items = [item for item in session.items if isinstance(item, pytest.Function)]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keeps what could not be collected."""
        if report.failed:
            self.collect_errors.append(CollectError(report.nodeid, str(report.longrepr)))

    def _definition(self, definition: Any) -> Definition:
        path, line = _place(definition.func)
        autouse = getattr(definition, "_autouse", None)
        if autouse is None:
            names = getattr(self.manager, "_nodeid_autousenames", {})
            autouse = definition.argname in names.get(definition.baseid, ())
        module = getattr(_as_written(definition.func), "__module__", "") or ""
        return Definition(definition.argname, definition.scope, path, line, module, autouse)

    def _item(self, item: Any) -> Item:
        record = self.records.get(item.nodeid, _Record())
        nodeid = item.nodeid[: len(item.nodeid) - len(item.name)] + item.originalname
        _, line = _place(item.obj)
        seen = [each for each in record.definitions.values() if not _is_xunit(each)]
        return Item(
            nodeid,
            str(item.path),
            line,
            [] if record.skipped else [self._definition(each) for each in seen],
            record.problems,
            record.skipped,
        )

    def dump(self) -> Dump:
        """What pytest answered, each node id once (parametrizations resolve alike)."""
        items: dict[str, Item] = {}
        for each in self.items:
            item = self._item(each)
            known = items.get(item.nodeid)
            if known is None or (known.skipped and not item.skipped):
                items[item.nodeid] = item
        return Dump(pytest.__version__, self.rootdir, list(items.values()), self.collect_errors)
