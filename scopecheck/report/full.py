"""Turns each finding into frames of code: the primary place, then every place that makes it so.

error[scope-mismatch] SCP101: session fixture `engine` requests function fixture `settings`
  --> tests/conftest.py:9:5
   |
 8 | @pytest.fixture(scope="session")
 9 | def engine(settings):
   |     ^^^^^^
   |
  ::: tests/api/conftest.py:5:5
   |
 4 | @pytest.fixture
 5 | def settings():
   |     -------- `settings` is set up for each test
note: ...
help: ...
fix: ... (--fix)
affects: 41 tests
"""

from __future__ import annotations

import os
import re
from textwrap import wrap
from typing import TYPE_CHECKING, TextIO

from scopecheck.report.frames import ELLIPSIS, Frame, Label
from scopecheck.report.paths import for_reader, tests_for_reader
from scopecheck.report.text import Painter, counted, located, printable, summary_line
from scopecheck.report.together import told_together
from scopecheck.source import WHOLE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scopecheck.analysis import Analysis
    from scopecheck.finding import Finding, Place

MIN_WIDTH = 60
MAX_WIDTH = 120
UNKNOWN_WIDTH = 100
"""The width for a stream that is no terminal: enough for code as formatters lay it out."""

_INDENT = "    "
NAMED_TESTS = 3
NEAR = 8
"""Places in one file with at most this many lines between them share a frame."""

_NEWLINE = re.compile(r"\r\n|\r|\n")


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:
    """Every finding with its frames, and the figures last."""
    analysis = told_together(analysis)
    shown = for_reader(analysis.root)
    tests = tests_for_reader(analysis.root, analysis.rootdirs)
    width = _width(stream)
    report = Report(
        analysis.source, color=color, width=width, shown=shown, tests=tests, wrapped=stream.isatty()
    )
    for finding in analysis.findings:
        for line in report.finding(finding):
            stream.write(f"{line}\n")
        stream.write("\n")
    stream.write(f"{summary_line(analysis, report.paint)}\n")


class Report:
    """Lays findings out for a width, and keeps the lines of the files that they are in.

    wrapped: break long headlines too; programs that read them want each on one line.
    """

    def __init__(
        self,
        source: Callable[[str], str | None],
        *,
        color: bool,
        width: int,
        shown: Callable[[str], str] = str,
        tests: Callable[[str, str], str] = lambda test, _: test,
        wrapped: bool = False,
    ) -> None:
        self._wrapped = wrapped
        self.paint = Painter(color)
        self._shown = shown
        self._shown_test = tests
        self._source = source
        self._width = width
        self._files: dict[str, list[str]] = {}

    def finding(self, finding: Finding) -> Iterator[str]:
        """The lines for one finding."""
        fault = finding.fault
        yield from self._headline(finding)
        frames = self._frames(finding)
        margin = max(len(str(frame.last)) for frame in frames)
        for index, frame in enumerate(frames):
            arrow = "-->" if index == 0 else ":::"
            edge = " " * margin
            yield f"{edge}{self.paint('gutter', arrow)} {located(frame.place, self._shown)}"
            room = self._width - margin - len(" | ")
            lines = frame.lines(room, self.paint)
            if lines:
                yield f"{edge} {self.paint('gutter', '|')}"
            for number, line in lines:
                gutter = number if number == ELLIPSIS else f"{number:>{margin}} |"
                yield f"{self.paint('gutter', gutter)} {line}".rstrip()
            if lines and index < len(frames) - 1:
                yield f"{edge} {self.paint('gutter', '|')}"
            if not lines and frame.place.message:
                yield f"{edge} {self.paint('gutter', '=')} {printable(frame.place.message)}"
        for note in fault.notes:
            yield from self._remark("note", note)
        if fault.help:
            yield from self._remark("help", fault.help)
        for fix in fault.fixes:
            how = "--fix" if fix.applicability == "safe" else "--fix --unsafe-fixes"
            yield from self._remark("fix", f"{fix.title} ({how})")
        if fault.tests:
            yield from self._affected(fault.tests, fault.place.path)

    def _headline(self, finding: Finding) -> Iterator[str]:
        """What was found; where it is wrapped, the other lines are indented."""
        kind = f"{finding.severity}[{finding.name}]"
        message = f"{finding.code}: {printable(finding.fault.message)}"
        lines = [message]
        if self._wrapped:
            room = max(self._width - len(kind) - 1, 20)
            lines = wrap(
                message,
                self._width,
                initial_indent=" " * (self._width - room),
                subsequent_indent=_INDENT,
                break_long_words=False,
                break_on_hyphens=False,
            )
        first, *rest = lines
        yield f"{self.paint(finding.severity, kind)} {self.paint('bold', first.lstrip())}"
        for line in rest:
            yield f"{_INDENT}{self.paint('bold', line.lstrip())}"

    def _frames(self, finding: Finding) -> list[Frame]:
        """The chain of places as frames; a place near an earlier one shares that one's frame."""
        primary = finding.fault.place
        frames = [self._frame(primary, finding.severity, "^")]
        for place in finding.fault.related:
            for frame in frames:
                if frame.is_near(place, NEAR):
                    frame.add(Label(place.span, printable(place.message), "related", "-"))
                    break
            else:
                frames.append(self._frame(place, "related", "-"))
        return frames

    def _frame(self, place: Place, style: str, mark: str) -> Frame:
        lines = [] if place.span == WHOLE_FILE else self._lines(place.path)
        return Frame(place, lines, Label(place.span, printable(place.message), style, mark))

    def _lines(self, path: str) -> list[str]:
        if path not in self._files:
            self._files[path] = _NEWLINE.split(self._source(path) or "")
        return self._files[path]

    def _remark(self, kind: str, text: str) -> Iterator[str]:
        first, *rest = wrap(
            printable(text),
            max(self._width - len(kind) - 2, 20),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
        yield f"{self.paint(kind, kind)}: {first}"
        for line in rest:
            yield f"{' ' * len(kind)}  {line}"

    def _affected(self, tests: frozenset[str], path: str) -> Iterator[str]:
        first = sorted(tests)[:NAMED_TESTS]
        named = [printable(self._shown_test(test, path)) for test in first]
        label = self.paint("note", "affects")
        if len(tests) == 1:
            yield f"{label}: {named[0]}"
            return
        yield f"{label}: {counted(len(tests), 'test')}"
        for test in named:
            yield f"         {test}"
        if len(tests) > NAMED_TESTS:
            yield f"         and {len(tests) - NAMED_TESTS} more"


def _width(stream: TextIO) -> int:
    if not stream.isatty():
        return UNKNOWN_WIDTH
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = UNKNOWN_WIDTH
    return min(max(columns, MIN_WIDTH), MAX_WIDTH)
