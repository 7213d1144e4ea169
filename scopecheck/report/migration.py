"""A migration for people: what was done, and what is left to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.fix.workspace import Remark
    from scopecheck.migrate import Migration


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
