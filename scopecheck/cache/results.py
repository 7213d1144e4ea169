"""What was made of suites, kept with all that it rests on.

A result is found by a key (everything that a run was told) and holds while all that was looked at
for it is as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scopecheck.cache.folder import identity
from scopecheck.disk import Record, digest_of

if TYPE_CHECKING:
    from scopecheck.cache.folder import CacheFolder


class _Kept(msgspec.Struct, array_like=True):
    identity: str
    key: bytes
    record: Record
    content: bytes


class ResultStore:
    """The results kept in a cache."""

    def __init__(self, folder: CacheFolder) -> None:
        self._folder = folder

    def find(self, key: bytes) -> bytes | None:
        """The result with this key, if it still holds."""
        content = self._folder.read(_name(key))
        if content is None:
            return None
        try:
            kept = msgspec.msgpack.decode(content, type=_Kept)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return None
        if kept.key != key or kept.identity != identity():
            return None
        record = kept.record.looked_at_again()
        if record is None:
            return None
        if record is not kept.record:
            self.add(key, record, kept.content)
        return kept.content

    def add(self, key: bytes, record: Record, content: bytes) -> None:
        """Keep a result."""
        kept = msgspec.msgpack.encode(_Kept(identity(), key, record, content))
        self._folder.write(_name(key), kept)


def _name(key: bytes) -> str:
    return f"result-{digest_of(key).hex()}"
