"""Writes changes as a unified diff that `git apply` takes, byte for byte."""

from __future__ import annotations

import bisect
import difflib
import itertools
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CONTEXT = 3
_Block: TypeAlias = tuple[bool, int, int, int, int]
"""Whether lines are equal, and which: start and end before, start and end after."""

_NO_NEWLINE = b"\\ No newline at end of file\n"


class Change(msgspec.Struct, frozen=True, order=True):
    """One file before and after. before: None for a file that is made."""

    path: str
    before: bytes | None
    after: bytes


def unified(changes: Iterable[Change], prefix: str = "") -> bytes:
    """The diff of some files, by path.

    prefix: what stands before each path, with its `/`: the folder's place in the repository.
    """
    return b"".join(
        part
        for change in sorted(changes)
        if change.before != change.after
        for part in _file(change, prefix)
    )


def _file(change: Change, prefix: str) -> Iterator[bytes]:
    old, new = (_name(f"{side}/{prefix}{change.path}") for side in "ab")
    yield b"diff --git %s %s\n" % (old, new)
    if change.before is None:
        yield b"new file mode 100644\n"
        old = b"/dev/null"
    before = _lines(change.before or b"")
    after = _lines(change.after)
    if before or after:
        yield b"--- %s\n+++ %s\n" % (_ended(old), _ended(new))
    for hunk in _hunks(list(_differences(before, after))):
        first, last = hunk[0], hunk[-1]
        old_range = _range(first[1], last[2])
        yield b"@@ -%s +%s @@\n" % (old_range, _range(first[3], last[4]))
        for equal, start, end, new_start, new_end in hunk:
            if equal:
                yield from _printed(b" ", before[start:end])
            else:
                yield from _printed(b"-", before[start:end])
                yield from _printed(b"+", after[new_start:new_end])


def _printed(sign: bytes, lines: Sequence[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield sign + line
        if not line.endswith(b"\n"):
            yield b"\n" + _NO_NEWLINE


def _range(start: int, end: int) -> bytes:
    """The lines of a side of a hunk, as diffs have them: the first counts from 1."""
    count = end - start
    if count == 1:
        return b"%d" % (start + 1)
    return b"%d,%d" % (start + bool(count), count)


def _hunks(found: list[_Block]) -> Iterator[list[_Block]]:
    """The differences with the lines around them; those close to each other together."""
    if all(equal for equal, *_ in found):
        return
    hunk: list[_Block] = []
    for index, (equal, start, end, new_start, new_end) in enumerate(found):
        if not equal:
            hunk.append((False, start, end, new_start, new_end))
            continue
        length = end - start
        before = _CONTEXT if index else 0
        after = _CONTEXT if index < len(found) - 1 else 0
        if length <= before + after:
            hunk.append((True, start, end, new_start, new_end))
            continue
        if before:
            hunk.append((True, start, start + before, new_start, new_start + before))
            yield hunk
        hunk = []
        if after:
            hunk.append((True, end - after, end, new_end - after, new_end))
    if hunk and not all(equal for equal, *_ in hunk):
        yield hunk


def _differences(before: Sequence[bytes], after: Sequence[bytes]) -> Iterator[_Block]:
    """Runs of lines that are equal, or not, on both sides.

    Lines that both sides have once are matched first: what lies between them is short. (difflib
    alone sets aside the lines that long files have often, and pairs the rest oddly.)
    """
    pairs = [(-1, -1), *_anchors(before, after), (len(before), len(after))]
    blocks: list[_Block] = []

    def add(equal: bool, start: int, end: int, new_start: int, new_end: int) -> None:
        if start == end and new_start == new_end:
            return
        if blocks and blocks[-1][0] == equal:
            _, start, _, new_start, _ = blocks.pop()
        blocks.append((equal, start, end, new_start, new_end))

    for (left, right), (next_left, next_right) in itertools.pairwise(pairs):
        old, new = before[left + 1 : next_left], after[right + 1 : next_right]
        for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
            add(tag == "equal", left + 1 + i, left + 1 + j, right + 1 + k, right + 1 + m)
        if next_left < len(before):
            add(True, next_left, next_left + 1, next_right, next_right + 1)
    return iter(blocks)


def _anchors(before: Sequence[bytes], after: Sequence[bytes]) -> list[tuple[int, int]]:
    """Pairs of lines that both sides have exactly once, in the order of both."""
    places = [
        {line: index for index, line in enumerate(side) if counts[line] == 1}
        for side in (before, after)
        if (counts := Counter(side)) is not None
    ]
    common = [(index, places[1][line]) for line, index in places[0].items() if line in places[1]]
    # The longest run of pairs that goes up on both sides: patience sorting.
    tops: list[int] = []
    piles: list[int] = []
    previous: list[int] = []
    for number, (_, right) in enumerate(common):
        pile = bisect.bisect_left(tops, right)
        previous.append(piles[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(right)
            piles.append(number)
        else:
            tops[pile] = right
            piles[pile] = number
    found: list[tuple[int, int]] = []
    number = piles[-1] if piles else -1
    while number >= 0:
        found.append(common[number])
        number = previous[number]
    found.reverse()
    return found


def _lines(data: bytes) -> list[bytes]:
    """The lines as git has them: a carriage return is part of its line."""
    lines = data.split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _name(path: str) -> bytes:
    """A path as git writes it: quoted where it has characters that a diff could not hold."""
    data = path.encode(errors="surrogateescape")
    if not any(byte < 0x20 or byte in b'"\\\x7f' for byte in data):
        return data
    quoted = b"".join(
        b"\\%03o" % byte
        if byte < 0x20 or byte == 0x7F
        else b"\\%c" % byte
        if byte in b'"\\'
        else b"%c" % byte
        for byte in data
    )
    return b'"%s"' % quoted


def _ended(name: bytes) -> bytes:
    """A name that holds a blank ends with a tab, so that git knows where it ends."""
    return name + b"\t" if b" " in name and not name.startswith(b'"') else name
