"""Which names of events the tested code knows: those that it sends, and any that it has at all."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cached_property
from typing import TYPE_CHECKING

from scopecheck.suite.asserting import is_test_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scopecheck.evidence import Emitted

# A name of two words or more; one word is too much like any other.
_NAME = r"[a-z]+(?:[_.:-][a-z]+)+"
_QUOTED = re.compile(rf"[\"']({_NAME})[\"']")
_EVENT_NAME = re.compile(_NAME)
_WORD = re.compile(r"\w+")
_METHOD = re.compile(r"\.(\w+)")
# What a text has in which something may be sent.
_SENDING = re.compile(r"emit|notify|send|publish|broadcast|dispatch|fire|[Ee]vent|Message|\btype\b")
_SEPARATOR = re.compile(r"[_.:-]")
# How like a known name an unknown one must be to be a misspelling of it: as a whole, in each of its
# words, and as a whole if it has more or fewer words.
_LIKENESS = 0.8
_LIKENESS_OF_PARTS = 0.65
_LIKENESS_OF_OTHERS = 0.9


class Vocabulary:
    """The names in the application's code, as far as the suite imports it.

    Args:
        paths: the suite's own files.
        text: of a file.
        read: what a file sends.
    """

    def __init__(
        self,
        paths: Iterable[str],
        text: Callable[[str], str],
        read: Callable[[str], Emitted],
    ) -> None:
        self._paths = [path for path in sorted(paths) if not is_test_path(path)]
        self._text = text
        self._read = read

    @cached_property
    def quoted(self) -> frozenset[str]:
        """Every string that may be the name of an event, whatever it is there for."""
        return frozenset(name for path in self._paths for name in _QUOTED.findall(self._text(path)))

    @cached_property
    def methods(self) -> frozenset[str]:
        """Every attribute that is named anywhere."""
        return frozenset(name for path in self._paths for name in _METHOD.findall(self._text(path)))

    def knows(self, names: Iterable[str]) -> bool:
        """Whether the code has one of these names, and so can be the code that sends them."""
        return any(
            name in self.quoted or any(name in method for method in self.methods) for name in names
        )

    @cached_property
    def emitted(self) -> frozenset[str]:
        """The names that reach functions which send something."""
        found: set[str] = set()
        names: set[str] = set()
        constants: dict[str, str] = {}
        others: list[str] = []
        for path in self._paths:
            if _SENDING.search(self._text(path)):
                one = self._read(path)
                found.update(one.strings)
                names.update(one.names)
                constants.update(one.constants)
            else:
                others.append(path)
        lacks = {name.rpartition(".")[2] for name in names - constants.keys()}
        for path in others:
            if not lacks.isdisjoint(_WORD.findall(self._text(path))):
                constants.update(self._read(path).constants)
        found.update(constants[name] for name in names if name in constants)
        return frozenset(name for name in found if _EVENT_NAME.fullmatch(name))


def meant(word: str, names: Iterable[str]) -> str | None:
    """The one of these names that a word is a misspelling of, the likest if there are several."""
    if not _EVENT_NAME.fullmatch(word):
        return None
    parts = _SEPARATOR.split(word)
    likely = [
        (likeness, name)
        for name in names
        if (likeness := _likeness(word, parts, name, _SEPARATOR.split(name))) > 0
    ]
    return max(likely)[1] if likely else None


def _likeness(word: str, parts: list[str], name: str, others: list[str]) -> float:
    """How like a name a word is; 0 where it may well be another name.

    `agent_complete` is like `agent_completed`; `task_failed` and `task_finished` are two names.
    """
    if parts[0] != others[0]:
        return 0
    likeness = SequenceMatcher(None, word, name).ratio()
    if len(parts) != len(others):
        return likeness if likeness >= _LIKENESS_OF_OTHERS else 0
    same = all(
        one == other or SequenceMatcher(None, one, other).ratio() >= _LIKENESS_OF_PARTS
        for one, other in zip(parts, others, strict=True)
    )
    return likeness if same and likeness >= _LIKENESS else 0
