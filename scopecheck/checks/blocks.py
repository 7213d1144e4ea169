"""What stands around a statement, by the indentation of the lines above it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.source import indent_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.suite import Suite

_LOOP = re.compile(r"\s*(?:async\s+)?(?:for|while)\b")
_EXIT = re.compile(r"\s+(?:return|raise)\b")


def is_in_loop(suite: Suite, path: str, first: int, line: int) -> bool:
    """Whether a loop in a function that begins on a line runs a statement again."""
    return bool(loops_around(suite, path, first, line))


def loops_around(suite: Suite, path: str, first: int, line: int) -> list[str]:
    """The lines of the loops that a statement stands in, innermost first."""
    return [header for header in _headers(suite, path, first, line) if _LOOP.match(header)]


def conditions(suite: Suite, path: str, first: int, line: int) -> list[str]:
    """The lines of the conditions that a statement stands under, in a function from a line on."""
    return [header for header in _headers(suite, path, first, line) if _FIRST.match(header)]


def is_after_exit(suite: Suite, path: str, first: int, line: int) -> bool:
    """Whether a function may have been left before it reaches a statement."""
    above = suite.lines(path, first + 1, line - 1).splitlines()
    return any(_EXIT.match(each) for each in above)


_FIRST = re.compile(r"\s*(?:if|elif)\b")
_OTHER = re.compile(r"\s*(?:elif|else)\b")


def are_alternatives(suite: Suite, path: str, first: int, one: int, two: int) -> bool:
    """Whether a run of a function reaches only one of two statements: branches of one `if`."""
    lines = suite.lines(path, first, two).splitlines()
    branches = dict(_above(lines, one - first))
    for number, depth in _above(lines, two - first):
        if not _OTHER.match(lines[number]):
            continue
        for begin, same in branches.items():
            between = (line for line in lines[begin + 1 : number] if line.strip())
            if (
                same == depth
                and begin < number
                and _FIRST.match(lines[begin])
                and all(len(indent_of(line)) > depth or _OTHER.match(line) for line in between)
            ):
                return True
    return False


def _above(lines: Sequence[str], number: int) -> Iterator[tuple[int, int]]:
    """The lines above one that are indented less, innermost first, by number and depth."""
    indent = len(indent_of(lines[number]))
    for index in range(number - 1, -1, -1):
        depth = len(indent_of(lines[index]))
        if lines[index].strip() and depth < indent:
            indent = depth
            yield index, depth


def _headers(suite: Suite, path: str, first: int, line: int) -> Iterator[str]:
    """The lines above a statement that are indented less, innermost first."""
    lines = suite.lines(path, first, line).splitlines()
    for number, _ in _above(lines, line - first):
        yield lines[number]
