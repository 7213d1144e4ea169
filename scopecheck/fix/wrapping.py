"""Wraps a signature that a fix has made too long, as formatters do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck import disk
from scopecheck.source import indent_of
from scopecheck.toml import parse_toml

if TYPE_CHECKING:
    from scopecheck.fix.workspace import Workspace

_DEF = re.compile(r"[ \t]*(?:async[ \t]+)?def[ \t]+\w+(?=\()")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_SHORTEST = 72
_STEPS = (88, 100, 120)


def fitted(workspace: Workspace, path: str, text: str, before: str) -> str:
    """A function's text with its signature wrapped, if a fix has made that too long."""
    if len(text.partition("\n")[0]) < _SHORTEST:
        return text
    return wrapped(text, before, line_length(workspace, path))


def line_length(workspace: Workspace, path: str) -> int:
    """How long a file's lines may be: what its formatter is told, else what the lines show."""
    told = _told(workspace)
    if told:
        return told
    longest = max(map(len, workspace.editor(path).source.text.splitlines()), default=0)
    return next((step for step in _STEPS if longest <= step), _STEPS[0])


def _told(workspace: Workspace) -> int:
    """The line length in the project's configuration; 0 where there is none."""
    try:
        tools = parse_toml(disk.plain_text(workspace.root / "pyproject.toml")).get("tool")
    except (OSError, ValueError):
        return 0
    for tool, key in (("ruff", "line-length"), ("black", "line-length"), ("isort", "line_length")):
        table = tools.get(tool) if isinstance(tools, dict) else None
        length = table.get(key) if isinstance(table, dict) else None
        if isinstance(length, int):
            return length
    return 0


def wrapped(text: str, before: str, limit: int) -> str:
    """A function's text, its signature wrapped if that is longer than the limit, and was not.

    text, before: the function with its `def` on the first line, now and as it was. What has a
    comment, or is on several lines already, stays.
    """
    first, newline, rest = text.partition("\n")
    first = first.removesuffix("\r")
    was = before.partition("\n")[0].rstrip("\r")
    head = _DEF.match(first)
    if len(first) <= limit or len(was) > limit or head is None or "#" in first or not newline:
        return text
    parts = _parts(first, head.end())
    if parts is None:
        return text
    parameters, end = parts
    if not parameters or not first[end:].rstrip().endswith(":"):
        return text
    ending = "\r\n" if text[len(first) : len(first) + 2] == "\r\n" else "\n"
    indent = indent_of(first)
    body = re.search(r"[^\s]", rest)
    inner = rest[: body.start()].rpartition("\n")[2] if body is not None else f"{indent}    "
    one = f"{inner}{', '.join(parameters)}"
    if len(one) > limit:
        one = f",{ending}".join(f"{inner}{each}" for each in parameters) + ","
    lines = [first[: head.end() + 1], one, f"{indent}{first[end:]}"]
    return ending.join(lines) + ending + rest


def _parts(line: str, start: int) -> tuple[list[str], int] | None:
    """The parameters in the parentheses that begin there, and where those close."""
    found: list[str] = []
    open_: list[str] = []
    quote = ""
    begin = start + 1
    for index in range(start, len(line)):
        sign = line[index]
        if quote:
            if sign == "\\":
                return None
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in _PAIRS:
            open_.append(_PAIRS[sign])
        elif open_ and sign == open_[-1]:
            open_.pop()
            if not open_:
                last = line[begin:index].strip()
                return [*found, *([last] if last else [])], index
        elif sign == "," and len(open_) == 1:
            found.append(line[begin:index].strip())
            begin = index + 1
    return None
