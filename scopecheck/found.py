"""What the rules find in one linked suite, under their names and as severe as is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.config import Settings
    from scopecheck.finding import Fault
    from scopecheck.rulebook import Rule
    from scopecheck.suite import Suite


def found_in(suite: Suite, chosen: frozenset[str], settings: Settings) -> Iterator[Finding]:
    """What the chosen rules find in one suite."""
    from scopecheck import checks, rulebook
    from scopecheck.checks.looks import distance_of

    for name, rule in rulebook.rules().items():
        if name not in chosen:
            continue
        check = checks.find(rule.code, name)
        if check is not None:
            suite.looks_far = distance_of(check) == "far"
            for fault in check(suite):
                yield finding_of(rule, fault, settings)


def finding_of(rule: Rule, fault: Fault, settings: Settings) -> Finding:
    """A fault under the rule's name, as severe as the rule or the settings say."""
    severity = settings.severity.get(rule.name) or settings.severity.get(rule.code)
    certainty = fault.certainty or rule.certainty
    if severity is None:
        lowered = fault.certainty == "likely" and rule.certainty == "proved"
        severity = "warning" if lowered else rule.severity
    return Finding(rule.code, rule.name, severity, certainty, fault)
