"""Tells the requests that are written down from those that pytest makes to set a test up in order.

pytest requests every name of a test's closure for the test itself, widest first (`_fillfixtures`),
so that a plan has an edge from the test to each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite import Suite
    from scopecheck.suite.model import Edge, Item


def asked_edges(suite: Suite, item: Item) -> Iterator[Edge]:
    """The requests of a test and its fixtures by a parameter, a mark, an option or autouse."""
    assert item.plan is not None
    names = {request.name for request in (*item.requests, *item.usefixtures)}
    names.update(suite.files.config.usefixtures)
    for edge in item.plan.edges:
        if edge.asker is not None or edge.request in names or edge.answer.autouse:
            yield edge
