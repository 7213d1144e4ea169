"""Turns findings into the workflow commands that GitHub Actions shows beside the changed lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from scopecheck.report.text import counted, located

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis
    from scopecheck.finding import Finding


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """One `::error` or `::warning` command a finding, with paths from the workspace's top."""
    top = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    for finding in analysis.findings:
        file = _from(top, analysis.root / finding.fault.place.path)
        stream.write(f"{command(finding, file)}\n")


def command(finding: Finding, file: str) -> str:
    """The workflow command for one finding in this file."""
    span = finding.fault.place.span
    properties = {"file": file, "line": span.line, "endLine": span.end_line}
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
    lines += [f"{located(place)}: {place.message}" for place in fault.related]
    lines += [f"note: {note}" for note in fault.notes]
    if fault.help:
        lines.append(f"help: {fault.help}")
    if fault.tests:
        lines.append(f"affects: {counted(len(fault.tests), 'test')}")
    return "\n".join(lines)


def _from(top: Path, file: Path) -> str:
    try:
        return Path(os.path.relpath(file, top)).as_posix()
    except ValueError:  # another drive
        return file.as_posix()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
