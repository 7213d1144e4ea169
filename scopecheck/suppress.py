"""Takes away the findings that a comment silences, and reports the comments that silence nothing.

A suppression covers a finding by its primary place. It is *unused* only where the rule it names
did run: a comment for a rule that is not selected may well be needed when it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scopecheck import rulebook
from scopecheck.finding import Fault, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scopecheck.facts import Suppression
    from scopecheck.finding import Finding

UNUSED = "unused-suppression"
UNKNOWN = "unknown-suppression"
_OWN = frozenset({UNUSED, UNKNOWN})


class Outcome(msgspec.Struct, frozen=True):
    """What is left after suppression.

    kept: the findings that no comment covers, in their order. suppressed: how many were covered.
    faults: what is wrong with the suppressions themselves, by the name of the rule that says so.
    """

    kept: tuple[Finding, ...]
    suppressed: int
    faults: Mapping[str, tuple[Fault, ...]]


def suppress(
    findings: Iterable[Finding],
    suppressions: Mapping[str, Sequence[Suppression]],
    in_force: Callable[[str], frozenset[str]],
    *,
    complete: bool = True,
) -> Outcome:
    """Applies each file's suppressions to the findings of the whole suite.

    Args:
        findings: of every rule that was run.
        suppressions: of every analysed file, by path.
        in_force: the names of the rules that were run on a file (per-file ignores taken out).
        complete: whether every file could be read. If not, findings may be missing, and no comment
            is called unused.
    """
    files = {path: _Silencers(path, found) for path, found in suppressions.items() if found}
    kept = []
    suppressed = 0
    for finding in findings:
        silencers = files.get(finding.fault.place.path)
        if silencers and silencers.silence(finding.name, finding.fault.place):
            suppressed += 1
        else:
            kept.append(finding)
    faults: dict[str, list[Fault]] = {UNKNOWN: [], UNUSED: []}
    for path in sorted(files):
        silencers = files[path]
        rules = in_force(path) - (frozenset() if complete else {UNUSED})
        reports = [(UNKNOWN, fault) for fault in silencers.unknown()]
        reports += [(UNUSED, fault) for fault in silencers.unused(rules - _OWN)]
        for name, fault in reports:
            if name in rules and silencers.silence(name, fault.place):
                suppressed += 1
            elif name in rules:
                faults[name].append(fault)
        if UNUSED in rules:
            faults[UNUSED] += silencers.unused(rules & _OWN)
    said = {name: tuple(found) for name, found in faults.items() if found}
    return Outcome(tuple(kept), suppressed, said)


class _Entry:
    """One rule named in one comment.

    A selector that means the rules about suppressions among others means only the others: a
    comment must not make itself needed.
    """

    __slots__ = ("comment", "rules", "used", "word")

    def __init__(self, comment: Suppression, word: str) -> None:
        self.comment = comment
        self.word = word
        self.used = False
        try:
            names = rulebook.expand([word])
            self.rules = names if names <= _OWN else names - _OWN
        except rulebook.UnknownRuleError:
            self.rules = frozenset()

    def covers(self, line: int) -> bool:
        first, last = self.comment.lines
        return first <= line <= last or first == last == 0


class _Silencers:
    """The suppressions of one file, and which of them silenced something."""

    def __init__(self, path: str, comments: Sequence[Suppression]) -> None:
        self.path = path
        self.comments = comments
        self.entries = [
            _Entry(comment, word)
            for comment in comments
            if comment.style != "unknown"
            for word in comment.codes
        ]

    def silence(self, rule: str, place: Place) -> bool:
        """Whether the rule is silenced there; every comment that does it counts as used."""
        line = place.span.line
        covering = [entry for entry in self.entries if rule in entry.rules and entry.covers(line)]
        for entry in covering:
            entry.used = True
        return bool(covering)

    def unknown(self) -> list[Fault]:
        """One fault for each comment that names something that is no rule, or nothing."""
        faults = []
        for comment in self.comments:
            if comment.style == "unknown":
                message = f"`{comment.codes[0]}` is no directive, so this suppresses nothing"
                faults.append(self._fault(comment, message, "write `ignore[...]`"))
                continue
            words = [
                entry.word for entry in self.entries if entry.comment is comment and not entry.rules
            ]
            if words:
                hints = [_correction(word) for word in words]
                message = f"{_quoted(words)} {'names' if len(words) == 1 else 'name'} no rule"
                faults.append(self._fault(comment, message, " ".join(filter(None, hints))))
            elif not comment.codes:
                faults.append(
                    self._fault(
                        comment,
                        "this suppression names no rule, so it suppresses nothing",
                        "name the rule in brackets, as in `ignore[scope-mismatch]`",
                    )
                )
        return faults

    def unused(self, rules: frozenset[str]) -> list[Fault]:
        """One fault for each comment that names rules, all of them run here, to no effect."""
        faults = []
        for comment in self.comments:
            words = [
                entry.word
                for entry in self.entries
                if entry.comment is comment
                and not entry.used
                and entry.rules
                and entry.rules <= rules
            ]
            if not words:
                continue
            first, last = comment.lines
            if first > last:
                message = f"`ignore-file` of {_quoted(words)} stands too far down to be in force"
                hint = "move it above the file's first `def` or `class`"
            else:
                where = "in this file" if first == 0 else "here"
                message = f"unused suppression: {_quoted(words)} is not reported {where}"
                hint = "remove it" if len(words) == len(comment.codes) else "remove the rule"
            faults.append(self._fault(comment, message, hint, words))
        return faults

    def _fault(
        self, comment: Suppression, message: str, hint: str, words: Sequence[str] = ()
    ) -> Fault:
        place = Place(self.path, comment.span)
        return Fault(place, message, self.path, help=hint, names=tuple(words))


def _correction(word: str) -> str:
    try:
        rulebook.find(word)
    except rulebook.UnknownRuleError as error:
        return f"did you mean `{error.suggestion}`?" if error.suggestion else ""
    return ""


def _quoted(words: Sequence[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    if len(quoted) == 1:
        return quoted[0]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
