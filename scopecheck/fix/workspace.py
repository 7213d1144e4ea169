"""The files that a change touches, what it says about them, and what it leaves to be done.

left   a place that has to be changed by hand, and why
note   something that was done, and that a person should know of
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scopecheck.finding import Place
from scopecheck.fix.diff import Change
from scopecheck.fix.edits import Editor, encode
from scopecheck.read.code import Code
from scopecheck.source import BOM, Source, SourceError, Span, decode, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.project import Project


class Remark(msgspec.Struct, frozen=True, order=True):
    """Something to tell of one place."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place.path}:{self.place.span.line}: {self.message}"


class Workspace:
    """The files of one project, opened for editing as they are asked for.

    left: what has to be done by hand. notes: what should be known. needs: the imports that a file
    needs after its edits, as (module, name); an empty name for `import module`.

    Args:
        project: where they are.
        codes: the closer looks at files as they are that were taken before.
    """

    def __init__(self, project: Project, codes: dict[str, Code] | None = None) -> None:
        self.project = project
        self.root = project.root
        self.left: dict[Remark, None] = {}
        self.notes: dict[Remark, None] = {}
        self.needs: dict[str, set[tuple[str, str]]] = {}
        self._editors: dict[str, Editor] = {}
        self._codes = {} if codes is None else codes
        self._before: dict[str, bytes] = {}
        self._made: dict[str, str] = {}

    def leave(self, path: str, line: int, message: str) -> None:
        """Note what has to be done by hand."""
        self.left[Remark(Place(path, Span(line, 1, line, 1)), message)] = None

    def note(self, path: str, line: int, message: str) -> None:
        """Note what should be known."""
        self.notes[Remark(Place(path, Span(line, 1, line, 1)), message)] = None

    def need(self, path: str, module: str, name: str = "") -> None:
        """Note that a file needs an import."""
        self.needs.setdefault(path, set()).add((module, name))

    def may_edit(self, path: str | None) -> bool:
        """Whether a file is the project's own, and can be read."""
        return (
            path is not None
            and not path.startswith("../")
            and "site-packages/" not in path
            and self.project.load(path).error is None
        )

    def editor(self, path: str) -> Editor:
        """What edits a file.

        Raises:
            SourceError: it cannot be read.
        """
        editor = self._editors.get(path)
        if editor is None:
            source, data = self._read(path)
            editor = self._editors[path] = Editor(source)
            self._before[path] = data
        return editor

    def _read(self, path: str) -> tuple[Source, bytes]:
        """A file's text, that which was provided for it before that on disk; and its bytes."""
        given = self.project.load.text_given(path)
        if given is not None:
            return given, encode(given, given.text)
        data = read_bytes(self.root / path)
        if not self.project.load.is_as_read(path, data):
            # Another program wrote it: what is known of its lines holds no more.
            raise SourceError("has changed since it was read: it is not overwritten")
        source = decode(path, data) if path.endswith(".py") else plain_source(path, data)
        if encode(source, source.text) != data:
            raise SourceError(f"{source.encoding} would not write back what is there byte for byte")
        text = self.project.config_texts.get(self.root / path)
        if text is None:
            return source, data
        source = Source(path, text, source.encoding, source.bom)
        return source, encode(source, text)

    def code(self, path: str) -> Code:
        """A closer look at a file's code as it was."""
        code = self._codes.get(path)
        if code is None:
            code = self._codes[path] = Code(self.editor(path).source.text)
        return code

    def make(self, path: str, text: str) -> None:
        """A file that is to be made."""
        self._made[path] = text

    def text(self, path: str) -> str | None:
        """A file's text after the edits; None where it was not opened."""
        if path in self._made:
            return self._made[path]
        editor = self._editors.get(path)
        return None if editor is None else editor.result

    @property
    def made(self) -> Iterable[str]:
        """The files that are to be made."""
        return sorted(self._made)

    @property
    def edited(self) -> Iterable[str]:
        """The files that have edits, in order."""
        return sorted(path for path, editor in self._editors.items() if editor.changed)

    def drop(self, path: str) -> None:
        """Leave a file as it is after all."""
        del self._editors[path]

    def changes(self) -> list[Change]:
        """Every file that is changed, before and after, by path."""
        found = [Change(path, None, text.encode()) for path, text in self._made.items()]
        for path in self.edited:
            editor = self._editors[path]
            after = encode(editor.source, editor.result)
            if after != self._before[path]:
                found.append(Change(path, self._before[path], after))
        return sorted(found)


def plain_source(path: str, data: bytes) -> Source:
    """The text of a file that is not Python's.

    Raises:
        SourceError: it is not UTF-8.
    """
    bom = data.startswith(BOM)
    try:
        return Source(path, (data[len(BOM) :] if bom else data).decode(), "utf-8", bom)
    except UnicodeDecodeError:
        raise SourceError("cannot be decoded as utf-8") from None
