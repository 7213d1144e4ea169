"""Whether a file still says the same as before, but for the lines on which it says so.

Most edits (a comment, a blank line, a value in the middle of a test) change nothing that the suite
is linked by. Then what was found before is found again, on other lines.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from scopecheck import evidence, facts
from scopecheck.source import Span

# The fields that are numbers of lines. One that is missing here is compared as it is, which only
# makes an edit look greater than it was.
LINES: dict[type, tuple[str, ...]] = {
    Span: ("line", "end_line"),
    facts.Parameter: ("line",),
    facts.Function: ("line", "first_line", "end_line"),
    facts.Class: ("line",),
    facts.FileFacts: ("stops_at",),
    evidence.Word: ("line",),
}
# What is compared of a function: what it says, and not how it is kept.
SAID: dict[type, tuple[str, ...]] = {
    facts.Function: (
        *("name", "span", "line", "first_line", "end_line", "is_async", "is_generator", "owner"),
        *("asserts", "parameters", "decorators", "workings", "effects", "evidence"),
    )
}
# What silences findings is no part of what they rest on, nor is the length of the file. Where a
# check asked for words, that is noted by itself.
_BESIDE: dict[type, tuple[str, ...]] = {facts.FileFacts: ("suppressions", "lines", "words")}


def moved_lines(before: facts.FileFacts, after: facts.FileFacts) -> dict[int, int] | None:
    """Where each line that the facts name is now; None where they say something else.

    The order of the lines is the same, and lines next to each other still are.
    """
    lines: dict[int, int] = {}
    if not _agree(before, after, lines):
        return None
    lines.pop(0, None)
    steps = sorted(lines.items())
    for (line, now), (following, later) in pairwise(steps):
        if later <= now or (following - line == 1) != (later - now == 1):
            return None
    return lines


def _agree(before: Any, after: Any, lines: dict[int, int]) -> bool:
    kind = type(before)
    if kind is not type(after):
        return False
    if kind is tuple:
        if len(before) != len(after):
            return False
        return all(_agree(one, other, lines) for one, other in zip(before, after, strict=True))
    if not isinstance(before, msgspec.Struct):
        return bool(before == after)
    numbers, beside = LINES.get(kind, ()), _BESIDE.get(kind, ())
    for name in SAID.get(kind) or before.__struct_fields__:
        one, other = getattr(before, name), getattr(after, name)
        if name in numbers:
            if lines.setdefault(one, other) != other or (one == 0) != (other == 0):
                return False
        elif name not in beside and not _agree(one, other, lines):
            return False
    return True
