"""What stands around a statement, by the indentation of the lines above it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite import Suite

_LOOP = re.compile(r"\s*(?:async\s+)?(?:for|while)\b")
_EXIT = re.compile(r"\s+(?:return|raise)\b")


def is_in_loop(suite: Suite, path: str, first: int, line: int) -> bool:
    """Whether a loop in a function that begins on a line runs a statement again."""
    return any(_LOOP.match(header) for header in _headers(suite, path, first, line))


def is_after_exit(suite: Suite, path: str, first: int, line: int) -> bool:
    """Whether a function may have been left before it reaches a statement."""
    above = suite.lines(path, first + 1, line - 1).splitlines()
    return any(_EXIT.match(each) for each in above)


def _headers(suite: Suite, path: str, first: int, line: int) -> Iterator[str]:
    """The lines above a statement that are indented less, innermost first."""
    here = suite.lines(path, line, line)
    indent = len(here) - len(here.lstrip())
    for above in reversed(suite.lines(path, first, line - 1).splitlines()):
        depth = len(above) - len(above.lstrip())
        if above.strip() and depth < indent:
            indent = depth
            yield above
