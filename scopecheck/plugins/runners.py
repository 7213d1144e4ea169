"""Which plugins run async tests, and what scripts, CI files and requirements say of them.

    runner    a plugin that runs async tests by rules of its own
    auto      `--asyncio-mode=auto` on a command line, or in a configuration that is not in force
    loaded    a plugin that a command line or the environment names
    files     test files that stand where pytest is run, and so may be named to it

Scripts are searched and not understood: what is found in one means that nobody can tell who runs an
async test that has no mark, and nothing more.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scopecheck import disk
from scopecheck.plugins.environment import normalise
from scopecheck.plugins.stated import folders_between
from scopecheck.source import relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUNNERS: dict[str, tuple[int, ...]] = {
    "aiohttp": (),
    "alt-pytest-asyncio": (),
    "jupyter-server": (),
    "pytest-aio": (),
    "pytest-aiohttp": (1,),
    "pytest-anyio": (),
    "pytest-asyncio-cooperative": (),
    "pytest-curio": (),
    "pytest-jupyter": (),
    "pytest-sanic": (),
    "pytest-tornado": (),
    "pytest-tornado5": (),
    "pytest-tornasync": (),
    "pytest-twisted": (),
}
"""Plugins that run async tests by rules of their own, and the first version that leaves it to
pytest-asyncio."""

_HARMLESS = """
    azurepipelines astropy-header beartype black cache chalice codestyle cover coverage durations
    emoji error-for-skips fail-slow filter-subpackage flake8 flakes github-report isort
    localftpserver logger logging mccabe md md-report monitor mypy-runner nunit openfiles ordering
    pep8 profiling progress pudb pycodestyle pydocstyle pystack pythonpath raises reverse rich
    runner skip-markers slow smtpd spec sphinx tap test-utils textual-snapshot tldr unordered
    unused-fixtures warnings watch yapf
"""
RUN_NOTHING = frozenset(f"pytest-{name}" for name in _HARMLESS.split())
"""Plugins that are not in the table, of which it is known that they run no async tests."""

_AUTO = re.compile(
    r"--asyncio[-_]mode[\s=,\"']*auto\b"
    r"|(?:-o|--override-ini)[\s=,\"']*asyncio_mode[\s=,\"']*auto\b"
)
_TABLE = re.compile(r"^\s*\[(?:tool[:.])?pytest(?:\.ini_options)?\]", re.MULTILINE)
_AUTO_OPTION = re.compile(r"^\s*asyncio_mode\s*=\s*[\"']?auto\b", re.MULTILINE)
_RUNNER = re.compile(
    r"(?<![\w-])(?:"
    + "|".join(
        re.escape(name).replace(r"\-", "[-_]")
        for name in sorted((*RUNNERS, "pytest-trio"), key=len, reverse=True)
        if "pytest" in name
    )
    + r")(?![\w-])",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?<![\w-])pytest[-_][a-z][\w-]*")
_WORKERS = re.compile(
    r"(?<![\w-])pytest[-_]xdist(?![\w-])"
    r"|(?:pytest|addopts)\b.*[\s\"'](?:-n|--numprocesses|--dist)[\s=\"',]*(?:auto|logical|\d|load|work)",
    re.IGNORECASE,
)
_LOADED = re.compile(r"(?:^|[\s\"',])-p[\s=\"',]*([A-Za-z_][\w.]*)(?![\w./:-])")
_TEST_FILE = re.compile(r"[\w./-]*\btests?[\w-]*\.py\b|[\w./-]*_tests?\.py\b")
_ENVIRONMENT = re.compile(r"\bPYTEST_PLUGINS\b[\s=:\"']*([A-Za-z_][\w.,]*)")

_NAMES = re.compile(
    r"(?:GNU)?makefile.*|\.?justfile|(?:docker|container|earth|proc|jenkins)file.*|build|.*\.(?:"
    r"ya?ml|toml|cfg|ini|sh|bash|bat|cmd|ps1|mk|nix|bzl|env|just)|\.env.*|noxfile\.py|setup\.py"
    r"|tasks\.py|package\.json|(?:.*(?:require|constraint|deps|test|dev).*)\.(?:txt|in)",
    re.IGNORECASE,
)
_PROSE = re.compile(r".*\.(?:md|rst|py)", re.IGNORECASE)
_CI_FOLDERS = frozenset(
    {".azure-pipelines", ".buildkite", ".ci", ".circleci", ".github", ".gitlab", ".woodpecker"}
)
# Folders of a project further out that hold what its parts are tested with.
_SHARED_FOLDERS = _CI_FOLDERS | {"bin", "ci", "dev", "requirements", "script", "scripts", "tools"}
_NOT_ENTERED = frozenset(
    {"__pycache__", "build", "dist", "env", "node_modules", "site-packages", "vendor", "venv"}
)
_MOST_FILES = 3_000
_LARGEST = 400_000


class Said(msgspec.Struct, frozen=True):
    """What is said of how tests are run, each with its place (`Makefile:12`).

    auto: a command line that sets the auto mode. tables: folders with a configuration that sets
    it. runners: plugins named, by their distributions. loaded: plugins named to be loaded.
    workers: what names pytest-xdist, or a command line or `addopts` that asks for its workers.
    files: test files that are named, as they are written.
    named: what is spelled like a distribution of a plugin, in scripts and in files of the CI.
    """

    auto: str = ""
    tables: tuple[tuple[str, str], ...] = ()
    runners: tuple[tuple[str, str], ...] = ()
    loaded: tuple[tuple[str, str], ...] = ()
    workers: str = ""
    files: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()


def said_of_async(root: Path, rootdir: Path) -> Said:
    """What the files of a project say that are no part of its suite at `rootdir`.

    Read are those below `rootdir`, those in the folders above it up to `root`, and what these have
    for CI and scripts.
    """
    auto = workers = ""
    tables: dict[str, str] = {}
    runners: dict[str, str] = {}
    loaded: dict[str, str] = {}
    files: set[str] = set()
    named: set[str] = set()
    for path, is_prose in islice(_files(root, rootdir), _MOST_FILES):
        text = _text(path)
        if "pytest" not in text.lower() and "asyncio" not in text:
            continue
        where = relative(root, path)
        found = None if auto else _AUTO.search(text)
        if found is not None:
            auto = f"{where}:{_line(text, found)}"
        if is_prose:
            continue
        found = None if workers else _WORKERS.search(text)
        if found is not None:
            workers = f"{where}:{_line(text, found)}"
        option = _AUTO_OPTION.search(text)
        if option is not None and _TABLE.search(text):
            tables.setdefault(os.path.dirname(where), f"{where}:{_line(text, option)}")  # noqa: PTH120
        for match in _RUNNER.finditer(text):
            name = match.group().lower().replace("_", "-")
            runners.setdefault(name, f"{where}:{_line(text, match)}")
        for name, match in _plugins(text):
            loaded.setdefault(name, f"{where}:{_line(text, match)}")
        files.update(_TEST_FILE.findall(text))
        named.update(normalise(name) for name in _NAMED.findall(text))
    return Said(
        auto,
        tuple(tables.items()),
        tuple(runners.items()),
        tuple(loaded.items()),
        workers,
        frozenset(files),
        frozenset(named),
    )


def _plugins(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """The plugins that a command line with the word pytest loads, and those of PYTEST_PLUGINS."""
    for match in _LOADED.finditer(text):
        start = text.rfind("\n", 0, match.start()) + 1
        end = text.find("\n", match.end())
        if "pytest" in text[start : end if end >= 0 else None] and match[1] != "no":
            yield match[1], match
    for match in _ENVIRONMENT.finditer(text):
        for name in filter(None, match[1].split(",")):
            yield name, match


def _files(root: Path, rootdir: Path) -> Iterator[tuple[Path, bool]]:
    """The files to search; True for those of which only command lines count."""
    for folder in folders_between(root, rootdir):
        inside = folder == rootdir
        for parent, folders, names in disk.walk(str(folder)):
            here = Path(parent)
            top = here == folder
            if top and not inside:
                folders[:] = [name for name in folders if name in _SHARED_FOLDERS]
            else:
                folders[:] = [name for name in folders if _is_entered(name)]
            folders.sort()
            yield from _chosen(here, sorted(names), prose=top or here.name in _SHARED_FOLDERS)


def _is_entered(name: str) -> bool:
    return name in _CI_FOLDERS or not (name.startswith(".") or name in _NOT_ENTERED)


def _chosen(folder: Path, names: Iterable[str], *, prose: bool) -> Iterator[tuple[Path, bool]]:
    for name in names:
        if _NAMES.fullmatch(name):
            yield folder / name, False
        elif prose and _PROSE.fullmatch(name):
            yield folder / name, True


def _text(path: Path) -> str:
    try:
        return disk.read_text(str(path), _LARGEST)
    except OSError:
        return ""


def _line(text: str, match: re.Match[str]) -> int:
    start = match.start() + len(match.group()) - len(match.group().lstrip())
    return text.count("\n", 0, start) + 1
