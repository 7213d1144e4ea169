"""What a run hands to the reports: the findings, the figures, and the text that frames need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scopecheck.baseline import Outcome
    from scopecheck.finding import Finding
    from scopecheck.rulebook import Rule
    from scopecheck.suite import Suite


class Summary(msgspec.Struct, frozen=True):
    """The figures of a run; `tests` counts node ids without their `[...]`."""

    files: int = 0
    tests: int = 0
    fixtures: int = 0
    findings: int = 0
    fixable: int = 0
    elapsed_s: float = 0.0


class Analysis(msgspec.Struct, frozen=True):
    """One run's result.

    root: what every path in the findings is relative to.
    findings: in the order of reports (`Finding.sort_key`).
    source: a file's text by its path in findings, or None where it cannot be had.
    rules: by name; at least those of the findings.
    baseline: what the baseline took away of all that was found; None where there is none.
    suites: what was analysed, where it was asked for. checked: the names of the rules that were.
    suppressed: how many findings comments took away.
    rootdirs: of the suites, relative to the root (`.` for itself); node ids are relative to them.
    notes: what a person is told of the run as a whole, a sentence each.
    """

    root: Path
    findings: tuple[Finding, ...]
    summary: Summary
    source: Callable[[str], str | None]
    rules: Mapping[str, Rule]
    baseline: Outcome | None = None
    suites: tuple[Suite, ...] = ()
    checked: frozenset[str] = frozenset()
    suppressed: int = 0
    notes: tuple[str, ...] = ()
    rootdirs: tuple[str, ...] = ()
