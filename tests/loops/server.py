"""Turns run requests on stdin into answers on stdout: one warm process that forks for each run.

python -m loops.server    says the version of pytest-asyncio, then answers requests: each a line
                          with the folder of a project as JSON, answered by a `Run` as JSON
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import importlib.metadata
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from _pytest.config import default_plugins

from loops.probe import Probe
from loops.record import Run

LONGEST_RUN = 60  # seconds
OPTIONS = [
    "--assert=plain",
    "--color=no",
    "--continue-on-collection-errors",
    "-pno:cacheprovider",
    "-pno:faulthandler",
]


def answer(folder: str) -> Run:
    """Makes one run, in a fork."""
    with tempfile.TemporaryDirectory(prefix="loops-") as name:
        output, result = Path(name, "output"), Path(name, "result")
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(LONGEST_RUN)
                with output.open("wb") as file:
                    os.dup2(file.fileno(), 1)
                    os.dup2(file.fileno(), 2)
                os.chdir(folder)
                probe = Probe()
                status = int(pytest.main(OPTIONS, plugins=[probe]))
                result.write_text(json.dumps(dataclasses.asdict(probe.run(status))), "utf-8")
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
        os.waitpid(child, 0)
        text = output.read_text("utf-8", "replace")
        if not result.exists():
            return Run(-1, [], [], [], text)
        return Run(**{**json.loads(result.read_text("utf-8")), "output": text})


def serve() -> None:
    """Answers until stdin ends."""
    for name in default_plugins:
        importlib.import_module(f"_pytest.{name}")
    importlib.import_module("pytest_asyncio.plugin")
    sys.path.pop(0)  # this package's parent: no project may import from it
    sys.dont_write_bytecode = True
    gc.freeze()
    sys.stdout.write(f"{importlib.metadata.version('pytest-asyncio')}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        reply = answer(json.loads(line))
        sys.stdout.write(json.dumps(dataclasses.asdict(reply)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
