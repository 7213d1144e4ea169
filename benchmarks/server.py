"""Times what a language server's session takes for edits, against one bare `ast.parse`.

    python benchmarks/server.py FOLDER TEST-FILE CONFTEST [--repeat 9] [--isolated]

Both files are named from the folder. They are edited in memory alone: a test is added and taken out
again, and so is a fixture of the conftest. Prints medians, in milliseconds of wall time, beside the
time that one `ast.parse` of the edited file takes, which no answer can do without.
"""

from __future__ import annotations

import argparse
import ast
import gc
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scopecheck.commands.options import CheckOptions
from scopecheck.server.session import Session, opened

if TYPE_CHECKING:
    from collections.abc import Callable

_TEST = "\n\ndef test_that_was_added():\n    assert int('3') == 3\n"
_FIXTURE = "\n\nimport pytest\n\n\n@pytest.fixture\ndef that_was_added():\n    return 3\n"
_COMMENT = "\n# a comment\n"


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _row(what: str, taken: float, parse: float) -> None:
    sys.stdout.write(f"| {what} | {taken:.0f} ms | {parse:.1f} ms |\n")
    sys.stdout.flush()


def main() -> None:
    """Measure, and print a row of a table for each kind of edit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("test_file")
    parser.add_argument("conftest")
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--isolated", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    options = CheckOptions(isolated=arguments.isolated)
    session = Session(folder, partial(opened, folder, options))
    # As in the server, which is the program that has switched collections off.
    gc.disable()
    session.start({})
    session.settle()
    sys.stdout.write("| edit | answered in | `ast.parse` of the file |\n| --- | ---: | ---: |\n")
    for what, name, added in (
        ("a comment in a test file", arguments.test_file, _COMMENT),
        ("a test added or taken out", arguments.test_file, _TEST),
        ("a comment in the conftest", arguments.conftest, _COMMENT),
        ("a fixture added to the conftest or taken out", arguments.conftest, _FIXTURE),
    ):
        file = folder / name
        text = file.read_text("utf-8")
        parse = statistics.median(
            _ms(lambda: ast.parse(text))  # noqa: B023
            for _ in range(arguments.repeat)
        )
        taken = []
        for number in range(arguments.repeat + 1):
            now = text if number % 2 else text + added
            taken.append(_ms(partial(session.edit, {file: now})))
            session.settle()
        session.edit({file: None})
        # The first edit reads what later ones find in memory.
        _row(what, statistics.median(taken[1:]), parse)


if __name__ == "__main__":
    main()
