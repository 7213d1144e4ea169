"""Turns a graph of fixtures into one HTML page that needs nothing else: a drawing to point at."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from scopecheck import __version__
from scopecheck.report.graph import words
from scopecheck.report.graph.layout import HEIGHT, layout
from scopecheck.report.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.graph import Graph
    from scopecheck.report.graph.layout import Box, Layout

_ROUND = 6


def write(graph: Graph, stream: TextIO) -> None:
    """The whole page."""
    here = Path(__file__)
    css = here.with_name("page.css").read_text(encoding="utf-8")
    script = here.with_name("page.js").read_text(encoding="utf-8")
    bad = sum(arrow.mismatch for arrow in graph.arrows)
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        "<title>Fixtures</title>",
        f"<style>\n{css}</style></head><body>",
        "<header><h1>Fixtures</h1>",
        f"<p>{counted(len(graph.nodes), 'fixture')}, "
        f"{counted(len(graph.arrows), 'request')} between them, "
        f"{counted(len(graph.modules), 'test file')}"
        f"{f', <b class=bad>{bad} refused by pytest</b>' if bad else ''}. "
        "An arrow leads from what requests to what answers.</p>",
        '<input type="search" id="filter" placeholder="Find a fixture or a file" '
        'aria-label="Find a fixture or a file">',
        '<p id="about" aria-live="polite">Click a box to see what it needs, and what needs it.</p>',
        "</header><main>",
        *_drawing(graph, layout(graph)),
        "</main>",
        f"<footer>Written by scopecheck {escape(__version__)}.</footer>",
        f"<script>\n{script}</script>",
        "</body></html>",
    ]
    stream.writelines(f"{line}\n" for line in lines)


def _drawing(graph: Graph, places: Layout) -> Iterator[str]:
    width, height = round(places.width), round(places.height)
    yield f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">'
    for kind in ("", "-bad"):
        yield (
            f'<defs><marker id="head{kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="head{kind}"/></marker>'
            "</defs>"
        )
    for column in places.columns:
        yield (
            f'<rect class="band" x="{column.x:.0f}" y="8" width="{column.width:.0f}" '
            f'height="{height - 16}" rx="8"/><text class="band-title" x="{column.x + 12:.0f}" '
            f'y="32">{escape(column.title)}</text>'
        )
    numbers = {name: number for number, name in enumerate(places.boxes)}
    for arrow in graph.arrows:
        yield _arrow(arrow.asker, arrow.answer, "bad" if arrow.mismatch else "", places, numbers)
    for module in graph.modules:
        for request in module.requests:
            yield _arrow(module.path, request, "use", places, numbers)
    for node in graph.nodes:
        flags = words.flags(node)
        about = ", ".join(filter(None, (f"{node.scope or 'unknown'} scope", flags)))
        title = f"{node.name}: {about}, reached by {words.tests(node.tests)}"
        sub = words.sub(node, graph.base)
        yield _box(node.name, sub, title, places.boxes[node.id], numbers[node.id], "fixture")
    for module in graph.modules:
        number, sub = numbers[module.path], words.tests(module.tests)
        shown = words.below(module.path, graph.base)
        title = f"{shown}: {sub}"
        yield _box(shown, sub, title, places.boxes[module.path], number, "module")
    yield "</svg>"


def _box(name: str, sub: str, title: str, box: Box, number: int, kind: str) -> str:
    shown = escape(printable(title), quote=True)
    return (
        f'<g class="box {kind}" tabindex="0" data-id="{number}" data-title="{shown}" '
        f'transform="translate({box.x:.0f} {box.y:.0f})"><title>{shown}</title>'
        f'<rect width="{box.width:.0f}" height="{HEIGHT}" rx="{_ROUND}"/>'
        f'<text x="12" y="19" class="name">{escape(printable(name))}</text>'
        f'<text x="12" y="35" class="sub">{escape(printable(sub))}</text></g>'
    )


def _arrow(asker: str, answer: str, kind: str, places: Layout, numbers: dict[str, int]) -> str:
    """A curve from the asker's near side to the answer's."""
    start, end = places.boxes[asker], places.boxes[answer]
    y1, y2 = start.y + HEIGHT / 2, end.y + HEIGHT / 2
    if end.x + end.width <= start.x:
        x1, x2, turn = start.x, end.x + end.width, -40.0
        path = f"C{x1 + turn:.0f} {y1:.0f} {x2 - turn:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    elif start.x + start.width <= end.x:
        x1, x2, turn = start.x + start.width, end.x, 40.0
        path = f"C{x1 + turn:.0f} {y1:.0f} {x2 - turn:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    else:
        x1, x2 = start.x + start.width, end.x + end.width
        far = max(x1, x2) + 30
        path = f"C{far:.0f} {y1:.0f} {far:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    head = "head-bad" if kind == "bad" else "head"
    ends = f'data-from="{numbers[asker]}" data-to="{numbers[answer]}"'
    start_at = f"M{x1:.0f} {y1:.0f}"
    return f'<path class="arrow {kind}" {ends} d="{start_at}{path}" marker-end="url(#{head})"/>'
