"""Gives each box of a graph a place on the page: a column a scope, widest first, tests last.

Within a scope, what requests another fixture of the same scope stands to its right. So every arrow
leads to the left or straight up and down, but for one that pytest refuses: that leads to the right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scopecheck.report.graph import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scopecheck.graph import Graph

CHARACTER = 7.2
"""The width of a character of a name at the page's size; places are set smaller."""

ROW, GAP, HEIGHT, MARGIN, TOP = 58, 64, 44, 24, 56
_PASSES = 6


class Box(NamedTuple):
    """Where a node or a module stands, in pixels."""

    x: float
    y: float
    width: float


class Column(NamedTuple):
    """A scope's columns as one band with a title."""

    title: str
    x: float
    width: float


class Layout(NamedTuple):
    """Boxes by id (of a module: its path), bands, and the size of the whole."""

    boxes: dict[str, Box]
    columns: list[Column]
    width: float
    height: float


def layout(graph: Graph) -> Layout:
    """Places for all nodes and modules."""
    labels = {node.id: (node.name, words.sub(node, graph.base)) for node in graph.nodes}
    labels |= {
        m.path: (words.below(m.path, graph.base), words.tests(m.tests)) for m in graph.modules
    }
    bands = [
        (scope, _by_depth([node.id for node in nodes], graph))
        for scope, nodes in words.by_scope(graph).items()
    ]
    if graph.modules:
        bands.append(("tests", [[module.path for module in graph.modules]]))
    columns = [column for _, inner in bands for column in inner]
    rows = _rows(columns, _neighbours(graph))
    boxes: dict[str, Box] = {}
    shown: list[Column] = []
    x = float(MARGIN)
    for title, inner in bands:
        start = x
        for column in inner:
            width = max(_width(*labels[name]) for name in column)
            for name in column:
                boxes[name] = Box(x, TOP + rows[name] * ROW, width)
            x += width + GAP
        shown.append(Column(title, start - GAP / 4, x - start - GAP / 2))
    bottom = max((box.y for box in boxes.values()), default=0.0)
    return Layout(boxes, shown, x - GAP + MARGIN, bottom + HEIGHT + MARGIN)


def _width(name: str, place: str) -> float:
    return max(len(name) * CHARACTER, len(place) * CHARACTER * 0.8) + 24


def _by_depth(names: Sequence[str], graph: Graph) -> list[list[str]]:
    """The nodes of one scope in columns: behind all of the same scope that they request."""
    inside = set(names)
    requests: dict[str, list[str]] = {name: [] for name in names}
    for arrow in graph.arrows:
        if {arrow.asker, arrow.answer} <= inside and arrow.asker != arrow.answer:
            requests[arrow.asker].append(arrow.answer)
    depth = dict.fromkeys(names, 0)
    for _ in names:  # At most as many rounds as there are nodes, also where they form a cycle.
        before = dict(depth)
        for name in names:
            depth[name] = max((depth[other] + 1 for other in requests[name]), default=0)
            depth[name] = min(depth[name], len(names) - 1)
        if depth == before:
            break
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in names:
        columns[depth[name]].append(name)
    return [column for column in columns if column]


def _neighbours(graph: Graph) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    pairs = [(arrow.asker, arrow.answer) for arrow in graph.arrows]
    pairs += [(module.path, request) for module in graph.modules for request in module.requests]
    for one, other in pairs:
        found.setdefault(one, []).append(other)
        found.setdefault(other, []).append(one)
    return found


def _rows(
    columns: Sequence[Sequence[str]], neighbours: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """A row for each box, near those that it is joined with, by the means of their rows."""
    rows = {name: float(row) for column in columns for row, name in enumerate(column)}
    for turn in range(_PASSES):
        for column in columns if turn % 2 == 0 else reversed(columns):
            wanted = {
                name: sum(rows[other] for other in near) / len(near)
                if (near := neighbours.get(name))
                else rows[name]
                for name in column
            }
            order = sorted(column, key=lambda name: (wanted[name], name))
            row = -1.0
            for name in order:
                row = max(row + 1, round(wanted[name]))
                rows[name] = row
    lowest = min(rows.values(), default=0.0)
    return {name: row - lowest for name, row in rows.items()}
