"""What TOML and INI files say, as tables, and the lines on which it stands.

What cannot be read or parsed says nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scopecheck import disk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def read_text(path: Path) -> str:
    """The text of a file, empty where there is none to be read."""
    try:
        return disk.plain_text(path, "utf-8-sig")
    except (OSError, ValueError):
        return ""


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file, none where it cannot be read."""
    text = read_text(path)
    return toml_tables(text) if text else {}


def toml_tables(text: str) -> dict[str, Any]:
    """The values of a TOML file's text, none where it is malformed."""
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError:
        return {}


def ini_sections(text: str) -> dict[str, dict[str, str]]:
    """The sections of an INI file, none where it is malformed."""
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {name: dict(parser.items(name)) for name in parser.sections()}


def as_table(value: object) -> dict[str, Any]:
    """The value where it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_items(value: object) -> Iterable[tuple[str, Any]]:
    """The items of a table; none of anything else."""
    return as_table(value).items()


def strings_in(value: object) -> Iterator[str]:
    """The strings of a list; none of anything else."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def line_of(text: str, part: str) -> int:
    """The line on which this part of a text first stands (1 where it is spelled otherwise)."""
    position = text.find(part)
    return text.count("\n", 0, position) + 1 if position >= 0 else 1


def line_of_requirement(text: str, requirement: str) -> int:
    """The line on which this requirement stands whole, and not as a part of another word.

    Not searched by one pattern: a generated `tox.ini` has thousands of lines and of requirements.
    """
    start = text.find(requirement) if requirement else -1
    while start >= 0:
        end = start + len(requirement)
        if not (
            _is_of_word(text[start - 1 : start], ".:/-") or _is_of_word(text[end : end + 1], ".-")
        ):
            first = text.rfind("\n", 0, start) + 1
            last = text.find("\n", end)
            line = text[first : last if last >= 0 else len(text)]
            # Neither a comment nor the header of a section.
            if not re.match(r"\s*(?:#|\[[^\"']*\]\s*$)", line):
                return bisect_right(_line_ends(text), first - 1) + 1
        start = text.find(requirement, end)
    return line_of(text, requirement)


def _is_of_word(character: str, others: str) -> bool:
    """Whether a character, if there is one, is a part of a word, or one of the others."""
    return bool(character) and (character.isalnum() or character == "_" or character in others)


@lru_cache(1)
def _line_ends(text: str) -> list[int]:
    """Where the lines of a text end."""
    return [end.start() for end in re.finditer("\n", text)]


def line_of_key(text: str, key: str) -> int:
    """The line on which a key is given a value (1 where it is spelled otherwise)."""
    match = re.search(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=", text, re.MULTILINE)
    return text.count("\n", 0, match.end()) + 1 if match else 1
