"""What checks that look far learned from an edited test file, where the edit leaves that as it is.

The file is taken for two: the functions that such checks read, which did not change, and all else,
of which they learned nothing, before or after.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.kept import stands_again
from scopecheck.learned import Learned
from scopecheck.only_tests import only_tests
from scopecheck.source import lines_of
from scopecheck.whole import NeedsWhole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from scopecheck.facts import FileFacts, Function
    from scopecheck.learned import Lines
    from scopecheck.only_tests import OnlyTests
    from scopecheck.suite import Suite


class Apart:
    """One edited file.

    learned: what was learned from it, on the lines on which it is now.
    before, now: the tests that were read, by the lines of their functions.
    lines: where lines are now, as far as that is known.
    loses: the edit took something out that the file has no more.

    Args:
        path: of the file.
        facts: of the file as it was.
        before: the part of the suite that was linked with these facts.
        now: the part as it is.
        learned: what was learned before.

    Raises:
        NeedsWhole: what was learned is something else now.
    """

    def __init__(
        self, path: str, facts: FileFacts, before: Suite, now: Suite, learned: Learned
    ) -> None:
        self._path = path
        self._now = now
        self._edit: OnlyTests | None = None
        facts_now = now.facts(path)
        if facts_now is not None:
            self._edit = only_tests(facts, facts_now, _tests(before, path), _tests(now, path))
            if self._edit is not None and not self._imports_for_tests(self._edit):
                self._edit = None
        self.lines: Mapping[int, int] = {} if self._edit is None else self._edit.lines
        self.loses = True if self._edit is None else self._edit.loses
        self._read: dict[int, Function] = {}
        lines = [self._moved(*one) for one in learned.lines]
        if lines or learned.matching:
            self._check_changed(facts, _tests(before, path), learned.matching)
        for named in learned.named:
            if facts_now is None or not stands_again(now.whole_text(path), facts_now, named):
                raise NeedsWhole("names of fixtures in the text")
        self.learned = Learned(tuple(sorted(lines)), learned.named, learned.matching)
        self.before = frozenset(self._read)
        self.now = frozenset(function.line for function in self._read.values())

    def _imports_for_tests(self, edit: OnlyTests) -> bool:
        """Whether the names of imports that changed stand in tests that changed, if at all."""
        spans, names = edit.imported
        if not names:
            return True
        lines = lines_of(self._now.whole_text(self._path))
        changed = [(function.first_line, function.end_line) for function in edit.changed]
        stated = [(span.line, span.end_line) for span in spans]
        if any(";" in line for first, last in stated for line in lines[first - 1 : last]):
            return False
        for first, last in (*changed, *stated):
            lines[first - 1 : last] = [""] * (last - first + 1)
        words = rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b"
        return re.search(words, "".join(lines)) is None

    def check(self, learned: Learned) -> None:
        """Hold what is learned from the file now against what was learned before.

        Raises:
            NeedsWhole: it is more.
        """
        for first, last, _ in learned.lines:
            before = None if self._edit is None else self._edit.held(first, last)
            if before is None or before.line not in self._read:
                raise NeedsWhole("a check that looks far reads what changed")

    def _moved(self, first: int, last: int, checksum: int) -> tuple[int, int, int]:
        found = None if self._edit is None else self._edit.holding(first, last)
        if found is None:
            raise NeedsWhole("a check that looks far read what changed")
        before, now = found
        self._read[before.line] = now
        shift = now.line - before.line
        lines: Lines = (first + shift, last + shift)
        if self._now.checksum(self._path, lines) != checksum:
            raise NeedsWhole("a check that looks far read what changed")
        return (*lines, checksum)

    def _check_changed(
        self, facts: FileFacts, tests: Collection[int], patterns: Iterable[str]
    ) -> None:
        """Whether tests that changed are none of which the checks would have learned something.

        They are read where a pattern matches that was looked for, or where all tests of the file
        or of a class are; and what was read may call a test by its name.
        """
        if self._edit is None:
            raise NeedsWhole("a check that looks far looked into what changed")
        unread = {f.owner for f in facts.functions if f.line in tests and f.line not in self._read}
        searches = [re.compile(pattern).search for pattern in patterns]
        for function in self._edit.changed:
            text = self._now.text_of(self._path, function)
            if function.owner not in unread or any(search(text) for search in searches):
                raise NeedsWhole("a check that looks far may look into what changed")
        if self._edit.names:
            names = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(self._edit.names)))})\b")
            for function in self._read.values():
                if names.search(self._now.text_of(self._path, function)):
                    raise NeedsWhole("a test that another function names")


def _tests(suite: Suite, path: str) -> frozenset[int]:
    """The lines of the functions of a file that are tests."""
    return frozenset(item.line for item in suite.items if item.place.path == path)
