"""Carries out the commands: settings, a run, and its report on the right stream."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from scopecheck.cli import FOUND, Refused
from scopecheck.config import ConfigError, load_settings
from scopecheck.files import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from scopecheck.analysis import Analysis
    from scopecheck.baseline import Key, Outcome
    from scopecheck.config import LoadedSettings, Settings
    from scopecheck.files import SuiteFiles
    from scopecheck.finding import Finding
    from scopecheck.fix.diff import Change
    from scopecheck.project import Project
    from scopecheck.repair.bench import Preference
    from scopecheck.report.outputs import Output
    from scopecheck.since import Changes
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Item


class Common(msgspec.Struct, frozen=True):
    """The options that say which settings are in force."""

    config: Path | None = None
    isolated: bool = False
    root: Path | None = None
    python: str | None = None
    exclude: tuple[str, ...] = ()
    jobs: int | None = None
    no_cache: bool = False
    cache_dir: Path | None = None


class RuleOptions(Common, frozen=True):
    """The options that say which rules are in force."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    extend_ignore: tuple[str, ...] = ()
    preview: bool = False


class Options(RuleOptions, frozen=True):
    """The options of `check`."""

    outputs: tuple[tuple[str, str], ...] = ()
    baseline: Path | None = None
    update_baseline: bool = False
    since: str | None = None
    add_ignore: bool = False
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    prefer: Preference = ""
    statistics: bool = False
    exit_zero: bool = False
    stdin_filename: Path | None = None
    show_files: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"


class AuditOptions(RuleOptions, frozen=True):
    """The options of `audit`."""

    outputs: tuple[tuple[str, str], ...] = ()
    color: str = "auto"


class PlanOptions(Common, frozen=True):
    """The options of `plan`."""

    output_format: str = "text"
    output_file: Path | None = None
    cost: bool = False
    changes: tuple[str, ...] = ()


class ConfigOptions(Common, frozen=True):
    """The options of `config`."""

    schema: bool = False
    output_format: str = "text"


class MigrateOptions(Common, frozen=True):
    """The options of `migrate`. diff: the files stay as they are."""

    to: str = ""
    diff: bool = True
    color: str = "auto"


class _Setup(msgspec.Struct, frozen=True):
    loaded: LoadedSettings
    project: Project
    paths: list[Path] = []


def check(arguments: Sequence[str], options: Options) -> int:
    """`scopecheck check`; the exit status."""
    from scopecheck import rulebook
    from scopecheck.project import Project
    from scopecheck.report.outputs import OutputError, pair, with_edits
    from scopecheck.run import analyse

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
    setup = _setup(arguments, options)
    settings = _with_rules(setup.loaded.settings, options)
    project = setup.project
    if stdin is not None:
        _provide(project, setup.paths[0], stdin)
    if options.show_files:
        for path in _files(project, setup.paths):
            sys.stdout.write(f"{path}\n")
        return 0
    baseline = _baseline(setup.loaded, options)
    known = _known(baseline, options)
    asked: dict[str, Any] = {
        "settings": settings,
        "known": known,
        "changes": _changes(project.root, options),
        "prefer": options.prefer,
    }
    edits = with_edits(outputs)

    def analysed(project: Project) -> Analysis:
        return analyse(setup.paths, root=project.root, project=project, edits=edits, **asked)

    try:
        if options.fix or options.diff:
            from scopecheck.mending import mend

            status = mend(setup.paths, project, options, asked)
            if status is not None:
                return status
            # What changed since a revision has changed again.
            asked["changes"] = _changes(project.root, options, again=True)
        try:
            analysis = analysed(project)
        except (ConfigError, DiscoveryError, rulebook.UnknownRuleError):
            raise
        except Exception:
            if project.cache is None:
                raise
            # Facts that were kept, and are whole, may be wrong all the same.
            project = Project(project.root, project.settings, project.load.jobs)
            analysis = analysed(project)
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    except rulebook.UnknownRuleError as error:
        raise Refused(str(error)) from None
    _save(project, quiet=options.quiet)
    _say(project, quiet=options.quiet)
    if options.verbose:
        _say_more(project)
    if baseline is not None:
        analysis = _use_baseline(baseline, known or {}, analysis, options)
    if options.add_ignore:
        analysis = _add_ignores(project, analysis, options)
    _write(analysis, outputs, options)
    return FOUND if analysis.findings and not options.exit_zero else 0


def _check_fix_options(options: Options) -> None:
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


def _with_rules(settings: Settings, options: RuleOptions) -> Settings:
    """The settings, with the rules that the options select and leave out."""
    if options.select:
        settings = msgspec.structs.replace(settings, select=options.select)
    return msgspec.structs.replace(
        settings,
        ignore=(*settings.ignore, *options.ignore),
        extend_select=(*settings.extend_select, *options.extend_select),
        extend_ignore=(*settings.extend_ignore, *options.extend_ignore),
    )


def audit(arguments: Sequence[str], options: AuditOptions) -> int:
    """`scopecheck audit`; the exit status."""
    from scopecheck import rulebook
    from scopecheck.audit import audit as validate
    from scopecheck.report.audit import writer
    from scopecheck.report.outputs import OutputError, pair, wants_color
    from scopecheck.run import analyse

    try:
        outputs = pair(options.outputs, "text")
    except OutputError as error:
        raise Refused(str(error)) from None
    setup = _setup(arguments, options)
    project = setup.project
    try:
        analysis = analyse(
            setup.paths,
            root=project.root,
            settings=_with_rules(setup.loaded.settings, options),
            project=project,
            whole=True,
        )
    except (ConfigError, DiscoveryError, rulebook.UnknownRuleError) as error:
        raise Refused(str(error)) from None
    _save(project, quiet=False)
    _say(project, quiet=False)
    found = validate(analysis)
    for output in outputs:
        with _opened(output.file) as stream:
            color = output.file is None and wants_color(options.color, stream)
            writer(output.format)(found, analysis, stream, color=color)
    return FOUND if found.count("failed") else 0


def plan(arguments: Sequence[str], options: PlanOptions) -> int:
    """`scopecheck plan`; the exit status."""
    from scopecheck.plan import plan_json, plan_text

    suites, chosen = _asked_for(arguments, options)
    if options.cost or options.changes:
        text = _costs(suites, options)
    else:
        text = (plan_json if options.output_format == "json" else plan_text)(suites, chosen)
    with _opened(options.output_file) as stream:
        stream.write(text)
    return 0


def graph(arguments: Sequence[str], options: PlanOptions) -> int:
    """`scopecheck graph`; the exit status."""
    from scopecheck.graph import graph_of
    from scopecheck.report.graph import writer

    suites, chosen = _asked_for(arguments, options)
    wanted = {item for _, item in chosen}
    found = graph_of(suites, lambda _, item: item in wanted)
    with _opened(options.output_file) as stream:
        writer(options.output_format)(found, stream)
    return 0


def events(arguments: Sequence[str], options: PlanOptions) -> int:
    """`scopecheck events`; the exit status."""
    from scopecheck.events import events_of
    from scopecheck.report.events import writer

    suites, chosen = _asked_for(arguments, options)
    with _opened(options.output_file) as stream:
        stream.write(writer(options.output_format)(events_of(suites, chosen)))
    return 0


def _asked_for(
    arguments: Sequence[str], options: PlanOptions
) -> tuple[list[Suite], list[tuple[Suite, Item]]]:
    """The suites that files, folders and node ids stand for, and their tests that are meant."""
    # A plan is the same for every parametrization of a test.
    arguments = [argument.partition("[")[0] for argument in arguments]
    names = [argument.partition("::")[0] for argument in arguments]
    wanted = [argument for argument in arguments if "::" in argument]
    setup = _setup(names, options)
    try:
        suites = [setup.project.link(files) for files in _run_files(setup, names)]
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    _save(setup.project, quiet=False)
    _say(setup.project, quiet=False)
    root = setup.project.root
    chosen = [
        (suite, item)
        for suite in suites
        for item in suite.items
        if _is_named(item.path, item.nodeid, setup.paths, names, wanted, root, suite.files.named)
    ]
    if wanted and not chosen:
        raise Refused(f"no test that pytest collects is called {wanted[0]}")
    return suites, chosen


def _costs(suites: Sequence[Suite], options: PlanOptions) -> str:
    """What `--cost` and `--if` ask for."""
    from scopecheck.report import costs as report

    rows: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []
    refused = ""
    for suite in suites:
        rows += report.costs(suite) if options.cost else []
        try:
            wanted = [report.parse_change(text) for text in options.changes]
            asked += report.changes(suite, wanted)
        except report.ChangeError as error:
            refused = str(error)
    if refused and not asked:
        raise Refused(refused)
    if options.output_format != "json":
        return report.text(rows, asked)
    document = {"version": 1, "fixtures": rows, "if": asked}
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"


def _run_files(setup: _Setup, arguments: Sequence[str]) -> list[SuiteFiles]:
    """The suites that `plan` and `config` speak of.

    Named paths are taken as pytest takes its arguments, which decide the configuration in force;
    where pytest would collect nothing for them, they stand for suites as they do for `check`.
    """
    if arguments:
        files = setup.project.as_arguments(Path.cwd(), arguments)
        if files.test_files:
            return [files]
    return setup.project.files(setup.paths)


def _is_named(
    path: str,
    nodeid: str,
    paths: Sequence[Path],
    names: Sequence[str],
    wanted: Sequence[str],
    root: Path,
    named: Sequence[Any],
) -> bool:
    if not paths or any(entry.whole for entry in named):
        return True
    file = (root / path).absolute()
    for found, name in zip(paths, names, strict=True):
        if not (file == found or found in file.parents):
            continue
        inner = [w.partition("::")[2] for w in wanted if w.partition("::")[0] == name]
        rest = nodeid.partition("::")[2]
        if not inner or any(rest == i or rest.startswith(f"{i}::") for i in inner):
            return True
    return False


def rule(selector: str | None, output_format: str) -> int:
    """`scopecheck rule`; the exit status."""
    from scopecheck import rulebook

    if selector is None:
        rules = list(rulebook.rules().values())
    else:
        try:
            rules = [rulebook.find(selector)]
        except rulebook.UnknownRuleError as error:
            raise Refused(str(error)) from None
    if output_format == "json":
        documents = [_rule_document(found) for found in rules]
        document: Any = documents if selector is None else documents[0]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    elif selector is None and output_format == "markdown":
        sys.stdout.write("| code | rule | finds | default |\n| --- | --- | --- | --- |\n")
        for found in rules:
            page = f"[{found.name}](rules/{found.name}.md)"
            sys.stdout.write(f"| {found.code} | {page} | {found.summary} | {found.default} |\n")
    elif selector is None:
        width = max(len(found.name) for found in rules)
        for found in rules:
            sys.stdout.write(
                f"{found.code}  {found.name:<{width}}  {found.default:<7}  {found.summary}\n"
            )
    elif sys.stdout.isatty() and output_format == "text":
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(rules[0].text))
    else:
        sys.stdout.write(rules[0].text)
    return 0


def _rule_document(rule: Any) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "summary": rule.summary,
        "default": rule.default,
        "certainty": rule.certainty,
        "severity": rule.severity,
        "fix": rule.fix,
        "since": rule.since,
        "documentation": rule.text,
    }


def config(arguments: Sequence[str], options: ConfigOptions) -> int:
    """`scopecheck config`; the exit status."""
    from scopecheck.config import settings_schema
    from scopecheck.report import settings as settings_report

    if options.schema:
        schema = msgspec.json.format(msgspec.json.encode(settings_schema())).decode()
        sys.stdout.write(schema + "\n")
        return 0
    setup = _setup(arguments, options)
    try:
        suites = _run_files(setup, arguments)
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    document = settings_report.document(setup.loaded, setup.project, suites)
    if options.output_format == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    else:
        sys.stdout.write(settings_report.text(document))
    return 0


def clean(options: Common) -> int:
    """`scopecheck clean`; the exit status."""
    from scopecheck.cache import CacheFolder

    loaded = _setup((), options).loaded
    folder = CacheFolder(_cache_folder(loaded, options), loaded.root)
    try:
        removed = folder.clean()
    except ValueError as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"{folder.path} cannot be removed: {error.strerror or error}") from None
    shown = os.path.relpath(folder.path)
    sys.stdout.write(f"removed {shown}\n" if removed else f"{shown}: there is no cache\n")
    return 0


def migrate(what: str, arguments: Sequence[str], options: MigrateOptions) -> int:
    """`scopecheck migrate`; the exit status."""
    from scopecheck.fix import files
    from scopecheck.migrate import check_version
    from scopecheck.migrate import migrate as move
    from scopecheck.report import migration as report

    try:
        check_version(options.to)
    except ValueError as error:
        raise Refused(str(error)) from None
    setup = _setup(arguments, options)
    try:
        migration = move(setup.project, setup.paths, options.to)
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    _say(setup.project, quiet=False)
    for name in migration.skipped:
        sys.stderr.write(f"scopecheck: the suite {name} does not use {what}\n")
    if options.diff:
        print_diff(migration.changes, setup.project.root, options.color)
        sys.stderr.write(report.text(migration))
    else:
        try:
            files.write(setup.project.root, migration.changes)
        except files.Refused as error:
            raise Refused(str(error)) from None
        sys.stdout.write(report.text(migration, written=True))
    undone = migration.changes if options.diff else ()
    return FOUND if undone or migration.left else 0


def print_diff(changes: Sequence[Change], root: Path, color: str) -> None:
    """Print changes below a root as a diff, byte for byte."""
    from scopecheck.report.diffs import diff

    text = diff(changes, _place_in_repository(root), color=_color(color, sys.stdout))
    sys.stdout.flush()
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _place_in_repository(root: Path) -> str:
    """What stands before a path below the root in the diffs of its repository, with a `/`."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            place = os.path.relpath(root, folder).replace(os.sep, "/")
            return "" if place == "." else f"{place}/"
    return ""


# -- settings and paths ------------------------------------------------------------------------


def _setup(arguments: Sequence[str], options: Common) -> _Setup:
    from scopecheck import rulebook
    from scopecheck.project import Project

    cwd = Path.cwd()
    paths = [Path(os.path.normpath(cwd / argument)) for argument in arguments]
    rules = rulebook.rules()
    known = {*rules, *(rule.code for rule in rules.values())}
    try:
        loaded = load_settings(
            paths,
            config=options.config,
            isolated=options.isolated,
            root=options.root,
            cwd=cwd,
            known_rules=known,
        )
    except ConfigError as error:
        raise Refused(str(error)) from None
    settings = loaded.settings
    if options.python is not None:
        settings = msgspec.structs.replace(settings, python=str(cwd / options.python))
    if options.exclude:
        exclude = (*settings.exclude, *options.exclude)
        settings = msgspec.structs.replace(settings, exclude=exclude)
    loaded = msgspec.structs.replace(loaded, settings=settings)
    jobs = options.jobs if options.jobs is not None else settings.jobs or 0
    cache = None
    if not options.no_cache:
        from scopecheck.cache import Cache

        cache = Cache(_cache_folder(loaded, options), loaded.root)
    return _Setup(loaded, Project(loaded.root, settings, jobs, cache), paths)


def _cache_folder(loaded: LoadedSettings, options: Common) -> Path:
    """The cache's folder: an option is seen from the working directory, a setting from the root."""
    if options.cache_dir is not None:
        return Path(os.path.normpath(Path.cwd() / options.cache_dir))
    return Path(os.path.normpath(loaded.root / loaded.settings.cache_dir))


def _save(project: Project, *, quiet: bool) -> None:
    """Keep what was read for the next run."""
    if project.cache is None:
        return
    trouble = project.cache.save()
    if trouble and not quiet:
        sys.stderr.write(f"scopecheck: {trouble}\n")


def _stdin(arguments: Sequence[str], options: Options) -> bytes | None:
    if "-" not in arguments:
        if options.stdin_filename is not None:
            raise Refused("--stdin-filename goes with `-` as the only path")
        return None
    if len(arguments) > 1 or options.stdin_filename is None:
        raise Refused("`-` stands alone, and takes --stdin-filename to say which file it is")
    return sys.stdin.buffer.read()


def _provide(project: Project, file: Path, data: bytes) -> None:
    from scopecheck.source import SourceError, decode

    relative = os.path.relpath(file, project.root).replace(os.sep, "/")
    try:
        project.load.provide(relative, decode(relative, data))
    except SourceError as error:
        raise Refused(f"{relative} {error.message}") from None


def _files(project: Project, paths: Sequence[Path]) -> list[str]:
    try:
        project.suites(paths)
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    return project.own_files


def _say(project: Project, *, quiet: bool) -> None:
    """Tell on stderr what pytest would stop at, and which suites stand for a path."""
    for files in project.discovered:
        for fault in files.config.errors:
            place = os.path.relpath(fault.path, project.root)
            sys.stderr.write(
                f"scopecheck: {place}:{fault.line}: pytest would stop here: {fault.message}\n"
            )
        suite = os.path.relpath(files.config.rootdir, project.root)
        for entry in files.named:
            if entry.whole and not quiet:
                sys.stderr.write(
                    f"scopecheck: {entry.path} has no tests below it; analysing the suite {suite}\n"
                )


def _say_more(project: Project) -> None:
    """Tell on stderr what was read of each suite, and why."""
    from scopecheck.report import settings as settings_report

    for files in project.discovered:
        described = settings_report.describe(project, files)
        for line in settings_report.suite_lines(described):
            sys.stderr.write(f"{line}\n")


# -- what is known, and what is asked for ----------------------------------------------------------


def _baseline(loaded: LoadedSettings, options: Options) -> Path | None:
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


def _known(baseline: Path | None, options: Options) -> dict[Key, int] | None:
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


def _use_baseline(
    file: Path, known: dict[Key, int], analysis: Analysis, options: Options
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


def _add_ignores(project: Project, analysis: Analysis, options: Options) -> Analysis:
    """Writes suppressions for all that is found; what is left is what they cannot silence."""
    from scopecheck.fix import files
    from scopecheck.report.text import counted
    from scopecheck.silence import silence

    silenced = silence(analysis.findings, project.load.source)
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


def _changes(root: Path, options: Options, *, again: bool = False) -> Changes | None:
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


# -- output --------------------------------------------------------------------------------------


def _write(analysis: Analysis, outputs: Sequence[Output], options: Options) -> None:
    from scopecheck.report.outputs import OutputError, write_all

    try:
        write_all(analysis, outputs, colors=options.color, statistics=options.statistics)
    except OutputError as error:
        raise Refused(str(error)) from None
    if not analysis.summary.tests and not analysis.findings:
        sys.stderr.write(
            "scopecheck: no tests were found; `scopecheck config` says where pytest would look\n"
        )


def _opened(file: Path | None) -> AbstractContextManager[TextIO]:
    from scopecheck.report.outputs import OutputError, opened

    try:
        return opened(file)
    except OutputError as error:
        raise Refused(str(error)) from None


def _color(wanted: str, stream: TextIO) -> bool:
    from scopecheck.report.outputs import wants_color

    return wants_color(wanted, stream)
