"""Turns an audit into text for a terminal: the areas with their evidence, and the verdict last.

FAILED  Event loops: 3 findings
        examined  22 async tests, 5 async fixtures
        holds     pytest-asyncio (strict mode) runs 20 of 22 async tests
                  SCP204 and SCP206 found nothing
        fails     tests/conftest.py:56:11 SCP202 `tool_manifest` is cached longer than ...
"""

from __future__ import annotations

import os
from textwrap import wrap
from typing import TYPE_CHECKING, TextIO

from scopecheck.report.audit import words
from scopecheck.report.paths import for_reader
from scopecheck.report.text import Painter, located, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scopecheck.analysis import Analysis
    from scopecheck.audit import Area, Audit
    from scopecheck.audit.model import Verdict, Weight
    from scopecheck.finding import Finding

SHOWN = 12
"""How many findings of an area are named; the others are counted, `check` has them all."""

_LABELS: dict[Verdict, tuple[str, str]] = {
    "passed": ("passed", "good"),
    "failed": ("FAILED", "error"),
    "not examined": ("------", "faint"),
}
_INDENT = " " * 8
_FIELD = 10
_MAX_WIDTH = 110
_UNKNOWN_WIDTH = 100


def write(audit: Audit, analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """The whole report."""
    text = _Text(Painter(color), _width(stream), for_reader(audit.root))
    for line in text.lines(audit):
        stream.write(f"{line}\n")


class _Text:
    def __init__(self, paint: Painter, width: int, shown: Callable[[str], str]) -> None:
        self.paint = paint
        self.shown = shown
        self.width = width

    def lines(self, audit: Audit) -> Iterator[str]:
        yield f"{self.paint('bold', 'Audit')} of {words.title(audit)}"
        for line in words.suites(audit):
            yield from wrap(line, self.width)
        yield ""
        for area in audit.areas:
            yield from self._area(area)
            yield ""
        yield from self._cost(audit)
        yield ""
        if audit.unknown:
            yield self.paint("bold", "What could not be known")
            yield from self._listed([words.unknown(entry) for entry in audit.unknown])
            yield ""
        style = "error" if audit.count("failed") else "good"
        yield self.paint(style, audit.summary)

    def _area(self, area: Area) -> Iterator[str]:
        label, style = _LABELS[area.verdict]
        outcome = words.outcome(area)
        title = self.paint("bold", area.title)
        yield f"{self.paint(style, label)}  {title}{f': {outcome}' if outcome else ''}"
        if area.verdict == "not examined":
            return
        yield from self._field("examined", [words.examined(area)])
        yield from self._field("holds", list(words.holds(area)))
        yield from self._field("fails", [printable(text) for text in area.evidence.fails])
        yield from self._findings(area, labelled=not area.evidence.fails)
        unknown = [words.unknown(entry) for entry in area.evidence.unknown[:SHOWN]]
        if len(area.evidence.unknown) > SHOWN:
            unknown.append(f"and {len(area.evidence.unknown) - SHOWN} more, see below")
        yield from self._field("unknown", unknown)
        off = words.off(area)
        yield from self._field("unchecked", [off] if off else [])

    def _field(self, name: str, entries: Sequence[str]) -> Iterator[str]:
        for number, entry in enumerate(entries):
            label = name if number == 0 else ""
            margin = " " * (len(_INDENT) + _FIELD)
            first, *rest = self._wrapped(entry, self.width - len(margin)) or [""]
            yield f"{_INDENT}{self.paint('faint', f'{label:<{_FIELD}}')}{first}"
            for line in rest:
                yield f"{margin}{line}"

    def _findings(self, area: Area, *, labelled: bool) -> Iterator[str]:
        shown = words.by_severity(area.findings)[:SHOWN]
        margin = " " * (len(_INDENT) + _FIELD)
        for number, finding in enumerate(shown):
            label = f"{'fails':<{_FIELD}}" if labelled and number == 0 else " " * _FIELD
            yield f"{_INDENT}{self.paint('faint', label)}{self._head(finding)}"
            message = printable(finding.fault.message)
            for line in self._wrapped(message, self.width - len(margin) - 2):
                yield f"{margin}  {line}"
        left = len(area.findings) - len(shown)
        if left:
            code = ",".join(rule.code for rule in area.rules if rule not in area.clean)
            yield f"{margin}and {left} more: `scopecheck --select {code}` shows them"

    def _head(self, finding: Finding) -> str:
        return (
            f"{self.paint(finding.severity, finding.code)} {finding.name}  "
            f"{located(finding.fault.place, self.shown)}"
        )

    def _cost(self, audit: Audit) -> Iterator[str]:
        yield self.paint("bold", "Cost")
        yield from self._listed([words.cost(audit)])
        found = audit.cost
        if not found.by_scope:
            return
        yield ""
        rows: list[tuple[str, ...]] = [("scope", "fixtures", "set-ups")]
        rows += [
            (scope, f"{fixtures:,}", f"{setups:,}") for scope, fixtures, setups in found.by_scope
        ]
        yield from self._table(rows, "<>>")
        if found.heaviest:
            yield ""
            rows = [("set-ups", "tests", "scope", "fixture", "where")]
            rows += [
                (
                    f"{weight.setups:,}",
                    f"{weight.tests:,}",
                    weight.scope,
                    weight.name + (" (autouse)" if weight.autouse else ""),
                    self._place(weight),
                )
                for weight in found.heaviest
            ]
            yield from self._table(rows, ">><<<")

    def _place(self, weight: Weight) -> str:
        path, _, line = weight.place.rpartition(":")
        return f"{printable(self.shown(path))}:{line}" if weight.own else printable(weight.place)

    def _table(self, rows: Sequence[tuple[str, ...]], aligned: str) -> Iterator[str]:
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for number, row in enumerate(rows):
            cells = [
                f"{cell:{side}{width}}"
                for cell, side, width in zip(row, aligned, widths, strict=True)
            ]
            line = f"{_INDENT}{'  '.join(cells)}".rstrip()
            yield self.paint("faint", line) if number == 0 else line

    def _listed(self, entries: Iterable[str]) -> Iterator[str]:
        for entry in entries:
            for line in self._wrapped(entry, self.width - len(_INDENT)):
                yield f"{_INDENT}{line}"

    def _wrapped(self, text: str, width: int) -> list[str]:
        return wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)


def _width(stream: TextIO) -> int:
    if not stream.isatty():
        return _UNKNOWN_WIDTH
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = _UNKNOWN_WIDTH
    return min(max(columns, 60), _MAX_WIDTH)
