"""What a check reports: places, edits that mend them, and findings that tie both to a rule."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from scopecheck.source import WHOLE_FILE, Span

Certainty: TypeAlias = Literal["proved", "likely"]
Severity: TypeAlias = Literal["error", "warning"]
Applicability: TypeAlias = Literal["safe", "unsafe"]


class Place(msgspec.Struct, frozen=True, order=True, gc=False):
    """A stretch of a file, and what it has to do with the finding (empty for the primary place).

    `path` is relative to the project's root, with `/`.
    """

    path: str
    span: Span = WHOLE_FILE
    message: str = ""


class Edit(msgspec.Struct, frozen=True, order=True):
    """Replace the text of a span in a file."""

    path: str
    span: Span
    content: str


class Fix(msgspec.Struct, frozen=True):
    """Edits that mend a finding, applied all or none; none yet in a fix that is only offered.

    counted: names of the fixtures whose users decide what it says and does: whether it is the best
        one, and how many set-ups or tests it names. Not listed in the output.
    """

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]
    counted: tuple[str, ...] = ()


class Cause(msgspec.Struct, frozen=True):
    """What several faults of a rule have in common, so that a report tells them as one.

    key: the same for all of them. again: what is said of the place of each but the first.
    """

    key: str
    again: str


class Fault(msgspec.Struct, frozen=True):
    """What a check yields: one cause, its places and its words, before a rule's name is put to it.

    message: what is wrong, on one line that stands alone.
    notes: why it matters here, each a sentence.
    help: what to do about it, one sentence.
    symbol: `path::Class::function` of the code at the primary place; it keys the baseline.
    tests: node ids (without `[...]`) of the tests that the fault affects.
    searched: files whose change could make or unmake an absence (see CONTRACT: findings about
        absence touch every file that was searched); not listed in the output.
    certainty: overrides the rule's own where one instance is less certain.
    names: what a repair has to know of it, as words whose meaning the rule's check gives them.
    cause: told as one with the rule's other faults that have the same; None for one by itself.
    """

    place: Place
    message: str
    symbol: str
    related: tuple[Place, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    tests: frozenset[str] = frozenset()
    fixes: tuple[Fix, ...] = ()
    searched: frozenset[str] = frozenset()
    certainty: Certainty | None = None
    names: tuple[str, ...] = ()
    cause: Cause | None = None


class Finding(msgspec.Struct, frozen=True):
    """A fault under a rule's code and name, as it is reported."""

    code: str
    name: str
    severity: Severity
    certainty: Certainty
    fault: Fault

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Path, line, column, code, and then the message: the order of every report."""
        place = self.fault.place
        return (place.path, place.span.line, place.span.column, self.code, self.fault.message)
