"""Says whether what this Python cannot parse is written for a newer one, and meant to be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scopecheck.plugins.documents import as_table, ini_sections, read_text, read_toml
from scopecheck.plugins.versions import parse_specifier

if TYPE_CHECKING:
    from pathlib import Path

# libcst 1.9 takes time that grows with the square of a chain `a.b.c...`, so a file with a very long
# line, which no person wrote, is left alone.
_MAX_LINE = 1_000
_MAX_TEXT = 1_000_000


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
