"""Turns an analysis into SARIF 2.1.0, which code scanning and editors read.

Paths are relative to the top of the repository (`%SRCROOT%`), as code scanning takes them. The
places that a finding is about besides its own are `relatedLocations`, and the message links them:
readers show no others.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from scopecheck import __version__
from scopecheck.report.identity import fingerprints
from scopecheck.report.pages import standing_alone, without_links
from scopecheck.report.paths import repository_top, seen_from_repository
from scopecheck.report.text import printable
from scopecheck.source import WHOLE_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scopecheck.analysis import Analysis
    from scopecheck.finding import Edit, Finding, Fix, Place
    from scopecheck.rulebook import Rule
    from scopecheck.source import Span

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
BASE = "%SRCROOT%"
FINGERPRINT = "symbol/v1"
"""What our fingerprints are called; readers keep them apart from their own by the name."""

_SECTION = re.compile(r"^## Why\n+(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """One document; all of it is ASCII, so that any stream can take it."""
    json.dump(document(analysis), stream, indent=2)
    stream.write("\n")


def document(analysis: Analysis) -> dict[str, Any]:
    """The whole report as plain data."""
    found = analysis.findings
    names = {finding.name for finding in found}
    rules = [rule for name, rule in analysis.rules.items() if name in names]
    index = {rule.name: number for number, rule in enumerate(rules)}
    top = repository_top(analysis.root)
    driver = {
        "name": "scopecheck",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(rule) for rule in rules],
    }
    results = [
        _result(finding, index.get(finding.name), mark, analysis.root)
        for finding, mark in zip(found, fingerprints(found), strict=True)
    ]
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True}],
        "originalUriBaseIds": {
            BASE: {
                "uri": f"{top.as_uri().rstrip('/')}/",
                "description": {"text": "The top of the repository."},
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    page = rule.text
    why = _SECTION.search(page)
    prose = without_links(why[1].strip() if why else "") or rule.summary
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": " ".join(prose.split("\n\n")[0].split())},
        "help": {
            "text": prose,
            "markdown": standing_alone(page),
        },
        "defaultConfiguration": {"level": rule.severity},
        "properties": {
            "tags": ["pytest", "tests"],
            "precision": "very-high" if rule.certainty == "proved" else "medium",
            "problem.severity": rule.severity,
        },
    }


def _result(finding: Finding, index: int | None, mark: str, root: Path) -> dict[str, Any]:
    fault = finding.fault
    location = _location(fault.place, root)
    location["logicalLocations"] = [{"fullyQualifiedName": printable(fault.symbol)}]
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": finding.severity,
        "message": {"text": _message(finding)},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: mark},
        "properties": {
            "certainty": finding.certainty,
            "affectedTests": len(fault.tests),
        },
    }
    if index is not None:
        result["ruleIndex"] = index
    if fault.related:
        result["relatedLocations"] = [
            {"id": number, **_location(place, root), "message": {"text": _words(place)}}
            for number, place in enumerate(fault.related, 1)
        ]
    if fault.fixes:
        result["fixes"] = [_fix(fix, root) for fix in fault.fixes]
    return result


def _message(finding: Finding) -> str:
    """What is wrong, a link to each related place, why it matters, and what to do."""
    fault = finding.fault
    lines = [printable(fault.message)]
    lines += [f"[{_link_text(_words(place))}]({n})" for n, place in enumerate(fault.related, 1)]
    lines += [printable(note) for note in fault.notes]
    if fault.help:
        lines.append(f"help: {printable(fault.help)}")
    return "\n".join(lines)


def _words(place: Place) -> str:
    return printable(place.message) or f"line {place.span.line}"


def _link_text(words: str) -> str:
    return re.sub(r"([\[\]\\])", r"\\\1", words)


def _location(place: Place, root: Path) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": _artifact(place.path, root),
            "region": {"startLine": 1} if place.span == WHOLE_FILE else _region(place.span),
        }
    }


def _artifact(path: str, root: Path) -> dict[str, str]:
    return {"uri": _quoted(seen_from_repository(root, path)), "uriBaseId": BASE}


def _quoted(path: str) -> str:
    return quote(os.fsencode(path), safe="/")


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fix(fix: Fix, root: Path) -> dict[str, Any]:
    """A fix that is not safe says so in its title: SARIF has no other place for it."""
    files: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        files.setdefault(edit.path, []).append(edit)
    note = "" if fix.applicability == "safe" else " (may change what the tests do)"
    return {
        "description": {"text": f"{printable(fix.title)}{note}"},
        "artifactChanges": [
            {"artifactLocation": _artifact(path, root), "replacements": _replacements(edits)}
            for path, edits in files.items()
        ],
    }


def _replacements(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    return [
        {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.content}}
        for edit in sorted(edits)
    ]
