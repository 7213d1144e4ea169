"""Looks at the disk, noted on request, so that a later run can tell whether a result still holds.

What a suite's result rests on is more than the files that it has: also which files and folders
there are, and which there are not. Whatever looks at the disk while a suite is linked and checked
does so by the functions here.

    stamp     size, times and inode of a file or folder, and when they were looked at
    digest    of a file's bytes, or of a folder's entries
    notes     what was looked at between the beginning and the end of `noting`
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager
from hashlib import blake2b
from io import TextIOWrapper
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    _Digest: TypeAlias = Callable[[str], bytes | None]

Kind: TypeAlias = Literal[0, 1, 2, 3]
ABSENT: Kind = 0
FILE: Kind = 1
FOLDER: Kind = 2
OTHER: Kind = 3

# The coarsest clock of a file system is that of FAT. A change within one tick of it leaves no trace
# in the times, so what was changed so shortly before it was looked at is compared by its content.
_TICK_NS = 2_000_000_000
# With more files changed, all is found anew.
_MOST_CHANGED = 50
# Without a wait for who writes into a pipe, and with the line ends that are there; each flag where
# the system has it.
_READING = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY"):
    _READING |= getattr(os, _flag, 0)
PASSING = frozenset(
    {"__pycache__", ".scopecheck_cache", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
)
"""Folders that tools make as they run, in which nothing is ever looked at."""


class Stamp(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What tells, without a look at the content, that it did not change; times in nanoseconds."""

    size: int
    modified: int
    changed: int
    inode: int
    taken: int

    @property
    def is_settled(self) -> bool:
        """Whether a later change must show in the times."""
        return self.taken - max(self.modified, self.changed) > _TICK_NS

    def is_same(self, other: Stamp) -> bool:
        """Whether both were taken of the same state, as far as that shows."""
        return (
            self.modified == other.modified
            and self.size == other.size
            and self.changed == other.changed
            and self.inode == other.inode
        )


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file's or folder's state when it was looked at; stamp None: it could not be read."""

    path: str
    stamp: Stamp | None
    digest: bytes = b""


class Notes:
    """What was looked at, by absolute path; of what was looked at twice the first look counts.

    texts: the files whose text was read, not only for their facts.
    """

    def __init__(self) -> None:
        self.files: dict[str, Seen] = {}
        self.folders: dict[str, Seen] = {}
        self.kinds: dict[str, Kind] = {}
        self.texts: set[str] = set()


_takers: list[Notes] = []


@contextmanager
def noting() -> Iterator[Notes]:
    """Notes what is looked at inside; one process, one thread."""
    notes = Notes()
    _takers.append(notes)
    try:
        yield notes
    finally:
        _takers.remove(notes)


def note_file(seen: Seen) -> None:
    """Note a file that was read in another way."""
    for notes in _takers:
        notes.files.setdefault(seen.path, seen)


def note_text(path: str) -> None:
    """Note that something rests on a file's text, and not on its facts alone."""
    for notes in _takers:
        notes.texts.add(path)


def digest_of(data: bytes) -> bytes:
    """A digest by which two contents are told apart for certain."""
    return blake2b(data, digest_size=16).digest()


def stamp_of(found: os.stat_result) -> Stamp:
    """The stamp that goes with what the system says now."""
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, time.time_ns())


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """A regular file, to be read: of a pipe or a device nobody knows whether it ends.

    Raises:
        OSError: it is missing, unreadable or no regular file.
    """
    return os.fdopen(_opened(path)[0], "rb")


def _opened(path: str | os.PathLike[str]) -> tuple[int, os.stat_result]:
    descriptor = os.open(path, _READING)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return descriptor, found
    os.close(descriptor)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "Not a regular file", str(path))


def plain_text(
    path: str | os.PathLike[str], encoding: str = "utf-8", errors: str = "strict"
) -> str:
    """A regular file's text, its lines ended by line feeds; of this no note is taken.

    Raises:
        OSError: it is missing, unreadable or no regular file.
        UnicodeError: it is not in this encoding.
    """
    with TextIOWrapper(opened(path), encoding, errors) as file:
        return file.read()


def read_stamped(path: str) -> tuple[bytes, Stamp]:
    """A file's bytes, and its stamp from before they were read.

    Raises:
        OSError: it is missing, unreadable or no regular file.
    """
    # Thousands of times in a run: a file object of Python's takes half as long again.
    descriptor, found = _opened(path)
    try:
        stamp = stamp_of(found)
        data = os.read(descriptor, found.st_size + 1)
        # What has another size than it says (a file that grows) ends where nothing is left.
        while len(data) != found.st_size and (more := os.read(descriptor, 1 << 20)):
            data += more
        return data, stamp
    finally:
        os.close(descriptor)


def read(path: str) -> bytes:
    """A file's bytes.

    Raises:
        OSError: it is missing, unreadable or no regular file.
    """
    note_text(path)
    try:
        data, stamp = read_stamped(path)
    except OSError:
        note_file(Seen(path, None))
        raise
    if _takers:
        note_file(Seen(path, stamp, digest_of(data)))
    return data


def read_text(path: str, most: int) -> str:
    """A file's text as UTF-8, whatever is wrong with it replaced; empty beyond so many bytes.

    Raises:
        OSError: it is missing, unreadable or no regular file.
    """
    note_text(path)
    try:
        with opened(path) as file:
            stamp = stamp_of(os.fstat(file.fileno()))
            data = b"" if stamp.size > most else file.read()
    except OSError:
        note_file(Seen(path, None))
        raise
    if _takers:
        # What was not read has no digest: a later look at another stamp finds a change.
        note_file(Seen(path, stamp, b"" if stamp.size > most else digest_of(data)))
    text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def kind(path: str) -> Kind:
    """What a path leads to."""
    found = _kind(path)
    for notes in _takers:
        notes.kinds.setdefault(path, found)
    return found


def is_file(path: str) -> bool:
    """Whether a path leads to a regular file."""
    return kind(path) == FILE


def is_folder(path: str) -> bool:
    """Whether a path leads to a folder."""
    return kind(path) == FOLDER


def exists(path: str) -> bool:
    """Whether a path leads to anything."""
    return kind(path) != ABSENT


def entries(folder: str) -> dict[str, bool] | None:
    """The names in a folder, each with whether it is a folder too; None where it cannot be read.

    In the order of the file system.
    """
    if not _takers:
        return _entries(folder)
    try:
        stamp = stamp_of(os.stat(folder))  # noqa: PTH116
    except OSError:
        stamp = None
    found = _entries(folder)
    seen = Seen(folder, None if found is None else stamp, _digest_of_entries(found))
    for notes in _takers:
        notes.folders.setdefault(folder, seen)
    return found


def walk(top: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk(top)`: each folder, the names of its folders, which may be changed, and of files."""
    names = entries(top)
    if names is None:
        return
    folders = [name for name, is_dir in names.items() if is_dir]
    yield top, folders, [name for name, is_dir in names.items() if not is_dir]
    for name in folders:
        path = f"{top.rstrip(os.sep)}{os.sep}{name}"
        if not os.path.islink(path):  # noqa: PTH114 - as os.walk, which does not follow links
            yield from walk(path)


class Record(msgspec.Struct, frozen=True, array_like=True):
    """Notes as they are kept."""

    files: tuple[Seen, ...] = ()
    folders: tuple[Seen, ...] = ()
    kinds: tuple[tuple[str, Kind], ...] = ()

    @classmethod
    def of(cls, notes: Notes) -> Record:
        """The notes taken so far."""
        kinds = tuple(notes.kinds.items())
        return cls(tuple(notes.files.values()), tuple(notes.folders.values()), kinds)

    def looked_at_again(self) -> tuple[Record, tuple[Seen, ...]] | None:
        """The same with today's stamps, and the files whose content is another, as they were.

        None if anything else is not as it was, or too many of the files.
        """
        for path, before in self.kinds:
            if _kind(path) != before:
                return None
        folders = _same(self.folders, _folder_digest, 0)
        if folders is None or folders[1]:
            return None
        files = _same(self.files, _file_digest, _MOST_CHANGED)
        if files is None:
            return None
        if files[0] is self.files and folders[0] is self.folders:
            return self, files[1]
        return Record(files[0], folders[0], self.kinds), files[1]

    def with_files(self, fresh: dict[str, Seen]) -> Record:
        """The same with some files, by their paths, as they are now."""
        files = tuple(fresh.get(one.path, one) for one in self.files)
        return Record(files, self.folders, self.kinds)

    def and_notes(self, notes: Notes) -> Record:
        """The same with what was looked at besides."""
        files = {one.path: one for one in (*notes.files.values(), *self.files)}
        folders = {one.path: one for one in (*notes.folders.values(), *self.folders)}
        kinds = {**notes.kinds, **dict(self.kinds)}
        return Record(tuple(files.values()), tuple(folders.values()), tuple(kinds.items()))


def _same(
    seen: tuple[Seen, ...], digest: _Digest, most: int
) -> tuple[tuple[Seen, ...], tuple[Seen, ...]] | None:
    """What was seen with today's stamps, and what of it has another content now."""
    changed: dict[int, Seen] = {}
    others: list[Seen] = []
    for index, one in enumerate(seen):
        before = one.stamp
        try:
            now = stamp_of(os.stat(one.path))  # noqa: PTH116
        except OSError:
            if before is None:
                continue
            return None
        if before is not None and before.is_same(now) and before.is_settled:
            continue
        fresh = digest(one.path)
        if fresh is None if before is None else fresh == one.digest:
            if before is not None:
                changed[index] = Seen(one.path, now, one.digest)
        elif fresh is None or before is None or len(others) >= most:
            return None
        else:
            others.append(one)
    if not changed:
        return seen, tuple(others)
    return tuple(changed.get(index, one) for index, one in enumerate(seen)), tuple(others)


def _file_digest(path: str) -> bytes | None:
    try:
        return digest_of(read_stamped(path)[0])
    except OSError:
        return None


def mode_of_new_file() -> int:
    """The permissions that the process gives to a file that it makes."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


def _folder_digest(path: str) -> bytes | None:
    found = _entries(path)
    return None if found is None else _digest_of_entries(found)


def _digest_of_entries(found: dict[str, bool] | None) -> bytes:
    if found is None:
        return b""
    lines: Iterable[str] = (
        f"{name}{'/' if is_dir else ''}" for name, is_dir in found.items() if name not in PASSING
    )
    return digest_of("\0".join(sorted(lines)).encode("utf-8", "surrogateescape"))


def _entries(folder: str) -> dict[str, bool] | None:
    try:
        with os.scandir(folder) as found:
            return {entry.name: entry.is_dir() for entry in found}
    except OSError:
        return None


def _kind(path: str) -> Kind:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return ABSENT
    if stat.S_ISREG(mode):
        return FILE
    return FOLDER if stat.S_ISDIR(mode) else OTHER
