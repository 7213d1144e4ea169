"""`check --watch`: results after each edit, by a real process that is driven from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from queue import Empty, Queue
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFTEST = "import pytest\n\n@pytest.fixture\ndef narrow(): ...\n"
FILES = {
    "pytest.ini": "[pytest]\n",
    "tests/conftest.py": CONFTEST,
    "tests/test_a.py": "def test_a(narrow): ...\n",
    "tests/test_b.py": "def test_b(): ...\n",
}
LIMIT_S = 30
WAITING = "waiting for changes"


class Watched:
    """A process that watches a folder, and the lines that it prints."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-u", "-m", "scopecheck", "--watch", *arguments]
        self.process = subprocess.Popen(
            [*command, "--output-format", "concise"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def round(self) -> str:
        """What is printed until it waits for changes again."""
        until, found = time.monotonic() + LIMIT_S, ""
        while WAITING not in found:
            try:
                found += self._lines.get(timeout=max(0.1, until - time.monotonic()))
            except Empty:
                pytest.fail(f"it says no more than {found!r}")
        return found

    def codes(self) -> list[str]:
        """The codes of what is found until it waits again."""
        return re.findall(r"\bSCP\d+", self.round())

    def interrupt(self) -> int:
        """Ctrl-C, and the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(LIMIT_S)


def put(file: Path, text: str) -> None:
    """Write a file in one step, as most editors do."""
    begun = file.with_suffix(".begun")
    begun.write_text(text)
    begun.replace(file)


@pytest.fixture
def watched(suite: Path) -> Iterator[Watched]:
    pytest.importorskip("watchfiles")
    running = Watched(suite)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def test_each_edit_is_answered(suite: Path, watched: Watched) -> None:
    assert watched.codes() == []
    put(suite / "tests/test_b.py", "def test_b(narow): ...\n")
    assert watched.codes() == ["SCP301"]
    put(suite / "tests/test_b.py", "def test_b(): ...\n\ndef test_c(): ...\n")
    assert watched.codes() == []
    # What many files rest on: a conftest, and pytest's configuration.
    wide = CONFTEST.replace("fixture\n", "fixture(scope='sesion')\n")
    put(suite / "tests/conftest.py", wide)
    assert watched.codes() == ["SCP104"]
    put(suite / "tests/conftest.py", CONFTEST)
    assert watched.codes() == []
    put(suite / "pytest.ini", "[pytest]\nusefixtures = lost\n")
    assert set(watched.codes()) == {"SCP301"}
    (suite / "pytest.ini").unlink()
    assert watched.codes() == []
    put(suite / "tests/test_d.py", "def test_d(lost): ...\n")
    assert watched.codes() == ["SCP301"]
    (suite / "tests/test_d.py").unlink()
    assert watched.codes() == []
    assert watched.interrupt() == 130


def test_a_wrong_setting_is_told_and_survived(suite: Path, watched: Watched) -> None:
    watched.round()
    put(suite / "scopecheck.toml", "selekt = []\n")
    assert "selekt" in watched.round()
    put(suite / "scopecheck.toml", 'select = ["SCP301"]\n')
    assert watched.codes() == []
    assert watched.interrupt() == 130


def test_without_the_extra_a_message_says_what_is_missing(suite: Path) -> None:
    code = "import sys; sys.modules['watchfiles'] = None\nfrom scopecheck.cli import main; main()"
    command = [sys.executable, "-c", code, "--watch"]
    result = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "scopecheck[watch]" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("option", ["--fix", "--diff", "--add-ignore", "--show-files"])
def test_what_it_does_not_go_with(suite: Path, option: str) -> None:
    command = [sys.executable, "-m", "scopecheck", "--watch", option]
    result = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert option in result.stderr
