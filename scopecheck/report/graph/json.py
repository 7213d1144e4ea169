"""Turns a graph of fixtures into the JSON document that other programs may rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from scopecheck.graph import Graph, Node

VERSION = 1


def write(graph: Graph, stream: TextIO) -> None:
    """One document; all of it is ASCII, so that any stream can take it."""
    document = {
        "version": VERSION,
        "fixtures": [_node(node) for node in graph.nodes],
        "requests": [
            {"from": arrow.asker, "to": arrow.answer, "mismatch": arrow.mismatch}
            for arrow in graph.arrows
        ],
        "modules": [
            {"path": module.path, "tests": module.tests, "requests": list(module.requests)}
            for module in graph.modules
        ],
    }
    json.dump(document, stream, indent=2)
    stream.write("\n")


def _node(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"id": node.id, "name": node.name, "scope": node.scope or "unknown"}
    if node.path is None:
        found["plugin"] = node.plugin
    else:
        found["path"] = node.path
        found["line"] = node.line
    return {**found, "autouse": node.autouse, "async": node.is_async, "tests": node.tests}
