"""Turns an analysis into the Markdown that GitHub Actions shows on the page of a run."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TextIO
from urllib.parse import quote

from scopecheck.report.paths import places_seen_from, repository_top
from scopecheck.report.text import Painter, counted, printable, summary_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scopecheck.analysis import Analysis
    from scopecheck.finding import Finding, Place

ROWS = 500
"""How many findings the table has: GitHub takes no summary of more than 1 MB."""

RELATED = 5

_CODE_SPAN = re.compile(r"(`[^`]*`)")
_SPECIAL = re.compile(r"([\\*_\[\]~`])")


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """A table of the findings, errors first, each with a link to its line where that is known."""
    found = sorted(analysis.findings, key=lambda finding: finding.severity != "error")
    stream.write("### scopecheck\n\n")
    stream.write(f"{summary_line(analysis, Painter(False))}\n\n")
    if not found:
        return
    stream.write("| | rule | where | what |\n| --- | --- | --- | --- |\n")
    blob = _blob(os.environ)
    top = repository_top(analysis.root)
    for finding in found[:ROWS]:
        cells = _cells(places_seen_from(top, analysis.root, finding), blob)
        stream.write(f"| {' | '.join(cells)} |\n")
    if len(found) > ROWS:
        stream.write(f"\nand {counted(len(found) - ROWS, 'finding')} more, in the log\n")
    stream.write("\n")


def _cells(finding: Finding, blob: str) -> Iterator[str]:
    fault = finding.fault
    yield finding.severity
    yield f"{finding.code} {finding.name}"
    yield _link(fault.place, blob)
    words = [escaped(printable(fault.message))]
    for place in fault.related[:RELATED]:
        line = f"line {place.span.line}" if place.path == fault.place.path else ""
        words.append(f"{_link(place, blob, line)}: {escaped(printable(place.message))}")
    if len(fault.related) > RELATED:
        words.append(f"and {counted(len(fault.related) - RELATED, 'place')} more")
    if fault.help:
        words.append(f"**help:** {escaped(printable(fault.help))}")
    yield "<br>".join(words)


def _link(place: Place, blob: str, shown: str = "") -> str:
    shown = shown or escaped(f"{printable(place.path)}:{place.span.line}")
    if not blob:
        return shown
    return f"[{shown}]({blob}/{quote(os.fsencode(place.path), safe='/')}#L{place.span.line})"


def _blob(environment: Mapping[str, str]) -> str:
    """Where the server shows the files of the commit that is checked; empty where unknown."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA")
    server, repository, commit = (environment.get(name, "") for name in names)
    return f"{server}/{repository}/blob/{commit}" if server and repository and commit else ""


def escaped(text: str) -> str:
    """Text for a cell of a table: what is between backticks stays code, all else is plain."""
    parts = _CODE_SPAN.split(text)
    for index in range(0, len(parts), 2):
        plain = parts[index].replace("&", "&amp;").replace("<", "&lt;")
        parts[index] = _SPECIAL.sub(r"\\\1", plain)
    return "".join(parts).replace("|", "\\|")
