"""What hooks do to the marks of async tests: pytest's answer and ours, hook by hook.

A recipe is the text of a conftest. READ are those that scopecheck understands, where the marks of
every test must agree with pytest's; UNKNOWN are those of which it must say so; NOTHING are those
that change no async mark, of which it must say nothing. SCOPECHECK_HOOKS=all runs every recipe with
every version; else those before the newest run the few whose outcome has changed.
"""

from __future__ import annotations

import json
import os
import shutil
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from loops.client import Server
from loops.hook_generator import HookGenerator
from loops.hook_recipes import (
    ARRANGED,
    CLASSES,
    DOCUMENTED,
    HELPERS,
    MARKED,
    NOTHING,
    READ,
    RUN_HOOK,
    RUN_TESTS,
    RUNNING_HELPERS,
    RUNS,
    TESTS,
    UNKNOWN,
)

import scopecheck.project
from scopecheck.config import Settings
from scopecheck.suite.loops.added import AsyncHooks, runs_on_two_loops
from scopecheck.suite.marks import UNKNOWN_MARK
from scopecheck.suite.model import SCOPES
from scopecheck.suite.values import Literal
from scopecheck.testing import environments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from scopecheck.suite import Suite
    from scopecheck.suite.values import MarkValue

NEWEST = "1.5.0"
VERSIONS = ("0.21.2", "0.23.8", "0.24.0", "0.26.0", "1.0.0", "1.1.0", "1.2.0", NEWEST)
MODES = ("strict", "auto")
WHOLE = os.environ.get("SCOPECHECK_HOOKS") == "all"
RANDOM = int(os.environ.get("SCOPECHECK_RANDOM", "10"))
# What versions differ in.
TELLING = ("documented before 0.23.6, without append", "item.function", "makeitem, on the function")

# Left in each run by pytest itself: the marks of every test, and whether the plugin took it.
PROBE = """
import json
import pytest

@pytest.hookimpl(trylast=True, hookwrapper=True)
def pytest_collection_finish(session):
    yield
    with open("marks.json", "w") as file:
        json.dump({item.nodeid: _said(item) for item in session.items}, file)

def _said(item):
    mark = item.get_closest_marker("asyncio")
    return {
        "mark": None if mark is None else mark.kwargs,
        "taken": type(item) is not pytest.Function,
        "anyio": item.get_closest_marker("anyio") is not None,
    }
"""


def _number(version: str) -> tuple[int, int]:
    major, minor, _ = version.split(".")
    return int(major), int(minor)


def _write(folder: Path, files: Mapping[str, str], version: str, mode: str) -> None:
    keyword = "scope" if _number(version) < (0, 24) else "loop_scope"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text.replace("KEYWORD", keyword).split("\n")
        path.write_text("\n".join(line[8:] if name in TESTS else line for line in lines))
    (folder / "pytest.ini").write_text(f"[pytest]\nasyncio_mode = {mode}\n")


def _dedent(text: str) -> str:
    lines = text.split("\n")
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[indent:] for line in lines)


def _project(conftest: str) -> dict[str, str]:
    files = {**TESTS, "conftest.py": _dedent(conftest)}
    if "helpers" in conftest:
        files["helpers.py"] = _dedent(HELPERS)
    return files


def _suite(folder: Path) -> Suite:
    project = scopecheck.project.Project(folder, Settings(), jobs=1)
    (suite,) = project.suites([folder])
    return suite


def _asked(server: Server, folder: Path) -> dict[str, dict[str, Any]]:
    """Pytest's answer by node id, without `[...]`; empty where it collects nothing."""
    there = folder.with_name(f"{folder.name}-run")
    shutil.copytree(folder, there)
    (there / "hook_probe.py").write_text(PROBE)
    with (there / "pytest.ini").open("a") as file:
        file.write("addopts = --collect-only\n")
    with (there / "conftest.py").open("a") as file:
        file.write('\npytest_plugins = [*globals().get("pytest_plugins", ()), "hook_probe"]\n')
    run = server.run(there)
    said = there / "marks.json"
    assert said.exists(), run.output
    return {nodeid.partition("[")[0]: each for nodeid, each in json.loads(said.read_text()).items()}


def _arguments(mark: MarkValue | None) -> dict[str, object] | None:
    if mark is None:
        return None
    return {
        name: value.value if isinstance(value, Literal) else "?" for name, value in mark.keywords
    }


def _ours(suite: Suite, hooks: AsyncHooks, version: str, mode: str) -> dict[str, dict[str, Any]]:
    found = {}
    for item in suite.items:
        if item.is_async:
            marked = hooks.mark_of(item, _number(version), auto=mode == "auto")
            found[item.nodeid] = {
                "mark": _arguments(marked.mark),
                "taken": marked.taken,
                "anyio": "anyio" in marked.names,
            }
    return found


def _compare(
    server: Server, folder: Path, files: Mapping[str, str], version: str, mode: str
) -> AsyncHooks:
    """Hold our marks of every async test against pytest's; what the hooks do, by us."""
    _write(folder, files, version, mode)
    suite = _suite(folder)
    hooks = suite.loops.hooks
    assert hooks.unknown == ()
    real = _asked(server, folder)
    ours = _ours(suite, hooks, version, mode)
    if _number(version) < (0, 23):
        # There are no tests of the plugin's own: it runs those that have the mark.
        for each in real.values():
            each["taken"] = each["mark"] is not None
    assert ours == {nodeid: each for nodeid, each in real.items() if nodeid in ours}
    assert ours
    return hooks


BUILT = {each.name: each for each in environments.built()}


def _name(version: str) -> str:
    return f"pytest-asyncio-{version}"


class Servers(dict[str, Server]):
    """A server for each version, started when it is first asked."""

    def __missing__(self, version: str) -> Server:
        self[version] = Server(BUILT[_name(version)])
        return self[version]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    started = Servers()
    yield started
    for server in started.values():
        server.stop()


def _cases(recipes: Iterable[str], telling: Callable[[str], bool]) -> list[Any]:
    """Every version, mode and recipe; those before the newest only where that tells more."""
    return [
        pytest.param(version, mode, recipe, id=f"{version}-{mode}-{recipe}")
        for version in VERSIONS
        if _name(version) in BUILT
        for mode in MODES
        for recipe in recipes
        if version == NEWEST or WHOLE or telling(recipe)
    ]


@pytest.mark.parametrize(("version", "mode", "recipe"), _cases(READ, TELLING.__contains__))
def test_a_recipe_is_read(
    version: str, mode: str, recipe: str, servers: Servers, tmp_path: Path
) -> None:
    if "pytest_asyncio" in READ[recipe] and _number(version) < (0, 23):
        pytest.skip("pytest-asyncio has no is_async_test")
    project = _project(READ[recipe])
    hooks = _compare(servers[version], tmp_path / "project", project, version, mode)
    assert hooks.added


@pytest.mark.parametrize(("version", "mode", "recipe"), _cases(NOTHING, lambda *_: False))
def test_what_changes_no_async_mark_is_no_matter(
    version: str, mode: str, recipe: str, servers: Servers, tmp_path: Path
) -> None:
    project = _project(NOTHING[recipe])
    hooks = _compare(servers[version], tmp_path / "project", project, version, mode)
    assert hooks.added == ()


@pytest.mark.parametrize(("version", "mode", "recipe"), _cases(ARRANGED, lambda *_: False))
def test_hooks_of_several_files(
    version: str, mode: str, recipe: str, servers: Servers, tmp_path: Path
) -> None:
    if _number(version) < (0, 23):
        pytest.skip("pytest-asyncio has no is_async_test")
    project = {**TESTS, **ARRANGED[recipe]}
    hooks = _compare(servers[version], tmp_path / "project", project, version, mode)
    assert hooks.added


# Left in each run by pytest itself: the scope of the loop on which each test ran.
LOOPS = """
import asyncio
import json
import pytest

made, ran = [], {}

@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef, request):
    outcome = yield
    name = fixturedef.argname
    if name.endswith(("event_loop", "event_loop>", "_scoped_runner")):
        loop = outcome.get_result()
        made.append((getattr(loop, "get_loop", lambda: loop)(), name, fixturedef.scope))

def note(name):
    loop = asyncio.get_running_loop()
    ran[name] = next(scope for known, _, scope in made if known is loop)

def pytest_sessionfinish():
    with open("ran.json", "w") as file:
        json.dump(ran, file)
"""
LATE = [f"{scope}, {marked}" for scope in ("session", "module", "function") for marked in MARKED]


@pytest.mark.parametrize(
    ("version", "mode", "recipe"),
    _cases(LATE, lambda recipe: recipe.startswith("session")),
)
def test_a_mark_that_comes_late(
    version: str, mode: str, recipe: str, servers: Servers, tmp_path: Path
) -> None:
    scope, _, marked = recipe.partition(", ")
    number = _number(version)
    tests = RUN_TESTS.format(**MARKED[marked])
    files = {"test_a.py": tests, "test_b.py": tests, "conftest.py": RUN_HOOK.format(scope=scope)}
    folder = tmp_path / "project"
    _write(folder, files, version, mode)
    suite = _suite(folder)
    marks = {suite.loops.hooks.mark_of(item, number, auto=mode == "auto") for item in suite.items}
    ((mark, _, collected, taken, _),) = marks
    (folder / "loops_probe.py").write_text(LOOPS)
    run = servers[version].run(folder)
    ran = json.loads((folder / "ran.json").read_text())
    if not taken:
        assert not ran
        return
    assert len(ran) == 4, run.output
    if number < (0, 23):
        assert set(ran.values()) == {"function"}
        return
    keyword = "loop_scope" if number >= (0, 24) else "scope"
    scopes = [
        None if one is None else SCOPES[str((_arguments(one) or {}).get(keyword, "function"))]
        for one in (collected, mark)
    ]
    if runs_on_two_loops(number, *scopes):
        assert set(ran.values()) == {each.word for each in scopes if each is not None}
    else:
        assert set(ran.values()) == {scope}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(RANDOM))
def test_a_random_hook_is_read_or_unknown(
    seed: int, mode: str, servers: Servers, tmp_path: Path
) -> None:
    if _name(NEWEST) not in BUILT:
        pytest.skip("there is no environment of the newest version")
    folder = tmp_path / "project"
    files = {**TESTS, "conftest.py": HookGenerator(Random(seed)).conftest()}
    _write(folder, files, NEWEST, mode)
    suite = _suite(folder)
    hooks = suite.loops.hooks
    if not hooks.unknown:
        ours = _ours(suite, hooks, NEWEST, mode)
        real = _asked(servers[NEWEST], folder)
        assert ours == {nodeid: each for nodeid, each in real.items() if nodeid in ours}


@pytest.mark.parametrize("recipe", UNKNOWN)
def test_what_cannot_be_read_is_unknown(recipe: str, tmp_path: Path) -> None:
    _write(tmp_path, _project(UNKNOWN[recipe]), NEWEST, "strict")
    hooks = _suite(tmp_path).loops.hooks
    (unknown,) = hooks.unknown
    assert unknown.startswith(("conftest.py:", "helpers.py:"))


@pytest.mark.parametrize("hook", RUNS)
def test_hooks_that_may_run_tests(hook: str, tmp_path: Path) -> None:
    text, names = RUNS[hook]
    files = {**TESTS, "conftest.py": _dedent(text), "helpers.py": RUNNING_HELPERS}
    _write(tmp_path, files, NEWEST, "strict")
    hooks = _suite(tmp_path).loops.hooks
    assert tuple(name for _, name in hooks.runs) == names
    assert hooks.unknown == ()


def test_loop_factories(tmp_path: Path) -> None:
    conftest = """
        import asyncio

        def pytest_asyncio_loop_factories(config, item):
            return {"default": asyncio.new_event_loop}
    """
    _write(tmp_path, _project(conftest), NEWEST, "auto")
    hooks = _suite(tmp_path).loops.hooks
    (place,) = hooks.loop_factories
    assert (place.path, place.span.line) == ("conftest.py", 4)
    assert hooks.unknown == ()
    assert hooks.runs == ()


def test_a_hook_that_no_conftest_registers_does_nothing(tmp_path: Path) -> None:
    files = {**TESTS, "hooks.py": _dedent(DOCUMENTED), "test_four.py": _dedent(DOCUMENTED)}
    _write(tmp_path, files, NEWEST, "auto")
    assert _suite(tmp_path).loops.hooks == AsyncHooks()


def test_a_keyword_is_a_folder_too(tmp_path: Path) -> None:
    files = _project(READ["unless it is marked, by keyword"])
    _write(tmp_path, {**files, "asyncio/test_five.py": "def test(): pass"}, NEWEST, "auto")
    assert _suite(tmp_path).loops.hooks.unknown


@pytest.mark.parametrize("code", CLASSES)
def test_marks_that_code_puts_on_classes_are_unknown(code: str, tmp_path: Path) -> None:
    other = """
        class Registry:
            def __init_subclass__(cls):
                cls.known = True

        class TestTwo(Registry):
            async def test_two(self): pass
    """
    text = "import pytest\n" + _dedent(CLASSES[code]) + _dedent(other)
    _write(tmp_path, {"test_classes.py": text}, NEWEST, "strict")
    suite = _suite(tmp_path)
    marks = {
        item.nodeid.rpartition("::")[2]: suite.loops.hooks.mark_of(item, (1, 5), auto=False).mark
        for item in suite.items
    }
    assert marks == {"test_one": UNKNOWN_MARK, "test_two": None}
