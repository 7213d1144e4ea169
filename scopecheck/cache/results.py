"""What was made of suites, kept with all that it rests on.

A result is found by a key (everything that a run was told) and holds while all that was looked at
for it is as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scopecheck.cache.folder import identity
from scopecheck.disk import Record, Seen, digest_of

if TYPE_CHECKING:
    from scopecheck.cache.folder import CacheFolder


class _Kept(msgspec.Struct, array_like=True):
    identity: str
    key: bytes
    record: Record
    content: bytes


class Found(NamedTuple):
    """A result.

    record: what it rests on, with today's stamps.
    changed: the files, as they were, whose content is another now: the result is one of before.
    """

    content: bytes
    record: Record
    changed: tuple[Seen, ...]


class ResultStore:
    """The results kept in a cache."""

    def __init__(self, folder: CacheFolder) -> None:
        self._folder = folder

    def find(self, key: bytes) -> Found | None:
        """The result with this key, if nothing but the content of some files is another now."""
        content = self._folder.read(_name(key))
        if content is None:
            return None
        try:
            kept = msgspec.msgpack.decode(content, type=_Kept)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return None
        if kept.key != key or kept.identity != identity():
            return None
        again = kept.record.looked_at_again()
        if again is None:
            return None
        record, changed = again
        if record is not kept.record and not changed:
            self.add(key, record, kept.content)
        return Found(kept.content, record, changed)

    def add(self, key: bytes, record: Record, content: bytes) -> None:
        """Keep a result."""
        kept = msgspec.msgpack.encode(_Kept(identity(), key, record, content))
        self._folder.write(_name(key), kept)


def _name(key: bytes) -> str:
    return f"result-{digest_of(key).hex()}"
