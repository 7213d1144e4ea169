"""Turns `exclude` patterns and `.gitignore` files into answers to "is this path left out?".

A path is left out as it would be for users of ruff: what git ignores is not looked at, although
pytest, which knows nothing of git, would collect it. A `.gitignore` counts for its own folder and
those below; the nearest one that says anything about a path decides. Patterns of `exclude` are
written like lines of a `.gitignore` in the root. Folders that were named on the command line are
never left out themselves.
"""

from __future__ import annotations

import os
import re
from fnmatch import translate
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pathspec

Reason: TypeAlias = Literal["excluded", "gitignored"]

_MAGIC = re.compile(r"[*?\[\\]")


class Patterns:
    """The lines of one `.gitignore`, or of `exclude`, for paths below one folder.

    Most lines are a bare name or `*.suffix`. Those are answered without pathspec, which costs more
    to import than a small suite takes to read.
    """

    def __init__(self, folder: str, lines: Sequence[str]) -> None:
        self._prefix = folder if folder.endswith(os.sep) else folder + os.sep
        self._names: set[str] = set()
        self._folder_names: set[str] = set()
        self._paths: set[str] = set()
        self._globs: re.Pattern[str] | None = None
        self._spec: pathspec.GitIgnoreSpec | None = None
        lines = [line for line in lines if line.strip() and not line.startswith("#")]
        rest = lines if any(line.startswith("!") for line in lines) else self._sort(lines)
        if rest:
            from pathspec import GitIgnoreSpec

            self._spec = GitIgnoreSpec.from_lines(rest)

    def match(self, path: str, name: str, is_folder: bool) -> bool | None:
        """Whether the path is left out; None if no line says anything about it."""
        if name in self._names or (is_folder and name in self._folder_names):
            return True
        if self._globs is not None and self._globs.match(name):
            return True
        if not self._paths and self._spec is None:
            return None
        inner = path[len(self._prefix) :].replace(os.sep, "/")
        if inner in self._paths or (is_folder and inner + "/" in self._paths):
            return True
        if self._spec is None:
            return None
        return self._spec.check_file(inner + "/" if is_folder else inner).include

    def _sort(self, lines: Sequence[str]) -> list[str]:
        """Puts the plain lines where they are answered fast, and returns the others."""
        globs: list[str] = []
        rest: list[str] = []
        for raw in lines:
            line = raw.rstrip()
            bare = line.rstrip("/")
            if bare.startswith("**/") and "/" not in bare[3:]:
                bare = bare[3:]
            if "\\" in bare or not bare:
                rest.append(raw)
            elif "/" not in bare and _MAGIC.search(bare):
                if line.endswith("/"):
                    rest.append(raw)
                else:
                    globs.append(bare)
            elif "/" not in bare:
                (self._folder_names if line.endswith("/") else self._names).add(bare)
            elif not _MAGIC.search(bare):
                inner = bare.removeprefix("/")
                self._paths.add(inner + "/" if line.endswith("/") else inner)
            else:
                rest.append(raw)
        if globs:
            self._globs = re.compile("|".join(translate(one) for one in globs))
        return rest


class Excluder:
    """Answers for a whole project; each `.gitignore` is read once."""

    def __init__(self, root: Path, exclude: Sequence[str], respect_gitignore: bool) -> None:
        self._exclude = Patterns(str(root), exclude) if exclude else None
        self._root = str(root) + os.sep
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
            for patterns in self._chain(os.path.dirname(path)):  # noqa: PTH120 - the hot loop
                decided = patterns.match(path, name, is_folder)
                if decided is not None:
                    return "gitignored" if decided else None
        return None

    def _chain(self, folder: str) -> tuple[Patterns, ...]:
        """The patterns for a folder's entries, nearest first, from the repository's top on."""
        chain = self._chains.get(folder)
        if chain is None:
            parent = os.path.dirname(folder)  # noqa: PTH120
            top = parent == folder or os.path.exists(folder + "/.git")  # noqa: PTH110
            outer = () if top else self._chain(parent)
            if not top and outer and self._left_out(outer, folder):
                # An ignored folder whose files are named all the same has only its own rules.
                outer = ()
            own = _read_lines(folder + "/.gitignore")
            chain = (Patterns(folder, own), *outer) if own else outer
            self._chains[folder] = chain
        return chain

    @staticmethod
    def _left_out(chain: tuple[Patterns, ...], folder: str) -> bool:
        name = folder.rpartition(os.sep)[2]
        decided = (patterns.match(folder, name, True) for patterns in chain)
        return next((one for one in decided if one is not None), False)


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().splitlines()
    except OSError:
        return []
