"""The facts of files, kept by path and content, in one file that is read as a whole.

A file's facts are found by its path, and hold while its stamp is what it was, or else while its
content is. They stay encoded until they are asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from scopecheck.cache.folder import identity
from scopecheck.cache.packed import unpack
from scopecheck.disk import Seen, Stamp, digest_of, note_file, read_stamped, stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scopecheck.cache.folder import CacheFolder
    from scopecheck.facts import FileFacts

_NAME = "facts"
_MOST_BYTES = 128_000_000
# Facts that so many runs that wrote the cache did not ask for are dropped.
_MOST_AGE = 20


class _Entry(msgspec.Struct, array_like=True, gc=False):
    """Where in the slab a file's facts lie, and what they are the facts of."""

    path: str
    stamp: Stamp
    digest: bytes
    start: int
    size: int
    age: int = 0


class _Index(msgspec.Struct, array_like=True):
    identity: str
    entries: list[_Entry]


class FactsStore:
    """The facts kept for a project.

    Args:
        folder: of the cache.
        root: what paths are relative to.
    """

    def __init__(self, folder: CacheFolder, root: Path) -> None:
        self._folder = folder
        self._root = str(root)
        self._entries: dict[str, _Entry] | None = None
        self._slab = memoryview(b"")
        self._fresh: dict[str, tuple[Stamp, bytes, bytes]] = {}
        self._used: set[str] = set()
        self._restamped: dict[str, Stamp] = {}

    def find(self, path: str) -> FileFacts | None:
        """The facts of a file as it is now, where they are known."""
        entry = self._known.get(path)
        if entry is None:
            return None
        file = f"{self._root}{os.sep}{path}"
        try:
            stamp = stamp_of(os.stat(file))  # noqa: PTH116
            if not (entry.stamp.is_same(stamp) and entry.stamp.is_settled):
                data, stamp = read_stamped(file)
                if digest_of(data) != entry.digest:
                    return None
                self._restamped[path] = stamp
        except OSError:
            return None
        facts = self._decoded(entry)
        if facts is None:
            return None
        self._used.add(path)
        note_file(Seen(file, stamp, entry.digest))
        return facts

    @property
    def paths(self) -> Iterable[str]:
        """The files that an earlier run kept facts of."""
        return self._known.keys()

    def digest(self, path: str) -> bytes | None:
        """Of the content that the facts kept of a file are the facts of."""
        entry = self._known.get(path)
        return None if entry is None else entry.digest

    def kept(self, path: str) -> FileFacts | None:
        """The facts that an earlier run kept of a file, whatever became of it; no disk is asked.

        Only the facts of this file are decoded.
        """
        entry = self._known.get(path)
        return None if entry is None else self._decoded(entry)

    def before(self, path: str, digest: bytes) -> FileFacts | None:
        """The facts of a file's content of before, where they are still known."""
        return self.kept(path) if self.digest(path) == digest else None

    def _decoded(self, entry: _Entry) -> FileFacts | None:
        try:
            facts = unpack(self._slab[entry.start : entry.start + entry.size])
        except (ValueError, LookupError, RecursionError):
            return None
        return facts if facts.path == entry.path else None

    def add(self, path: str, stamp: Stamp, digest: bytes, encoded: bytes) -> None:
        """Keep a file's facts."""
        self._fresh[path] = (stamp, digest, encoded)

    @property
    def _known(self) -> dict[str, _Entry]:
        if self._entries is None:
            self._entries = {}
            content = self._folder.read(_NAME)
            if content is not None:
                self._load(content)
        return self._entries

    def _load(self, content: memoryview) -> None:
        size = int.from_bytes(content[:8], "little")
        try:
            index = msgspec.msgpack.decode(content[8 : 8 + size], type=_Index)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return
        if index.identity == identity():
            self._slab = content[8 + size :]
            self._entries = {entry.path: entry for entry in index.entries}

    def save(self) -> None:
        """Write the facts, if there are new ones."""
        known = self._known
        if not self._fresh and not any(one.is_settled for one in self._restamped.values()):
            return
        entries: list[_Entry] = []
        parts: list[bytes | memoryview] = []
        start = 0

        def put(path: str, stamp: Stamp, digest: bytes, data: bytes | memoryview, age: int) -> None:
            nonlocal start
            if start + len(data) <= _MOST_BYTES:
                entries.append(_Entry(path, stamp, digest, start, len(data), age))
                parts.append(data)
                start += len(data)

        for path, (stamp, digest, data) in self._fresh.items():
            put(path, stamp, digest, data, 0)
        for path, entry in known.items():
            if path in self._fresh:
                continue
            age = 0 if path in self._used else entry.age + 1
            if age <= _MOST_AGE:
                part = self._slab[entry.start : entry.start + entry.size]
                put(path, self._restamped.get(path, entry.stamp), entry.digest, part, age)
        index = msgspec.msgpack.encode(_Index(identity(), entries))
        self._folder.write(_NAME, len(index).to_bytes(8, "little"), index, *parts)
        self._fresh = {}
