"""Turns one run's configuration into the files that pytest would collect, in pytest's order.

The walk is that of `_pytest.main.Session.collect`, `Dir.collect` and `Package.collect`:

* An argument is collected whatever its name; what lies below a folder must match `python_files`,
  and no folder on the way may be left out by `norecursedirs`, `collect_ignore`, `--ignore` or for
  being a virtual environment.
* Since 8.0 files and folders are taken in one order, by name, with `__init__.py` first. Before, a
  folder's files came before its folders.
* The conftests of every folder that is entered are loaded, and those above it down from
  `confcutdir`. The nearest conftest that has a `collect_ignore` decides; they do not add up.

Two departures, since nothing here may run for ever or stop: a link that leads back to a folder it
lies in is not followed (pytest follows it until the system refuses the path), and a folder that
cannot be read is kept as skipped (pytest reports an error and goes on).
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatch, translate
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from scopecheck.pytest_files import CONFIG_NAMES, Version, version_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scopecheck.exclude import Excluder
    from scopecheck.pytest_config import PytestConfig

SkipReason: TypeAlias = Literal[
    "norecursedirs",
    "collect_ignore",
    "collect_ignore_glob",
    "--ignore",
    "--ignore-glob",
    "virtual environment",
    "__pycache__",
    "excluded",
    "gitignored",
    "link to a folder above",
    "unreadable",
    "vanished",
    "own configuration",
]

_ACTIVATE = frozenset(
    ("activate", "activate.csh", "activate.fish", "Activate", "Activate.bat", "Activate.ps1")
)
_PROJECT_NAMES = frozenset((*CONFIG_NAMES, "setup.py"))
_NOTED = _PROJECT_NAMES | {"pyvenv.cfg"}


class ConftestIgnores(msgspec.Struct, frozen=True):
    """What a conftest says about what is collected.

    None: it does not say. dynamic: it decides in code, by a hook or a computed list.
    """

    collect_ignore: tuple[str, ...] | None = None
    collect_ignore_glob: tuple[str, ...] | None = None
    dynamic: bool = False


class Skipped(msgspec.Struct, frozen=True, order=True):
    """A file or folder that was met but not entered, and why."""

    path: str
    reason: SkipReason


class Walk:
    """What was met on one walk, with absolute paths; the dicts are ordered sets."""

    def __init__(self) -> None:
        self.test_files: dict[str, None] = {}
        self.conftests: dict[str, None] = {}
        self.dynamic: dict[str, None] = {}
        self.unmatched: dict[str, None] = {}
        self.skipped: list[Skipped] = []
        self.folders: dict[str, None] = {}
        self.configured: dict[str, None] = {}
        """Folders with a file in which pytest may find configuration, but not the one in force."""


class _Ignores(msgspec.Struct, frozen=True):
    """What is left out below a folder: by the nearest conftest, and by the command line."""

    paths: frozenset[str] = frozenset()
    globs: tuple[str, ...] = ()


class _Folder(msgspec.Struct):
    """A folder on the way down: its entries still to come, and what holds in it."""

    path: str
    entries: Iterator[os.DirEntry[str]]
    ignores: _Ignores
    tests: bool


class _Globs:
    """Patterns as `_pytest.pathlib.fnmatch_ex` takes them: for names, or with `/` for paths."""

    def __init__(self, patterns: Sequence[str]) -> None:
        names = [one for one in patterns if os.sep not in one]
        paths = [
            one if os.path.isabs(one) else f"*{os.sep}{one}"  # noqa: PTH117
            for one in patterns
            if os.sep in one
        ]
        self._names = _compiled(names)
        self._paths = _compiled(paths)

    def match(self, name: str, path: str) -> bool:
        """Whether any of the patterns fits."""
        if self._names is not None and self._names.match(os.path.normcase(name)):
            return True
        return self._paths is not None and bool(self._paths.match(os.path.normcase(path)))


def _compiled(patterns: Sequence[str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(translate(os.path.normcase(one)) for one in patterns))


class Walker:
    """Walks for one configuration.

    stop: asked for each folder below an argument that holds a file by which it may be a project of
        its own; if it says yes, the folder is not entered.
    """

    def __init__(
        self,
        config: PytestConfig,
        conftest_ignores: Callable[[str], ConftestIgnores],
        excluder: Excluder,
        stop: Callable[[str], bool],
    ) -> None:
        self.config = config
        self.walk = Walk()
        self._version: Version = version_pair(config.version)
        self._python_files = _Globs(config.python_files)
        self._norecursedirs = _Globs(config.norecursedirs)
        self._conftest_ignores = conftest_ignores
        self._excluder = excluder
        self._stop = stop
        self._confcut_parents = frozenset(map(str, config.confcutdir.parents))
        self._option_ignores = _Ignores(frozenset(config.ignore), config.ignore_glob)
        self._loaded: dict[str, _Ignores] = {}
        self._initial: set[str] = set()
        self._initial_parents: set[str] = set()

    def matches(self, path: str) -> bool:
        """Whether `python_files` names this file."""
        return self._python_files.match(path.rpartition(os.sep)[2], path)

    def collect(self, arguments: Sequence[Path]) -> None:
        """Adds what these absolute paths stand for."""
        for path in arguments:
            self._initial.add(str(path))
            self._initial_parents.add(str(path))
            self._initial_parents.update(map(str, path.parents))
        for path in arguments:
            if path.is_dir():
                self._collect_folder(str(path), self._load_above(path))
            elif path.suffix == ".py":
                self._load_above(path)
                self.walk.test_files.setdefault(str(path))
                self.walk.unmatched.pop(str(path), None)

    def startup_conftests(self, arguments: Sequence[Path]) -> list[str]:
        """The conftests that are loaded before anything is collected, in order.

        These are the ones of each argument's folder, of its immediate `test*` folders, and of the
        folders above (`PytestPluginManager._set_initial_conftests`).
        """
        found: dict[str, None] = {}
        if self.config.noconftest:
            return []
        for path in arguments:
            folders = [path if path.is_dir() else path.parent]
            if path.is_dir():
                # pytest takes them as the file system gives them; sorted is one such order.
                folders += sorted(x for x in path.glob("test*") if x.is_dir())
            for folder in folders:
                for above in reversed((folder, *folder.parents)):
                    conftest = above / "conftest.py"
                    if str(above) not in self._confcut_parents and conftest.is_file():
                        found.setdefault(str(conftest))
        return list(found)

    def _load_above(self, path: Path) -> _Ignores:
        """Loads the conftests above an argument, from `confcutdir` down."""
        ignores = self._option_ignores
        for folder in reversed(path.parents):
            name = str(folder)
            if name in self._confcut_parents:
                continue
            if name not in self._loaded:
                has_conftest = (folder / "conftest.py").is_file()
                self._loaded[name] = self._load(name, ignores) if has_conftest else ignores
            ignores = self._loaded[name]
        return ignores

    def _load(self, folder: str, outer: _Ignores) -> _Ignores:
        """Loads a folder's conftest and says what is left out from there on down."""
        if self.config.noconftest:
            return outer
        conftest = folder + os.sep + "conftest.py"
        if conftest in self.walk.conftests:
            return self._loaded.get(folder, outer)
        self.walk.conftests[conftest] = None
        said = self._conftest_ignores(conftest)
        if said.dynamic:
            self.walk.dynamic[conftest] = None
        paths, globs = outer.paths, outer.globs
        if said.collect_ignore is not None:
            paths = self._option_ignores.paths | _below(folder, said.collect_ignore)
        if said.collect_ignore_glob is not None:
            named = sorted(_below(folder, said.collect_ignore_glob))
            globs = (*self._option_ignores.globs, *named)
        self._loaded[folder] = _Ignores(paths, globs)
        return self._loaded[folder]

    def _collect_folder(self, start: str, ignores: _Ignores) -> None:
        rooted = start != str(self.config.rootdir) and start != str(self.config.invocation_dir)
        stack = [_Folder(start, iter(()), ignores, rooted)]
        if not self._enter(stack[0]):
            return
        while stack:
            folder = stack[-1]
            entry = next(folder.entries, None)
            if entry is None:
                stack.pop()
            elif _is_dir(entry):
                self._visit_folder(entry, stack)
            else:
                self._visit_file(entry, folder)

    def _enter(self, folder: _Folder) -> bool:
        """Reads a folder's entries, unless there is a reason not to go in."""
        path = folder.path
        if path in self.walk.folders:
            return False
        entries = self._entries(path)
        if entries is None:
            return False
        names = {entry.name for entry in entries}
        looked_at = path not in self._initial_parents and not self.config.collect_in_virtualenv
        if looked_at and self._is_virtualenv(path, names):
            self.walk.skipped.append(Skipped(path, "virtual environment"))
            return False
        if (
            not _PROJECT_NAMES.isdisjoint(names)
            and path != str(self.config.rootdir)
            and path != str(self.config.invocation_dir)
        ):
            if path not in self._initial_parents and self._stop(path):
                self.walk.skipped.append(Skipped(path, "own configuration"))
                return False
            self.walk.configured[path] = None
        self.walk.folders[path] = None
        has_conftest = any(entry.name == "conftest.py" and _is_file(entry) for entry in entries)
        if has_conftest and path not in self._confcut_parents:
            folder.ignores = self._load(path, folder.ignores)
            folder.tests = True
        if not folder.tests:
            folder.tests = any(
                name.endswith(".py") and self._python_files.match(name, path + os.sep + name)
                for name in names
            )
        folder.entries = iter(entries)
        return True

    def _entries(self, path: str) -> list[os.DirEntry[str]] | None:
        try:
            with os.scandir(path) as found:
                entries = [
                    entry
                    for entry in found
                    if entry.name.endswith(".py") or entry.name in _NOTED or _is_dir(entry)
                ]
        except FileNotFoundError:
            self.walk.skipped.append(Skipped(path, "vanished"))
            return None
        except OSError:
            self.walk.skipped.append(Skipped(path, "unreadable"))
            return None
        if self._version >= (8, 0):
            entries.sort(key=lambda entry: (entry.name != "__init__.py", entry.name))
        else:
            entries.sort(
                key=lambda entry: (entry.is_dir(), entry.name != "__init__.py", entry.name)
            )
        return entries

    def _visit_folder(self, entry: os.DirEntry[str], stack: list[_Folder]) -> None:
        name, path = entry.name, entry.path
        folder = stack[-1]
        reason = None if path in self._initial_parents else self._reason(name, path, folder, True)
        if reason is None and entry.is_symlink() and _leads_back(path, stack):
            reason = "link to a folder above"
        if reason is not None:
            self.walk.skipped.append(Skipped(path, reason))
            return
        inner = _Folder(path, iter(()), folder.ignores, folder.tests or name in ("test", "tests"))
        if self._enter(inner):
            stack.append(inner)

    def _visit_file(self, entry: os.DirEntry[str], folder: _Folder) -> None:
        name, path = entry.name, entry.path
        if not name.endswith(".py") or path in self.walk.test_files:
            return
        if path not in self._initial:
            if not self._python_files.match(name, path):
                if (
                    folder.tests
                    and name != "conftest.py"
                    and not self._excluder.reason(path, name, False)
                ):
                    self.walk.unmatched[path] = None
                return
            reason = self._reason(name, path, folder, False)
            if reason is not None:
                self.walk.skipped.append(Skipped(path, reason))
                return
        if _is_file(entry):  # a link to nothing is none
            self.walk.test_files[path] = None

    def _reason(self, name: str, path: str, folder: _Folder, is_folder: bool) -> SkipReason | None:
        """Why pytest, or the project's settings, leave an entry out."""
        ignores = folder.ignores
        if is_folder and name in ("__pycache__", ".git"):
            return "__pycache__" if name == "__pycache__" else "norecursedirs"
        if path in ignores.paths:
            return "--ignore" if path in self._option_ignores.paths else "collect_ignore"
        if ignores.globs and any(fnmatch(path, one) for one in ignores.globs):
            by_option = any(fnmatch(path, one) for one in self._option_ignores.globs)
            return "--ignore-glob" if by_option else "collect_ignore_glob"
        if is_folder and self._norecursedirs.match(name, path):
            return "norecursedirs"
        return self._excluder.reason(path, name, is_folder)

    def _is_virtualenv(self, path: str, names: set[str]) -> bool:
        if self._version >= (8, 3):
            return "pyvenv.cfg" in names or (
                "conda-meta" in names and os.path.isfile(path + "/conda-meta/history")  # noqa: PTH113
            )
        scripts = "Scripts" if os.name == "nt" else "bin"
        if scripts not in names:
            return False
        try:
            return not _ACTIVATE.isdisjoint(os.listdir(path + os.sep + scripts))  # noqa: PTH208
        except OSError:
            return False


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _below(folder: str, names: Sequence[str]) -> frozenset[str]:
    """Paths in a conftest, which are relative to its folder."""
    return frozenset(os.path.abspath(os.path.join(folder, name)) for name in names)  # noqa: PTH100, PTH118


def _leads_back(link: str, stack: Sequence[_Folder]) -> bool:
    """Whether a link to a folder leads to one that holds it, so that it would never end."""
    target = os.path.realpath(link)
    inside = target.rstrip(os.sep) + os.sep
    for folder in stack:
        real = os.path.realpath(folder.path)
        if real == target or real.startswith(inside):
            return True
    return False
