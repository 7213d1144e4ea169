"""What is learned from the text of files beyond their facts, kept to be asked again after an edit.

Most of it are answers to questions that can be asked again: whether a pattern matches in a file,
and which names of fixtures stand in its strings or its code. Where a check went on to read lines,
these are kept with a checksum; those of a test file only if the check looks far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias
from zlib import crc32

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

Where: TypeAlias = Literal["strings", "code"]
Lines: TypeAlias = tuple[int, int]

ALL_LINES: Lines = (0, 0)
"""Stands for the whole file."""


def checksum_of(text: str) -> int:
    """A checksum of lines that were read."""
    return crc32(text.encode("utf-8", "surrogatepass"))


class Named(msgspec.Struct, frozen=True, array_like=True):
    """Which of some names stand in the strings or in the code of a file."""

    where: Where
    asked: tuple[str, ...]
    found: tuple[str, ...]


class Learned(msgspec.Struct, frozen=True, array_like=True):
    """What checks learned from one file's text.

    lines: that they read, first and last, with a checksum of their text. `ALL_LINES` for all.
    named: names of fixtures that they looked for. matching: patterns that match somewhere.
    """

    lines: tuple[tuple[int, int, int], ...] = ()
    named: tuple[Named, ...] = ()
    matching: tuple[str, ...] = ()

    @property
    def has_all_lines(self) -> bool:
        """Whether the whole text was read."""
        return any(one[:2] == ALL_LINES for one in self.lines)

    def and_also(self, other: Learned) -> Learned:
        """What either tells."""
        return Learned(
            tuple(sorted({*self.lines, *other.lines})),
            tuple(dict.fromkeys((*self.named, *other.named))),
            tuple(sorted({*self.matching, *other.matching})),
        )


class Notebook:
    """Notes what is learned from files while a suite is checked; by path."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[Lines, int]] = {}
        self._named: dict[str, dict[Named, None]] = {}
        self._matching: dict[str, set[str]] = {}

    def read(self, path: str, lines: Lines, checksum: int) -> None:
        """Lines of a file were read."""
        self._lines.setdefault(path, {})[lines] = checksum

    def asked(self, path: str, where: Where, asked: Iterable[str], found: Iterable[str]) -> None:
        """It was asked which of these names stand in a file."""
        named = Named(where, tuple(sorted(asked)), tuple(sorted(found)))
        self._named.setdefault(path, {})[named] = None

    def matched(self, path: str, patterns: Iterable[str]) -> None:
        """Patterns were found to match in a file."""
        self._matching.setdefault(path, set()).update(patterns)

    def of(self, path: str) -> Learned:
        """What was noted of a file."""
        lines = self._lines.get(path, {})
        return Learned(
            tuple(sorted((*one, checksum) for one, checksum in lines.items())),
            tuple(self._named.get(path, ())),
            tuple(sorted(self._matching.get(path, ()))),
        )

    @property
    def paths(self) -> frozenset[str]:
        """The files that something was noted of."""
        return frozenset(self._lines.keys() | self._named.keys() | self._matching.keys())
