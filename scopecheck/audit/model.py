"""The nouns of an audit.

Audit       a suite's validation report: its areas, what it costs, what could not be known
Area        one thing to validate, such as event loops, with its evidence and its verdict
Evidence    what was examined in an area, with counts, what holds of it, what fails, and why
            nothing was examined where that is so
Unknown     what only running code can tell, and for how many tests or fixtures
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from scopecheck.finding import Finding
    from scopecheck.rulebook import Rule

Verdict: TypeAlias = Literal["passed", "failed", "not examined"]


class Count(NamedTuple):
    """How many of something were examined; `plural` where an `s` does not make it from `noun`."""

    number: int
    noun: str
    plural: str = ""


class Unknown(NamedTuple):
    """What could not be known, as a sentence without its end, and of how many `noun`s."""

    reason: str
    number: int
    noun: str


class Evidence(msgspec.Struct, frozen=True):
    """What was looked at in an area.

    examined: in counts. holds, fails: statements about it, without a finding of their own.
    nothing: why there was nothing to examine; empty where there was something.
    """

    examined: tuple[Count, ...] = ()
    holds: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    nothing: str = ""


class Area(msgspec.Struct, frozen=True):
    """One area of the report.

    key: as programs know it. question: what the area is about, as a question.
    rules: those that were checked; off: those that were not, since the configuration or their
        default leaves them off.
    reason: why it was not examined.
    """

    key: str
    title: str
    question: str
    verdict: Verdict
    reason: str
    evidence: Evidence
    rules: tuple[Rule, ...]
    off: tuple[Rule, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> tuple[Rule, ...]:
        """The rules that were checked and found nothing."""
        found = {finding.name for finding in self.findings}
        return tuple(rule for rule in self.rules if rule.name not in found)


class Weight(msgspec.Struct, frozen=True):
    """A fixture and what it costs: set-ups in one run, and the tests that reach it.

    place: `path:line` of the definition, or the plugin's name in brackets.
    """

    name: str
    scope: str
    place: str
    setups: int
    tests: int
    autouse: bool
    own: bool


class ScopeCost(NamedTuple):
    """The fixtures of one scope and their set-ups."""

    scope: str
    fixtures: int
    setups: int


class Cost(msgspec.Struct, frozen=True):
    """The set-ups of one run of the whole suite, a test counted once.

    heaviest: the project's own fixtures with the most set-ups.
    """

    setups: int
    tests: int
    by_scope: tuple[ScopeCost, ...]
    heaviest: tuple[Weight, ...]


class SuiteAbout(msgspec.Struct, frozen=True):
    """Which suite was audited, and by which versions.

    name: its folder, `.` for the root. versions: `pytest 9.2.0 (uv.lock:12)`.
    """

    name: str
    tests: int
    fixtures: int
    files: int
    versions: tuple[str, ...]


class Audit(msgspec.Struct, frozen=True):
    """The whole report.

    silenced: findings that comments in the code take away, as (rule's name, number).
    """

    root: Path
    suites: tuple[SuiteAbout, ...]
    areas: tuple[Area, ...]
    cost: Cost
    unknown: tuple[Unknown, ...]

    def count(self, verdict: Verdict) -> int:
        """How many areas have this verdict."""
        return sum(area.verdict == verdict for area in self.areas)

    @property
    def summary(self) -> str:
        """`7 passed, 2 failed`, and how many were not examined."""
        line = f"{self.count('passed')} passed, {self.count('failed')} failed"
        left = self.count("not examined")
        return f"{line}, {left} not examined" if left else line
