"""Turns an audit into one HTML page that needs nothing else, for a browser or for paper."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from scopecheck import __version__
from scopecheck.report.audit import words
from scopecheck.report.full import Report
from scopecheck.report.text import STYLES, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.analysis import Analysis
    from scopecheck.audit import Area, Audit
    from scopecheck.audit.model import Verdict
    from scopecheck.finding import Finding

FRAMED = 50
"""How many findings of an area are shown with their code; the others have a line each."""

_WIDTH = 96
_ANSI = re.compile(r"\x1b\[([\d;]*)m")
_STYLE_OF = {code: name for name, code in reversed(list(STYLES.items())) if code}
_CODE = re.compile(r"`([^`]+)`")


def write(audit: Audit, analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """The whole page."""
    page = _Page(analysis)
    for line in page.lines(audit):
        stream.write(f"{line}\n")


class _Page:
    def __init__(self, analysis: Analysis) -> None:
        self.report = Report(analysis.source, color=True, width=_WIDTH)

    def lines(self, audit: Audit) -> Iterator[str]:
        css = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
        name = words.title(audit)
        yield "<!doctype html>"
        yield '<html lang="en"><head><meta charset="utf-8">'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield '<meta name="color-scheme" content="light dark">'
        yield f"<title>Audit of {_text(name)}: {audit.summary}</title>"
        yield f"<style>\n{css}</style></head><body><main>"
        yield f"<header><p class=kicker>Test suite audit</p><h1>{_text(name)}</h1>"
        yield "".join(f"<p class=about>{_text(line)}</p>" for line in words.suites(audit))
        yield "</header>"
        yield from self._overview(audit)
        for area in audit.areas:
            if area.verdict != "not examined":
                yield from self._area(area)
        yield from _cost(audit)
        if audit.unknown:
            yield "<section><h2>What could not be known</h2><ul class=plain>"
            yield from (f"<li>{_text(words.unknown(entry))}</li>" for entry in audit.unknown)
            yield "</ul></section>"
        yield (
            f"<footer>Written by scopecheck {escape(__version__)}, which read the suite's code and "
            "ran none of it.</footer>"
        )
        yield "</main></body></html>"

    def _overview(self, audit: Audit) -> Iterator[str]:
        yield "<section class=overview><p class=figures>"
        verdicts: tuple[Verdict, ...] = ("passed", "failed", "not examined")
        for verdict in verdicts:
            number = audit.count(verdict)
            if number or verdict != "not examined":
                yield f'<span class="{_class(verdict)}"><b>{number}</b> {verdict}</span>'
        yield "</p><table><thead><tr><th>Verdict</th><th>Area</th><th>Examined</th></tr></thead>"
        yield "<tbody>"
        for area in audit.areas:
            left_out = area.verdict == "not examined"
            title = area.title if left_out else f'<a href="#{area.key}">{area.title}</a>'
            shown = area.reason if left_out else words.examined(area)
            found = f"<small>{words.outcome(area)}</small>" if area.findings else ""
            yield (
                f"<tr><td>{_pill(area)}</td><td>{title} {found}</td>"
                f"<td class=faint>{_text(shown)}</td></tr>"
            )
        yield "</tbody></table></section>"

    def _area(self, area: Area) -> Iterator[str]:
        yield f'<section id="{area.key}"><h2>{area.title} {_pill(area)}</h2>'
        yield f"<p class=question>{area.question}</p>"
        yield f"<p class=faint>Examined: {_text(words.examined(area))}.</p>"
        yield "<ul class=marks>"
        yield from (f"<li class=holds>{_text(text)}</li>" for text in words.holds(area))
        yield from (f"<li class=fails>{_text(text)}</li>" for text in area.evidence.fails)
        yield from (
            f"<li class=open>not known: {_text(words.unknown(entry))}</li>"
            for entry in area.evidence.unknown
        )
        off = words.off(area)
        if off:
            yield f"<li class=open>not checked: {_text(off)}</li>"
        yield "</ul>"
        findings = words.by_severity(area.findings)
        for finding in findings[:FRAMED]:
            yield from self._finding(finding)
        if findings[FRAMED:]:
            yield "<ul class=plain>"
            yield from (_line(finding) for finding in findings[FRAMED:])
            yield "</ul>"
        yield "</section>"

    def _finding(self, finding: Finding) -> Iterator[str]:
        fault = finding.fault
        place = f"{printable(fault.place.path)}:{fault.place.span.line}"
        _, *frames = self.report.finding(finding)
        yield f'<article class="{finding.severity}"><h3>{_text(fault.message)}</h3>'
        yield (
            f"<p class=place><b>{finding.code}</b> {finding.name} · {finding.severity}, "
            f"{finding.certainty} · {escape(place)}</p>"
        )
        yield f"<pre>{_spans(frames)}</pre></article>"


def _cost(audit: Audit) -> Iterator[str]:
    cost = audit.cost
    yield f"<section><h2>Cost</h2><p class=faint>{_text(words.cost(audit))}.</p>"
    if cost.by_scope:
        most = max(found.setups for found in cost.by_scope)
        yield "<table class=figures-table><thead><tr><th>Scope</th><th class=number>Fixtures</th>"
        yield "<th class=number>Set-ups</th><th></th></tr></thead><tbody>"
        for scope, fixtures, setups in cost.by_scope:
            width = round(100 * setups / most, 1)
            yield (
                f"<tr><td>{scope}</td><td class=number>{fixtures:,}</td>"
                f"<td class=number>{setups:,}</td>"
                f'<td class=bar><span style="width:{width}%"></span></td></tr>'
            )
        yield "</tbody></table>"
    if cost.heaviest:
        yield "<table class=figures-table><thead><tr><th>Heaviest fixtures</th><th>Scope</th>"
        yield "<th class=number>Set-ups</th><th class=number>Tests</th><th>Where</th></tr></thead>"
        yield "<tbody>"
        for weight in cost.heaviest:
            autouse = " <small>autouse</small>" if weight.autouse else ""
            yield (
                f"<tr><td><code>{escape(weight.name)}</code>{autouse}</td><td>{weight.scope}</td>"
                f"<td class=number>{weight.setups:,}</td><td class=number>{weight.tests:,}</td>"
                f"<td class=faint>{escape(printable(weight.place))}</td></tr>"
            )
        yield "</tbody></table>"
    yield "</section>"


def _line(finding: Finding) -> str:
    place = f"{printable(finding.fault.place.path)}:{finding.fault.place.span.line}"
    return f"<li>{finding.code} {escape(place)}: {_text(finding.fault.message)}</li>"


def _pill(area: Area) -> str:
    return f'<span class="pill {_class(area.verdict)}">{area.verdict}</span>'


def _class(verdict: str) -> str:
    return verdict.replace(" ", "-")


def _text(text: str) -> str:
    """Text as HTML; what stands between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(printable(text)))


def _spans(lines: Sequence[str]) -> str:
    """Lines with a terminal's colours as spans with the styles' names."""
    found, opened = [], False
    parts = _ANSI.split("\n".join(lines))
    for index, part in enumerate(parts):
        if index % 2 == 0:
            found.append(escape(part))
            continue
        if opened:
            found.append("</span>")
        style = _STYLE_OF.get(f"\x1b[{part}m")
        opened = style is not None
        if style is not None:
            found.append(f'<span class="t-{style}">')
    if opened:
        found.append("</span>")
    return "".join(found)
