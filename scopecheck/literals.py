"""Patterns that are a choice of plain words, looked for without running the pattern over a text.

A search for a word takes a tenth of the time of one for a pattern that may begin in many ways.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# `\b(?:one|other)\(`, and several such with `|` between them.
_CHOICE = re.compile(r"(\\b|\\\.|)\(\?:([\w|\\*]+)\)(\\\(|\[\.\(\]|\\b|)(?:\||$)")


class _Parts(NamedTuple):
    """Texts of which one stands in whatever a pattern matches; none for a pattern of another form.

    begin: each match begins with one of them.
    """

    texts: tuple[str, ...]
    begin: bool


def occurs(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a pattern, which has no flags, matches anywhere in a text."""
    texts, begin = _parts(pattern.pattern)
    if not begin:
        found = not texts or any(part in text for part in texts)
        return found and pattern.search(text) is not None
    for part in texts:
        at = text.find(part)
        while at >= 0:
            if pattern.match(text, at):
                return True
            at = text.find(part, at + 1)
    return False


def one_of(pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Texts of which one stands in whatever a pattern matches; none for one of another form."""
    return _parts(pattern.pattern).texts


@lru_cache(64)
def _parts(pattern: str) -> _Parts:
    texts: list[str] = []
    begin = True
    end = 0
    while end < len(pattern):
        choice = _CHOICE.match(pattern, end)
        if choice is None:
            return _Parts((), begin=False)
        before, words, after = choice.groups()
        for word in words.split("|"):
            part = max(word.split(r"\w*"), key=len)
            if not re.fullmatch(r"\w+", part):
                return _Parts((), begin=False)
            begin = begin and word.startswith(part)
            whole = word.endswith(part) and after == r"\("
            dotted = before == r"\." and word.startswith(part)
            texts.append(f"{'.' if dotted else ''}{part}{'(' if whole else ''}")
        end = choice.end()
    return _Parts(tuple(dict.fromkeys(texts)), begin=begin)
