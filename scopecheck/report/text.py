"""Turns findings and figures into words for people: what the text formats have in common."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scopecheck.analysis import Analysis
    from scopecheck.finding import Finding, Place

RESET = "\x1b[0m"
STYLES: Mapping[str, str] = {
    "bold": "\x1b[1m",
    "error": "\x1b[1;91m",
    "warning": "\x1b[1;93m",
    "gutter": "\x1b[1;94m",
    "related": "\x1b[1;94m",
    "note": "\x1b[1m",
    "help": "\x1b[1;96m",
    "fix": "\x1b[1;92m",
    "good": "\x1b[1;92m",
    "faint": "\x1b[2m",
    "plain": "",
}

# Control characters, surrogates that stand for undecodable bytes, and the marks that reorder text.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


class Painter:
    """Puts colours round text, or leaves it alone."""

    __slots__ = ("color",)

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, style: str, text: str) -> str:
        """The text in one of `STYLES`."""
        code = STYLES[style] if self.color and text else ""
        return f"{code}{text}{RESET}" if code else text


def printable(text: str) -> str:
    """The text on one line, with nothing in it that acts on a terminal; tabs are kept."""
    return _UNSAFE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def located(place: Place, shown: Callable[[str], str] = str) -> str:
    """`path:line:column`, as editors and terminals make links of.

    shown: turns the path into the one to read.
    """
    return f"{printable(shown(place.path))}:{place.span.line}:{place.span.column}"


def counted(number: int, noun: str) -> str:
    """`1 test`, `2 tests`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown_root(root: Path) -> str:
    """The root as seen from the working directory, with `/`."""
    try:
        return Path(os.path.relpath(root)).as_posix()
    except ValueError:  # another drive
        return root.as_posix()


def summary_line(analysis: Analysis, paint: Painter) -> str:
    """The last line of a text report: what was found, in how much, and how long it took."""
    figures = analysis.summary
    size = f"{counted(figures.tests, 'test')}, {counted(figures.fixtures, 'fixture')}"
    files = counted(figures.files, "file")
    elapsed = f"{figures.elapsed_s:.2f} s"
    known = analysis.baseline.known if analysis.baseline is not None else 0
    more = f"; the baseline knows {counted(known, 'finding')}" if known else ""
    if not analysis.findings and not figures.files:
        return f"{paint('warning', 'Nothing to check')}: no test files were found ({elapsed})"
    if not analysis.findings:
        return f"{paint('good', 'All checks passed')}: {size} in {files} ({elapsed}){more}"
    found = ", ".join(
        paint(severity, counted(number, severity))
        for severity in ("error", "warning")
        if (number := number_of(analysis.findings, severity))
    )
    return f"Found {found} in {files} ({size}) in {elapsed}{more}{_fixable(analysis.findings)}"


def _fixable(findings: tuple[Finding, ...]) -> str:
    """How many can be mended, and by which options."""
    safe = sum(map(is_safely_fixable, findings))
    parts = [f"{safe} with --fix"] if safe else []
    if unsafe := sum(bool(finding.fault.fixes) for finding in findings) - safe:
        parts.append(f"{unsafe} {'more ' if safe else ''}with --fix --unsafe-fixes")
    return f"; fixable: {' and '.join(parts)}" if parts else ""


def is_safely_fixable(finding: Finding) -> bool:
    """Whether `--fix` can mend it without `--unsafe-fixes`."""
    return any(fix.applicability == "safe" for fix in finding.fault.fixes)


def number_of(findings: Sequence[Finding], severity: str) -> int:
    """How many of the findings are of this severity."""
    return sum(finding.severity == severity for finding in findings)
