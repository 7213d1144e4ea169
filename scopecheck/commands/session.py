"""Sets a command up: settings, project and cache; and says what is amiss with them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scopecheck.config import ConfigError, load_settings
from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from scopecheck.analysis import Analysis
    from scopecheck.commands.options import Common, RuleOptions
    from scopecheck.config import LoadedSettings, Settings
    from scopecheck.files import SuiteFiles
    from scopecheck.project import Project


NO_TESTS = "scopecheck: no tests were found; `scopecheck config` says where pytest would look\n"


class Setup(msgspec.Struct, frozen=True):
    """The settings in force, the project under them, and the paths that are meant, whole.

    None of them stands for the root.
    """

    loaded: LoadedSettings
    project: Project
    paths: list[Path] = []


def set_up(arguments: Sequence[str], options: Common, cwd: Path | None = None) -> Setup:
    """The settings that the options and files give, and the project under them.

    cwd: stands for the working directory.

    Raises:
        Refused: a setting is wrong.
    """
    from scopecheck import rulebook
    from scopecheck.project import Project

    try:
        cwd = cwd or Path.cwd()
    except FileNotFoundError:
        raise Refused("the working directory is not there any more") from None
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
    if not paths and cwd.is_relative_to(loaded.root) and cwd != loaded.root:
        paths = [cwd]
    jobs = options.jobs if options.jobs is not None else settings.jobs or 0
    cache = None
    if not options.no_cache:
        from scopecheck.cache import Cache

        cache = Cache(cache_folder(loaded, options), loaded.root)
    project = Project(loaded.root, settings, jobs, cache, settings_file=loaded.file)
    return Setup(loaded, project, paths)


def with_rules(settings: Settings, options: RuleOptions) -> Settings:
    """The settings, with the rules that the options select and leave out."""
    if options.select:
        settings = msgspec.structs.replace(settings, select=options.select)
    return msgspec.structs.replace(
        settings,
        ignore=(*settings.ignore, *options.ignore),
        extend_select=(*settings.extend_select, *options.extend_select),
        extend_ignore=(*settings.extend_ignore, *options.extend_ignore),
    )


def cache_folder(loaded: LoadedSettings, options: Common) -> Path:
    """The cache's folder: an option is seen from the working directory, a setting from the root."""
    if options.cache_dir is not None:
        return Path(os.path.normpath(Path.cwd() / options.cache_dir))
    return Path(os.path.normpath(loaded.root / loaded.settings.cache_dir))


def run_files(setup: Setup, arguments: Sequence[str]) -> list[SuiteFiles]:
    """The suites that `plan` and `config` speak of.

    Named paths are taken as pytest takes its arguments, which decide the configuration in force;
    where pytest would collect nothing for them, they stand for suites as they do for `check`.
    """
    if arguments:
        files = setup.project.as_arguments(Path.cwd(), arguments)
        if files.test_files:
            return [files]
    return setup.project.files(setup.paths)


def save(project: Project, *, quiet: bool) -> None:
    """Keep what was read for the next run."""
    if project.cache is None:
        return
    trouble = project.cache.save()
    if trouble and not quiet:
        sys.stderr.write(f"scopecheck: {trouble}\n")


def say(project: Project, *, quiet: bool) -> None:
    """Tell on stderr what pytest would stop at, and which suites stand for a path."""
    for files in project.discovered:
        for fault in files.config.errors:
            place = seen_from_here(Path(fault.path))
            sys.stderr.write(
                f"scopecheck: {place}:{fault.line}: pytest would stop here: {fault.message}\n"
            )
        if files.config.testpaths_missing and not quiet:
            place = "" if files.config.inifile is None else seen_from_here(files.config.inifile)
            sys.stderr.write(
                f"scopecheck: {place}: nothing that `testpaths` names exists "
                f"({' '.join(files.config.testpaths)}); pytest collects the whole folder\n"
            )
        suite = os.path.relpath(files.config.rootdir, project.root)
        for entry in files.named:
            if entry.whole and not quiet:
                place = seen_from_here(project.root / entry.path)
                sys.stderr.write(
                    f"scopecheck: {place} has no tests below it; analysing the suite {suite}\n"
                )


def say_notes(analysis: Analysis) -> None:
    """Tell on stderr what concerns the run as a whole."""
    for note in analysis.notes:
        sys.stderr.write(f"scopecheck: {note}\n")


def seen_from_here(path: Path) -> str:
    """A path as seen from the working directory, whole where it lies elsewhere."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def say_more(project: Project) -> None:
    """Tell on stderr what was read of each suite, and why."""
    from scopecheck.report import settings as settings_report

    for files in project.discovered:
        described = settings_report.describe(project, files)
        for line in settings_report.suite_lines(described):
            sys.stderr.write(f"{line}\n")


def open_output(file: Path | None) -> AbstractContextManager[TextIO]:
    """The stream to write to, standard output for None.

    Raises:
        Refused: the file cannot be written.
    """
    from scopecheck.report.outputs import OutputError, opened

    try:
        return opened(file)
    except OutputError as error:
        raise Refused(str(error)) from None
