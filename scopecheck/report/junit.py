"""Turns an analysis into JUnit's XML: a test suite a file, a failed test case a finding."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, TextIO

from scopecheck.report.paths import places_seen_from, repository_top
from scopecheck.report.text import counted, located, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.analysis import Analysis
    from scopecheck.finding import Finding

# Characters that no XML document may hold, besides those that `printable` replaces.
_NOT_XML = {0xFFFE: "\N{REPLACEMENT CHARACTER}", 0xFFFF: "\N{REPLACEMENT CHARACTER}"}
_ENTITIES = {
    ord(character): entity
    for character, entity in {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\t": "&#9;",
        "\n": "&#10;",
    }.items()
}


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """One document, of ASCII alone; a run that finds nothing has one test case, that passed."""
    for line in _lines(analysis):
        stream.write(line.encode("ascii", "xmlcharrefreplace").decode())
        stream.write("\n")


def _lines(analysis: Analysis) -> Iterator[str]:
    found = analysis.findings
    top = repository_top(analysis.root)
    total = _figures(len(found) or 1, len(found))
    yield '<?xml version="1.0" encoding="utf-8"?>'
    time = f"{analysis.summary.elapsed_s:.3f}"
    yield f'<testsuites name="scopecheck" {total} time="{time}">'
    if not found:
        yield f'  <testsuite name="scopecheck" {total} time="{time}">'
        yield '    <testcase classname="scopecheck" name="no findings"/>'
        yield "  </testsuite>"
    for _, group in groupby(found, lambda finding: finding.fault.place.path):
        findings = [(places_seen_from(top, analysis.root, one), _inner(one)) for one in group]
        total = _figures(len(findings), len(findings))
        yield f'  <testsuite name="{_attribute(findings[0][0].fault.place.path)}" {total}>'
        names: Counter[str] = Counter()
        for finding, inner in findings:
            yield from _case(finding, inner, names)
        yield "  </testsuite>"
    yield "</testsuites>"


def _figures(tests: int, failures: int) -> str:
    return f'tests="{tests}" failures="{failures}" errors="0" skipped="0"'


def _inner(finding: Finding) -> str:
    """The finding's symbol without the file."""
    return finding.fault.symbol.removeprefix(finding.fault.place.path).lstrip(":")


def _case(finding: Finding, inner: str, names: Counter[str]) -> Iterator[str]:
    """A test case, named by rule and symbol: servers follow a case from run to run by its name."""
    fault = finding.fault
    path = fault.place.path
    name = f"{finding.code} {finding.name} {inner}".rstrip()
    names[name] += 1
    if names[name] > 1:
        name = f"{name} ({names[name]})"
    place = f'file="{_attribute(path)}" line="{fault.place.span.line}"'
    dotted = path.removesuffix(".py").replace("/", ".")
    yield f'    <testcase classname="{_attribute(dotted)}" name="{_attribute(name)}" {place}>'
    kind = f'message="{_attribute(fault.message)}" type="{finding.severity}"'
    yield f"      <failure {kind}>{_text(_body(finding))}</failure>"
    yield "    </testcase>"


def _body(finding: Finding) -> str:
    fault = finding.fault
    lines = [f"{located(fault.place)}: {printable(fault.message)}"]
    lines += [f"{located(place)}: {printable(place.message)}" for place in fault.related]
    lines += [f"note: {printable(note)}" for note in fault.notes]
    if fault.help:
        lines.append(f"help: {printable(fault.help)}")
    if fault.tests:
        lines.append(f"affects: {counted(len(fault.tests), 'test')}")
    return "\n".join(lines)


def _attribute(text: str) -> str:
    return printable(text).translate(_NOT_XML).translate(_ENTITIES)


def _text(text: str) -> str:
    """The text of an element; its lines stay lines."""
    return "\n".join(_attribute(line) for line in text.split("\n"))
