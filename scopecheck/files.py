"""Turns the paths that a user names into suites: the files that one run of pytest collects each.

A suite is what `cd FOLDER && pytest` collects. Which folders those are, under a project's root:

* The root itself, whether it configures pytest or not. If a configuration file above the root is in
  force there, it is in force for us too.
* A folder below with a pytest table of its own (`packages/a/pyproject.toml` with
  `[tool.pytest.ini_options]`) that no run from further out collects: because the root's `testpaths`
  name other folders (a repository with `src/integrations/*`, each tested in its own folder), or
  because nothing further out configures pytest, so that the run from the root would run its tests
  without their settings.
* The same for a folder with a bare `pyproject.toml` or `setup.py`, if the folder further out is no
  project at all: no such file, no configuration and no conftest.

If a run from further out does collect such a folder's tests, they belong to the suite further out,
and the folder's table is one that only some invocations use; it is kept in `config.ignored`. What
a configuration leaves out by name (`norecursedirs`, `collect_ignore`, `--ignore`) is not looked
through for suites: such folders hold samples that are meant to fail.

A path stands for the outermost suite that collects it. If none does, it is added to the arguments
of the nearest one, as if named to pytest, provided there are tests or conftests below it; a path
without any (`src/` beside `tests/`) stands for the whole suite of its project. So the same file
belongs to the same suite whatever else is named.

Files that the settings leave out (`exclude`, and with `respect-gitignore` what git ignores) are not
collected, although pytest would. Their conftests still count for the files that remain.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scopecheck.exclude import Excluder
from scopecheck.pytest_config import PytestConfig, absolute, read_pytest_config
from scopecheck.pytest_files import ConfigFiles, Shadowed, differences, version_pair
from scopecheck.walk import ConftestIgnores, Skipped, Walker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from scopecheck.config import Settings

__all__ = ["ConftestIgnores", "DiscoveryError", "Named", "Skipped", "SuiteFiles", "discover"]


class DiscoveryError(Exception):
    """A named path that does not exist, or belongs to no suite."""


class Named(msgspec.Struct, frozen=True, order=True):
    """A path that a user named, relative to the root.

    whole: no test file or conftest lies below it, so it stands for its project's whole suite.
    """

    path: str
    whole: bool


class SuiteFiles(msgspec.Struct, frozen=True):
    """The files of one suite, by paths relative to the root.

    name: the folder in which pytest runs; empty if there is only one suite.
    test_files: what pytest collects, in its order.
    conftests: those of the folders that are walked and above, in the order they are met.
    startup_conftests: those loaded before anything is collected, in order.
    unmatched: `.py` files in walked test folders that `python_files` does not name.
    skipped: what was not entered, and why.
    dynamic: conftests that decide in code what is collected.
    named: the paths the user named that stand for this suite.
    """

    config: PytestConfig
    name: str
    test_files: tuple[str, ...]
    conftests: tuple[str, ...]
    startup_conftests: tuple[str, ...]
    unmatched: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    dynamic: tuple[str, ...] = ()
    named: tuple[Named, ...] = ()


def discover(
    root: Path,
    paths: Sequence[Path],
    settings: Settings,
    versions: Callable[[Path], str],
    conftest_ignores: Callable[[Path], ConftestIgnores],
    texts: Mapping[Path, str] | None = None,
    unsaved: Collection[Path] = (),
) -> list[SuiteFiles]:
    """The suites that the paths stand for, in the order of their folders.

    versions: pytest's version for a folder; conftest_ignores: what a conftest leaves out; texts:
    of configuration files, in place of what is on disk; unsaved: test files that are not on the
    disk yet, whose text is known from elsewhere. No path stands for the root.

    Raises:
        DiscoveryError: a path does not exist, or belongs to no suite.
    """
    discovery = _Discovery(absolute(root), settings, versions, conftest_ignores, texts, unsaved)
    return discovery.suites(paths)


def collect_as_pytest(
    invocation_dir: Path,
    args: Sequence[str],
    version: str,
    conftest_ignores: Callable[[Path], ConftestIgnores],
    root: Path | None = None,
) -> SuiteFiles:
    """What `cd INVOCATION_DIR && pytest ARGS` collects.

    Paths are relative to `root`; to pytest's rootdir where none is given.
    """
    config = read_pytest_config(invocation_dir, args, version, ConfigFiles())
    return collect_configured(config, conftest_ignores, root or config.rootdir)


def collect_configured(
    config: PytestConfig,
    conftest_ignores: Callable[[Path], ConftestIgnores],
    root: Path,
    exclude: Sequence[str] = (),
    named: Sequence[Named] = (),
) -> SuiteFiles:
    """What a run of pytest with this configuration collects.

    exclude: patterns of what to leave out, seen from the root. named: kept in the result.
    """
    run = _Run(config, conftest_ignores, Excluder(root, exclude, False), _never)
    run.collect(_existing(config))
    return run.result(root, config, "", named)


def _never(_: str) -> bool:
    return False


class _Run:
    """One run of pytest, and what it collects."""

    def __init__(
        self,
        config: PytestConfig,
        conftest_ignores: Callable[[Path], ConftestIgnores],
        excluder: Excluder,
        stop: Callable[[str], bool],
    ) -> None:
        self.config = config
        self.arguments: list[Path] = []
        self.named: dict[Named, None] = {}
        self.widened = False
        self.walker = Walker(config, lambda path: conftest_ignores(Path(path)), excluder, stop)
        self.walk = self.walker.walk

    def collect(self, arguments: Sequence[Path]) -> None:
        """Collects what the configuration says."""
        self.arguments += arguments
        self.walker.collect(arguments)

    def widen(self, path: Path) -> None:
        """Collects a path that the configuration leaves out, but that the user named."""
        self.widened = True
        self.collect([path])

    def reaches(self, path: Path) -> bool:
        """Whether the run looks at this path, or at something below it."""
        name = str(path)
        if path.is_file():
            return str(path.parent) in self.walk.folders or name in self.walk.test_files
        inside = name.rstrip(os.sep) + os.sep
        return name in self.walk.folders or any(
            one.startswith(inside) for one in (*self.walk.folders, *self.walk.test_files)
        )

    def ignored_by_git(self, path: Path) -> bool:
        """Whether the run would collect this file if git did not ignore it."""
        name = str(path)
        return any(one.path == name and one.reason == "gitignored" for one in self.walk.skipped)

    def holds_tests(self, path: Path) -> bool:
        """Whether the run collects a test file or conftest at or below this path."""
        name = str(path)
        inside = name.rstrip(os.sep) + os.sep
        return any(
            one == name or one.startswith(inside)
            for one in (*self.walk.test_files, *self.walk.conftests)
        )

    def result(
        self, root: Path, config: PytestConfig, name: str, named: Sequence[Named]
    ) -> SuiteFiles:
        """The run's files, with paths relative to the root."""
        walk = self.walk
        relative = _Relative(root)
        return SuiteFiles(
            config=config,
            name=name,
            test_files=relative.all(walk.test_files),
            conftests=relative.all(walk.conftests),
            startup_conftests=relative.all(self.walker.startup_conftests(self.arguments)),
            unmatched=relative.all(walk.unmatched),
            skipped=tuple(Skipped(relative(one.path), one.reason) for one in walk.skipped),
            dynamic=relative.all(walk.dynamic),
            named=tuple(named),
        )


class _Discovery:
    def __init__(
        self,
        root: Path,
        settings: Settings,
        versions: Callable[[Path], str],
        conftest_ignores: Callable[[Path], ConftestIgnores],
        texts: Mapping[Path, str] | None,
        unsaved: Collection[Path],
    ) -> None:
        self._root = root
        self._unsaved = frozenset(
            path for path in unsaved if path.suffix == ".py" and path.name != "conftest.py"
        )
        self._versions = versions
        self._conftest_ignores = conftest_ignores
        self._excluder = Excluder(root, settings.exclude, settings.respect_gitignore)
        self._files = ConfigFiles(texts)
        self._runs: dict[Path, _Run] = {}

    def suites(self, paths: Sequence[Path]) -> list[SuiteFiles]:
        for given in paths:
            path = absolute(Path(str(given).split("::", 1)[0]))
            if not (path.exists() or path in self._unsaved):
                raise DiscoveryError(f"{given}: no such file or folder")
            self._name(path)
        if not paths:
            self._name(self._root)
        runs = {
            folder: run
            for folder, run in sorted(self._runs.items())
            if run.named and (run.walk.test_files or run.walk.conftests)
        }
        for given in paths:
            path = absolute(Path(str(given).split("::", 1)[0]))
            shown = _Relative(self._root)(str(path))
            if not any(named.path == shown for run in runs.values() for named in run.named):
                raise DiscoveryError(
                    f"{given}: belongs to no suite: no test file or conftest found"
                )
        alone = len(runs) == 1
        return [
            run.result(
                self._root,
                self._with_ignored(run),
                "" if alone else _Relative(self._root)(str(folder)),
                tuple(run.named),
            )
            for folder, run in runs.items()
        ]

    def _name(self, path: Path) -> None:
        """Finds the suites that a path stands for, and says so in them."""
        run = self._owner(path)
        shown = _Relative(self._root)(str(path))
        nested: list[_Run] = []
        if self._excluder.is_excluded(str(path)):
            run.named[Named(shown, False)] = None
            return
        if path.is_dir():
            if not run.reaches(path):
                run.widen(path)
            nested = self._nested(path, run)
        elif path in self._unsaved and run.walker.matches(str(path)):
            if str(path.parent) in run.walk.folders:
                run.walk.test_files[str(path)] = None
            else:
                run.widen(path)
        elif not run.reaches(path) or run.ignored_by_git(path):
            if path.name == "conftest.py":
                run.widen(path.parent)
            elif path.suffix == ".py" and run.walker.matches(str(path)):
                run.widen(path)
        some = run.holds_tests(path)
        if some or not any(one.walk.test_files for one in nested):
            run.named[Named(shown, path.is_dir() and not some)] = None
        for one in nested:
            one.named[Named(shown, False)] = None

    def _owner(self, path: Path) -> _Run:
        """The outermost run that looks at a path, else the one of the nearest folder."""
        folder = path if path.is_dir() else path.parent
        if not folder.is_relative_to(self._root):
            return self._run(self._nearest(folder))
        below = [one for one in (folder, *folder.parents) if one.is_relative_to(self._root)]
        run = self._run(self._root)
        # From the outside in: a run keeps what it collects, whatever is configured further in.
        for one in reversed(below[:-1]):
            if run.config.configured:
                if run.reaches(path):
                    break
                if self._configured(one) and not run.reaches(one):
                    run = self._run(one)
            elif self._is_suite(one, run):
                run = self._run(one)
        return run

    def _nearest(self, folder: Path) -> Path:
        """For a path outside the root: the folder that pytest takes for its root directory."""
        config = read_pytest_config(folder, (), self._versions(folder), self._files)
        return config.rootdir

    def _run(self, folder: Path) -> _Run:
        if folder not in self._runs:
            version = self._versions(folder)
            config = read_pytest_config(folder, (), version, self._files)
            run = self._runs[folder] = _Run(
                config,
                self._conftest_ignores,
                self._excluder,
                lambda inner: self._stops(Path(inner), run),
            )
            excluded = self._excluder.is_excluded
            run.collect([path for path in _existing(config) if not excluded(str(path))])
        return self._runs[folder]

    def _stops(self, folder: Path, run: _Run) -> bool:
        """Whether a run leaves a folder it comes to for a run of its own."""
        if run.widened and run.config.configured:
            return self._configured(folder)
        return self._is_suite(folder, run)

    def _is_suite(self, folder: Path, outer: _Run) -> bool:
        """Whether a folder inside what a run collects has a suite of its own."""
        if outer.config.configured:
            return False
        if self._configured(folder):
            return True
        start = outer.config.invocation_dir
        marks = ("pyproject.toml", "setup.py", "conftest.py")
        if any((start / name).is_file() for name in marks):
            return False
        return any((folder / name).is_file() for name in marks[:2])

    def _configured(self, folder: Path) -> bool:
        table = self._files.first_in(folder, version_pair(self._versions(folder)))
        return table is not None and not (table.faults and not table.header)

    def _nested(self, path: Path, outer: _Run) -> list[_Run]:
        """The suites below a folder that the run does not collect."""
        found: list[_Run] = []
        for folder in self._configured_below(path, outer):
            run = self._run(folder)
            found.append(run)
            found += self._nested(folder, run)
        return found

    def _configured_below(self, path: Path, outer: _Run) -> list[Path]:
        found: list[Path] = []

        def stop(name: str) -> bool:
            folder = Path(name)
            if self._configured(folder):
                found.append(folder)
                return True
            return False

        search = _Run(outer.config, lambda _: ConftestIgnores(), self._excluder, stop)
        search.walk.folders.update(outer.walk.folders)
        search.walk.folders.pop(str(path), None)
        search.collect([path])
        if not outer.config.configured:
            inside = str(path).rstrip(os.sep) + os.sep
            found += [
                Path(one.path)
                for one in outer.walk.skipped
                if one.reason == "own configuration" and one.path.startswith(inside)
            ]
        return sorted(set(found))

    def _with_ignored(self, run: _Run) -> PytestConfig:
        """The run's configuration with the tables that only other invocations use."""
        extra: list[Shadowed] = []
        config = run.config
        version = version_pair(config.version)
        in_force = self._files.table(config.inifile, version) if config.inifile else None
        for name in run.walk.configured:
            inner = Path(name)
            table = self._files.first_in(inner, version)
            if table is None or (table.faults and not table.header) or not run.holds_tests(inner):
                continue
            shown = _Relative(self._root)(name)
            why = f"only a run whose arguments all lie in {shown} uses it"
            differs = differences(table.options, in_force.options if in_force else {})
            extra.append(
                Shadowed(
                    table.path, table.line, table.header, "folder", why, config.inifile, differs
                )
            )
        return msgspec.structs.replace(config, ignored=(*config.ignored, *extra))


class _Relative:
    """Makes absolute paths relative to the root, with `/`."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._prefix = self._root.rstrip(os.sep) + os.sep

    def __call__(self, path: str) -> str:
        if path.startswith(self._prefix):
            inner = path[len(self._prefix) :]
        else:
            inner = os.path.relpath(path, self._root)
        return inner.replace(os.sep, "/")

    def all(self, paths: Sequence[str] | dict[str, None]) -> tuple[str, ...]:
        return tuple(self(path) for path in paths)


def _existing(config: PytestConfig) -> list[Path]:
    """The paths that a run collects.

    Since 9.0 an argument inside another one adds nothing. From 8.0 to 8.4 it is the outer one that
    is lost: `pytest tests tests/unit` collects `tests/unit` alone.
    """
    paths: dict[Path, None] = {}
    for word in config.args:
        path = absolute(config.invocation_dir / word.split("::", 1)[0])
        if path.exists():
            paths[path] = None
    version = version_pair(config.version)
    if version >= (9, 0):
        return [path for path in paths if paths.keys().isdisjoint(path.parents)]
    if version >= (8, 0):
        outer = {parent for path in paths for parent in path.parents}
        return [path for path in paths if path not in outer]
    return list(paths)
