"""Turns an audit into the JSON document that other programs may rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from scopecheck.report.json import finding_data
from scopecheck.report.text import shown_root

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis
    from scopecheck.audit import Area, Audit
    from scopecheck.audit.model import Unknown
    from scopecheck.rulebook import Rule

VERSION = 1


def write(audit: Audit, analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """One document; all of it is ASCII, so that any stream can take it."""
    json.dump(document(audit), stream, indent=2)
    stream.write("\n")


def document(audit: Audit) -> dict[str, Any]:
    """The whole report as plain data."""
    cost = audit.cost
    return {
        "version": VERSION,
        "root": shown_root(audit.root),
        "summary": {
            "passed": audit.count("passed"),
            "failed": audit.count("failed"),
            "not_examined": audit.count("not examined"),
        },
        "suites": [
            {
                "suite": suite.name,
                "tests": suite.tests,
                "fixtures": suite.fixtures,
                "files": suite.files,
                "versions": list(suite.versions),
            }
            for suite in audit.suites
        ],
        "areas": [_area(area) for area in audit.areas],
        "cost": {
            "setups": cost.setups,
            "tests": cost.tests,
            "by_scope": [found._asdict() for found in cost.by_scope],
            "heaviest": [
                {
                    "fixture": weight.name,
                    "scope": weight.scope,
                    "place": weight.place,
                    "setups": weight.setups,
                    "tests": weight.tests,
                    "autouse": weight.autouse,
                }
                for weight in cost.heaviest
            ],
        },
        "unknown": [_unknown(entry) for entry in audit.unknown],
    }


def _area(area: Area) -> dict[str, Any]:
    return {
        "area": area.key,
        "title": area.title,
        "question": area.question,
        "verdict": area.verdict.replace(" ", "-"),
        "reason": area.reason,
        "examined": [
            {"what": count.noun, "number": count.number} for count in area.evidence.examined
        ],
        "holds": list(area.evidence.holds),
        "fails": list(area.evidence.fails),
        "rules": [
            {**_rule(rule), "findings": sum(f.name == rule.name for f in area.findings)}
            for rule in area.rules
        ],
        "not_checked": [{**_rule(rule), "default": rule.default} for rule in area.off],
        "findings": [finding_data(finding) for finding in area.findings],
        "unknown": [_unknown(entry) for entry in area.evidence.unknown],
    }


def _rule(rule: Rule) -> dict[str, str]:
    return {"code": rule.code, "name": rule.name}


def _unknown(entry: Unknown) -> dict[str, Any]:
    return {"reason": entry.reason, "number": entry.number, "what": entry.noun}
