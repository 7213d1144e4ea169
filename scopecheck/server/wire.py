"""Findings and fixes as the language server protocol has them.

Lines and characters start at 0 there, and a character is what the editor says that it is (of
UTF-16, mostly): a column is counted again in the text of its line.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lsprotocol import types

from scopecheck.source import WHOLE_FILE, Span, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pygls.workspace import PositionCodec

    from scopecheck.facts import ReadError
    from scopecheck.finding import Finding, Place
    from scopecheck.server.session import Told

SOURCE = "scopecheck"
_SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}


class Shown(NamedTuple):
    """A diagnostic, and the finding that it shows; None for a text that cannot be read."""

    diagnostic: types.Diagnostic
    finding: Finding | None


class Wire:
    """Puts places into the terms of one editor.

    Args:
        root: what paths are relative to.
        text: of a file.
        codec: how the editor counts characters.
    """

    def __init__(self, root: Path, text: Callable[[str], str], codec: PositionCodec) -> None:
        self._root = root
        self._text = text
        self._codec = codec
        self._lines: dict[str, list[str]] = {}

    def uri(self, path: str) -> str:
        """The URI of a file."""
        # (A path outside of the root begins with `..`.)
        return Path(os.path.normpath(self._root / path)).as_uri()

    def shown(self, told: Told) -> dict[str, list[Shown]]:
        """What is shown of each file, by URI."""
        found: dict[str, list[Shown]] = {}
        for path, findings in told.findings.items():
            found[self.uri(path)] = [Shown(self._diagnostic(one), one) for one in findings]
        for path, error in told.broken.items():
            found[self.uri(path)] = [Shown(self._broken(path, error), None)]
        return found

    def _diagnostic(self, finding: Finding) -> types.Diagnostic:
        """What is shown of a finding: all that a report tells."""
        fault = finding.fault
        told = [fault.message, *(f"note: {note}" for note in fault.notes)]
        if fault.help:
            told.append(f"help: {fault.help}")
        return types.Diagnostic(
            range=self._range(fault.place.path, fault.place.span),
            message="\n".join(told),
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            source=SOURCE,
            related_information=[self._related(place) for place in fault.related] or None,
        )

    def _broken(self, path: str, error: ReadError) -> types.Diagnostic:
        """What is shown of a text that cannot be read."""
        return types.Diagnostic(
            range=self._range(path, error.span),
            message=error.message,
            severity=types.DiagnosticSeverity.Error,
            code="SCP001",
            source=SOURCE,
        )

    def _related(self, place: Place) -> types.DiagnosticRelatedInformation:
        location = types.Location(self.uri(place.path), self._range(place.path, place.span))
        return types.DiagnosticRelatedInformation(location, place.message or "here, too")

    def _range(self, path: str, span: Span) -> types.Range:
        if span == WHOLE_FILE:
            return types.Range(types.Position(0, 0), types.Position(0, 0))
        start = self._position(path, span.line, span.column)
        return types.Range(start, self._position(path, span.end_line, span.end_column))

    def _position(self, path: str, line: int, column: int) -> types.Position:
        if path not in self._lines:
            self._lines[path] = lines_of(self._text(path))
        lines = self._lines[path]
        text = lines[line - 1] if line <= len(lines) else ""
        return types.Position(line - 1, self._codec.client_num_units(text[: column - 1]))

    def edit(
        self, texts: Mapping[str, tuple[str, str]], versions: Mapping[str, int]
    ) -> types.WorkspaceEdit:
        """What turns the text of each file before into that after.

        versions: of the files that the editor has open, by URI.
        """
        changes: list[
            types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile
        ] = []
        for path, (before, after) in sorted(texts.items()):
            uri = self.uri(path)
            document = types.OptionalVersionedTextDocumentIdentifier(uri, versions.get(uri))
            changes.append(types.TextDocumentEdit(document, list(_edits(before, after))))
        return types.WorkspaceEdit(document_changes=changes)


def file_of(uri: str) -> Path | None:
    """The file that a URI stands for; None for a text that is in the editor alone.

    (`pygls.uris` of pygls 2.1.1 ends a path at a `#`, however it is written.)
    """
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return None
    host = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
    return Path(host + url2pathname(parts.path))


def as_we_write(uri: str) -> str:
    """The URI of a file as it is written here: editors differ in what they escape."""
    file = file_of(uri)
    return uri if file is None or not file.is_absolute() else file.as_uri()


def _edits(before: str, after: str) -> Iterator[types.TextEdit]:
    """Whole lines that differ, so that the editor keeps its marks in all others."""
    old, new = lines_of(before), lines_of(after)
    for start, end, lines in _hunks(old, new):
        place = types.Range(types.Position(start, 0), types.Position(end, 0))
        yield types.TextEdit(place, "".join(lines))


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterable[tuple[int, int, Sequence[str]]]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind != "equal":
            yield start, end, new[new_start:new_end]
