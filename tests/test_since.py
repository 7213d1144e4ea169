"""`--since`: what counts as touched and as caused, by what real git says of real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from scopecheck import status
from scopecheck.commands import check
from scopecheck.commands.options import CheckOptions
from scopecheck.config import Settings
from scopecheck.run import analyse
from scopecheck.since import Changes, SinceError, changes_since

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = """\
import pytest


@pytest.fixture
def settings():
    return {}


@pytest.fixture(scope="session")
def engine(settings):
    return settings


@pytest.fixture(scope="session")
def worker(settings):
    return settings
"""
TESTS = """\
def test_engine(engine):
    assert engine


def test_worker(worker):
    assert worker


def test_other():
    assert True
"""


class Repository:
    """A repository with one commit, in which the suite has findings."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "a@b.c")
        self.git("config", "user.name", "a")

    def git(self, *arguments: str) -> str:
        hidden = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.top, check=True, capture_output=True, text=True, env=hidden
        ).stdout.strip()

    def write(self, path: str, text: str) -> None:
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.top / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new, 1))

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def changes(self, revision: str = "HEAD", root: str = "") -> Changes:
        return changes_since(self.top / root, revision)

    def due(self, revision: str = "HEAD", root: str = "") -> set[str]:
        """Rule and symbol's last part of what is found and due."""
        settings = Settings(plugins={"pytest": "9.0.0"}, select=("SCP1", "SCP3"))
        folder = self.top / root
        analysis = analyse(
            [], root=folder, settings=settings, changes=changes_since(folder, revision)
        )
        return {
            f"{finding.name} {finding.fault.symbol.rpartition('::')[2]}"
            for finding in analysis.findings
        }


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.write("pytest.ini", "[pytest]\n")
    made.write("tests/conftest.py", CONFTEST)
    made.write("tests/test_a.py", TESTS)
    made.commit()
    return made


ENGINE, WORKER = "scope-mismatch engine", "scope-mismatch worker"
BOTH = {ENGINE, WORKER}


def test_nothing_changed(repository: Repository) -> None:
    assert repository.due() == set()
    repository.write("tests/test_a.py", TESTS + "\n\ndef test_new():\n    assert True\n")
    repository.write("README", "changed")
    assert repository.due() == set()


@pytest.mark.parametrize(
    ("old", "new", "due"),
    [
        ('"session")\ndef engine', '"session", name="engine")\ndef engine', {ENGINE}),
        ("def engine(settings):\n    return settings", "def engine(settings): ...", {ENGINE}),
        ("    return {}", "    return dict()", BOTH),
        ("import pytest\n", "import pytest  # noqa\n", set()),
        ("\n\n\n@pytest.fixture\n", "\n\n\n\n\n@pytest.fixture\n", set()),
    ],
    ids=["decorator", "body", "related", "elsewhere", "blank lines"],
)
def test_lines_of_a_fixture(repository: Repository, old: str, new: str, due: set[str]) -> None:
    repository.edit("tests/conftest.py", old, new)
    assert repository.due() == due


def test_lines_of_an_affected_test(repository: Repository) -> None:
    repository.edit("tests/test_a.py", "    assert worker", "    assert worker is None")
    assert repository.due() == {WORKER}
    repository.write("tests/test_b.py", "def test_new(engine):\n    assert engine\n")
    assert repository.due() == BOTH


def test_lines_that_are_gone(repository: Repository) -> None:
    """They belong to the code above them, a decorator to the code below, a function to neither."""
    repository.edit("tests/test_a.py", "def test_worker(worker):\n    assert worker\n\n\n", "")
    assert repository.due() == {"unused-fixture worker"}
    repository.edit("tests/conftest.py", "def engine(settings):\n", "def engine(settings):\n  1\n")
    base = repository.commit()
    repository.edit("tests/conftest.py", "  1\n", "")
    assert repository.due(base) == {ENGINE}
    repository.edit("tests/conftest.py", "@pytest.fixture\n", "@abc\n@pytest.fixture\n")
    base = repository.commit()
    repository.edit("tests/conftest.py", "@abc\n", "")
    assert repository.due(base) == {ENGINE}


def test_staged_committed_and_untracked_files(repository: Repository) -> None:
    base = repository.git("rev-parse", "HEAD")
    repository.write("tests/test_b.py", "def test_b(missing): ...\n")
    assert repository.due() == {"unknown-fixture test_b"}
    repository.git("add", "-A")
    assert repository.due() == {"unknown-fixture test_b"}
    repository.commit()
    assert repository.due(base) == {"unknown-fixture test_b"}
    assert repository.due() == set()


def test_a_configuration_file_counts_as_a_whole(repository: Repository) -> None:
    repository.write("setup.cfg", "[tool:pytest]\naddopts = -q\n\n[metadata]\nname = a\n")
    base = repository.commit()
    assert repository.due(base) == set()
    repository.edit("setup.cfg", "name = a", "name = b")
    assert repository.due(base) == {"config-not-in-force tool:pytest"}


def test_a_fixture_that_is_gone(repository: Repository) -> None:
    repository.write("tests/sub/conftest.py", "import pytest\n@pytest.fixture\ndef gadget(): ...\n")
    repository.write("tests/sub/test_s.py", "def test_s(gadget): ...\ndef test_t(lost): ...\n")
    base = repository.commit()
    (repository.top / "tests/sub/conftest.py").unlink()
    assert repository.due(base) == {"unknown-fixture test_s"}


def test_a_use_that_is_gone(repository: Repository) -> None:
    """Both fixtures are unused; only one was used before."""
    unused = "\n\n@pytest.fixture\ndef used(): ...\n\n\n@pytest.fixture\ndef idle(): ...\n"
    repository.write("tests/conftest.py", CONFTEST + unused)
    repository.edit("tests/test_a.py", "def test_other():", "def test_other(used):")
    base = repository.commit()
    assert repository.due(base) == set()
    repository.edit("tests/test_a.py", "def test_other(used):", "def test_other():")
    assert repository.due(base) == {"unused-fixture used"}


def test_more_in_a_searched_file_causes_no_absence(repository: Repository) -> None:
    repository.write("tests/test_b.py", "def test_b(missing): ...\n")
    base = repository.commit()
    gadget = "\n\n@pytest.fixture\ndef gadget(): ...\n"
    repository.write("tests/conftest.py", CONFTEST + gadget)
    assert repository.due(base) == {"unused-fixture gadget"}
    repository.edit("tests/conftest.py", "import pytest\n", "import pytest as pytest\n")
    assert repository.due(base) == {"unused-fixture gadget", "unknown-fixture test_b"}


def test_an_override_that_is_gone(repository: Repository) -> None:
    override = '@pytest.fixture(scope="session")\ndef settings():\n    return {}\n'
    repository.write("tests/test_a.py", f"import pytest\n\n\n{override}\n\n{TESTS}")
    base = repository.commit()
    assert repository.due(base) == set()
    repository.write("tests/test_a.py", TESTS)
    assert repository.due(base) == BOTH


def test_what_others_did_since_does_not_count(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "feature")
    repository.write("tests/test_b.py", "def test_b(missing): ...\n")
    repository.commit()
    repository.git("checkout", "-q", "main")
    repository.edit("tests/conftest.py", "    return {}", "    return dict()")
    repository.commit()
    repository.git("checkout", "-q", "feature")
    assert repository.due("main") == {"unknown-fixture test_b"}


def test_no_commit_in_common(repository: Repository) -> None:
    repository.git("checkout", "-q", "--orphan", "alone")
    repository.edit("tests/test_a.py", "assert engine", "assert not engine")
    repository.commit()
    changes = repository.changes("main")
    assert changes.note.startswith(
        "--since main: no commit that HEAD has in common with it is here"
    )
    assert changes.lines == {"tests/test_a.py": (2,)}


def test_a_root_below_the_top(repository: Repository) -> None:
    shutil.copytree(repository.top / "tests", repository.top / "a b/ü/tests")
    repository.commit()
    repository.edit("a b/ü/tests/conftest.py", "def engine(settings):", "def engine( settings):")
    repository.edit("tests/conftest.py", "def worker(settings):", "def worker( settings):")
    assert set(repository.changes(root="a b/ü").lines) == {"tests/conftest.py"}
    assert repository.due(root="a b/ü") == {ENGINE}


@pytest.mark.parametrize(
    "name", ["a b", "é", 'q"uote', "tab\there", "new\nline", "b\\c", " a", "-x"]
)
def test_odd_names(repository: Repository, name: str) -> None:
    path = f"{name}/test_x.py"
    repository.write(path, TESTS)
    repository.commit()
    repository.edit(path, "assert worker", "assert 1")
    repository.write(f"{name}/test_y.py", "")
    changes = repository.changes()
    assert changes.lines == {path: (6,)}
    assert changes.altered == {path}
    assert changes.whole == {f"{name}/test_y.py"}


def test_names_that_are_not_unicode(repository: Repository) -> None:
    name = os.fsdecode(b"\xff.py")
    repository.write(name, "a = 1\n")
    repository.commit()
    repository.write(name, "a = 2\n")
    assert repository.changes().lines == {name: (1,)}


def test_content_that_looks_like_a_patch(repository: Repository) -> None:
    repository.write("a.py", "-- a/b.py\n++ b/b.py\n@@ -1 +1 @@\n" * 2)
    repository.commit()
    repository.write("a.py", "@@ -9 +9 @@\n-- a/c.py\n++ b/c.py\n")
    changes = repository.changes()
    assert set(changes.lines) == {"a.py"}
    assert max(changes.lines["a.py"]) <= 6


def test_renames(repository: Repository) -> None:
    """A new name changes no lines, unless pytest takes the file for something else by it."""
    body = "".join(f"x{number} = {number}\n" for number in range(20))
    for name in ("tests/test_old.py", "tests/helpers.py", "tests/sub/conftest.py"):
        repository.write(name, body + name)
    base = repository.commit()
    for old, new in (
        ("tests/test_old.py", "unit/test_new.py"),
        ("tests/helpers.py", "tests/test_helpers.py"),
        ("tests/sub/conftest.py", "unit/conftest.py"),
    ):
        repository.write(new, (repository.top / old).read_text())
        (repository.top / old).unlink()
    repository.edit("unit/test_new.py", "x3 = 3", "x3 = 4")
    repository.git("add", "-A")
    changes = repository.changes(base)
    assert changes.lines["unit/test_new.py"] == (4,)
    assert changes.whole == {"tests/test_helpers.py", "unit/conftest.py"}
    assert {"tests/test_old.py", "tests/sub/conftest.py"} <= changes.cut


def test_a_repository_in_the_repository(repository: Repository, tmp_path: Path) -> None:
    """Git looks into neither a submodule nor an untracked repository: all in them may be new."""
    inner = tmp_path / "inner"
    inner.mkdir()
    nested = Repository(inner)
    nested.write("tests/test_x.py", TESTS)
    nested.commit()
    changes = repository.changes()
    assert changes.folders == ("inner/",)
    assert changes.within("inner/tests/test_x.py", 1, 1)
    repository.commit()
    assert repository.changes().folders == ()
    nested.edit("tests/test_x.py", "assert engine", "assert 1")
    assert repository.changes().folders == ("inner/",)


def test_what_is_configured_does_not_matter(repository: Repository) -> None:
    settings = {
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.context": "9",
        "diff.interHunkContext": "9",
        "diff.external": "false",
        "diff.algorithm": "patience",
        "diff.renames": "false",
        "color.ui": "always",
        "core.quotePath": "true",
        "diff.relative": "false",
        "diff.py.textconv": "false",
        "diff.suppressBlankEmpty": "true",
    }
    for key, value in settings.items():
        repository.git("config", key, value)
    repository.write(".gitattributes", "*.py diff=py\n")
    repository.edit("tests/test_a.py", "assert engine", "assert 1")
    repository.edit("tests/test_a.py", "assert True", "assert False")
    assert repository.changes().lines == {"tests/test_a.py": (2, 10)}


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("gone", "--since gone: git knows no such revision"),
        ("--output=x", "--since --output=x: git knows no such revision"),
        ("", "--since : git knows no such revision"),
        ("main..HEAD", "--since main..HEAD: name one revision; the range ends at the working tree"),
        ("HEAD:pytest.ini", "--since HEAD:pytest.ini: git knows no such revision"),
    ],
)
def test_revisions_that_are_none(repository: Repository, revision: str, message: str) -> None:
    with pytest.raises(SinceError) as error:
        repository.changes(revision)
    assert str(error.value).startswith(message)
    assert sorted(one.name for one in repository.top.iterdir()) == [".git", "pytest.ini", "tests"]


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SinceError, match=r"lies in no git repository \(fatal: not a git repo"):
        changes_since(tmp_path, "HEAD")


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SinceError, match="--since needs git, which cannot be run: No such file"):
        changes_since(tmp_path, "HEAD")


def test_the_command(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(repository.top)

    def run(revision: str) -> int:
        return check.run([], CheckOptions(since=revision, outputs=concise))

    concise = (("formats", "concise"),)
    assert run("HEAD") == 0
    repository.edit("tests/conftest.py", "def engine(settings):", "def engine( settings):")
    assert run("HEAD") == 1
    assert capsys.readouterr().out.count("scope-mismatch: ") == 1
    with pytest.raises(status.Refused, match="git knows no such revision"):
        run("gone")
