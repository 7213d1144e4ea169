"""Finds where many words stand in a text: by one look at all of it, where there is what does that.

`ahocorasick_rs` (the extra `fast`) finds them all at once. Without it each is looked for by itself,
which takes about six times as long and gives the same.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ahocorasick_rs import AhoCorasick

Occurrences: TypeAlias = "dict[str, list[int]]"
"""Where each word begins, in order; a word that does not stand in the text is left out."""


class Wanted:
    """Words that are looked for together.

    Args:
        words: by a part that they have in common, without which none of them is there.
    """

    def __init__(self, words: Mapping[str, tuple[str, ...]]) -> None:
        self.words = words
        self._each = tuple(dict.fromkeys(word for several in words.values() for word in several))

    def occurrences(self, text: str) -> Occurrences:
        """Where the words stand in a text."""
        automaton = self._automaton
        if automaton is None:
            return self.one_by_one(text)
        try:
            matches = automaton.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:
            # Half a surrogate pair cannot be handed over.
            return self.one_by_one(text)
        found: dict[int, list[int]] = {}
        for index, start, _ in matches:
            if index in found:
                found[index].append(start)
            else:
                found[index] = [start]
        words = self._each
        return {words[index]: starts for index, starts in found.items()}

    def one_by_one(self, text: str) -> Occurrences:
        """As `occurrences`, with a search for each word."""
        return {
            word: starts
            for part, several in self.words.items()
            if part in text
            for word in several
            if (starts := list(starts_of(word, text)))
        }

    @cached_property
    def _automaton(self) -> AhoCorasick | None:
        try:
            from ahocorasick_rs import AhoCorasick
        except ImportError:
            return None
        return AhoCorasick(self._each)


def starts_of(word: str, text: str) -> Iterator[int]:
    """Where a word begins in a text, in order."""
    start = text.find(word)
    while start >= 0:
        yield start
        start = text.find(word, start + len(word))
