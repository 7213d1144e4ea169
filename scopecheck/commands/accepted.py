"""Leaves out, keeps or silences what a project accepts: baselines and suppressions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.analysis import Analysis
    from scopecheck.baseline import Key, Outcome
    from scopecheck.commands.options import CheckOptions
    from scopecheck.config import LoadedSettings
    from scopecheck.finding import Finding
    from scopecheck.project import Project
    from scopecheck.source import Source


def baseline_file(loaded: LoadedSettings, options: CheckOptions) -> Path | None:
    """The baseline: an option is seen from the working directory, a setting from the root."""
    if options.baseline is not None:
        return options.baseline
    if loaded.settings.baseline is not None:
        return Path(os.path.relpath(loaded.root / loaded.settings.baseline))
    if options.update_baseline:
        raise Refused(
            "--update-baseline needs a file: name it with --baseline FILE, or as `baseline` in the "
            "configuration"
        )
    return None


def known_findings(baseline: Path | None, options: CheckOptions) -> dict[Key, int] | None:
    """The entries of the baseline; one that is yet to be made has none."""
    if baseline is None:
        return None
    from scopecheck.baseline import BaselineError, read

    if options.update_baseline:
        if options.stdin_filename is not None:
            raise Refused("--update-baseline takes what the files say, not standard input")
        if not os.path.lexists(baseline):
            return {}
    try:
        return read(baseline)
    except BaselineError as error:
        raise Refused(str(error)) from None


def use_baseline(
    file: Path, known: dict[Key, int], analysis: Analysis, options: CheckOptions
) -> Analysis:
    """Says what the baseline and the suite do not have in common, or writes what they have now."""
    from scopecheck.baseline import BaselineError, write
    from scopecheck.report.text import counted

    outcome = analysis.baseline
    assert outcome is not None
    if not options.update_baseline:
        if not options.quiet:
            sys.stderr.writelines(f"{line}\n" for line in _differences(file, outcome))
        return analysis
    entries = outcome.updated(analysis.findings)
    try:
        write(file, entries)
    except BaselineError as error:
        raise Refused(str(error)) from None
    if not options.quiet:
        more = sum(max(entries.get(key, 0) - known.get(key, 0), 0) for key in entries)
        less = sum(max(known[key] - entries.get(key, 0), 0) for key in known)
        sys.stderr.write(
            f"scopecheck: {file} knows {counted(sum(entries.values()), 'finding')} now: "
            f"{more} added, {less} dropped\n"
        )
    accepted = msgspec.structs.replace(outcome, known=outcome.known + len(analysis.findings))
    return msgspec.structs.replace(_with_findings(analysis, ()), baseline=accepted)


def _with_findings(analysis: Analysis, findings: tuple[Finding, ...]) -> Analysis:
    """The analysis with these findings alone, and their figures."""
    fixable = sum(1 for finding in findings if finding.fault.fixes)
    summary = msgspec.structs.replace(analysis.summary, findings=len(findings), fixable=fixable)
    return msgspec.structs.replace(analysis, findings=findings, summary=summary)


_SHOWN_STALE = 20


def _differences(file: Path, outcome: Outcome) -> Iterator[str]:
    if outcome.moved:
        yield (
            f"scopecheck: {file}: {outcome.moved} moved to other files; --update-baseline follows "
            "them"
        )
    stale = outcome.stale
    if not stale:
        return
    yield f"scopecheck: {file}: {len(stale)} stale, which --update-baseline drops:"
    for entry in stale[:_SHOWN_STALE]:
        less = f" ({entry.found} of {entry.allowed} left)" if entry.found else ""
        yield f"  {entry.key.symbol}: {entry.key.rule}{less}"
    if len(stale) > _SHOWN_STALE:
        yield f"  and {len(stale) - _SHOWN_STALE} more"


def _rewritable(project: Project, path: str) -> Source | None:
    """A file's text; None where its encoding would not write back what is there byte for byte."""
    from scopecheck.fix.edits import encode
    from scopecheck.source import SourceError, decode, read_bytes

    source = project.load.source(path)
    if source is None or source.encoding == "utf-8":
        return source
    try:
        data = read_bytes(project.root / path)
        same = decode(path, data).text == source.text
        return None if same and encode(source, source.text) != data else source
    except SourceError:
        return source


def add_ignores(project: Project, analysis: Analysis, options: CheckOptions) -> Analysis:
    """Writes suppressions for all that is found; what is left is what they cannot silence."""
    from scopecheck.fix import files
    from scopecheck.report.text import counted
    from scopecheck.silence import silence

    silenced = silence(analysis.findings, lambda path: _rewritable(project, path))
    try:
        files.write(project.root, silenced.changes)
    except files.Refused as error:
        raise Refused(str(error)) from None
    if not options.quiet:
        number = len(analysis.findings) - len(silenced.left)
        sys.stderr.write(
            f"scopecheck: {counted(number, 'finding')} silenced in "
            f"{counted(len(silenced.changes), 'file')}\n"
        )
    return _with_findings(analysis, silenced.left)
