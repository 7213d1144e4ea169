"""A diff as `git apply` takes it, with colours where a person looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.fix.diff import unified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.fix.diff import Change

_COLORS = ((b"@@", b"36"), (b"+++", b"1"), (b"---", b"1"), (b"diff ", b"1"))
_SIGNS = ((b"+", b"32"), (b"-", b"31"))


def diff(changes: Sequence[Change], prefix: str, *, color: bool) -> bytes:
    """The changes as `git apply` takes them; with colours for a terminal."""
    text = unified(changes, prefix)
    return b"".join(map(_colored, text.splitlines(keepends=True))) if color else text


def _colored(line: bytes) -> bytes:
    code = next((code for sign, code in (*_COLORS, *_SIGNS) if line.startswith(sign)), None)
    if code is None:
        return line
    body = line.rstrip(b"\r\n")
    return b"\x1b[%sm%s\x1b[0m%s" % (code, body, line[len(body) :])
