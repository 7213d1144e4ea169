"""Turns an audit into text, Markdown, one HTML page or JSON: one module a format."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TextIO, cast

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis
    from scopecheck.audit import Audit

FORMATS = ("text", "markdown", "html", "json")


class Writer(Protocol):
    """What every format's module offers as `write`."""

    def __call__(self, audit: Audit, analysis: Analysis, stream: TextIO, *, color: bool) -> None:
        """Writes the whole report."""


def writer(name: str) -> Writer:
    """The report of that format."""
    return cast("Writer", import_module(f"{__name__}.{name}").write)
