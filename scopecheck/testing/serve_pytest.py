"""Runs pytest once for each request on standard input, in a fork of a process that imported it.

Stands alone: it is run by interpreters that have pytest but not scopecheck. A request is a line of
JSON with `folder` and `arguments`, an answer one with `status` and `output`.
"""

from __future__ import annotations

import sys

del sys.path[0]  # this file's folder is no part of the projects that are run

import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import tempfile  # noqa: E402

import pytest  # noqa: E402

TIMEOUT = 120


def main() -> None:
    """Answers until standard input is closed."""
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                run(request["folder"], request["arguments"], output.fileno())
            _, status = os.waitpid(child, 0)
            output.seek(0)
            answer = {
                "status": os.waitstatus_to_exitcode(status),
                "output": output.read().decode("utf-8", "replace"),
            }
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def run(folder: str, arguments: list[str], output: int) -> None:
    """What the fork does; it never returns."""
    status = 3
    try:
        signal.alarm(TIMEOUT)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        sys.argv = ["pytest", *arguments]
        status = int(pytest.main(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


main()
