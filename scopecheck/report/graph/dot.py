"""Turns a graph of fixtures into DOT, the language of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from scopecheck.report.graph import words

if TYPE_CHECKING:
    from scopecheck.graph import Graph


def write(graph: Graph, stream: TextIO) -> None:
    """A cluster a scope; an arrow leads from who requests to what answers; a bad one is red."""
    lines = [
        "digraph fixtures {",
        '  graph [rankdir=LR, fontname="sans-serif"];',
        '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=10];',
        "  edge [color=gray40];",
    ]
    for number, (scope, nodes) in enumerate(words.by_scope(graph).items()):
        lines.append(f"  subgraph cluster_{number} {{")
        lines.append(f"    label={_quoted(scope)}; color=gray70;")
        for node in nodes:
            label = "\n".join(
                filter(None, (node.name, words.place(node, graph.base), words.flags(node)))
            )
            lines.append(f"    {_quoted(node.id)} [label={_quoted(label)}];")
        lines.append("  }")
    for module in graph.modules:
        label = f"{words.below(module.path, graph.base)}\n{words.tests(module.tests)}"
        lines.append(f"  {_quoted(module.path)} [shape=plain, label={_quoted(label)}];")
    for arrow in graph.arrows:
        bad = " [color=red, penwidth=2]" if arrow.mismatch else ""
        lines.append(f"  {_quoted(arrow.asker)} -> {_quoted(arrow.answer)}{bad};")
    for module in graph.modules:
        lines.extend(
            f"  {_quoted(module.path)} -> {_quoted(request)} [style=dotted];"
            for request in module.requests
        )
    lines.append("}")
    stream.writelines(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
