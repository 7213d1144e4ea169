"""Turns a file's bytes into text with known encoding, and offsets into lines and columns."""

from __future__ import annotations

import io
import os
import re
import tokenize
from typing import TYPE_CHECKING

import msgspec

from scopecheck import disk

if TYPE_CHECKING:
    from pathlib import Path

BOM = b"\xef\xbb\xbf"


class Span(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """A stretch of one file's text.

    Lines and columns start at 1, columns count characters (not bytes), and the end column is the
    first one after the text.
    """

    line: int
    column: int
    end_line: int
    end_column: int


WHOLE_FILE = Span(1, 1, 1, 1)


class SourceError(Exception):
    """A file that cannot be read or decoded; says why in words for a user."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Source(msgspec.Struct, frozen=True):
    """One file's text as it was read, with what is needed to write it back byte for byte."""

    path: str
    text: str
    encoding: str
    bom: bool


def indent_of(text: str) -> str:
    """The white space that a line begins with."""
    return text[: len(text) - len(text.lstrip())]


def relative(root: Path, path: Path) -> str:
    """A path as findings have it: relative to the root, with `/`; `.` for the root itself."""
    return os.path.relpath(path, root).replace(os.sep, "/")


def within(root: Path, path: Path) -> str:
    """A path as those of a suite are: as `relative` gives it, and empty for the root itself."""
    found = relative(root, path)
    return "" if found == "." else found


# Lines as the tokenizer counts them: a form feed ends none.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# What ends a line for `str.splitlines`, and for it alone.
_OTHER_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends, as the tokenizer counts them."""
    if any(end in text for end in _OTHER_ENDS):
        return _LINE.findall(text)
    return text.splitlines(keepends=True)


def read_bytes(file: Path) -> bytes:
    """The file's bytes.

    Raises:
        SourceError: the file is missing, unreadable or not a regular file.
    """
    try:
        return disk.read(str(file))
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}") from None


def decode(path: str, data: bytes) -> Source:
    """The text of a Python file, decoded as PEP 263 says: BOM, coding line, else UTF-8.

    Line endings are kept as they are.

    Raises:
        SourceError: the coding line names no known encoding, or the bytes do not fit it.
    """
    bom = data.startswith(BOM)
    encoding = "utf-8"
    # A coding line is one of the first two.
    second = data.find(b"\n", data.find(b"\n") + 1)
    head = data if second < 0 else data[:second]
    if b"coding" in head or not head.isascii():
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        except SyntaxError as error:
            raise SourceError(f"cannot be decoded: {error.msg}") from None
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    body = data[len(BOM) :] if bom else data
    try:
        text = body.decode(encoding)
        if encoding != "utf-8":
            text.encode()  # some codecs let lone surrogates through, which no file can hold
        return Source(path, text, encoding, bom)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"cannot be decoded as {encoding}: byte 0x{body[error.start]:02x} on line {line}", line
        ) from None
    except UnicodeError as error:
        raise SourceError(f"cannot be decoded as {encoding}: {error}") from None
    except LookupError:
        raise SourceError(f"cannot be decoded: unknown encoding {encoding!r}") from None
