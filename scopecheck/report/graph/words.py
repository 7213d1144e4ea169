"""What the drawings of a graph have in common: columns by scope, and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.report.text import counted, printable

if TYPE_CHECKING:
    from scopecheck.graph import Graph, Node

UNKNOWN = "scope unknown"
SCOPES = ("session", "package", "module", "class", "function", UNKNOWN)


def by_scope(graph: Graph) -> dict[str, list[Node]]:
    """The nodes of each scope that has some, widest first."""
    found: dict[str, list[Node]] = {scope: [] for scope in SCOPES}
    for node in graph.nodes:
        found[node.scope or UNKNOWN].append(node)
    return {scope: nodes for scope, nodes in found.items() if nodes}


def place(node: Node, base: str = "") -> str:
    """`tests/conftest.py:12`, seen from the suite's folder, or the plugin."""
    if node.path is None:
        return printable(str(node.plugin))
    return f"{below(node.path, base)}:{node.line}"


def below(path: str, base: str) -> str:
    """A path as seen from the suite's folder."""
    return printable(path.removeprefix(f"{base}/") if base else path)


def flags(node: Node) -> str:
    """`async, autouse`."""
    words = [word for word, is_so in (("async", node.is_async), ("autouse", node.autouse)) if is_so]
    return ", ".join(words)


def sub(node: Node, base: str) -> str:
    """What stands below a fixture's name: `tests/conftest.py:12 · async`."""
    marks = flags(node)
    return f"{place(node, base)}{f' · {marks}' if marks else ''}"


def tests(number: int) -> str:
    """`3 tests`."""
    return counted(number, "test")
