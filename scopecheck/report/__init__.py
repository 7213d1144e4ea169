"""Turns an analysis into text: one module a format, imported only when that format is asked for.

A report is a function `write(analysis, stream, *, color)`. The stream is a text stream; what
stands in user's files is printed as it is, except for characters that would act on a terminal.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TextIO, cast

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis

FORMATS = (
    "full",
    "concise",
    "json",
    "json-lines",
    "sarif",
    "github",
    "gitlab",
    "junit",
    "rdjson",
)
"""The names that `--output-format` takes; each is a module of this package, with `_` for `-`."""


class Writer(Protocol):
    """What every format's module offers as `write`."""

    def __call__(self, analysis: Analysis, stream: TextIO, *, color: bool) -> None:
        """Writes the whole report."""


def writer(name: str) -> Writer:
    """The report of that format (or of `statistics`, or the `step-summary`).

    Raises:
        KeyError: there is no such format.
    """
    if name not in FORMATS and name not in ("statistics", "step-summary"):
        raise KeyError(name)
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    return cast("Writer", module.write)
