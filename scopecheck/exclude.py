"""Turns `exclude` patterns and `.gitignore` files into answers to "is this path left out?".

A path is left out as it would be for users of ruff: what git ignores is not looked at, although
pytest, which knows nothing of git, would collect it. A `.gitignore` counts for its own folder and
those below; the nearest one that says anything about a path decides, and in it the last line.
Patterns of `exclude` are written like lines of a `.gitignore` in the root.

A path named on the command line is looked at although git ignores it, but never if `exclude` names
it: a hook passes whatever has changed, and must not report what the project has left out.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from scopecheck import disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pathspec

Reason: TypeAlias = Literal["excluded", "gitignored"]

_LARGEST = 16_000_000
_MAGIC = re.compile(r"[*?\[]")
_HARD = re.compile(r"\[(?![\w.-]+\])|\\|[^/]\*\*|\*\*[^/]")
"""What only pathspec is asked about: negated or odd classes, escapes, `**` within a name."""
_PIECES = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\[[\w.-]+\]")


class _Group:
    """Lines that all say the same, "leave out" or "keep", so that their order does not matter.

    Most lines are a bare name or `*.suffix`. They are answered here, because importing pathspec
    takes longer than reading a small suite.
    """

    def __init__(self, keep: bool, lines: Sequence[str]) -> None:
        self.keep = keep
        self._names: set[str] = set()
        self._folder_names: set[str] = set()
        self._spec: pathspec.GitIgnoreSpec | None = None
        globs: list[str] = []
        paths: list[str] = []
        folder_paths: list[str] = []
        hard: list[str] = []
        for line in lines:
            bare = line.rstrip("/")
            only_folders = bare != line
            if bare.startswith("**/") and "/" not in bare[3:]:
                bare = bare[3:]
            if not bare or _HARD.search(bare):
                hard.append(line)
            elif "/" in bare or bare == "**" or (only_folders and _MAGIC.search(bare)):
                anchored = "/" in bare
                regex = ("" if anchored else "(?:.+/)?") + _regex(bare.removeprefix("/"))
                (folder_paths if only_folders else paths).append(regex)
            elif _MAGIC.search(bare):
                globs.append(_regex(bare))
            else:
                (self._folder_names if only_folders else self._names).add(bare)
        self._globs = _compiled(globs)
        self._paths = _compiled(paths)
        self._folder_paths = _compiled(folder_paths)
        if hard:
            from pathspec import GitIgnoreSpec

            self._spec = GitIgnoreSpec.from_lines(hard)

    def match(self, inner: str, name: str, is_folder: bool) -> bool:
        """Whether a line fits; `inner` is the path from the folder of the lines."""
        if name in self._names or (self._globs is not None and self._globs.match(name)):
            return True
        if self._paths is not None and self._paths.match(inner):
            return True
        if is_folder and (
            name in self._folder_names
            or (self._folder_paths is not None and self._folder_paths.match(inner))
        ):
            return True
        return self._spec is not None and self._spec.match_file(inner + "/" if is_folder else inner)


class Patterns:
    """The lines of one `.gitignore`, or of `exclude`, for paths below one folder."""

    def __init__(self, folder: str, lines: Sequence[str]) -> None:
        self._cut = len(folder if folder.endswith(os.sep) else folder + os.sep)
        self._groups: list[_Group] = []
        alike: list[str] = []
        keep = False
        for raw in (*lines, None):
            line = "" if raw is None else _stripped(raw)
            if raw is not None and (not line or line.startswith("#")):
                continue
            if raw is None or line.startswith("!") != keep:
                if alike:
                    self._groups.insert(0, _Group(keep, alike))
                alike, keep = [], not keep
            alike.append(line.removeprefix("!"))

    def match(self, path: str, name: str, is_folder: bool) -> bool | None:
        """Whether the path is left out; None if no line says anything about it."""
        inner = path[self._cut :].replace(os.sep, "/")
        for group in self._groups:
            if group.match(inner, name, is_folder):
                return not group.keep
        return None


def _stripped(line: str) -> str:
    """A line without its end and trailing spaces, unless the last one is escaped."""
    line = line.rstrip("\r\n")
    bare = line.rstrip(" ")
    return bare + " " if bare.endswith("\\") and bare != line else bare


def _regex(pattern: str) -> str:
    pieces = {"**/": "(?:.+/)?", "/**": "/.+", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text, position = "", 0
    for match in _PIECES.finditer(pattern):
        text += re.escape(pattern[position : match.start()]) + pieces.get(match[0], match[0])
        position = match.end()
    return text + re.escape(pattern[position:]) + r"\Z"


def _compiled(regexes: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{one})" for one in regexes), re.DOTALL) if regexes else None


class Excluder:
    """Answers for a whole project; each `.gitignore` is read once."""

    def __init__(self, root: Path, exclude: Sequence[str], respect_gitignore: bool) -> None:
        self._exclude = Patterns(str(root), exclude) if exclude else None
        self._root = str(root).rstrip(os.sep) + os.sep
        self._gitignore = respect_gitignore
        self._chains: dict[str, tuple[Patterns, ...]] = {}

    def reason(self, path: str, name: str, is_folder: bool) -> Reason | None:
        """Why a path is left out, or None if it is not."""
        if (
            self._exclude is not None
            and path.startswith(self._root)
            and self._exclude.match(path, name, is_folder)
        ):
            return "excluded"
        if self._gitignore:
            for patterns in self._chain(path[: -len(name) - 1]):
                decided = patterns.match(path, name, is_folder)
                if decided is not None:
                    return "gitignored" if decided else None
        return None

    def is_excluded(self, path: str) -> bool:
        """Whether `exclude` names a path, or a folder that holds it."""
        if self._exclude is None or not path.startswith(self._root):
            return False
        here = self._root[:-1]
        names = path[len(self._root) :].split(os.sep)  # noqa: PTH206
        for name in names[:-1]:
            here = here + os.sep + name
            if self._exclude.match(here, name, True):
                return True
        return bool(self._exclude.match(path, names[-1], disk.is_folder(path)))

    def _chain(self, folder: str) -> tuple[Patterns, ...]:
        """The patterns for a folder's entries, nearest first, up to the repository's top."""
        chain = self._chains.get(folder)
        if chain is None:
            parent, _, name = folder.rpartition(os.sep)
            top = not parent or disk.exists(folder + "/.git")
            outer = () if top else self._chain(parent)
            if any(one.match(folder, name, True) for one in outer):
                # An ignored folder whose files are looked at all the same has only its own rules.
                outer = ()
            own = _read_lines(folder + "/.gitignore")
            chain = (Patterns(folder, own), *outer) if own else outer
            self._chains[folder] = chain
        return chain


def _read_lines(path: str) -> list[str]:
    try:
        return disk.read_text(path, _LARGEST).split("\n")
    except OSError:
        return []
