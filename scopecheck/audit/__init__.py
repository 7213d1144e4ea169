"""Turns an analysis of whole suites into a validation report by area, each with its evidence.

An area owns rules by code. One of them with a finding fails the area; with none, and at least one
rule checked on something, it passes; and where no rule of it is on, or nothing is there to check,
it is *not examined*, which is never a pass. A rule belongs to one area.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.audit import evidence
from scopecheck.audit.costs import cost_of
from scopecheck.audit.guard import regression_guard
from scopecheck.audit.model import Area, Audit, Count, Evidence, SuiteAbout, Unknown, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scopecheck.analysis import Analysis
    from scopecheck.finding import Finding
    from scopecheck.plugins import Resolved
    from scopecheck.rulebook import Rule
    from scopecheck.suite import Suite


class Topic(NamedTuple):
    """What an area is about: the codes of its rules (or prefixes of codes), and where to look."""

    key: str
    title: str
    question: str
    codes: tuple[str, ...]
    examine: Callable[[Sequence[Suite]], Evidence]


TOPICS = (
    Topic(
        "scopes",
        "Fixture scope compatibility",
        "Does every fixture get what it requests for as long as it lives?",
        ("SCP1",),
        evidence.scopes,
    ),
    Topic(
        "loops",
        "Event loops",
        "Is async code run, and on the loop of what it uses?",
        ("SCP2",),
        evidence.loops,
    ),
    Topic(
        "isolation",
        "Test-context isolation",
        "Does every test start from the same state, whatever ran before it?",
        ("SCP401", "SCP402", "SCP403", "SCP408", "SCP409", "SCP410", "SCP411"),
        evidence.shared_state,
    ),
    Topic(
        "events",
        "Event capture and coverage",
        "Are the events that tests capture asserted, and is every required event?",
        ("SCP501", "SCP502", "SCP503", "SCP505", "SCP506", "SCP507"),
        evidence.events,
    ),
    Topic(
        "pairs",
        "Tool-event pairing",
        "Does a test that sees one half of a pair of events assert the other?",
        ("SCP504",),
        evidence.pairs,
    ),
    Topic(
        "requests",
        "Per-request isolation",
        "Has every user, connection and request a context of its own?",
        ("SCP404", "SCP508"),
        evidence.shared_state,
    ),
    Topic(
        "environment",
        "Environment isolation",
        "Is everything that a test changes in the process put back?",
        ("SCP405", "SCP406", "SCP407", "SCP412"),
        evidence.process_state,
    ),
    Topic(
        "imports",
        "Imports and collection",
        "Does pytest get every test that is written?",
        ("SCP001", "SCP004", "SCP305", "SCP306", "SCP310", "SCP311", "SCP312", "SCP315"),
        evidence.imports,
    ),
    Topic(
        "fixtures",
        "Fixture definitions and requests",
        "Is every request answered, and every fixture well formed and used?",
        ("SCP301", "SCP302", "SCP303", "SCP304", "SCP307", "SCP308", "SCP309", "SCP313", "SCP314"),
        evidence.resolution,
    ),
    Topic(
        "assertions",
        "Assertions",
        "Can every assertion fail?",
        ("SCP6",),
        evidence.assertions,
    ),
    Topic(
        "policy",
        "Cost and policy",
        "Are set-ups worth their price, and does the suite keep the project's own policy?",
        ("SCP7", "SCP8"),
        evidence.tests,
    ),
)

GUARD = "guard"
_GUARD_CODES = ("SCP002", "SCP003")


def topic_of(code: str) -> str:
    """The key of the area that a rule belongs to."""
    for topic in TOPICS:
        if code.startswith(topic.codes):
            return topic.key
    return GUARD


def audit(analysis: Analysis) -> Audit:
    """The report on everything that was analysed; the suites must have been analysed whole."""
    suites = analysis.suites
    areas = [_area(topic, analysis) for topic in TOPICS]
    areas = [area for area in areas if area.rules or area.off or area.key != "policy"]
    areas.append(_guard(analysis))
    assumed = Counter(reason for suite in suites for reason in _versions_assumed(suite))
    unknown = {Unknown(reason, number, "suite"): None for reason, number in assumed.items()}
    unknown.update((entry, None) for area in areas for entry in area.evidence.unknown)
    return Audit(
        analysis.root,
        tuple(_about(suite) for suite in suites),
        tuple(areas),
        cost_of(suites),
        tuple(unknown),
    )


def _area(topic: Topic, analysis: Analysis) -> Area:
    rules = [rule for rule in analysis.rules.values() if topic_of(rule.code) == topic.key]
    on = tuple(rule for rule in rules if rule.name in analysis.checked)
    off = tuple(rule for rule in rules if rule.name not in analysis.checked)
    findings = _findings(analysis, on)
    found = topic.examine(analysis.suites)
    verdict: Verdict = "failed" if findings or found.fails else "passed"
    reason = ""
    if not on:
        verdict, reason = "not examined", _why_not(off)
    elif found.nothing and not findings:
        verdict, reason = "not examined", found.nothing
    return Area(topic.key, topic.title, topic.question, verdict, reason, found, on, off, findings)


def _findings(analysis: Analysis, rules: Sequence[Rule]) -> tuple[Finding, ...]:
    names = {rule.name for rule in rules}
    return tuple(finding for finding in analysis.findings if finding.name in names)


def _why_not(off: Sequence[Rule]) -> str:
    if not off:
        return "scopecheck has no rule for it yet"
    codes = ", ".join(rule.code for rule in off)
    return f"no rule for it is on ({codes})"


def _guard(analysis: Analysis) -> Area:
    """Whether something keeps the suite as it is, and what its comments silence."""
    folders = [suite.files.config.rootdir for suite in analysis.suites]
    found = regression_guard(analysis.root, folders)
    holds = [*found.holds]
    if analysis.suppressed:
        number = analysis.suppressed
        holds.append(f"comments silence {number} finding{'s' * (number != 1)}, not counted here")
    found = Evidence(
        (*found.examined, Count(analysis.suppressed, "silenced finding")), tuple(holds), found.fails
    )
    rules = [rule for rule in analysis.rules.values() if rule.code in _GUARD_CODES]
    on = tuple(rule for rule in rules if rule.name in analysis.checked)
    findings = _findings(analysis, on)
    return Area(
        GUARD,
        "Regression guard",
        "Does anything keep the suite from getting worse?",
        "failed" if findings or found.fails else "passed",
        "",
        found,
        on,
        tuple(rule for rule in rules if rule not in on),
        findings,
    )


def _about(suite: Suite) -> SuiteAbout:
    versions = [_version(found) for found in (suite.loops.pytest, suite.loops.version) if found]
    return SuiteAbout(
        suite.relative(suite.files.config.rootdir) or ".",
        len({item.nodeid for item in suite.items}),
        len({fixture.key for fixture in suite.fixtures if fixture.path is not None}),
        len(suite.own_files),
        tuple(versions),
    )


def _version(found: Resolved) -> str:
    return f"{found.dist} {found.version or 'of unknown version'} ({found.origin})"


def _versions_assumed(suite: Suite) -> Iterator[str]:
    for version in (suite.loops.pytest, suite.loops.version):
        if version is not None and version.certainty == "assumed":
            taken = f"{version.version} is assumed" if version.version else "the newest is assumed"
            yield f"which version of {version.dist} is in force: {taken}"


__all__ = ["TOPICS", "Area", "Audit", "audit", "topic_of"]
