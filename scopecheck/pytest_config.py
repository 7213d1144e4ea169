"""Turns a folder and a command line into the configuration that pytest would run with there.

The steps are pytest's own (`_pytest/config/findpaths.py`, `Config.parse`): the arguments' common
ancestor decides which configuration file is in force and what the root directory is; `addopts`
goes before the command line; `-o` overrides the file. `PYTEST_ADDOPTS` and `PYTEST_PLUGINS` are
not read: they are no part of the project.

    rootdir         what node ids are relative to
    inifile         the file whose options are in force
    confcutdir      conftests above it are not loaded
    invocation dir  where pytest is started; it counts for `testpaths` and relative arguments

What pytest would stop at is kept in `errors`, and the rest is read as far as it goes.
"""

from __future__ import annotations

import glob
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scopecheck.pytest_args import Arguments, parse_arguments
from scopecheck.pytest_files import (
    ConfigFault,
    ConfigFiles,
    ConfigTable,
    Option,
    Shadowed,
    Version,
    version_pair,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PYTHON_FILES = ("test_*.py", "*_test.py")
NORECURSEDIRS = (
    "*.egg",
    ".*",
    "_darcs",
    "build",
    "CVS",
    "dist",
    "node_modules",
    "venv",
    "{arch}",
)
ALIASES = {"strict_xfail": ("xfail_strict",)}
_LOOP_SCOPES = ("function", "class", "module", "package", "session")
_LOOP_OPTIONS = {
    "asyncio_mode": ("auto", "strict", "legacy"),
    # "fixture-scope" came with 1.5.
    "asyncio_default_fixture_loop_scope": (*_LOOP_SCOPES, "fixture-scope"),
    "asyncio_default_test_loop_scope": _LOOP_SCOPES,
}
IMPORT_MODES = ("prepend", "append", "importlib")


class PytestConfig(msgspec.Struct, frozen=True):
    """The configuration of one run of pytest, as far as it decides what is collected and how.

    args: the paths that are collected: the command line's, else those of `testpaths` (globs
        expanded), else the invocation directory.
    plugins: what `-p NAME` loads, in order; blocked: what `-p no:NAME` keeps out.
    ini: every option of the file, and those set with `-o`, as text.
    option_lines: the line of each option in `inifile`.
    ignored: tables that look like pytest's configuration but are not in force.
    errors: what pytest would stop at.
    ignore, ignore_glob: `--ignore` and `--ignore-glob`, made absolute.
    testpaths_missing: `testpaths` is in force, but names nothing that exists.
    selected: `-k` or `-m` in `addopts` leaves tests out.
    """

    rootdir: Path
    inifile: Path | None
    confcutdir: Path
    invocation_dir: Path
    version: str
    args: tuple[str, ...]
    header: str = ""
    testpaths: tuple[str, ...] = ()
    python_files: tuple[str, ...] = PYTHON_FILES
    python_classes: tuple[str, ...] = ("Test",)
    python_functions: tuple[str, ...] = ("test",)
    norecursedirs: tuple[str, ...] = NORECURSEDIRS
    usefixtures: tuple[str, ...] = ()
    collect_imported_tests: bool = True
    import_mode: str = "prepend"
    pythonpath: tuple[Path, ...] = ()
    consider_namespace_packages: bool = False
    plugins: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    asyncio_mode: str | None = None
    asyncio_default_fixture_loop_scope: str | None = None
    asyncio_default_test_loop_scope: str | None = None
    anyio_mode: str | None = None
    ini: dict[str, str | list[str]] = {}
    option_lines: dict[str, int] = {}
    ignored: tuple[Shadowed, ...] = ()
    errors: tuple[ConfigFault, ...] = ()
    ignore: tuple[str, ...] = ()
    ignore_glob: tuple[str, ...] = ()
    deselect: tuple[str, ...] = ()
    testpaths_missing: bool = False
    noconftest: bool = False
    collect_in_virtualenv: bool = False
    doctest_modules: bool = False
    selected: bool = False
    pyargs: bool = False
    plugin_autoload: bool = True

    @property
    def configured(self) -> bool:
        """Whether a file says something to pytest, if only by its presence."""
        return bool(self.header) or (
            self.inifile is not None and self.inifile.name != "pyproject.toml"
        )


def read_pytest_config(
    invocation_dir: Path,
    args: Sequence[str] = (),
    version: str = "",
    files: ConfigFiles | None = None,
) -> PytestConfig:
    """The configuration of `cd INVOCATION_DIR && pytest ARGS` for a version of pytest.

    An empty version stands for the newest.
    """
    invocation_dir = absolute(invocation_dir)
    files = files or ConfigFiles()
    number = version_pair(version)
    line = parse_arguments(args)
    rootdir, table = determine_setup(invocation_dir, line, number, files)
    faults = list(table.faults) if table else []
    counts = table is not None and (table.header or table.path.name != "pyproject.toml")
    if table and counts and not faults and line.last("--config-file") is None:
        faults += files.faults_beside(table, number)
    file_options = dict(table.options) if table else {}

    first = _Options(table, {**file_options, **_overrides(line)}, invocation_dir, faults)
    addopts = parse_arguments(first.words("addopts", ()))
    whole = _joined(addopts, line)
    overrides = _overrides(line)
    if number >= (9, 1):
        # Before 9.1, `-o` in addopts came too late to count.
        overrides = {**_overrides(addopts), **overrides}
    options = {**file_options, **overrides}
    read = _Options(table, options, invocation_dir, faults)

    testpaths = read.words("testpaths", ())
    chosen, missing = _decide_args(whole, testpaths, invocation_dir, rootdir)
    confcutdir = whole.last("--confcutdir")
    if confcutdir is not None:
        cut = absolute(invocation_dir / confcutdir)
        if not cut.is_dir():
            faults.append(
                read.fault("addopts", f"--confcutdir must be a directory, given: {confcutdir}")
            )
    else:
        cut = table.path.parent if table else rootdir
    mode = whole.last("--import-mode") or "prepend"
    plugins, blocked = _plugins(whole.plugins)
    loops = _loop_options(whole, read)
    ignored = files.not_in_force(table.path.parent if table else rootdir, table, number)
    return PytestConfig(
        rootdir=rootdir,
        inifile=table.path if table else None,
        confcutdir=cut,
        invocation_dir=invocation_dir,
        version=version,
        args=chosen,
        header=table.header if table else "",
        testpaths=testpaths,
        python_files=read.words("python_files", PYTHON_FILES),
        python_classes=read.words("python_classes", ("Test",)),
        python_functions=read.words("python_functions", ("test",)),
        norecursedirs=read.words("norecursedirs", NORECURSEDIRS),
        usefixtures=read.words("usefixtures", ()),
        collect_imported_tests=number < (8, 4) or read.flag("collect_imported_tests", True),
        import_mode=mode if mode in IMPORT_MODES else "prepend",
        pythonpath=tuple(
            (table.path.parent if table else invocation_dir) / word
            for word in read.words("pythonpath", ())
        ),
        consider_namespace_packages=read.flag("consider_namespace_packages", False),
        plugins=plugins,
        blocked=blocked,
        asyncio_mode=loops["asyncio_mode"],
        asyncio_default_fixture_loop_scope=loops["asyncio_default_fixture_loop_scope"],
        asyncio_default_test_loop_scope=loops["asyncio_default_test_loop_scope"],
        anyio_mode=whole.last("--anyio-mode") or read.string("anyio_mode"),
        ini={name: option.text for name, option in options.items()},
        option_lines={name: option.line for name, option in options.items() if option.line},
        ignored=tuple(ignored),
        errors=tuple(dict.fromkeys(faults)),
        ignore=_absolute(whole, "--ignore", invocation_dir),
        ignore_glob=_absolute(whole, "--ignore-glob", invocation_dir),
        deselect=whole.values.get("--deselect", ()),
        testpaths_missing=missing,
        noconftest="--noconftest" in whole.flags,
        collect_in_virtualenv="--collect-in-virtualenv" in whole.flags,
        doctest_modules="--doctest-modules" in whole.flags,
        selected=bool(whole.values.get("--keyword") or whole.values.get("--markexpr")),
        pyargs="--pyargs" in whole.flags,
        plugin_autoload="--disable-plugin-autoload" not in whole.flags,
    )


def _loop_options(line: Arguments, read: _Options) -> dict[str, str | None]:
    """What pytest-asyncio is told; a word that it would stop at is as good as none.

    (`_get_asyncio_mode` and `_validate_scope` in pytest_asyncio/plugin.py; `legacy` until 0.20.)
    """
    found: dict[str, str | None] = {}
    for name, valid in _LOOP_OPTIONS.items():
        given = line.last("--asyncio-mode") if name == "asyncio_mode" else None
        word = given or read.string(name)
        if word is not None and word not in valid:
            valid_words = ", ".join(valid)
            where = "addopts" if given else name
            read.faults.append(
                read.fault(where, f"{word!r} is not a valid {name}. Valid: {valid_words}")
            )
            word = None
        found[name] = word
    return found


def absolute(path: Path) -> Path:
    """The path from the top without `..`, links kept: what pytest calls the absolute path."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links


def determine_setup(
    invocation_dir: Path, line: Arguments, version: Version, files: ConfigFiles
) -> tuple[Path, ConfigTable | None]:
    """The root directory and the table in force, as `_pytest.config.findpaths.determine_setup`."""
    folders = _folders_of(line.paths, invocation_dir)
    explicit = line.last("--config-file")
    rootdir: Path | None
    table: ConfigTable | None
    if explicit is not None:
        path = absolute(invocation_dir / explicit)
        table = files.table(path, version) or ConfigTable(path, "", 1, {})
        rootdir = path.parent
    else:
        ancestor = common_ancestor(invocation_dir, folders)
        rootdir, table = _locate([ancestor], version, files)
        if rootdir is None and line.last("--rootdir") is None:
            for folder in (ancestor, *ancestor.parents):
                if (folder / "setup.py").is_file():
                    rootdir = folder
                    break
            else:
                if folders != [ancestor]:
                    rootdir, table = _locate(folders or [invocation_dir], version, files)
                if rootdir is None:
                    rootdir = common_ancestor(invocation_dir, [invocation_dir, ancestor])
                    if rootdir == Path(rootdir.anchor):
                        rootdir = ancestor
    given = line.last("--rootdir")
    if given is not None:
        rootdir = absolute(invocation_dir / os.path.expandvars(given))
    assert rootdir is not None
    return rootdir, table


def common_ancestor(invocation_dir: Path, paths: Sequence[Path]) -> Path:
    """The folder that holds all paths that exist; the invocation directory if there is none."""
    existing = [str(path) for path in paths if path.exists()]
    if not existing:
        return invocation_dir
    try:
        ancestor = Path(os.path.commonpath(existing))
    except ValueError:  # on different drives
        ancestor = Path(existing[0])
    return ancestor.parent if ancestor.is_file() else ancestor


def _locate(
    folders: Sequence[Path], version: Version, files: ConfigFiles
) -> tuple[Path | None, ConfigTable | None]:
    pyproject: Path | None = None
    for start in folders:
        for folder in (start, *start.parents):
            table = files.first_in(folder, version)
            if table is not None:
                return folder, table
            if pyproject is None and (folder / "pyproject.toml").is_file():
                pyproject = folder / "pyproject.toml"
    if pyproject is not None and version >= (8, 1):
        return pyproject.parent, ConfigTable(pyproject, "", 1, {})
    return None, None


def _folders_of(words: Sequence[str], invocation_dir: Path) -> list[Path]:
    folders: list[Path] = []
    for word in words:
        path = absolute(invocation_dir / word.split("::", 1)[0])
        if path.exists():
            folders.append(path if path.is_dir() else path.parent)
    return folders


def _decide_args(
    line: Arguments, testpaths: Sequence[str], invocation_dir: Path, rootdir: Path
) -> tuple[tuple[str, ...], bool]:
    """What is collected, and whether `testpaths` should have said it but names nothing."""
    if line.paths:
        return line.paths, False
    found: list[str] = []
    in_force = bool(testpaths) and invocation_dir == rootdir
    if in_force:
        for path in testpaths:
            if "--pyargs" in line.flags:
                found.append(path)
            else:
                found += sorted(glob.iglob(path, root_dir=invocation_dir, recursive=True))  # noqa: PTH207
    return tuple(found) or (str(invocation_dir),), in_force and not found


def _joined(addopts: Arguments, line: Arguments) -> Arguments:
    values = dict(addopts.values)
    for name, given in line.values.items():
        values[name] = (*values.get(name, ()), *given)
    return Arguments(
        (*addopts.paths, *line.paths),
        (*addopts.plugins, *line.plugins),
        values,
        addopts.flags | line.flags,
    )


def _overrides(line: Arguments) -> dict[str, Option]:
    return {name: Option(value) for name, value in line.overrides.items()}


def _plugins(values: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that `-p` loads and blocks; the last word on a name counts.

    What `legacypath` adds to `pytester` stays where it is blocked after `pytester` was loaded.
    """
    plugins: dict[str, None] = {}
    blocked: dict[str, None] = {}
    for value in values:
        name = value.removeprefix("no:")
        if value == "no:legacypath" and "pytester" in plugins:
            blocked["legacypath-tmpdir"] = None
        elif value.startswith("no:"):
            blocked[name] = None
        else:
            blocked.pop(name, None)
            plugins.setdefault(name)
    return tuple(plugins), tuple(blocked)


def _absolute(line: Arguments, option: str, folder: Path) -> tuple[str, ...]:
    return tuple(str(absolute(folder / value)) for value in line.values.get(option, ()))


class _Options:
    """Reads options as the types that pytest declares for them (`Config._getini_value`)."""

    def __init__(
        self,
        table: ConfigTable | None,
        options: dict[str, Option],
        invocation_dir: Path,
        faults: list[ConfigFault],
    ) -> None:
        self._path = str(table.path if table else invocation_dir)
        self._options = options
        self.faults = faults

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of words, split as a shell would."""
        option = self._option(name)
        if option is None:
            return default
        value = option.value
        if isinstance(value, list):
            for index, item in enumerate(value):
                if not isinstance(item, str) and option.native:
                    kind = type(item).__name__
                    self._wrong(
                        name,
                        f"a list of strings, but item at index {index} is {kind}: {item!r}",
                    )
                    return default
            return tuple(str(item) for item in value)
        if not isinstance(value, str) or option.native:
            self._wrong(name, f"a list for type 'args', got {type(value).__name__}: {value!r}")
            return default
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            self.faults.append(self.fault(name, f"{self._path}: {name}: {error}"))
            return default

    def flag(self, name: str, default: bool) -> bool:
        """A truth value."""
        option = self._option(name)
        if option is None:
            return default
        if isinstance(option.value, bool):
            return option.value
        text = str(option.value).strip().lower()
        if not option.native and text in ("y", "yes", "t", "true", "on", "1"):
            return True
        if not option.native and text in ("n", "no", "f", "false", "off", "0"):
            return False
        kind = type(option.value).__name__
        if option.native:
            self._wrong(name, f"a bool, got {kind}: {option.value!r}")
        else:
            self.faults.append(self.fault(name, f"invalid truth value {text!r}"))
        return default

    def string(self, name: str) -> str | None:
        """Plain text; nothing is what an empty value means, too."""
        option = self._option(name)
        if option is None:
            return None
        if not isinstance(option.value, str):
            kind = type(option.value).__name__
            self._wrong(name, f"a string, got {kind}: {option.value!r}")
            return None
        return option.value or None

    def fault(self, name: str, message: str) -> ConfigFault:
        """A mistake at an option's line."""
        option = self._options.get(name)
        return ConfigFault(self._path, option.line if option and option.line else 1, message)

    def _option(self, name: str) -> Option | None:
        for one in (name, *ALIASES.get(name, ())):
            if one in self._options:
                return self._options[one]
        return None

    def _wrong(self, name: str, what: str) -> None:
        message = f"{self._path}: config option '{name}' expects {what}"
        self.faults.append(self.fault(name, message))
