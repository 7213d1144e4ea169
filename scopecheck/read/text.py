"""A file's text by lines: turns the syntax tree's byte offsets into columns, and finds words."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from scopecheck.read.occurrences import starts_of
from scopecheck.source import Span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_NEWLINE = re.compile(r"\r\n|\r|\n")
_CALL = re.compile(r"\b(\w+)\(")
# Characters before the name, as they are written most often.
_KEYWORDS: dict[type[ast.AST], int] = {
    ast.FunctionDef: len("def "),
    ast.AsyncFunctionDef: len("async def "),
    ast.ClassDef: len("class "),
}
# So many plain searches take as long as one with an expression that fits every name.
_MANY = 30


class Text:
    """One file's text; lines are counted as the tokenizer counts them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ascii = text.isascii()
        # The line that a column was last asked for, its bytes if there is more in it than ASCII,
        # and that place's byte offset and column.
        self._line, self._bytes = 0, b""
        self._offset, self._column = 0, 1

    @cached_property
    def _starts(self) -> list[int]:
        if "\r" in self.text:
            return [0, *(match.end() for match in _NEWLINE.finditer(self.text))]
        lengths = [len(line) + 1 for line in self.text.split("\n")]
        lengths.pop()
        return [0, *accumulate(lengths)]

    @property
    def line_count(self) -> int:
        """Lines that have text or a line ending; 0 for an empty file."""
        return len(self._starts) - (self._starts[-1] == len(self.text))

    def line(self, number: int) -> str:
        """The text of a line (from 1), with its ending."""
        starts = self._starts
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end]

    def line_at(self, offset: int) -> int:
        """The number of the line in which this character stands."""
        return bisect_right(self._starts, offset)

    def offset(self, line: int, column: int) -> int:
        """Where in the text this line and column are; the line after the last one is its end."""
        starts = self._starts
        return len(self.text) if line > len(starts) else starts[line - 1] + column - 1

    def range(self, first: int, last: int) -> tuple[int, int]:
        """Where in the text a line begins, and where a later one or the same ends."""
        starts = self._starts
        return starts[first - 1], starts[last] if last < len(starts) else len(self.text)

    def has(self, word: str, first: int, last: int) -> bool:
        """Whether a word stands in one of the lines from the first to the last."""
        return self.text.find(word, *self.range(first, last)) >= 0

    def column(self, line: int, byte_offset: int) -> int:
        """The column (from 1, in characters) of a UTF-8 byte offset in a line."""
        if self.ascii:
            return byte_offset + 1
        if line != self._line:
            words = self.line(line)
            self._line = line
            self._bytes = b"" if words.isascii() else words.encode()
            self._offset, self._column = 0, 1
        if not self._bytes:
            return byte_offset + 1
        low, high = sorted((self._offset, byte_offset))
        between = len(self._bytes[low:high].decode(errors="replace"))
        self._column += between if byte_offset > self._offset else -between
        self._offset = byte_offset
        return self._column

    def span(self, node: ast.expr | ast.stmt | ast.arg | ast.alias | ast.keyword) -> Span:
        """Where a node stands."""
        end_line = node.end_lineno or node.lineno
        if self.ascii:
            end = node.end_col_offset or node.col_offset
            return Span(node.lineno, node.col_offset + 1, end_line, end + 1)
        return Span(
            node.lineno,
            self.column(node.lineno, node.col_offset),
            end_line,
            self.column(end_line, node.end_col_offset or node.col_offset),
        )

    def source(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node, as `ast.get_source_segment` gives it, which parts the whole file."""
        last, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        first = self.offset(node.lineno, self.column(node.lineno, node.col_offset))
        return self.text[first : self.offset(last, self.column(last, end))]

    def words(self, node: ast.expr) -> str:
        """The text of an expression, where it is on one line and short, else empty."""
        span = self.span(node)
        if span.line != span.end_line:
            return ""
        found = self.line(span.line)[span.column - 1 : span.end_column - 1]
        return found if len(found) <= 60 else ""

    def name_span(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Span:
        """Where the name of a `def` or `class` statement stands."""
        name = node.name
        if self.ascii:
            start = node.col_offset + _KEYWORDS[node.__class__]
            if self.text.startswith(name, self._starts[node.lineno - 1] + start):
                return Span(node.lineno, start + 1, node.lineno, start + 1 + len(name))
        line = self.line(node.lineno)
        start = self.column(node.lineno, node.col_offset) - 1
        keyword = "class" if hasattr(node, "bases") else "def"
        after = line.find(keyword, start) + len(keyword)
        found = line.find(name, after)
        # A name on a continued line, or one that normalises to another spelling: the statement.
        column = found + 1 if found >= 0 else start + 1
        return Span(node.lineno, column, node.lineno, column + len(name))

    def lines_with(self, words: Iterable[str]) -> list[int]:
        """The numbers of the lines in which one of the words begins, in order, repeats kept.

        (Plain searches: one regular expression for all words takes ten times as long.)
        """
        return self.lines_at([at for word in words for at in starts_of(word, self.text)])

    def lines_at(self, offsets: list[int]) -> list[int]:
        """The numbers of the lines in which these characters stand, in order, repeats kept."""
        if not offsets:
            return []
        starts = self._starts
        return [bisect_right(starts, offset) for offset in sorted(offsets)]

    def lines_indented(self, offsets: list[int]) -> list[int]:
        """As `lines_at`, for those with white space (and `async`) alone before them."""
        starts, text = self._starts, self.text
        found = []
        for offset in offsets:
            if text[offset - 1 : offset] not in (" ", "\t"):
                continue
            line = bisect_right(starts, offset)
            before = text[starts[line - 1] : offset]
            if before[0] in " \t" and before.strip() in ("", "async"):
                found.append(line)
        return found

    def lines_calling(self, names: Collection[str]) -> list[int]:
        """The numbers of the lines in which one of the names stands before a parenthesis."""
        if len(names) < _MANY:
            return self.lines_with(f"{name}(" for name in names)
        return [self.line_at(m.start()) for m in _CALL.finditer(self.text) if m[1] in names]


def any_within(lines: list[int], first: int, last: int) -> bool:
    """Whether one of the sorted line numbers lies in the range, both ends included."""
    index = bisect_left(lines, first)
    return index < len(lines) and lines[index] <= last
