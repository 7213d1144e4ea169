"""Looks for what keeps a repaired suite repaired: scopecheck in CI, in a hook, or in pytest's runs.

A line counts that runs scopecheck (`scopecheck tests`, `python -m scopecheck`, `uvx scopecheck`), a
hook of pre-commit with its id, or `--scopecheck` for pytest. Where such a command names paths of
the project, they must lie in or above the suite. Comments do not count, nor does a requirement.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck import disk
from scopecheck.audit.model import Count, Evidence
from scopecheck.config import repository_top

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_HOOKS = re.compile(r"\.pre-commit-config\.ya?ml|prek\.toml|lefthook\.ya?ml|\.lefthook\.ya?ml")
_FILES = re.compile(
    r"\.gitlab-ci\.ya?ml|azure-pipelines\.ya?ml|bitbucket-pipelines\.ya?ml|\.travis\.ya?ml"
    r"|appveyor\.ya?ml|\.drone\.ya?ml|\.woodpecker\.ya?ml|\.cirrus\.ya?ml|jenkinsfile|earthfile"
    r"|tox\.ini|tox\.toml|noxfile\.py|(gnu)?makefile|\.?justfile|taskfile\.ya?ml|tasks\.py"
    r"|pyproject\.toml|pytest\.toml|\.pytest\.toml|pytest\.ini|\.pytest\.ini|setup\.cfg"
    r"|package\.json",
    re.IGNORECASE,
)
_FOLDERS = (
    ".github/workflows",
    ".gitlab",
    ".gitlab/ci",
    ".circleci",
    ".buildkite",
    ".azure-pipelines",
    ".woodpecker",
    ".ci",
    "ci",
    "scripts",
    "script",
)
_SCRIPTS = re.compile(r".*\.(?:ya?ml|sh|bash|zsh|bat|cmd|ps1|mk)", re.IGNORECASE)
_LARGEST = 400_000
# A command, with its arguments up to the end of the line or of what is quoted.
_COMMAND = re.compile(
    r"(?:^|[\s\"'=;&|(/\[@])scopecheck(?:\.exe)?(?=[\s\"';&|)\],]|$)(?P<arguments>[^\n;&|)#\]]*)"
)
_OTHER_COMMANDS = frozenset(
    {"plan", "graph", "events", "migrate", "rule", "config", "server", "clean"}
)
_HOOK = re.compile(r"\bid\s*[:=]\s*[\"']?scopecheck(?:-all)?\b")
_OPTION = re.compile(r"(?<![\w-])--scopecheck\b")
_NO_COMMAND = re.compile(
    r"\[\[?(?:tool\.)?scopecheck\b|\b(?:install|add|inject)\b|scopecheck\S*\s*[=<>~!@\[]=?"
)
"""The tool's own table, and lines that ask for it to be installed."""

_DATA = re.compile(r".*\.(?:toml|cfg|ini|json|py)", re.IGNORECASE)
"""Files in which a name is a command only where a key, a table or a call says that it is run."""

_RUNS = re.compile(
    r"\b(?:commands?(?:_pre|_post)?|cmd|run|script|scripts|steps|tasks|entry|addopts)\b"
)
_TABLE = re.compile(r"\s*\[[^\]\"']+\]\s*(?:#.*)?|\s*def\s.*|.*\{\s*")
_KEY = re.compile(r"\s*[\"']?[-\w.]+[\"']?\s*[=:]")


class Guard(NamedTuple):
    """A line that runs scopecheck; `covers` says whether on the suite that is asked about."""

    place: str
    text: str
    covers: bool


def regression_guard(root: Path, folders: Sequence[Path]) -> Evidence:
    """Whether anything runs scopecheck on the suites in these folders.

    Read are the files of CI, hooks, task runners and pytest's configuration in each folder and in
    those above it, up to the top of the repository.
    """
    files: dict[Path, None] = {}
    for folder in folders:
        files.update(dict.fromkeys(_files(folder)))
    found = [guard for file in files for guard in _guards(file, root, folders)]
    examined = (Count(len(files), "CI, hook or configuration file"),)
    holds = tuple(f"{guard.place} runs it: `{guard.text}`" for guard in found if guard.covers)
    if holds:
        return Evidence(examined, holds)
    fails = [f"{guard.place} runs it on other paths: `{guard.text}`" for guard in found]
    fails.append("nothing that was read runs scopecheck on this suite: neither CI nor a hook")
    return Evidence(examined, fails=tuple(fails))


def _files(folder: Path) -> Iterator[Path]:
    top = repository_top(folder) or folder
    for above in (folder, *folder.parents):
        yield from _listed(above, anything=False)
        for name in _FOLDERS:
            yield from _listed(above / name, anything=True)
        if above == top:
            return


def _listed(folder: Path, *, anything: bool) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
    except OSError:
        return
    for name in names:
        is_script = anything and (_SCRIPTS.fullmatch(name) or "." not in name)
        if is_script or _HOOKS.fullmatch(name) or _FILES.fullmatch(name):
            yield folder / name


def _guards(file: Path, root: Path, folders: Sequence[Path]) -> Iterator[Guard]:
    try:
        if file.stat().st_size > _LARGEST:
            return
        text = disk.plain_text(file, errors="replace")
    except OSError:
        return
    if "scopecheck" not in text:
        return
    is_hook = _HOOKS.fullmatch(file.name) is not None
    shown = os.path.relpath(file, root).replace(os.sep, "/")
    lines = text.splitlines()
    is_data = not is_hook and _DATA.fullmatch(file.name) is not None
    for index, line in enumerate(lines):
        code = line.strip()
        if "scopecheck" not in code or code.startswith(("#", "//", ";")):
            continue
        if is_data and not _is_run(lines[: index + 1]):
            continue
        covers = _covers(code, file, folders, is_hook=is_hook)
        if covers is not None:
            yield Guard(f"{shown}:{index + 1}", code, covers)
            if is_hook and covers:
                return  # What follows is of the same hook.


def _is_run(lines: Sequence[str]) -> bool:
    """Whether the last line belongs to a key, a call or a table of commands."""
    keyed = False
    for line in reversed(lines):
        is_table = _TABLE.fullmatch(line) is not None
        if (is_table or not keyed) and _RUNS.search(line):
            return True
        if is_table:
            return False
        keyed |= _KEY.match(line) is not None
    return False


def _covers(code: str, file: Path, folders: Sequence[Path], *, is_hook: bool) -> bool | None:
    """Whether a line runs scopecheck on the suites; None if it does not run it at all."""
    if (is_hook and _HOOK.search(code)) or _OPTION.search(code):
        return True
    if is_hook and not _RUNS.search(code):
        return None
    command = None if _NO_COMMAND.search(code) else _COMMAND.search(code)
    if command is None:
        return None
    words = [word.strip("\"',") for word in command["arguments"].split()]
    if words and words[0] in _OTHER_COMMANDS:
        return None
    top = repository_top(file.parent) or file.parent
    named = [top / word for word in words if word[:1] not in ("", "-") and (top / word).exists()]
    return not named or any(
        path in (folder, *folder.parents) or folder in path.parents
        for path in named
        for folder in folders
    )
