"""Turns a graph of fixtures into Mermaid, DOT, JSON or one HTML page: one module a format."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TextIO, cast

if TYPE_CHECKING:
    from scopecheck.graph import Graph

FORMATS = ("mermaid", "dot", "json", "html")


class Writer(Protocol):
    """What every format's module offers as `write`."""

    def __call__(self, graph: Graph, stream: TextIO) -> None:
        """Writes the whole graph."""


def writer(name: str) -> Writer:
    """The report of that format."""
    return cast("Writer", import_module(f"{__name__}.{name}").write)
