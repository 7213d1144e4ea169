"""Turns an audit into Markdown for a pull request or a wiki: a table, then each area."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from scopecheck.report.audit import words
from scopecheck.report.step_summary import escaped
from scopecheck.report.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.analysis import Analysis
    from scopecheck.audit import Area, Audit

SHOWN = 100
"""How many findings of an area stand in the report: servers cut off what is too long."""

_MARKS = {"passed": "✅ passed", "failed": "❌ failed", "not examined": "not examined"}


def write(audit: Audit, analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """The whole report."""
    for line in _lines(audit):
        stream.write(f"{line}\n")


def _lines(audit: Audit) -> Iterator[str]:
    yield f"# Audit of {escaped(words.title(audit))}: {audit.summary}"
    yield ""
    for line in words.suites(audit):
        yield f"{escaped(line)}  "
    yield ""
    yield "| area | verdict | examined |"
    yield "| --- | --- | --- |"
    for area in audit.areas:
        outcome = words.outcome(area)
        verdict = _MARKS[area.verdict]
        if area.findings:
            verdict += f", {outcome}"
        shown = area.reason if area.verdict == "not examined" else words.examined(area)
        yield f"| {area.title} | {verdict} | {escaped(shown)} |"
    for area in audit.areas:
        if area.verdict != "not examined":
            yield ""
            yield from _area(area)
    yield ""
    yield from _cost(audit)
    if audit.unknown:
        yield ""
        yield "## What could not be known"
        yield ""
        for entry in audit.unknown:
            yield f"- {escaped(words.unknown(entry))}"


def _area(area: Area) -> Iterator[str]:
    yield f"## {area.title}: {area.verdict}"
    yield ""
    yield f"{area.question} Examined: {escaped(words.examined(area))}."
    yield ""
    for text in words.holds(area):
        yield f"- {escaped(text)}"
    for text in area.evidence.fails:
        yield f"- **{escaped(printable(text))}**"
    off = words.off(area)
    if off:
        yield f"- not checked: {escaped(off)}"
    if not area.findings:
        return
    yield ""
    yield "| | rule | where | what |"
    yield "| --- | --- | --- | --- |"
    for finding in words.by_severity(area.findings)[:SHOWN]:
        place = finding.fault.place
        where = f"{escaped(printable(place.path))}:{place.span.line}"
        what = escaped(printable(finding.fault.message))
        if finding.fault.help:
            what += f"<br>**help:** {escaped(printable(finding.fault.help))}"
        if finding.fault.tests:
            what += f"<br>affects {counted(len(finding.fault.tests), 'test')}"
        yield f"| {finding.severity} | {finding.code} {finding.name} | {where} | {what} |"
    if len(area.findings) > SHOWN:
        yield ""
        yield f"and {counted(len(area.findings) - SHOWN, 'finding')} more"


def _cost(audit: Audit) -> Iterator[str]:
    yield "## Cost"
    yield ""
    yield f"{words.cost(audit)}."
    yield ""
    if not audit.cost.by_scope:
        return
    yield "| scope | fixtures | set-ups |"
    yield "| --- | ---: | ---: |"
    for scope, fixtures, setups in audit.cost.by_scope:
        yield f"| {scope} | {fixtures:,} | {setups:,} |"
    if audit.cost.heaviest:
        yield ""
        yield "| heaviest fixtures | scope | set-ups | tests | where |"
        yield "| --- | --- | ---: | ---: | --- |"
    for weight in audit.cost.heaviest:
        name = f"{escaped(weight.name)}{' (autouse)' if weight.autouse else ''}"
        where = escaped(printable(weight.place))
        yield f"| {name} | {weight.scope} | {weight.setups:,} | {weight.tests:,} | {where} |"
