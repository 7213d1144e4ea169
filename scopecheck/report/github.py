"""Turns findings into the workflow commands that GitHub Actions shows beside the changed lines.

The log folds each file's commands into a group. GitHub keeps only so many annotations of a step,
which a last line says where there are more; the log and the step's summary have them all.
"""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from scopecheck.report.paths import places_seen_from
from scopecheck.report.text import Painter, counted, located, number_of, printable, summary_line

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis
    from scopecheck.finding import Finding, Place

KEPT = 10
"""How many errors, and how many warnings, of one step GitHub keeps as annotations."""

_RELATED = 20
"""How many related places an annotation names: its text may not be longer than 64 KB."""


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """An `::error` or `::warning` command a finding, with paths from the workspace's top."""
    top = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    found = [places_seen_from(top, analysis.root, finding) for finding in analysis.findings]
    for path, group in groupby(found, lambda finding: finding.fault.place.path):
        findings = list(group)
        stream.write(f"::group::{_data(printable(path))}: {counted(len(findings), 'finding')}\n")
        for finding in findings:
            stream.write(f"{command(finding)}\n")
        stream.write("::endgroup::\n")
    stream.write(f"{summary_line(analysis, Painter(False))}\n")
    if any(number_of(found, severity) > KEPT for severity in ("error", "warning")):
        stream.write(
            f"GitHub shows {KEPT} errors and {KEPT} warnings of a step beside the code; all of "
            "them are in this log and in the step's summary.\n"
        )


def command(finding: Finding) -> str:
    """The workflow command for one finding."""
    place = finding.fault.place
    span = place.span
    properties = {"file": place.path, "line": span.line, "endLine": span.end_line}
    # GitHub takes columns only for what stands on one line.
    if span.line == span.end_line:
        properties |= {"col": span.column, "endColumn": max(span.end_column, span.column)}
    properties["title"] = f"{finding.code} {finding.name}"
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{finding.severity} {listed}::{_data(body(finding))}"


def body(finding: Finding) -> str:
    """The annotation's text; the log shows it without its place, so that it says where."""
    fault = finding.fault
    lines = [f"{located(fault.place)}: {fault.message}"]
    lines += [_related(place) for place in fault.related[:_RELATED]]
    if len(fault.related) > _RELATED:
        lines.append(f"and {counted(len(fault.related) - _RELATED, 'place')} more")
    lines += [f"note: {note}" for note in fault.notes]
    if fault.help:
        lines.append(f"help: {fault.help}")
    if fault.tests:
        lines.append(f"affects: {counted(len(fault.tests), 'test')}")
    return "\n".join(lines)


def _related(place: Place) -> str:
    return f"{located(place)}: {place.message}" if place.message else located(place)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
