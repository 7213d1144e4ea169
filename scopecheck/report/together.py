"""Tells findings of one rule that have one cause as one, with the other places related.

This is for who reads all of them at once. What shows findings where they stand (an editor, the
annotations of a change) has each by itself, and so have suppressions, baselines, `--since` and
repairs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from scopecheck.finding import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scopecheck.analysis import Analysis
    from scopecheck.finding import Edit, Finding, Fix


def told_together(analysis: Analysis) -> Analysis:
    """The same result, with each cause told once."""
    groups: dict[object, list[Finding]] = {}
    for index, finding in enumerate(analysis.findings):
        cause = finding.fault.cause
        key = index if cause is None else (finding.name, finding.severity, finding.certainty, cause)
        groups.setdefault(key, []).append(finding)
    if len(groups) == len(analysis.findings):
        return analysis
    findings = tuple(_as_one(group) for group in groups.values())
    summary = msgspec.structs.replace(
        analysis.summary,
        findings=len(findings),
        fixable=sum(1 for finding in findings if finding.fault.fixes),
    )
    return msgspec.structs.replace(analysis, findings=findings, summary=summary)


def _as_one(group: Sequence[Finding]) -> Finding:
    """The first of some findings with one cause, which speaks for the others, too."""
    first, *others = group
    if not others:
        return first
    fault = first.fault
    more = "1 more place" if len(others) == 1 else f"{len(others)} more places"
    again = tuple(
        Place(other.fault.place.path, other.fault.place.span, fault.cause.again)
        for other in others
        if fault.cause is not None
    )
    return msgspec.structs.replace(
        first,
        fault=msgspec.structs.replace(
            fault,
            message=f"{fault.message} (and at {more})",
            related=(*fault.related, *again),
            tests=fault.tests.union(*(other.fault.tests for other in others)),
            searched=fault.searched.union(*(other.fault.searched for other in others)),
            fixes=tuple(_fixes(group)),
        ),
    )


def _fixes(group: Sequence[Finding]) -> Iterable[Fix]:
    """The fixes that do the same at several places as one; its title says if not at all of them."""
    alike: dict[tuple[str, str], list[Fix]] = {}
    for finding in group:
        for fix in finding.fault.fixes:
            alike.setdefault((fix.title, fix.applicability), []).append(fix)
    for (title, _), fixes in alike.items():
        edits = tuple(sorted({edit for fix in fixes for edit in fix.edits}))
        if _overlap(edits):
            fixes, edits = fixes[:1], fixes[0].edits
        if len(fixes) < len(group):
            title = f"{title} ({len(fixes)} of {len(group)} places)"
        counted = tuple(dict.fromkeys(name for fix in fixes for name in fix.counted))
        yield msgspec.structs.replace(fixes[0], title=title, edits=edits, counted=counted)


def _overlap(edits: Sequence[Edit]) -> bool:
    """Whether two of some edits, in their order, are about the same text."""
    return any(
        one.path == other.path
        and (other.span.line, other.span.column) < (one.span.end_line, one.span.end_column)
        for one, other in pairwise(edits)
    )
