"""Starts a server in an environment and asks it for runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loops.record import Run

if TYPE_CHECKING:
    from scopecheck.testing.environments import Environment

TESTS = Path(__file__).resolve().parents[1]

# Set by the pytest that runs these tests, or by whoever runs it: a project must not see them.
PRIVATE = ("PYTEST_", "PYTHON", "COV_", "TOX_")


class Server:
    """The pytest of one environment, ready to run on any project until it is stopped."""

    def __init__(self, environment: Environment) -> None:
        variables = {
            name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)
        }
        self.process = subprocess.Popen(
            [str(environment.python), "-m", "loops.server"],
            cwd=TESTS,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        version = self.process.stdout.readline().decode().strip()
        assert version == environment.versions["pytest-asyncio"]

    def run(self, folder: Path) -> Run:
        """Runs pytest in a folder."""
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(str(folder)) + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"the server ended with status {process.wait()}"
        return msgspec.json.decode(line, type=Run)

    def stop(self) -> None:
        """Ends it."""
        self.process.communicate()
