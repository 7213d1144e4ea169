"""Turns paths relative to the project's root into paths as the readers of a report need them.

A report that a server reads is about a repository, whose top need not be the project's root; one
that a program reads where it runs is about the working directory.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from posixpath import join, normpath
from typing import TYPE_CHECKING

import msgspec

from scopecheck import config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scopecheck.finding import Finding


@cache
def repository_top(root: Path) -> Path:
    """The folder of the repository that the root lies in; the root itself where there is none."""
    return config.repository_top(root) or root


def seen_from(folder: Path, root: Path, path: str) -> str:
    """A path relative to the root, as seen from another folder; with `/`."""
    if folder == root:
        return path
    file = root / path
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive
        return file.as_posix()


def seen_from_repository(root: Path, path: str) -> str:
    """A path relative to the root, as seen from the top of its repository."""
    return seen_from(repository_top(root), root, path)


def for_reader(root: Path) -> Callable[[str], str]:
    """How a person reads paths relative to the root: from the working directory, as terminals do.

    Of a root beside the working directory and not round it, paths are whole.
    """
    here = Path.cwd()
    if here == root:
        return str
    if here in root.parents or root in here.parents:
        return lambda path: seen_from(here, root, path)
    return lambda path: (root / path).as_posix()


def tests_for_reader(root: Path, rootdirs: Sequence[str]) -> Callable[[str, str], str]:
    """How a person reads node ids: as pytest prints them and takes them in the working directory.

    The answer takes a node id, which is relative to its suite's rootdir, and a path in the finding
    that names it, since several suites may have the same.

    Args:
        root: of the project.
        rootdirs: of the suites, relative to the root.
    """
    shown = for_reader(root)
    deepest = sorted(rootdirs, key=len, reverse=True)

    def read(test: str, beside: str) -> str:
        path = test.partition("::")[0]
        found = [each for each in deepest if len(deepest) == 1 or (root / each / path).is_file()]
        if not found:
            return test
        near = [each for each in found if each == "." or beside.startswith(f"{each}/")]
        return test_for_reader(shown, (near or found)[0], test)

    return read


def test_for_reader(shown: Callable[[str], str], rootdir: str, test: str) -> str:
    """A node id of the suite with this rootdir, as `shown` has paths."""
    path, colons, rest = test.partition("::")
    return f"{shown(normpath(join(rootdir, path)))}{colons}{rest}"


def places_seen_from(folder: Path, root: Path, finding: Finding) -> Finding:
    """The finding with its places seen from a folder; its fixes and its symbol stay as they are."""
    if folder == root:
        return finding
    fault = finding.fault
    place, *related = (
        msgspec.structs.replace(place, path=seen_from(folder, root, place.path))
        for place in (fault.place, *fault.related)
    )
    fault = msgspec.structs.replace(fault, place=place, related=tuple(related))
    return msgspec.structs.replace(finding, fault=fault)
