"""Reads one file to its facts, here or in a worker, and says what they were read from."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from scopecheck.cache.packed import pack
from scopecheck.disk import Stamp, digest_of, read_stamped
from scopecheck.facts import TOO_DEEP, FileFacts, ReadError
from scopecheck.source import WHOLE_FILE, SourceError, Span, decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A syntax tree takes about 100 times the size of its text.
MAX_FILE = 12_000_000


class Reading(msgspec.Struct, array_like=True):
    """One file's facts, and what they were read from; stamp None: it could not be read."""

    facts: FileFacts
    stamp: Stamp | None = None
    digest: bytes = b""

    @property
    def lasts(self) -> bool:
        """Whether the same content will have the same facts on another day."""
        error = self.facts.error
        return self.stamp is not None and (error is None or error.message != TOO_DEEP)

    def packed(self) -> Packed:
        """The same, its facts as the cache keeps them.

        Raises:
            UnicodeEncodeError: the path is no text.
        """
        return Packed(pack(self.facts), self.stamp, self.digest, self.lasts)


class Packed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A reading as a worker sends it, its facts as the cache keeps them."""

    facts: bytes
    stamp: Stamp | None
    digest: bytes
    lasts: bool


def read_file(root: Path, path: str) -> Reading:
    """One file's facts; a file that cannot be read has an `error` that says why."""
    try:
        data, stamp = read_stamped(f"{root}{os.sep}{path}")
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        return Reading(_failed(path, "unreadable", message, WHOLE_FILE))
    return Reading(_facts_in(path, data), stamp, digest_of(data))


def _facts_in(path: str, data: bytes) -> FileFacts:
    if len(data) > MAX_FILE:
        return _failed(path, "skipped", _too_large(len(data)), WHOLE_FILE)
    # A run in which nothing changed reads nothing.
    from scopecheck.read import read

    try:
        return read(decode(path, data))
    except SourceError as error:
        return _failed(path, "unreadable", error.message, Span(error.line, 1, error.line, 1))


def _too_large(size: int) -> str:
    return (
        f"is skipped: {size / 1e6:.1f} MB is more than the {MAX_FILE / 1e6:.0f} MB that are read; "
        "split it, or leave it out with `exclude`"
    )


def _failed(path: str, kind: str, message: str, span: Span) -> FileFacts:
    return FileFacts(path, error=ReadError(kind, message, span))  # type: ignore[arg-type]


@contextmanager
def no_collection() -> Iterator[None]:
    """Trees are freed by their reference counts; a collection would only walk them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
