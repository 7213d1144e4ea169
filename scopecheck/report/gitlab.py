"""Turns an analysis into the code quality report that GitLab shows in merge requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from scopecheck.report.identity import fingerprints
from scopecheck.report.paths import places_seen_from, repository_top
from scopecheck.report.text import counted, located, printable

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis
    from scopecheck.finding import Finding, Place

SEVERITIES = {"error": "major", "warning": "minor"}


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """A list with one issue a finding; paths are relative to the top of the repository."""
    found = analysis.findings
    top = repository_top(analysis.root)
    issues = [
        _issue(places_seen_from(top, analysis.root, finding), mark)
        for finding, mark in zip(found, fingerprints(found), strict=True)
    ]
    json.dump(issues, stream, indent=2)
    stream.write("\n")


def _issue(finding: Finding, mark: str) -> dict[str, Any]:
    fault = finding.fault
    return {
        "type": "issue",
        "check_name": f"scopecheck/{finding.name}",
        "description": f"{finding.code} {finding.name}: {printable(fault.message)}",
        "content": {"body": _body(finding)},
        "categories": ["Bug Risk"],
        "severity": SEVERITIES[finding.severity],
        "fingerprint": mark,
        "location": _location(fault.place),
        "other_locations": [_location(place) for place in fault.related],
    }


def _body(finding: Finding) -> str:
    fault = finding.fault
    parts = [f"- `{located(place)}`: {printable(place.message)}" for place in fault.related]
    parts += [printable(note) for note in fault.notes]
    if fault.help:
        parts.append(f"Help: {printable(fault.help)}")
    if fault.tests:
        parts.append(f"Affects {counted(len(fault.tests), 'test')}.")
    return "\n\n".join(parts)


def _location(place: Place) -> dict[str, Any]:
    span = place.span
    return {
        "path": printable(place.path),
        "lines": {"begin": span.line, "end": span.end_line},
        "positions": {
            "begin": {"line": span.line, "column": span.column},
            "end": {"line": span.end_line, "column": span.end_column},
        },
    }
