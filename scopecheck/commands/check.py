"""Carries out `check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from scopecheck.commands.accepted import add_ignores, baseline_file, known_findings, use_baseline
from scopecheck.commands.session import NO_TESTS, save, say, say_more, say_notes, set_up, with_rules
from scopecheck.config import ConfigError
from scopecheck.files import DiscoveryError
from scopecheck.project import Project
from scopecheck.rulebook import UnknownRuleError
from scopecheck.source import SourceError, decode, relative
from scopecheck.status import FOUND, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scopecheck.analysis import Analysis
    from scopecheck.baseline import Key
    from scopecheck.commands.options import CheckOptions
    from scopecheck.commands.session import Setup
    from scopecheck.repair.rounds import Repaired
    from scopecheck.report.outputs import Output
    from scopecheck.since import Changes

Done = TypeVar("Done")


def run(arguments: Sequence[str], options: CheckOptions) -> int:
    """`scopecheck check`; the exit status."""
    if options.watch:
        from scopecheck.commands.watch import watch

        once = msgspec.structs.replace(options, watch=False)
        return watch(arguments, options, lambda: run(arguments, once))
    from scopecheck.report.outputs import OutputError, pair, with_edits

    try:
        outputs = pair(options.outputs)
    except OutputError as error:
        raise Refused(str(error)) from None
    if options.add_ignore and (options.update_baseline or options.stdin_filename is not None):
        other = "--update-baseline" if options.update_baseline else "standard input"
        raise Refused(f"--add-ignore does not go with {other}: it writes into the files")
    _check_fix_options(options)
    stdin = _stdin(arguments, options)
    if stdin is not None:
        arguments = [str(options.stdin_filename)]
    setup = set_up(arguments, options)
    work = _Work(setup, options, stdin, edits=with_edits(outputs))
    if options.show_files:
        for path in _files(setup.project, setup.paths):
            sys.stdout.write(f"{path}\n")
        return 0
    baseline = baseline_file(setup.loaded, options)
    work.known = known_findings(baseline, options)
    work.changes = _changes_asked_for(setup.project.root, options)
    try:
        if options.fix or options.diff:
            from scopecheck.commands.mend import mend

            status = mend(work.surely(work.repair), work.project, options)
            if status is not None:
                return status
            # What changed since a revision has changed again.
            work.changes = _changes_asked_for(setup.project.root, options, again=True)
        analysis = work.surely(work.analyse)
    except (ConfigError, DiscoveryError, UnknownRuleError) as error:
        raise Refused(str(error)) from None
    project = work.project
    save(project, quiet=options.quiet)
    say(project, quiet=options.quiet)
    say_notes(analysis)
    if options.verbose:
        say_more(project)
    if baseline is not None:
        analysis = use_baseline(baseline, work.known or {}, analysis, options)
    if options.add_ignore:
        analysis = add_ignores(project, analysis, options)
    _write(analysis, outputs, options)
    return FOUND if analysis.findings and not options.exit_zero else 0


class _Work:
    """What a check does with the project, by the options that it was called with.

    known, changes: what a baseline knows, and what changed since a revision, where one is named.
    """

    def __init__(
        self, setup: Setup, options: CheckOptions, stdin: bytes | None, *, edits: bool
    ) -> None:
        self.project = setup.project
        self.known: dict[Key, int] | None = None
        self.changes: Changes | None = None
        self._setup = setup
        self._options = options
        self._stdin = stdin
        self._edits = edits
        self._provide()

    def analyse(self) -> Analysis:
        """What is found, with the edits of fixes if a report has them."""
        from scopecheck.run import analyse

        return analyse(
            self._setup.paths,
            root=self.project.root,
            project=self.project,
            edits=self._edits,
            **self._asked(),
        )

    def repair(self) -> Repaired:
        """What is mended, and what is left."""
        from scopecheck.run import repair

        unsafe = self._options.unsafe_fixes
        return repair(self._setup.paths, project=self.project, unsafe=unsafe, **self._asked())

    def surely(self, work: Callable[[], Done]) -> Done:
        """What the work gives; where it stops, without what was kept from the last run."""
        try:
            return work()
        except (ConfigError, DiscoveryError, UnknownRuleError):
            raise
        except Exception:
            project = self.project
            if project.cache is None:
                raise
            # Facts that were kept, and are whole, may be wrong all the same.
            self.project = Project(
                project.root,
                project.settings,
                project.load.jobs,
                settings_file=project.settings_file,
            )
            self._provide()
            return work()

    def _asked(self) -> dict[str, Any]:
        return {
            "settings": with_rules(self._setup.loaded.settings, self._options),
            "known": self.known,
            "changes": self.changes,
            "prefer": self._options.prefer,
        }

    def _provide(self) -> None:
        """Hand the project the text of the file that standard input is."""
        if self._stdin is None:
            return
        path = relative(self.project.root, self._setup.paths[0])
        try:
            self.project.load.provide(path, decode(path, self._stdin))
        except SourceError as error:
            raise Refused(f"{path} {error.message}") from None


def _check_fix_options(options: CheckOptions) -> None:
    if options.unsafe_fixes and not (options.fix or options.diff):
        raise Refused("--unsafe-fixes goes with --fix or --diff")
    if options.fix and not options.diff and options.stdin_filename is not None:
        raise Refused("--fix does not go with standard input: it writes into the files")
    for given, name in (
        (options.outputs, "--output-format"),
        (options.add_ignore, "--add-ignore"),
        (options.update_baseline, "--update-baseline"),
    ):
        if options.diff and given:
            raise Refused(f"--diff prints a diff, and does not go with {name}")


def _stdin(arguments: Sequence[str], options: CheckOptions) -> bytes | None:
    if "-" not in arguments:
        if options.stdin_filename is not None:
            raise Refused("--stdin-filename goes with `-` as the only path")
        return None
    if len(arguments) > 1 or options.stdin_filename is None:
        raise Refused("`-` stands alone, and takes --stdin-filename to say which file it is")
    if sys.stdin is None:
        raise Refused("standard input is closed")
    return sys.stdin.buffer.read()


def _files(project: Project, paths: Sequence[Path]) -> list[str]:
    try:
        project.suites(paths)
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    return project.own_files


def _changes_asked_for(root: Path, options: CheckOptions, *, again: bool = False) -> Changes | None:
    """What changed since the revision that --since names."""
    if options.since is None:
        return None
    from scopecheck.since import SinceError, changes_since

    try:
        changes = changes_since(root, options.since)
    except SinceError as error:
        raise Refused(str(error)) from None
    if changes.note and not options.quiet and not again:
        sys.stderr.write(f"scopecheck: {changes.note}\n")
    return changes


def _write(analysis: Analysis, outputs: Sequence[Output], options: CheckOptions) -> None:
    from scopecheck.report.outputs import OutputError, write_all

    try:
        write_all(analysis, outputs, colors=options.color, statistics=options.statistics)
    except OutputError as error:
        raise Refused(str(error)) from None
    if not analysis.summary.tests and not analysis.findings:
        sys.stderr.write(NO_TESTS)
