"""Applies edits to a file's text: whatever lies outside of them stays as it is.

edit    replaces the text of a span; an empty span inserts
lines   whole lines, with their endings; removing some takes the blank lines with them that
        only set them apart
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.finding import Edit
from scopecheck.read.text import Text
from scopecheck.source import BOM, Span, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.source import Source

_NEWLINE = re.compile(r"\r\n|\r|\n")


class Withheld(Exception):  # noqa: N818
    """Code that is not rewritten; says why in words for a user."""


class Overlap(Exception):  # noqa: N818
    """Two edits want the same text."""


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; edits at one place are made in the order given.

    Raises:
        Overlap: two edits want the same text.
    """
    lines = Text(text)
    placed = [
        (
            lines.offset(edit.span.line, edit.span.column),
            lines.offset(edit.span.end_line, edit.span.end_column),
            edit.content,
        )
        for edit in dict.fromkeys(edits)
    ]
    parts: list[str] = []
    done = 0
    for start, end, content in sorted(placed, key=lambda one: one[:2]):
        if start < done:
            raise Overlap(f"two edits on line {lines.line_at(start)}")
        parts += [text[done:start], content]
        done = end
    return "".join((*parts, text[done:]))


def encode(source: Source, text: str) -> bytes:
    """New text for a file, as bytes in its own encoding, with its byte order mark.

    Raises:
        UnicodeEncodeError: the encoding has no such characters.
    """
    return (BOM if source.bom else b"") + text.encode(source.encoding)


def newline_of(text: str) -> str:
    """The line ending that a text uses first; a line feed where it has none."""
    found = _NEWLINE.search(text)
    return found[0] if found else "\n"


class Editor:
    """Collects the edits of one file; places are those of the text as it was."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.path = source.path
        self.text = Text(source.text)
        self.newline = newline_of(source.text)
        self.edits: list[Edit] = []
        self._removed: set[int] = set()
        self._inserted: set[int] = set()

    @property
    def changed(self) -> bool:
        """Whether there is any edit."""
        return bool(self.edits or self._removed)

    @property
    def result(self) -> str:
        """The text with all edits made.

        Raises:
            Overlap: two of them want the same text.
        """
        return apply(self.source.text, self.all_edits)

    @property
    def all_edits(self) -> list[Edit]:
        """Every edit, those that remove lines last."""
        return [*self.edits, *self._removals()]

    def slice(self, span: Span) -> str:
        """The text of a span."""
        start = self.text.offset(span.line, span.column)
        return self.source.text[start : self.text.offset(span.end_line, span.end_column)]

    def lines(self, first: int, last: int) -> str:
        """The text of whole lines."""
        return self.slice(_lines(first, last))

    def replace(self, span: Span, content: str) -> None:
        """Put something else in the place of a span, where it differs."""
        if self.slice(span) != content:
            self.edits.append(Edit(self.path, span, content))

    def replace_lines(self, first: int, last: int, content: str) -> None:
        """Put something else in the place of whole lines: only those that differ are edited."""
        old, new = lines_of(self.lines(first, last)), lines_of(content)
        from difflib import SequenceMatcher

        for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                span = Span(first + i, 1, first + j, 1)
                self.edits.append(Edit(self.path, span, "".join(new[k:m])))

    def insert(self, line: int, content: str, *, ahead: bool = False) -> None:
        """Put whole lines, written with line feeds, before a line (one past the last: at the end).

        A file without a final line ending keeps that. ahead: they come before what else is inserted
        there.
        """
        span = Span(line, 1, line, 1)
        content = content.replace("\n", self.newline)
        if line > self.text.line_count and not self._ends_with_newline():
            content = self.newline + content.removesuffix(self.newline)
        self._inserted.add(line)
        self.edits.insert(0 if ahead else len(self.edits), Edit(self.path, span, content))

    def remove_lines(self, first: int, last: int) -> None:
        """Take whole lines out, with the blank lines that set them apart."""
        self._removed.update(range(first, last + 1))

    def removes(self, first: int, last: int) -> bool:
        """Whether these lines are taken out, all of them."""
        return self._removed.issuperset(range(first, last + 1))

    def touches(self, first: int, last: int) -> bool:
        """Whether any of these lines is changed, or taken out."""
        if not self._removed.isdisjoint(range(first, last + 1)):
            return True
        return any(e.span.line <= last and first < e.span.end_line for e in self.edits)

    def is_blank(self, line: int) -> bool:
        """Whether a line is there and holds nothing."""
        return 1 <= line <= self.text.line_count and not self.text.line(line).strip()

    def _ends_with_newline(self) -> bool:
        return not self.source.text or self.source.text.endswith(("\n", "\r"))

    def _removals(self) -> list[Edit]:
        """One edit for each run of removed lines; blank lines between two runs go with them."""
        found: list[Edit] = []
        count = self.text.line_count
        line = 1
        while line <= count:
            if line not in self._removed:
                line += 1
                continue
            first = line
            while line <= count and self._goes(line) and (line == first or self._joins(line)):
                line += 1
            last = line - 1
            if line <= count and not self.is_blank(line):
                # Code follows at once: what set the last removed lines apart sets it apart.
                gap = next((n for n in range(last, first, -1) if n not in self._removed), 0)
                if gap:
                    end = next(n for n in range(gap, first - 1, -1) if n in self._removed)
                    found.append(self._removal(first, end))
                    first = gap + 1
            found.append(self._removal(first, last))
        return found

    def _goes(self, line: int) -> bool:
        """Whether a line is removed, or blank with nothing but removed lines after it."""
        while self.is_blank(line) and line not in self._removed:
            line += 1
        return line in self._removed

    def _joins(self, line: int) -> bool:
        """Whether nothing is inserted before a line, so that it may go in one with the last one."""
        return line not in self._inserted

    def _removal(self, first: int, last: int) -> Edit:
        """The edit that removes lines, and of the blank lines around them the shorter run."""
        count = self.text.line_count
        before = after = 0
        while self.is_blank(first - before - 1) and self._joins(first - before):
            before += 1
        while self.is_blank(last + after + 1) and self._joins(last + after + 1):
            after += 1
        start, end = first, last
        if last + after == count:
            start = first - before
            end = count
        elif (
            first - before == 1
            or self._opens_block(first - before - 1)
            or (after and after <= before)
        ):
            end = last + after
        elif after:
            start = first - before
        if end == count and not self._ends_with_newline() and start > 1:
            # The line before is the last one now, and has no ending either.
            previous = self.text.line(start - 1)
            bare = len(previous.rstrip("\r\n"))
            return Edit(self.path, Span(start - 1, bare + 1, end + 1, 1), "")
        return Edit(self.path, Span(start, 1, end + 1, 1), "")

    def _opens_block(self, line: int) -> bool:
        """Whether a line ends a compound statement's head."""
        return self.text.line(line).partition("#")[0].rstrip().endswith(":")


def _lines(first: int, last: int) -> Span:
    return Span(first, 1, last + 1, 1)
