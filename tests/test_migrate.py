"""Small suites moved to pytest-asyncio 1.x, and run under the plugin before and after."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import migration_pages
import pytest

from scopecheck.config import Settings
from scopecheck.fix import files
from scopecheck.fix.diff import unified
from scopecheck.migrate import Migration, migrate, newest
from scopecheck.project import Project
from scopecheck.report import migration as report
from scopecheck.testing import oracle

if TYPE_CHECKING:
    from pathlib import Path

    from migration_pages import Example

pytestmark = pytest.mark.usefixtures("no_environment")

EXAMPLES = [pytest.param(example, id=example.id) for example in migration_pages.examples()]


def moved(example: Example, folder: Path) -> Migration:
    plugins = {"pytest-asyncio": example.version}
    plugins["pytest"] = oracle.pytest_version(plugins)
    return migrate(Project(folder, Settings(plugins=plugins), 1), [])


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and ".git" not in path.parts
    }


def said(migration: Migration) -> str:
    text = report.text(migration)
    return "" if text == "nothing to migrate\n" else text


@pytest.mark.parametrize("example", EXAMPLES)
def test_migration(example: Example, tmp_path: Path) -> None:
    migration = moved(example, example.write(tmp_path))
    diff = unified(migration.changes).decode()
    if os.environ.get("SCOPECHECK_BLESS"):
        migration_pages.bless(example, diff, said(migration))
        return
    assert diff == example.diff
    assert said(migration) == example.says

    files.write(tmp_path, migration.changes)
    again = moved(example, tmp_path)
    assert unified(again.changes).decode() == ""
    assert again.left == () or migration.left != ()


@pytest.mark.parametrize("example", EXAMPLES)
def test_diff_is_what_git_applies(example: Example, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    migration = moved(example, example.write(one))
    files.write(one, migration.changes)
    example.write(other)
    subprocess.run(["git", "init", "--quiet"], cwd=other, check=True)
    if migration.changes:
        diff = unified(migration.changes)
        subprocess.run(["git", "apply", "-"], cwd=other, input=diff, check=True)
    assert tree(other) == tree(one)


@pytest.mark.parametrize("example", EXAMPLES)
def test_tests_pass_before_and_after(example: Example, tmp_path: Path) -> None:
    example.write(tmp_path)
    try:
        before = oracle.run(tmp_path, (), {"pytest-asyncio": example.version})
    except oracle.Unavailable as reason:
        pytest.skip(str(reason))
    assert before.is_clean, before.output
    files.write(tmp_path, moved(example, tmp_path).changes)
    try:
        after = oracle.run(tmp_path, (), {"pytest-asyncio": newest()})
    except oracle.Unavailable as reason:
        pytest.skip(str(reason))
    wanted = example.outcome or before.summary
    assert after.agrees(wanted), after.output
    assert "PytestDeprecationWarning" not in after.output or "event_loop_policy" in after.output
