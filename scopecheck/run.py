"""The stages of a check, in reading order: suites, checks, suppressions, and what was asked for.

`repair` goes through them again and again, until nothing is left to mend.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scopecheck import rulebook
from scopecheck.analysis import Analysis, Summary
from scopecheck.checked import checked
from scopecheck.facts import TOO_DEEP
from scopecheck.finding import Fault, Place
from scopecheck.found import finding_of
from scopecheck.project import Project
from scopecheck.repair import with_edits, with_offers
from scopecheck.source import relative
from scopecheck.suppress import suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scopecheck.baseline import Key, Outcome
    from scopecheck.checked import Looked
    from scopecheck.config import Settings
    from scopecheck.facts import ReadError, Suppression
    from scopecheck.files import SuiteFiles
    from scopecheck.finding import Finding
    from scopecheck.kept import Checked
    from scopecheck.repair.bench import Preference
    from scopecheck.repair.rounds import Repaired
    from scopecheck.since import Changes


_RUN_WITH = "run scopecheck with the Python that runs the suite"
# Opt-in, but no fix may bring it: an override that is widened decides by the order of tests.
_NEVER_BROUGHT = frozenset({"session-override-order"})


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
    edits: bool = False,
    prefer: Preference = "",
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
        whole: keep the findings that do not touch the paths, too, and the linked suites.
        edits: make the fixes of the findings; else only what they would do is said.
        prefer: which way scopes are rather changed by a fix.
    """
    start = time.perf_counter()
    project = project or Project(root, settings, jobs)
    chosen = chosen_rules(settings)
    look = _Look(
        project, paths, checked(project, paths, settings, chosen, prefer=prefer, link=whole)
    )
    asked = look.asked(chosen, known, changes, whole=whole)
    findings = asked.findings
    if edits and any(finding.fault.fixes for finding in findings):
        if not look.suites:
            linked = checked(project, paths, settings, chosen, prefer=prefer, link=True)
            look = _Look(project, paths, linked)
            findings = look.asked(chosen, known, changes, whole=whole).findings
        findings = [with_edits(look.bench, one) for one in findings]
    analysis = look.analysis(asked, findings, chosen)
    elapsed = round(time.perf_counter() - start, 3)
    summary = msgspec.structs.replace(analysis.summary, elapsed_s=elapsed)
    return msgspec.structs.replace(analysis, summary=summary)


def told(
    project: Project,
    paths: Sequence[Path],
    looked: Looked,
    *,
    known: Mapping[Key, int] | None = None,
) -> Analysis:
    """What `analyse` would tell of suites that were looked at with its settings and paths."""
    look = _Look(project, paths, looked)
    asked = look.asked(looked.asked.chosen, known)
    return look.analysis(asked, asked.findings, looked.asked.chosen)


def repair(
    paths: Sequence[Path],
    *,
    project: Project,
    settings: Settings,
    known: Mapping[Key, int] | None = None,
    changes: Changes | None = None,
    unsafe: bool = False,
    prefer: Preference = "",
    wanted: Callable[[Finding], bool] | None = None,
    title: str = "",
) -> Repaired:
    """Mend what `analyse` finds, in the project's memory; nothing is written.

    unsafe: with fixes that may change what the tests do. wanted: leaves other findings alone;
    title: of the only fix that may be made. The other arguments are those of `analyse`. A fix is
    proved with all rules of the default set and with those about what fixes are apt to bring,
    whatever is selected.
    """
    from scopecheck.repair import rounds

    chosen = chosen_rules(settings)
    every = chosen | rulebook.default_rules() | _NEVER_BROUGHT

    def again() -> rounds.Look:
        look = _Look(
            project, paths, checked(project, paths, settings, every, prefer=prefer, link=True)
        )
        return rounds.Look(
            tuple(filter(wanted or _any, look.asked(chosen, known, changes).findings)),
            tuple(look.asked(every, whole=True).findings),
            frozenset((s.files.name, item.nodeid) for s in look.suites for item in s.items),
            look.bench,
        )

    return rounds.repair(project, again, unsafe=unsafe, title=title)


def _any(_: Finding) -> bool:
    return True


def chosen_rules(settings: Settings) -> frozenset[str]:
    """The names of the rules that the settings select."""
    return rulebook.choose(
        settings.select, settings.ignore, settings.extend_select, settings.extend_ignore
    )


class _Asked(NamedTuple):
    """The findings asked for, how many are silenced, what a baseline did, and notes for people."""

    findings: list[Finding]
    suppressed: int
    baseline: Outcome | None
    notes: tuple[str, ...]


class _Look:
    """The suites that the paths belong to, and what some rules find in them.

    suites: none where what was found before is used.
    bench: what fixes are made with.
    """

    def __init__(self, project: Project, paths: Sequence[Path], looked: Looked) -> None:
        self._project = project
        self._paths = paths
        self._settings = looked.asked.settings
        self._files = looked.asked.files
        self.suites = looked.suites
        self.made = looked.made
        self.bench = looked.bench
        self._ignores = _PerFileIgnores(self._settings)

    def text(self, path: str) -> str | None:
        """A file's text."""
        source = self._project.load.source(path)
        return None if source is None else source.text

    def asked(
        self,
        rules: frozenset[str],
        known: Mapping[Key, int] | None = None,
        changes: Changes | None = None,
        *,
        whole: bool = False,
    ) -> _Asked:
        """What is found by some of the rules, and is neither silenced nor left out.

        The arguments are those of `analyse`.
        """
        made = self.made
        complete = not made.errors

        def in_force(path: str) -> frozenset[str]:
            return rules - self._ignores.of(path)

        findings, suppressed, notes = self._kept(rules, in_force, complete=complete)
        baseline: Outcome | None = None
        if known is not None:
            from scopecheck.baseline import Scope, apply

            everything = not self._paths or any(path == self._project.root for path in self._paths)
            read = frozenset(made.paths)
            scope = Scope(in_force, lambda path: everything or path in read, self.text, complete)
            baseline = apply(known, findings, scope)
            findings = list(baseline.kept)
        if not whole:
            named = _Named(self._files, made)
            findings = [finding for finding in findings if named.touched(finding)]
        if changes is not None:
            findings = _due(findings, changes, self._project, made)
        return _Asked(findings, suppressed, baseline, notes)

    def analysis(
        self, asked: _Asked, findings: Sequence[Finding], chosen: frozenset[str]
    ) -> Analysis:
        """What the reports get, without how long it took."""
        made, project = self.made, self._project
        return Analysis(
            project.root,
            tuple(findings),
            Summary(
                files=len(made.paths),
                tests=made.tests,
                fixtures=made.fixtures,
                findings=len(findings),
                fixable=sum(1 for finding in findings if finding.fault.fixes),
            ),
            self.text,
            rulebook.rules(),
            asked.baseline,
            tuple(self.suites),
            chosen,
            asked.suppressed,
            asked.notes,
            tuple(relative(project.root, one.config.rootdir) or "." for one in self._files),
        )

    def _kept(
        self, rules: frozenset[str], in_force: Callable[[str], frozenset[str]], *, complete: bool
    ) -> tuple[list[Finding], int, tuple[str, ...]]:
        """What no comment silences, in the order of reports; how much one does; and notes."""
        made, project, settings = self.made, self._project, self._settings
        found = _told_once(finding for finding in made.findings if finding.name in rules)
        unreadable, notes = _unreadable(project, made.errors, rules, settings)
        found.update(dict.fromkeys(unreadable))
        kept = [f for f in found if f.name not in self._ignores.of(f.fault.place.path)]
        outcome = suppress(
            kept,
            {**_silenced_settings(project, kept), **made.suppressions},
            in_force,
            complete=complete,
        )
        engine = [
            with_offers(self.bench, finding_of(rulebook.rules()[name], fault, settings))
            for name, faults in outcome.faults.items()
            for fault in faults
        ]
        findings = sorted((*outcome.kept, *engine), key=lambda f: f.sort_key)
        return findings, outcome.suppressed, notes


def _unreadable(
    project: Project, errors: Mapping[str, ReadError], chosen: frozenset[str], settings: Settings
) -> tuple[list[Finding], tuple[str, ...]]:
    """SCP001 and SCP004: files that could not be parsed or read; and what is said of others.

    A project that requires a newer Python than the running one has nothing to mend in its files:
    they are told in one note. So are those that a conftest may leave out for an older Python.
    """
    if not errors:
        return [], ()
    from scopecheck.newer import is_newer_syntax, newer_python_required

    suites = {
        path: files
        for files in project.discovered
        for path in (*files.test_files, *files.conftests)
    }
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    findings: list[Finding] = []
    excluded: dict[str, list[str]] = {}
    for path, error in errors.items():
        name = "syntax-error" if error.kind == "syntax" else "unreadable-file"
        if name in chosen:
            message, advice = error.message, ""
            parsed = error.kind == "syntax" and error.message != TOO_DEEP
            source = project.load.source(path) if parsed else None
            inside = path in suites
            if source is not None and is_newer_syntax(source.text, unknown=not inside):
                if not inside:
                    # Code that the suite imports runs well there: what it says is not known here.
                    continue
                required = newer_python_required(suites[path].config.rootdir, project.root)
                decides = _deciding(suites[path], path)
                if required or decides:
                    why = f"the project requires {required}"
                    why = why if required else f"`{decides}` decides in code what is collected"
                    excluded.setdefault(why, []).append(path)
                    continue
                message = f"is written for a Python newer than the {version} that reads it here"
                message = f"{message} ({error.message})"
                advice = _RUN_WITH
            fault = Fault(Place(path, error.span), message, path, help=advice)
            findings.append(finding_of(rulebook.rules()[name], fault, settings))
    notes = (
        f"Python {version} cannot read {_some(paths)}, and {why}: "
        f"what stands there is left out; {_RUN_WITH}"
        for why, paths in excluded.items()
    )
    return findings, tuple(notes)


def _deciding(files: SuiteFiles, path: str) -> str:
    """The conftest that may leave a file out by what it computes; empty where there is none."""
    folders = (conftest.removesuffix("conftest.py") for conftest in files.dynamic)
    above = [folder for folder in folders if path.startswith(folder)]
    return f"{max(above, key=len)}conftest.py" if above else ""


def _some(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{len(paths)} files ({min(paths)} is one)"


def _silenced_settings(
    project: Project, findings: Iterable[Finding]
) -> dict[str, tuple[Suppression, ...]]:
    """The suppressions in the configuration files that something was found in."""
    paths = {finding.fault.place.path for finding in findings}
    found = {}
    for path in sorted(path for path in paths if not path.endswith(".py")):
        if (source := project.load.source(path)) is not None:
            from scopecheck.read.comments import plain_suppressions

            found[path] = plain_suppressions(source.text)
    return found


def _told_once(findings: Iterable[Finding]) -> dict[Finding, None]:
    """The findings without those that a test file gives again in another suite that has it."""
    found: dict[object, Finding] = {}
    replace = msgspec.structs.replace
    for finding in findings:
        fault = finding.fault
        key = (finding.name, fault.place, fault.message, fault.symbol)
        before = found.setdefault(key, finding)
        if before is not finding and fault.tests - before.fault.tests:
            tests = before.fault.tests | fault.tests
            found[key] = replace(before, fault=replace(before.fault, tests=tests))
    return dict.fromkeys(found.values())


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
    findings: Sequence[Finding], changes: Changes, project: Project, made: Checked
) -> list[Finding]:
    """The findings that the changes touched or caused."""
    from scopecheck.since import Lines, is_due

    def tests(nodeid: str) -> Iterator[Lines]:
        for test in made.places.get(nodeid, ()):
            if test.last and changes.any_in(test.home):
                yield Lines(test.home, test.first, test.last)

    def extent(place: Place) -> tuple[int, int]:
        line = place.span.line
        around = [
            (function.first_line, function.end_line)
            for function in project.load(place.path).functions
            if function.first_line <= line <= function.end_line
        ]
        return max(around, default=(line, place.span.end_line))

    return [finding for finding in findings if is_due(finding, changes, extent, tests)]


class _Named:
    """The paths that the user named, and which findings touch them."""

    def __init__(self, suites: Sequence[SuiteFiles], made: Checked) -> None:
        named = [entry for files in suites for entry in files.named]
        self._all = not named or any(entry.whole or entry.path in ("", ".") for entry in named)
        self._places = made.places
        self._files = frozenset(entry.path for entry in named)
        self._folders = tuple(f"{entry.path}/" for entry in named)

    def touched(self, finding: Finding) -> bool:
        """Whether one of the finding's places, or a test that it affects, lies in a named path."""
        if self._all:
            return True
        fault = finding.fault
        paths = {fault.place.path, *(place.path for place in fault.related), *fault.searched}
        for nodeid in fault.tests:
            paths.update(test.path for test in self._places.get(nodeid, ()))
        return any(path in self._files or path.startswith(self._folders) for path in paths)
