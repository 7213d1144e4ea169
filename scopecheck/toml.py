"""Turns the text of a TOML file into plain values, and says on which line each key stands.

The values come from `tomli`, which keeps no positions. The lines come from a scan of the text that
knows just enough of the grammar: table headers, keys, strings and brackets. A key inside an inline
table has no line of its own; it gets that of the key that holds it.
"""

from __future__ import annotations

import re
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys from the top of the file; an integer counts the tables of a `[[...]]` array."""

_KEY = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)')[ \t]*""")
_SKIP_VALUE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)


class TomlError(Exception):
    """Text that is no TOML; says what is wrong and on which line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def parse_toml(text: str) -> dict[str, object]:
    """The values of a TOML file.

    Raises:
        TomlError: the text is no TOML.
    """
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        message = str(error)
        where = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
        last = text.count("\n") + (not text.endswith("\n"))
        line = int(where[1]) if where and where[1] else last
        stated = message[: where.start()] if where else message
        raise TomlError(stated, max(line, 1)) from None


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line of every table header and every key of a well-formed TOML text."""
    lines: dict[KeyPath, int] = {}
    arrays: dict[KeyPath, int] = {}
    table: KeyPath = ()
    position, number = 0, 1
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        statement = text[position:end].lstrip()
        if not statement or statement[0] == "#":
            position, number = end + 1, number + 1
            continue
        start = end - len(statement)
        if statement[0] == "[":
            array = statement.startswith("[[")
            keys, _ = _dotted_key(text, start + (2 if array else 1))
            table = _table_path(keys, array, arrays)
            for depth in range(1, len(table) + 1):
                lines.setdefault(table[:depth], number)
            position, number = end + 1, number + 1
            continue
        keys, after = _dotted_key(text, start)
        for depth in range(1, len(keys) + 1):
            lines.setdefault((*table, *keys[:depth]), number)
        stop = _end_of_value(text, after)
        number += text.count("\n", position, stop) + 1
        position = stop + 1
    return lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int:
    """The line of a key, or of the nearest key that holds it."""
    for depth in range(len(path), 0, -1):
        if path[:depth] in lines:
            return lines[path[:depth]]
    return 1


def _table_path(keys: tuple[str, ...], array: bool, arrays: dict[KeyPath, int]) -> KeyPath:
    path: KeyPath = ()
    for index, key in enumerate(keys):
        path = (*path, key)
        last = index == len(keys) - 1
        if last and array:
            arrays[path] = arrays.get(path, -1) + 1
        if path in arrays:
            path = (*path, arrays[path])
    return path


def _dotted_key(text: str, position: int) -> tuple[tuple[str, ...], int]:
    keys: list[str] = []
    while match := _KEY.match(text, position):
        bare, quoted, literal = match.groups()
        # Escapes in quoted keys are left as they are: no key that matters here has one.
        keys.append(bare or quoted or literal or "")
        position = match.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    return tuple(keys), position


def _end_of_value(text: str, position: int) -> int:
    """The position of the line feed that ends the statement."""
    depth = 0
    while match := _SKIP_VALUE.search(text, position):
        token = match[0]
        if token == "\n" and depth <= 0:
            return match.start()
        if token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
        position = match.end()
    return len(text)
