"""Turns an analysis into reviewdog's diagnostic format.

Its columns count bytes of UTF-8, so that the text of the files is needed; its paths are seen from
the working directory, which is where reviewdog is run. A suggestion is applied alone and in the
file of its diagnostic: a fix of several edits there is one suggestion for the text around them all,
and a fix that changes other files too is none.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from scopecheck.report.paths import seen_from
from scopecheck.report.text import counted, printable
from scopecheck.source import WHOLE_FILE, Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from scopecheck.analysis import Analysis
    from scopecheck.finding import Edit, Finding, Fix, Place

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """One document; all of it is ASCII, so that any stream can take it."""
    json.dump(document(analysis), stream, indent=2)
    stream.write("\n")


def document(analysis: Analysis) -> dict[str, Any]:
    """The whole report as plain data."""
    report = _Report(analysis.root, Path.cwd(), analysis.source)
    return {
        "source": {"name": "scopecheck"},
        "diagnostics": [report.diagnostic(finding) for finding in analysis.findings],
    }


class _Report:
    def __init__(self, root: Path, cwd: Path, source: Callable[[str], str | None]) -> None:
        self._root = root
        self._cwd = cwd
        self._source = source
        self._files: dict[str, list[str]] = {}

    def diagnostic(self, finding: Finding) -> dict[str, Any]:
        """One finding as plain data."""
        fault = finding.fault
        fixes = [self._suggestion(fix, fault.place.path) for fix in fault.fixes]
        return {
            "message": _message(finding),
            "location": self._location(fault.place),
            "severity": finding.severity.upper(),
            "code": {"value": f"{finding.code} {finding.name}"},
            "suggestions": [fix for fix in fixes if fix is not None],
            "related_locations": [
                {"message": printable(place.message), "location": self._location(place)}
                for place in fault.related
            ],
        }

    def _location(self, place: Place) -> dict[str, Any]:
        path = printable(seen_from(self._cwd, self._root, place.path))
        if place.span == WHOLE_FILE:
            return {"path": path, "range": {"start": {"line": 1}}}
        return {"path": path, "range": self._range(place.path, place.span)}

    def _range(self, path: str, span: Span) -> dict[str, Any]:
        return {
            "start": self._position(path, span.line, span.column),
            "end": self._position(path, span.end_line, span.end_column),
        }

    def _position(self, path: str, line: int, column: int) -> dict[str, int]:
        before = self._line(path, line)[: column - 1]
        # Past the end of what is known each character counts as one byte.
        missing = column - 1 - len(before)
        size = len(before.encode("utf-8", "surrogatepass"))
        return {"line": line, "column": size + missing + 1}

    def _line(self, path: str, number: int) -> str:
        lines = self._files.get(path)
        if lines is None:
            lines = self._files[path] = _LINE.findall(self._source(path) or "")
        return lines[number - 1] if number <= len(lines) else ""

    def _suggestion(self, fix: Fix, path: str) -> dict[str, Any] | None:
        edits = sorted(fix.edits)
        if not edits or any(edit.path != path for edit in edits):
            return None
        first, last = edits[0].span, edits[-1].span
        span = Span(first.line, first.column, last.end_line, last.end_column)
        return {"range": self._range(path, span), "text": self._merged(path, edits)}

    def _merged(self, path: str, edits: list[Edit]) -> str:
        """The text from the first edit to the last, with all of them made."""
        parts = [edits[0].content]
        for one, other in pairwise(edits):
            start, end = one.span, other.span
            for number in range(start.end_line, end.line + 1):
                line = self._line(path, number)
                till = end.column - 1 if number == end.line else len(line)
                since = start.end_column - 1 if number == start.end_line else 0
                parts.append(line[since:till])
            parts.append(other.content)
        return "".join(parts)


def _message(finding: Finding) -> str:
    fault = finding.fault
    lines = [printable(fault.message)]
    lines += [f"note: {printable(note)}" for note in fault.notes]
    if fault.help:
        lines.append(f"help: {printable(fault.help)}")
    if fault.tests:
        lines.append(f"affects: {counted(len(fault.tests), 'test')}")
    return "\n".join(lines)
