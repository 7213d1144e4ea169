"""A migration for people: its diff, and what is left to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.fix.diff import unified

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.fix.diff import Change
    from scopecheck.migrate import Migration
    from scopecheck.fix.workspace import Remark

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


def text(migration: Migration, *, written: bool = False) -> str:
    """What was written, what should be known, and what is left."""
    return "".join(f"{line}\n" for line in _lines(migration, written))


def _lines(migration: Migration, written: bool) -> Iterator[str]:
    if written:
        for change in migration.changes:
            yield f"{'made' if change.before is None else 'changed'} {change.path}"
    yield from _section("note:", migration.notes)
    yield from _section("to be done by hand:", migration.left)
    if not migration.changes and not migration.left:
        yield "nothing to migrate"


def _section(title: str, remarks: Sequence[Remark]) -> Iterator[str]:
    if remarks:
        yield title
        yield from (f"  {remark}" for remark in remarks)
