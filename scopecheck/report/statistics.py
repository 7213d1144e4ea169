"""Turns the findings into counts: how often each rule was broken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TextIO

from scopecheck.report.text import Painter, is_safely_fixable, summary_line

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:
    """`12  SCP202  [*] loop-scope-too-narrow`, the most frequent first.

    `[*]` marks a rule of which `--fix` alone can mend a finding.
    """
    paint = Painter(color)
    counts = Counter((finding.code, finding.name) for finding in analysis.findings)
    fixable = {finding.code for finding in analysis.findings if is_safely_fixable(finding)}
    severity = {finding.code: finding.severity for finding in analysis.findings}
    width = len(str(max(counts.values(), default=0)))
    for (code, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        mark = f"[{'*' if code in fixable else ' '}]"
        number = paint("bold", f"{count:>{width}}")
        stream.write(f"{number}  {paint(severity[code], code)}  {mark} {name}\n")
    stream.write(f"{summary_line(analysis, paint)}\n")
