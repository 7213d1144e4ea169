"""Turns `--output-format` and `--output-file` into reports: pairs them up, and writes them.

The two options pair up in the order of the command line. A file belongs to the format that it
follows, as in `--output-format sarif --output-file x.sarif`; where the first of them all is a file,
each file belongs to the format after it. The last format may go without a file: it is printed.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.report import writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from scopecheck.analysis import Analysis

FORMAT, FILE = "formats", "files"
_WITH_EDITS = frozenset({"json", "json-lines", "sarif", "rdjson"})
_FOR_PEOPLE = frozenset({"full", "concise"})
_STANDARD = "-"


class OutputError(Exception):
    """Options that do not pair up, or a file that cannot be written; says so in words for users."""


class Output(NamedTuple):
    """A format and the file that it is written to; None for standard output."""

    format: str
    file: Path | None


def pair(given: Sequence[tuple[str, str]], default: str = "") -> list[Output]:
    """The outputs that the options ask for.

    Args:
        given: each use of the two options, in order: (`FORMAT`, name) or (`FILE`, path).
        default: the format where none is given; empty for that of findings.

    Raises:
        OutputError: they do not pair up, or two outputs go to one place.
    """
    if not given and default:
        return [Output(default, None)]
    if not given:
        in_actions = os.environ.get("GITHUB_ACTIONS") == "true"
        return [Output("github" if in_actions else "full", None)]
    leading = given[0][0]
    pairs: list[dict[str, str]] = []
    for option, value in given:
        if option == leading or not pairs or option in pairs[-1]:
            pairs.append({})
        pairs[-1][option] = value
    if pairs == [{FILE: given[0][1]}]:
        pairs = [{FORMAT: default or "full", FILE: given[0][1]}]
    outputs = [_output(found, last=found is pairs[-1]) for found in pairs]
    _check(outputs)
    return outputs


def _output(found: dict[str, str], *, last: bool) -> Output:
    name, file = found.get(FORMAT), found.get(FILE)
    if name is None:
        raise OutputError(
            f"--output-file {file} has no --output-format: give each file its format, "
            "as in `--output-format sarif --output-file x.sarif`"
        )
    if file is None and not last:
        raise OutputError(
            f"--output-format {name} has no --output-file: give it one right after it, or put it "
            "last, to print it"
        )
    return Output(name, None if file is None or file == _STANDARD else Path(file))


def _check(outputs: Sequence[Output]) -> None:
    printed = [output.format for output in outputs if output.file is None]
    if len(printed) > 1:
        raise OutputError(
            f"{' and '.join(printed)} would both go to standard output: give all but one an "
            "--output-file, right after its --output-format"
        )
    seen: dict[str, str] = {}
    for output in outputs:
        if output.file is not None:
            place = os.path.realpath(output.file)
            if place in seen:
                raise OutputError(
                    f"{seen[place]} and {output.format} would both be written to {output.file}"
                )
            seen[place] = output.format


def with_edits(outputs: Sequence[Output]) -> bool:
    """Whether a report has the edits of fixes, and not only what they do."""
    return any(output.format in _WITH_EDITS for output in outputs)


def write_all(
    analysis: Analysis, outputs: Sequence[Output], *, colors: str, statistics: bool
) -> None:
    """Writes every report, and in GitHub Actions the step's summary.

    Statistics are printed in place of findings that would be printed for people, and beside those
    for programs: on standard error.

    Raises:
        OutputError: a file cannot be written.
    """
    counts = sys.stdout
    for output in outputs:
        if statistics and output.file is None:
            if output.format in _FOR_PEOPLE:
                continue
            counts = sys.stderr
        with opened(output.file) as stream:
            color = output.file is None and wants_color(colors, stream)
            writer(output.format)(analysis, stream, color=color)
    if any(output.format == "github" for output in outputs):
        _write_step_summary(analysis)
    if statistics:
        writer("statistics")(analysis, counts, color=wants_color(colors, counts))


def opened(file: Path | None) -> AbstractContextManager[TextIO]:
    """The stream to write to.

    Raises:
        OutputError: the file cannot be written.
    """
    if file is None:
        return nullcontext(sys.stdout)
    try:
        return file.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {error.strerror}") from None


def wants_color(wanted: str, stream: TextIO) -> bool:
    """Whether to paint what goes to this stream, for `--color auto`, `always` or `never`."""
    if wanted != "auto":
        return wanted == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _write_step_summary(analysis: Analysis) -> None:
    """Appends to the page of the run; that it cannot be written does not change the outcome."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8", errors="backslashreplace") as stream:
            writer("step-summary")(analysis, stream, color=False)
    except OSError as error:
        sys.stderr.write(f"scopecheck: the step's summary cannot be written: {error.strerror}\n")
