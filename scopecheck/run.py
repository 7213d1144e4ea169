"""The stages of a check, in reading order: suites, checks, suppressions, and what was asked for."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from scopecheck import checks, rulebook
from scopecheck.analysis import Analysis, Summary
from scopecheck.finding import Fault, Finding, Place
from scopecheck.newer import is_newer_syntax
from scopecheck.project import Project
from scopecheck.read import TOO_DEEP
from scopecheck.read.comments import plain_suppressions
from scopecheck.suppress import suppress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scopecheck.baseline import Key, Outcome
    from scopecheck.config import Settings
    from scopecheck.facts import FileFacts, Suppression
    from scopecheck.rulebook import Rule
    from scopecheck.since import Changes
    from scopecheck.suite import Suite


def analyse(
    paths: Sequence[Path],
    *,
    root: Path,
    settings: Settings,
    jobs: int = 0,
    project: Project | None = None,
    known: Mapping[Key, int] | None = None,
    changes: Changes | None = None,
    whole: bool = False,
) -> Analysis:
    """The findings of the suites that the paths belong to, those that touch the paths.

    Args:
        paths: files and folders; none stands for the root.
        root: what every path in the result is relative to.
        settings: the configuration in force.
        jobs: processes to read with, 0 for one a core.
        project: one with files already read, or provided from elsewhere than the disk.
        known: the entries of a baseline, whose findings are left out.
        changes: leave out what these did not touch or cause.
        whole: keep the findings that do not touch the paths, too.
    """
    start = time.perf_counter()
    project = project or Project(root, settings, jobs)
    suites = project.suites(paths)
    chosen = rulebook.choose(
        settings.select, settings.ignore, settings.extend_select, settings.extend_ignore
    )
    found = {finding: None for suite in suites for finding in _checked(suite, chosen, settings)}
    files = _analysed(project)
    found.update(dict.fromkeys(_unreadable(project, files, chosen, settings)))
    ignores = _PerFileIgnores(settings)
    kept = [f for f in found if f.name not in ignores.of(f.fault.place.path)]
    complete = all(facts.error is None for facts in files)

    def in_force(path: str) -> frozenset[str]:
        return chosen - ignores.of(path)

    def text(path: str) -> str | None:
        source = project.load.source(path)
        return None if source is None else source.text

    outcome = suppress(
        kept,
        {**_silenced_settings(project, kept), **{f.path: f.suppressions for f in files}},
        in_force,
        complete=complete,
    )
    engine = [
        _finding(rulebook.rules()[name], fault, settings)
        for name, faults in outcome.faults.items()
        for fault in faults
    ]
    findings = sorted((*outcome.kept, *engine), key=lambda f: f.sort_key)
    baseline: Outcome | None = None
    if known is not None:
        from scopecheck.baseline import Scope, apply

        everything = not paths or any(path == root for path in paths)
        read = {facts.path for facts in files}
        scope = Scope(in_force, lambda path: everything or path in read, text, complete)
        baseline = apply(known, findings, scope)
        findings = list(baseline.kept)
    if not whole:
        named = _Named(suites)
        findings = [finding for finding in findings if named.touched(finding)]
    if changes is not None:
        findings = _due(findings, changes, project, suites)
    summary = Summary(
        files=len(files),
        tests=len({(s.files.name, item.nodeid) for s in suites for item in s.items}),
        fixtures=len({f.key for s in suites for f in s.fixtures if f.path is not None}),
        findings=len(findings),
        fixable=sum(1 for finding in findings if finding.fault.fixes),
        elapsed_s=round(time.perf_counter() - start, 3),
    )
    return Analysis(
        root,
        tuple(findings),
        summary,
        text,
        rulebook.rules(),
        baseline,
        tuple(suites),
        chosen,
        outcome.suppressed,
    )


def _checked(suite: Suite, chosen: frozenset[str], settings: Settings) -> Iterator[Finding]:
    """What the chosen rules find in one suite."""
    for name, rule in rulebook.rules().items():
        if name not in chosen:
            continue
        check = checks.find(rule.code, name)
        if check is not None:
            for fault in check(suite):
                yield _finding(rule, fault, settings)


def _finding(rule: Rule, fault: Fault, settings: Settings) -> Finding:
    severity = settings.severity.get(rule.name) or settings.severity.get(rule.code)
    certainty = fault.certainty or rule.certainty
    if severity is None:
        lowered = fault.certainty == "likely" and rule.certainty == "proved"
        severity = "warning" if lowered else rule.severity
    return Finding(rule.code, rule.name, severity, certainty, fault)


def _analysed(project: Project) -> list[FileFacts]:
    """Every file of the project's own that was read."""
    return [project.load(path) for path in project.own_files]


def _unreadable(
    project: Project, files: Iterable[FileFacts], chosen: frozenset[str], settings: Settings
) -> Iterator[Finding]:
    """SCP001 and SCP004: files that could not be parsed or read."""
    for facts in files:
        error = facts.error
        if error is None:
            continue
        name = "syntax-error" if error.kind == "syntax" else "unreadable-file"
        if name in chosen:
            message, advice = error.message, ""
            parsed = error.kind == "syntax" and error.message != TOO_DEEP
            source = project.load.source(facts.path) if parsed else None
            if source is not None and is_newer_syntax(source.text):
                version = f"{sys.version_info[0]}.{sys.version_info[1]}"
                message = f"is written for a Python newer than the {version} that reads it here"
                message = f"{message} ({error.message})"
                advice = "run scopecheck with the Python that runs the suite"
            fault = Fault(Place(facts.path, error.span), message, facts.path, help=advice)
            yield _finding(rulebook.rules()[name], fault, settings)


def _silenced_settings(
    project: Project, findings: Iterable[Finding]
) -> dict[str, tuple[Suppression, ...]]:
    """The suppressions in the configuration files that something was found in."""
    paths = {finding.fault.place.path for finding in findings}
    found = {}
    for path in sorted(paths):
        if not path.endswith(".py") and (source := project.load.source(path)) is not None:
            found[path] = plain_suppressions(source.text)
    return found


class _PerFileIgnores:
    """The rules that `per-file-ignores` switches off, by file."""

    def __init__(self, settings: Settings) -> None:
        self._patterns: list[tuple[object, frozenset[str]]] = []
        if settings.per_file_ignores:
            from pathspec import GitIgnoreSpec

            for pattern, selectors in settings.per_file_ignores.items():
                spec = GitIgnoreSpec.from_lines([pattern])
                self._patterns.append((spec, rulebook.expand(selectors)))
        self._memo: dict[str, frozenset[str]] = {}

    def of(self, path: str) -> frozenset[str]:
        """The names of the rules ignored in a file."""
        if not self._patterns:
            return frozenset()
        found = self._memo.get(path)
        if found is None:
            found = frozenset().union(
                *(
                    names
                    for spec, names in self._patterns
                    if spec.match_file(path)  # type: ignore[attr-defined]
                )
            )
            self._memo[path] = found
        return found


def _due(
    findings: Sequence[Finding], changes: Changes, project: Project, suites: Sequence[Suite]
) -> list[Finding]:
    """The findings that the changes touched or caused."""
    from scopecheck.since import Lines, is_due

    tests: dict[str, list[Lines]] = {}
    for suite in suites:
        for item in suite.items:
            function = item.function
            if function is not None and changes.any_in(item.place.path):
                lines = Lines(item.place.path, function.first_line, function.end_line)
                tests.setdefault(item.nodeid, []).append(lines)

    def extent(place: Place) -> tuple[int, int]:
        line = place.span.line
        around = [
            (function.first_line, function.end_line)
            for function in project.load(place.path).functions
            if function.first_line <= line <= function.end_line
        ]
        return max(around, default=(line, place.span.end_line))

    return [
        finding
        for finding in findings
        if is_due(finding, changes, extent, lambda nodeid: tests.get(nodeid, ()))
    ]


class _Named:
    """The paths that the user named, and which findings touch them."""

    def __init__(self, suites: Sequence[Suite]) -> None:
        named = [entry for suite in suites for entry in suite.files.named]
        self._all = not named or any(entry.whole or entry.path in ("", ".") for entry in named)
        self._test_files: dict[str, set[str]] = {}
        for suite in () if self._all else suites:
            for item in suite.items:
                self._test_files.setdefault(item.nodeid, set()).add(item.path)
        self._files = frozenset(entry.path for entry in named)
        self._folders = tuple(f"{entry.path}/" for entry in named)

    def touched(self, finding: Finding) -> bool:
        """Whether one of the finding's places, or a test that it affects, lies in a named path."""
        if self._all:
            return True
        fault = finding.fault
        paths = {fault.place.path, *(place.path for place in fault.related), *fault.searched}
        for nodeid in fault.tests:
            paths |= self._test_files.get(nodeid, set())
        return any(path in self._files or path.startswith(self._folders) for path in paths)
