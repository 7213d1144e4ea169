"""Turns a graph of fixtures into a Mermaid flowchart, which GitHub and GitLab draw in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from scopecheck.report.graph import words

if TYPE_CHECKING:
    from scopecheck.graph import Graph


def write(graph: Graph, stream: TextIO) -> None:
    """A subgraph a scope; an arrow leads from who requests to what answers; a bad one is red."""
    names = {node.id: f"f{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for scope, nodes in words.by_scope(graph).items():
        lines.append(f'  subgraph {scope.replace(" ", "_")}["{scope}"]')
        for node in nodes:
            marks = words.flags(node)
            more = f"<br>{marks}" if marks else ""
            label = f"<b>{_text(node.name)}</b><br>{_text(words.place(node, graph.base))}{more}"
            lines.append(f'    {names[node.id]}["{label}"]')
        lines.append("  end")
    lines.append('  subgraph tests["tests"]')
    for number, module in enumerate(graph.modules):
        label = f"{_text(words.below(module.path, graph.base))}<br>{words.tests(module.tests)}"
        lines.append(f'    t{number}(["{label}"])')
    lines.append("  end")
    bad = []
    for number, arrow in enumerate(graph.arrows):
        lines.append(f"  {names[arrow.asker]} --> {names[arrow.answer]}")
        if arrow.mismatch:
            bad.append(str(number))
    for number, module in enumerate(graph.modules):
        lines.extend(f"  t{number} -.-> {names[request]}" for request in module.requests)
    if bad:
        lines.append(f"  linkStyle {','.join(bad)} stroke:#ca2a30,stroke-width:3px")
    stream.writelines(f"{line}\n" for line in lines)


def _text(text: str) -> str:
    """Text for a label: what has a meaning there is written as an entity."""
    for character in '#"<>&':
        text = text.replace(character, f"\0{ord(character)};")
    return text.replace("\0", "#")
