"""git is the judge of what its own patterns mean."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from scopecheck.exclude import Excluder

if TYPE_CHECKING:
    from pathlib import Path

PATHS = [
    "a.py",
    "build/x.py",
    "sub/build/x.py",
    "sub/a.py",
    "sub/deep/a.py",
    "sub/deep/er/b.py",
    "docs/_build/c.py",
    "x/docs/_build/c.py",
    "gen_a.py",
    "a_gen.py",
    "we ird/s.py",
    "cached.pyc/t.py",
    "keep.gen.py",
    "other.gen.py",
    "sub/.hidden/u.py",
    "[x].py",
]
IGNORES = [
    "build\n",
    "build/\n",
    "/build\n",
    "*.py\n",
    "a.py\n",
    "/a.py\n",
    "sub/a.py\n",
    "sub/*\n",
    "sub/**\n",
    "**/deep\n",
    "**/deep/a.py\n",
    "sub/**/b.py\n",
    "docs/_build/\n",
    "*_gen.py\n/gen_*\n",
    "*.py[cod]\n",
    "*.gen.py\n!keep.gen.py\n",
    "!a.py\na.py\n",
    "*\n!*/\n!a.py\n",
    "we ird\n",
    "a.py   \n",
    "# a.py\n\n",
    "\\#a.py\n[!a].py\n",
    "[[]x].py\n",
    "?.py\n",
    "sub/d?ep/\n",
    ".*\n",
    "su*\n",
    "s*/a.py\r\n",
    "sub/deep/**/b.py\n",
    "/\n",
    "sub/\n!sub/a.py\n",
]


def ours(top: Path, path: str) -> bool:
    """Whether a path, or a folder on the way to it, is left out."""
    excluder = Excluder(top, (), True)
    here = str(top)
    parts = path.split("/")
    for index, name in enumerate(parts):
        here = f"{here}{os.sep}{name}"
        if excluder.reason(here, name, index < len(parts) - 1):
            return True
    return False


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the judge")
@pytest.mark.parametrize("where", ["", "sub"])
def test_leaves_out_what_git_ignores(where: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    wrong = []
    for text in IGNORES:
        (tmp_path / where / ".gitignore").write_bytes(text.encode())
        command = ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin"]
        said = subprocess.run(
            command, input="\n".join(PATHS), capture_output=True, text=True, check=False
        )
        for path in PATHS:
            ignored = path in said.stdout.splitlines()
            if ours(tmp_path, path) != ignored:
                wrong.append((text, path, f"git ignores it: {ignored}"))
    assert wrong == []


def test_the_nearest_gitignore_decides(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".gitignore").write_text("*.py\n")
    (tmp_path / "sub/.gitignore").write_text("!a.py\n")
    assert ours(tmp_path, "a.py")
    assert ours(tmp_path, "sub/b.py")
    assert not ours(tmp_path, "sub/a.py")


def test_does_not_look_above_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.py\n")
    (tmp_path / "repo/.git").mkdir(parents=True)
    assert not ours(tmp_path / "repo", "a.py")


def test_exclude_is_relative_to_the_root(tmp_path: Path) -> None:
    excluder = Excluder(tmp_path, ("tests/data", "*.gen.py"), False)
    assert excluder.reason(f"{tmp_path}/tests/data", "data", True) == "excluded"
    assert excluder.reason(f"{tmp_path}/x/a.gen.py", "a.gen.py", False) == "excluded"
    assert excluder.reason(f"{tmp_path}/x/tests/data", "data", True) is None
    assert excluder.reason("/elsewhere/a.gen.py", "a.gen.py", False) is None
