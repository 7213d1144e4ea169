"""What a start loads: nothing that the command does not use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
REPAIRED = EXAMPLES / "agent_platform_repaired"

# The standard library's slow ones that a start must do without.
_SLOW = {
    *("asyncio", "concurrent", "difflib", "email", "importlib.metadata", "json"),
    *("multiprocessing", "socket", "ssl", "subprocess", "tomllib", "unittest", "urllib.request"),
    *("xml", "logging", "sqlite3", "pickle"),
}
_OURS_ALWAYS = {"scopecheck", "scopecheck.__main__", "scopecheck.cli", "scopecheck.status"}
_OURS_FOR_RULES = _OURS_ALWAYS | {
    *("scopecheck.commands", "scopecheck.commands.rule", "scopecheck.rulebook"),
    *("scopecheck.finding", "scopecheck.source", "scopecheck.disk"),
}
# A run in which nothing changed neither reads files nor links nor checks.
_NEVER_WARM = (
    *("scopecheck.checks", "scopecheck.suite", "scopecheck.read.module", "scopecheck.migrate"),
    *("scopecheck.audit", "scopecheck.plan", "scopecheck.testing", "scopecheck.fix.functions"),
)


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The modules that a command loads."""
    command = [sys.executable, "-X", "importtime", "-m", "scopecheck", *arguments]
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stdout
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines[1:]}


def others(modules: set[str]) -> set[str]:
    """The top-level packages that are neither the standard library's nor of the environment.

    (`org` is what `copy` asks for to find out whether this is Jython, and a compiled package has a
    module of a name of its own.)
    """
    tops = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    known = {"org", "sitecustomize", "usercustomize", "typing_extensions"}
    return {top for top in tops - known if not top.startswith("_") and "__mypyc" not in top}


def slow(modules: set[str]) -> set[str]:
    """The slow ones, those left out that click needs (in Python 3.10 `uuid` has `subprocess`)."""
    found = {name for name in modules if name in _SLOW or name.partition(".")[0] in _SLOW}
    return found - needed_by_click()


@cache
def needed_by_click() -> frozenset[str]:
    command = [sys.executable, "-c", "import click, sys; print(*sys.modules)"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return frozenset(result.stdout.split())


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "scopecheck"}


def test_version(tmp_path: Path) -> None:
    modules = loaded(tmp_path, "--version")
    assert ours(modules) <= _OURS_ALWAYS
    assert others(modules) == {"scopecheck", "click"}
    assert slow(modules) == set()


@pytest.mark.parametrize("arguments", [["rule"], ["rule", "SCP101"]])
def test_rule(tmp_path: Path, arguments: list[str]) -> None:
    modules = loaded(tmp_path, *arguments)
    assert ours(modules) <= _OURS_FOR_RULES
    assert others(modules) == {"scopecheck", "click", "msgspec"}
    assert slow(modules) == set()


def test_a_clean_suite_that_did_not_change(tmp_path: Path) -> None:
    root = tmp_path / "suite"
    shutil.copytree(REPAIRED, root, ignore=shutil.ignore_patterns(".*"))
    loaded(root)
    modules = loaded(root)
    assert {name for name in ours(modules) if name.startswith(_NEVER_WARM)} == set()
    assert others(modules) == {"scopecheck", "click", "msgspec", "tomli"}
    assert slow(modules) == set()


def test_a_first_run_loads_no_back_end_that_it_does_not_use(tmp_path: Path) -> None:
    root = tmp_path / "suite"
    shutil.copytree(REPAIRED, root, ignore=shutil.ignore_patterns(".*"))
    modules = loaded(root, "--no-cache")
    # The extra `fast` is there or not.
    assert others(modules) - {"ahocorasick_rs"} == {"scopecheck", "click", "msgspec", "tomli"}
    assert not modules & {"importlib.metadata", "asyncio", "multiprocessing", "ssl"}


def test_what_is_found_and_could_be_mended_loads_no_more(tmp_path: Path) -> None:
    root = tmp_path / "suite"
    shutil.copytree(EXAMPLES / "agent_platform", root, ignore=shutil.ignore_patterns(".*"))
    for _ in ("first", "again"):
        modules = loaded(root, "--exit-zero")
        assert others(modules) - {"ahocorasick_rs"} == {"scopecheck", "click", "msgspec", "tomli"}
