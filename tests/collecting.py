"""Small projects on disk, and a pytest beside us to ask what it collects there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the oracle forks")


@dataclass(frozen=True)
class Layout:
    """Files by path, and how pytest is started in them.

    A text that starts with `-> ` makes a link; a path that ends with `/` makes a folder.
    """

    name: str
    files: dict[str, str]
    args: tuple[str, ...] = ()
    cwd: str = "."
    ini: str = ""
    since: tuple[int, int] = (0, 0)


def build(layout: Layout, folder: Path) -> Path:
    for name, text in layout.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        elif text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)
    return folder / layout.cwd


class Oracle:
    """A process that runs pytest for us, once for each question."""

    def __init__(self, python: str = sys.executable) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment.pop("PYTEST_ADDOPTS", None)
        self._process = subprocess.Popen(
            [python, str(HERE / "collect_oracle.py")],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, cwd: Path, args: tuple[str, ...] = (), ini: str = "") -> dict[str, Any]:
        """What pytest says that it collects; `{"error": ...}` if it stops before."""
        assert self._process.stdin
        assert self._process.stdout
        out = Path(tempfile.mkdtemp()) / "said.json"
        line = ["-p", "collect_oracle", "--collect-only", "-q", "-p", "no:cacheprovider", *args]
        question = {"cwd": str(cwd), "args": line, "out": str(out), "ini": ini}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        self._process.stdout.readline()
        log = Path(f"{out}.log").read_text()
        said: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"error": log}
        shutil.rmtree(out.parent)
        return said

    def stop(self) -> None:
        self._process.communicate()
