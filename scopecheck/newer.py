"""Says whether what this Python cannot parse is written for a newer one, and meant to be."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from typing import TYPE_CHECKING

from scopecheck.plugins.documents import as_table, ini_sections, read_text, read_toml
from scopecheck.plugins.versions import parse_specifier

if TYPE_CHECKING:
    from pathlib import Path

# libcst 1.9 takes time that grows with the square of a chain `a.b.c...`, so a file with a very long
# line, which no person wrote, is left alone.
_MAX_LINE = 1_000
_MAX_TEXT = 1_000_000
# So many statements of a file are looked at one by one; with more it is rather read as a whole.
_MOST_PARTS = 8
_CLOSING = ")]}"
_DEFINITION = re.compile(r"([ \t]*)(?:async[ \t]+def|def|class)[ \t]")


def is_newer_syntax(text: str, *, unknown: bool = False) -> bool:
    """Whether libcst, whose grammar does not depend on the Python that runs it, parses the text.

    Imports libcst: only for files that failed to parse. unknown: what is said of a text that is
    too long to try.
    """
    if len(text) > _MAX_TEXT or max(map(len, text.split("\n"))) > _MAX_LINE:
        return unknown
    if "\0" in text:
        # libcst takes it; no Python does.
        return False
    return _is_newer_in_parts(text) or _takes(text)


def _is_newer_in_parts(text: str) -> bool:
    """Whether it is the syntax of a few statements alone that this Python cannot parse.

    libcst takes ten times as long as the parser, so it is shown no more than these, each with the
    function that it stands in.
    """
    lines = text.splitlines(keepends=True)
    for _ in range(_MOST_PARTS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse("".join(lines))
        except SyntaxError as error:
            part = _part_at(lines, error.lineno or 0)
        except (ValueError, RecursionError, MemoryError):
            return False
        else:
            return True
        if part is None:
            return False
        own = lines[part.start : part.stop]
        indent = own[0][: len(own[0]) - len(own[0].lstrip(" \t"))]
        if not _takes("".join(["if 1:\n", *own] if indent else own)):
            return False
        # It may have decorators.
        empty = "def _(): pass" if _DEFINITION.match(own[0]) else "pass"
        lines[part.start : part.stop] = [f"{indent}{empty}\n", *["\n"] * (len(own) - 1)]
    return False


def _part_at(lines: list[str], number: int) -> range | None:
    """Where the innermost `def` or `class` with a line (from 1) is, or the statement that is there.

    The statement only where it is the module's own, and begins on that line.
    """
    if not 0 < number <= len(lines):
        return None
    first = number - 1
    inside = _width(lines[first]) + 1
    for start in range(first, -1, -1):
        line = lines[start]
        if _width(line) < inside and line.strip() and line.strip()[0] not in _CLOSING:
            inside = _width(line)
            if _DEFINITION.match(line):
                break
    else:
        if _width(lines[first]):
            return None
        start, inside = first, 0
    stop = start + 1
    while stop < len(lines) and _goes_on(lines[stop], inside):
        stop += 1
    return range(start, stop) if first < stop else None


def _goes_on(line: str, width: int) -> bool:
    """Whether a line belongs to a definition that is indented so far."""
    content = line.strip()
    return not content or _width(line) > width or (_width(line) == width and content[0] in _CLOSING)


def _width(line: str) -> int:
    """How far a line is indented."""
    return len(line) - len(line.lstrip(" \t"))


def _takes(text: str) -> bool:
    """Whether libcst parses a text."""
    import libcst

    try:
        libcst.parse_module(text)
    except Exception:
        # Its parser raises more than its own error on text that is no Python at all.
        return False
    return True


def newer_python_required(folder: Path, root: Path) -> str:
    """What a project requires of Python, where it excludes the running one and allows newer ones.

    Looked for in `pyproject.toml` and `setup.cfg` from a folder up to the root; the nearest
    one that requires anything decides. Empty where nothing is required, or this Python is allowed.
    """
    for place in (folder, *folder.parents):
        if required := _required(place):
            return required if _excludes_this(required) else ""
        if place == root:
            break
    return ""


def _required(folder: Path) -> str:
    data = read_toml(folder / "pyproject.toml")
    poetry = as_table(as_table(data.get("tool")).get("poetry"))
    for stated in (
        as_table(data.get("project")).get("requires-python"),
        as_table(poetry.get("dependencies")).get("python"),
        ini_sections(read_text(folder / "setup.cfg")).get("options", {}).get("python_requires"),
    ):
        if isinstance(stated, str) and stated:
            return stated
    return ""


def _excludes_this(required: str) -> bool:
    allowed = parse_specifier(required)
    major, minor, micro = sys.version_info[:3]
    if allowed is None or allowed.allows(f"{major}.{minor}.{micro}"):
        return False
    # `>=3.14.1` is met by the last release of 3.14, whichever that is.
    later = (*(f"{major}.{number}.999" for number in range(minor, minor + 30)), f"{major + 1}.0")
    return any(map(allowed.allows, later))
