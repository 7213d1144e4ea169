"""Turns places in a file's lines into a frame: the code with marks and messages under it.

Columns in a frame are columns of a terminal: tabs are widened, characters that take two cells
count twice, and a line that is too long is cut to the part that is marked.
"""

from __future__ import annotations

import unicodedata
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.report.text import printable
from scopecheck.source import WHOLE_FILE

if TYPE_CHECKING:
    from scopecheck.finding import Place
    from scopecheck.report.text import Painter
    from scopecheck.source import Span

TAB = 4
ELLIPSIS = "..."
SOFT_HYPHEN = "\N{SOFT HYPHEN}"
"""A format character that terminals show all the same."""
MAX_DECORATOR_LINES = 4
MAX_LINES = 4
MIN_LABEL = 24
_STATEMENTS = ("def ", "async def ", "class ")


class Label(NamedTuple):
    """A stretch of code to mark, what to say under it, and how."""

    span: Span
    text: str
    style: str
    mark: str


class Frame:
    """Some lines of one file, with labels."""

    def __init__(self, place: Place, lines: list[str], label: Label) -> None:
        self.place = place
        self._source = lines
        self._labels = [label]

    @property
    def last(self) -> int:
        """The highest line number that the frame may show."""
        return max(self._end_line(label) for label in self._labels)

    def is_near(self, place: Place, distance: int) -> bool:
        """Whether the place is in this frame's file, and close to something it shows."""
        if place.path != self.place.path or WHOLE_FILE in (place.span, self.place.span):
            return False
        return any(
            self._first_line(label.span.line) - place.span.line <= distance + 1
            and self._first_line(place.span.line) - self._end_line(label) <= distance + 1
            for label in self._labels
        )

    def add(self, label: Label) -> None:
        """Marks one more stretch; what is said already is not said again."""
        if not any((known.span, known.text) == (label.span, label.text) for known in self._labels):
            self._labels.append(label)

    def lines(self, width: int, paint: Painter) -> list[tuple[int | str, str]]:
        """What to print, each line with its number ("" below it, dots for lines left out)."""
        numbers = sorted(
            {
                number
                for label in self._labels
                for number in range(self._first_line(label.span.line), self._end_line(label) + 1)
                if 1 <= number <= len(self._source)
            }
        )
        shown: list[tuple[int | str, str]] = []
        before = numbers[0] if numbers else 0
        for number in numbers:
            if number == before + 2:
                shown.append((before + 1, self._plain(before + 1, width)))
            elif number > before + 2:
                shown.append((ELLIPSIS, ""))
            before = number
            labels = [label for label in self._labels if label.span.line == number]
            if labels:
                shown += self._marked(number, labels, width, paint)
            else:
                shown.append((number, self._plain(number, width)))
        return shown

    def _end_line(self, label: Label) -> int:
        return min(label.span.end_line, label.span.line + MAX_LINES - 1)

    def _first_line(self, number: int) -> int:
        """The first of the decorators above a `def` or `class`, else the line itself."""
        if number > len(self._source):
            return number
        line = self._source[number - 1]
        indent = line[: len(line) - len(line.lstrip())]
        if not line.startswith(_STATEMENTS, len(indent)):
            return number
        first = number
        for above in range(number - 1, max(number - 1 - MAX_DECORATOR_LINES, 0), -1):
            text = self._source[above - 1]
            if text.startswith(f"{indent}@"):
                first = above
            elif not text.strip() or text.startswith(_STATEMENTS, len(indent)):
                break
        return first

    def _plain(self, number: int, width: int) -> str:
        cells = Cells(self._source[number - 1])
        start, end = cells.window(0, 0, width)
        return cells.text(start, end)

    def _marked(
        self, number: int, labels: list[Label], width: int, paint: Painter
    ) -> list[tuple[int | str, str]]:
        """A line of code, a line of marks, and the messages that do not fit beside the last."""
        cells = Cells(self._source[number - 1])
        stretches = sorted(
            ((*_stretch(label.span, cells), label) for label in labels),
            key=lambda stretch: (stretch[0], stretch[1]),
        )
        first, last = stretches[0][0], max(last for _, last, _ in stretches)
        if last - first > width - 2 * len(ELLIPSIS):
            first, last = _stretch(labels[0].span, cells)
        start, end = cells.window(first, last, width)
        shift = start - len(ELLIPSIS) * bool(start)
        shown: list[tuple[int | str, str]] = [(number, cells.text(start, end))]
        marks = _Row()
        said: list[tuple[int, Label]] = []
        for first, last, label in stretches:
            first, last = min(max(first, start), end), min(last, end)
            marks.put(first - shift, label.mark * max(last - first, 1), paint, label.style)
            if label.text:
                said.append((first - shift, label))
        if said and said[-1][1] is stretches[-1][2]:
            label = said[-1][1]
            if marks.width + 1 + Cells(label.text).width <= width:
                marks.put(marks.width + 1, label.text, paint, label.style)
                said.pop()
        shown.append(("", marks.text))
        return shown + [("", row) for row in _hanging(said, width, paint)]


def _stretch(span: Span, cells: Cells) -> tuple[int, int]:
    """The first cell that is marked and the one after the last; of several lines, the first's."""
    first = cells.at(span.column - 1)
    last = cells.at(span.end_column - 1) if span.end_line == span.line else cells.width
    return first, max(last, first + 1)


def _hanging(said: list[tuple[int, Label]], width: int, paint: Painter) -> list[str]:
    """Messages under their marks, the rightmost first, each joined to its mark by a line."""
    rows: list[str] = []
    if said:
        rows.append(_bars(said, paint).text)
    while said:
        column, label = said.pop()
        column = min(column, max(width - MIN_LABEL, 0))
        for line in wrap(label.text, max(width - column, MIN_LABEL), break_long_words=False):
            row = _bars([bar for bar in said if bar[0] < column], paint)
            row.put(column, line, paint, label.style)
            rows.append(row.text)
        if said:
            rows.append(_bars(said, paint).text)
    return rows


def _bars(said: list[tuple[int, Label]], paint: Painter) -> _Row:
    row = _Row()
    for column, label in said:
        row.put(column, "|", paint, label.style)
    return row


class _Row:
    """A line that is filled from left to right."""

    def __init__(self) -> None:
        self.text = ""
        self.width = 0

    def put(self, column: int, text: str, paint: Painter, style: str) -> None:
        """Adds painted text at this column; what would overlap is cut or left out."""
        if column < self.width:
            text = text[self.width - column :]
            column = self.width
        if text:
            self.text += " " * (column - self.width) + paint(style, text)
            self.width = column + Cells(text).width


class Cells:
    """A line of text as the cells of a terminal."""

    def __init__(self, line: str) -> None:
        line = printable(line.rstrip())
        self._plain = line.isascii() and "\t" not in line
        self._characters: list[str] = []
        self._starts: list[int] = []
        if self._plain:
            self._line = line
            self.width = len(line)
            return
        column = 0
        for character in line:
            self._starts.append(column)
            if character == "\t":
                character = " " * (TAB - column % TAB)
                column += len(character)
            else:
                column += _cells(character)
            self._characters.append(character)
        self._line = "".join(self._characters)
        self.width = column

    def at(self, index: int) -> int:
        """The cell where the character at this index begins."""
        if self._plain:
            return min(index, self.width)
        return self._starts[index] if index < len(self._starts) else self.width

    def window(self, first: int, last: int, width: int) -> tuple[int, int]:
        """The cells to show so that the part from `first` to `last` is seen, with some around."""
        if self.width <= width:
            return 0, self.width
        room = max(width - 2 * len(ELLIPSIS), 1)
        if last <= width - len(ELLIPSIS):
            return 0, width - len(ELLIPSIS)
        start = max(min(first - max((room - (last - first)) // 2, 0), self.width - room), 0)
        return start, min(start + room, self.width)

    def text(self, start: int, end: int) -> str:
        """The text in those cells, with an ellipsis for what is left out on either side."""
        if self._plain:
            shown = self._line[start:end]
        else:
            shown = ""
            for column, character in zip(self._starts, self._characters, strict=True):
                if column >= start and column + _width(character) <= end:
                    shown += character
                elif start <= column < end or start < column + _width(character) <= end:
                    shown += " " * (min(column + _width(character), end) - max(column, start))
        before = ELLIPSIS if start > 0 else ""
        after = ELLIPSIS if end < self.width else ""
        return f"{before}{shown}{after}"


def _width(text: str) -> int:
    return sum(map(_cells, text))


def _cells(character: str) -> int:
    """How many cells of a terminal a character takes."""
    if character.isascii():
        return 1
    if unicodedata.category(character) in {"Mn", "Me", "Cf"} and character != SOFT_HYPHEN:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
