"""Turns run requests on stdin into answers on stdout: one warm process that forks for each run.

Importing pytest costs more than running it on a small project, and a run leaves modules, plugins
and patches behind. A fork of a process that has imported pytest and nothing else costs neither.

    python -m oracle.server     says pytest's version, then answers requests, a line of JSON each
                                (see oracle.dump)
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from _pytest.config import default_plugins

from oracle.dump import Answer, Dump, Request
from oracle.plugin import Oracle

LONGEST_RUN = 60  # seconds

# What no project here is about: slow, or writing into the project.
PYTEST_OPTIONS = ["--assert=plain", "--color=no", "-p", "no:faulthandler"]


def run(request: Request, cache: Path) -> tuple[int, Dump | None]:
    """Makes one run, in this process; pytest's cache goes to a folder outside the project."""
    os.chdir(request.cwd)
    sys.path.insert(0, request.cwd)  # as `python -m pytest` does
    oracle = Oracle(request.run)
    options = [*PYTEST_OPTIONS, "-o", f"cache_dir={cache}"]
    status = pytest.main([*options, *request.args], plugins=[oracle])
    sys.stdout.flush()
    sys.stderr.flush()
    gave_up = status in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)
    return int(status), None if gave_up and not oracle.items else oracle.dump()


def answer(request: Request) -> Answer:
    """Makes one run, in a fork."""
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        output, result = Path(folder, "output"), Path(folder, "result")
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(LONGEST_RUN)
                with output.open("wb") as file:
                    os.dup2(file.fileno(), 1)
                    os.dup2(file.fileno(), 2)
                status, dump = run(request, Path(folder, "cache"))
                dumped = dump and dataclasses.asdict(dump)
                result.write_text(json.dumps([status, dumped]), "utf-8")
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        text = output.read_text("utf-8", "replace")
        status, dump = json.loads(result.read_text("utf-8")) if result.exists() else (-1, None)
        return Answer(status, text, dump)


def serve() -> None:
    """Answers until stdin ends."""
    for name in default_plugins:
        importlib.import_module(f"_pytest.{name}")
    sys.path.pop(0)  # this package's parent: no project may import from it
    sys.dont_write_bytecode = True
    gc.freeze()
    sys.stdout.write(f"{pytest.__version__}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        reply = answer(Request(**json.loads(line)))
        sys.stdout.write(json.dumps(dataclasses.asdict(reply)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
