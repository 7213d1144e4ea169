"""Starts a server in a Python environment and asks it for runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from oracle.dump import Answer, Request

if TYPE_CHECKING:
    from types import TracebackType

TESTS = Path(__file__).resolve().parents[1]

# Set by the pytest that runs these tests, or by whoever runs it: a project must not see them.
PRIVATE = ("PYTEST_", "PYTHONPATH", "COV_", "TOX_")


class PytestServer:
    """The pytest of one environment, ready to run on any project; a context manager.

    `version` is pytest's.
    """

    def __init__(self, python: Path | str = sys.executable) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)
        }
        # The projects are about pytest alone, whatever else is installed beside it.
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        self.process = subprocess.Popen(
            [str(python), "-m", "oracle.server"],
            cwd=TESTS,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.version = self.process.stdout.readline().decode().strip()
        assert self.version, f"{python} has no pytest that can be asked"

    def ask(self, cwd: Path, args: tuple[str, ...] = (), *, run: bool = False) -> Answer:
        """Runs `pytest *args` in a folder; with `run`, fixtures and tests are run too."""
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(Request(str(cwd), list(args), run)) + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"the pytest server ended with status {process.wait()}"
        return msgspec.json.decode(line, type=Answer)

    def __enter__(self) -> PytestServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.communicate()


def environments() -> list[Path]:
    """The interpreters whose pytest is to be asked.

    They are those of the environments in the folder SCOPECHECK_PYTESTS, else the running one.
    """
    folder = os.environ.get("SCOPECHECK_PYTESTS")
    if not folder:
        return [Path(sys.executable)]
    return sorted(Path(folder).glob("*/bin/python"))
