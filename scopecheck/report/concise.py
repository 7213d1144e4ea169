"""Turns each finding into one line that stands alone, and the figures into a last one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from scopecheck.report.paths import for_reader
from scopecheck.report.text import Painter, is_safely_fixable, located, printable, summary_line

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:
    """`path:line:column: error[SCP101] scope-mismatch: message`, one line each.

    `[*]` after the rule's name marks what `--fix` alone can mend.
    """
    paint = Painter(color)
    shown = for_reader(analysis.root)
    for finding in analysis.findings:
        fault = finding.fault
        kind = paint(finding.severity, f"{finding.severity}[{finding.code}]")
        where = paint("bold", located(fault.place, shown))
        mark = f" {paint('help', '[*]')}" if is_safely_fixable(finding) else ""
        stream.write(f"{where}: {kind} {finding.name}:{mark} {printable(fault.message)}\n")
    stream.write(f"{summary_line(analysis, paint)}\n")
