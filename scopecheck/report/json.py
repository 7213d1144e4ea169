"""Turns an analysis into the JSON document that other programs may rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from scopecheck.report.text import shown_root

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis
    from scopecheck.finding import Edit, Finding, Fix, Place

VERSION = 1


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """One document; all of it is ASCII, so that any stream can take it."""
    json.dump(document(analysis), stream, indent=2)
    stream.write("\n")


def document(analysis: Analysis) -> dict[str, Any]:
    """The whole report as plain data."""
    summary = analysis.summary
    return {
        "version": VERSION,
        "root": shown_root(analysis.root),
        "findings": [finding_data(finding) for finding in analysis.findings],
        "summary": {
            "files": summary.files,
            "tests": summary.tests,
            "fixtures": summary.fixtures,
            "findings": summary.findings,
            "fixable": summary.fixable,
            "elapsed_s": round(summary.elapsed_s, 3),
        },
    }


def finding_data(finding: Finding) -> dict[str, Any]:
    """One finding as plain data."""
    fault = finding.fault
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "certainty": finding.certainty,
        "message": fault.message,
        "path": fault.place.path,
        "line": fault.place.span.line,
        "column": fault.place.span.column,
        "end_line": fault.place.span.end_line,
        "end_column": fault.place.span.end_column,
        "symbol": fault.symbol,
        "affected_tests": len(fault.tests),
        "related": [_related_data(place) for place in fault.related],
        "fixes": [_fix_data(fix) for fix in fault.fixes],
    }


def _related_data(place: Place) -> dict[str, Any]:
    return {
        "path": place.path,
        "line": place.span.line,
        "column": place.span.column,
        "message": place.message,
    }


def _fix_data(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "applicability": fix.applicability,
        "edits": [_edit_data(edit) for edit in fix.edits],
    }


def _edit_data(edit: Edit) -> dict[str, Any]:
    return {
        "path": edit.path,
        "start_line": edit.span.line,
        "start_column": edit.span.column,
        "end_line": edit.span.end_line,
        "end_column": edit.span.end_column,
        "content": edit.content,
    }
