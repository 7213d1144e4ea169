"""Writes changed files: whole, in one step each, and only where nothing else is touched by it.

A file is written beside itself and put in its place, so that at every moment it is the old one or
the new one. Its mode stays; of a link, the file that it leads to is replaced and the link stays.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scopecheck import disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.fix.diff import Change


class Refused(Exception):  # noqa: N818
    """A file that may not be written; says why in words for a user."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path = path
        self.reason = reason


def write(root: Path, changes: Sequence[Change]) -> None:
    """Write files below the root.

    Raises:
        Refused: one of them may not be written. If that can be seen beforehand, none is.
    """
    targets = [(change, check(root, change)) for change in changes]
    for change, target in targets:
        _replace(target, change)


def check(root: Path, change: Change) -> Path:
    """The file that a change is written to: the one that links lead to.

    Raises:
        Refused: it may not be written.
    """
    tree = Path(os.path.realpath(root))
    target = Path(os.path.realpath(tree / change.path))
    if tree != target and tree not in target.parents:
        raise Refused(change.path, f"leads out of {root}, to {target}: it is not written")
    if change.before is None:
        if os.path.lexists(target):
            raise Refused(change.path, "is there now: it is not overwritten")
        return target
    try:
        found = os.stat(target)  # noqa: PTH116 - one name for what is looked up and what is not
    except OSError as error:
        raise Refused(change.path, f"cannot be written: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise Refused(change.path, "is no regular file: it is not written")
    if not found.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise Refused(change.path, "is read-only: it is not written")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise Refused(change.path, "lies in a folder that is read-only: it is not written")
    _check_unchanged(target, change)
    return target


def _check_unchanged(target: Path, change: Change) -> None:
    try:
        now = target.read_bytes()
    except OSError as error:
        raise Refused(change.path, f"cannot be read any more: {error.strerror}") from None
    if now != change.before:
        raise Refused(change.path, "has changed since it was read: it is not overwritten")


def _replace(target: Path, change: Change) -> None:
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".scopecheck", dir=target.parent
        )
    except OSError as error:
        raise Refused(change.path, f"cannot be written: {error.strerror}") from None
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(change.after)
            stream.flush()
            os.fsync(stream.fileno())
        if change.before is None:
            made.chmod(disk.mode_of_new_file())
            _link(made, target, change)
            return
        found = os.stat(target)  # noqa: PTH116
        with suppress(OSError, AttributeError):
            os.chown(made, found.st_uid, found.st_gid)
        made.chmod(stat.S_IMODE(found.st_mode))
        _check_unchanged(target, change)
        made.replace(target)
    except OSError as error:
        raise Refused(change.path, f"cannot be written: {error.strerror}") from None
    finally:
        made.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _link(made: Path, target: Path, change: Change) -> None:
    """Give a new file its name, unless something has it by now."""
    try:
        target.hardlink_to(made)
    except FileExistsError:
        raise Refused(change.path, "is there now: it is not overwritten") from None
    except OSError:
        # A file system without hard links.
        if os.path.lexists(target):
            raise Refused(change.path, "is there now: it is not overwritten") from None
        made.replace(target)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a loss of power, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
