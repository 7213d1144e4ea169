"""The hooks, run by the real pre-commit against a clone of this repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONFTEST = """\
import pytest

@pytest.fixture
def settings(): ...

@pytest.fixture(scope="session")
def engine(settings): ...
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests/conftest.py").write_text(CONFTEST)
    (folder / "tests/test_a.py").write_text("def test_a(engine): ...\n")
    (folder / "tests/test_b.py").write_text("def test_b(): ...\n")
    (folder / "notes.md").write_text("Nothing.\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "start")
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The working tree as a repository of its own: what is not committed counts too."""
    folder = tmp_path / "clone"
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if not (source.is_file() or source.is_symlink()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
        else:
            target.write_bytes(source.read_bytes())
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "clone")
    return folder


def try_repo(project: Path, clone: Path, hook: str, *arguments: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "pre_commit", "try-repo", str(clone), hook, *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def test_try_repo(project: Path, clone: Path) -> None:
    status, output = try_repo(project, clone, "scopecheck", "--all-files", "--verbose")
    assert "[SCP101]" in output or "SCP101: session-scoped `engine`" in output
    assert status == 1
    # Only a file that has nothing to do with it changed.
    status, output = try_repo(project, clone, "scopecheck", "--files", "tests/test_b.py")
    assert (status, "SCP101" in output) == (0, False), output
    # A change in the test that reaches the fault shows it, wherever the cause is.
    status, output = try_repo(project, clone, "scopecheck", "--files", "tests/test_a.py")
    assert status == 1
    assert "tests/conftest.py:7:5" in output
    # The other hook takes no files at all.
    status, output = try_repo(project, clone, "scopecheck-all", "--files", "notes.md")
    assert status == 1
    assert "tests/conftest.py:7:5" in output


def test_the_plain_name_is_a_link_to_what_pre_commit_reads() -> None:
    link = ROOT / "pre-commit-hooks.yaml"
    assert link.is_symlink()
    assert str(link.readlink()) == ".pre-commit-hooks.yaml"
    assert (ROOT / ".pre-commit-hooks.yaml").is_file()
    assert not (ROOT / ".pre-commit-hooks.yaml").is_symlink()
