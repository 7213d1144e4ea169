"""Turns linked suites into the graph of their fixtures: who requests what, and for which tests.

Node     a fixture definition, once however often it is registered
Module   a test file, with the fixtures that its tests request
Arrow    a request and the definition that answers it for at least one test
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scopecheck.suite.asked import asked_edges
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scopecheck.suite import Suite
    from scopecheck.suite.model import Edge, Fixture, Item


class Node(msgspec.Struct, frozen=True):
    """A fixture.

    id: `path::name`, with its line where a file has several of the name. scope: None where only
    running code can tell. path, line: of the definition; a plugin's has `plugin` instead.
    tests: how many of the tests that were asked for reach it.
    """

    id: str
    name: str
    scope: str | None
    path: str | None
    line: int
    plugin: str | None
    autouse: bool
    is_async: bool
    tests: int


class Arrow(msgspec.Struct, frozen=True, order=True):
    """A request, by the ids of both ends; mismatch: pytest refuses it for its scopes."""

    asker: str
    answer: str
    mismatch: bool = False


class Module(msgspec.Struct, frozen=True, order=True):
    """A test file, how many tests of it were asked for, and the ids of what they request."""

    path: str
    tests: int
    requests: tuple[str, ...]


class Graph(msgspec.Struct, frozen=True):
    """Nodes by scope, widest first, and then by place; arrows and modules in order.

    base: the folder of the one suite, seen from the root; empty where there are several.
    """

    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    modules: tuple[Module, ...]
    base: str = ""


def graph_of(suites: Sequence[Suite], wanted: Callable[[Suite, Item], bool]) -> Graph:
    """The graph of the fixtures that the wanted tests reach.

    Of a plugin's fixtures those are in it that the project's own code requests by name.
    """
    reached: dict[tuple[object, ...], _Reached] = {}
    arrows: dict[tuple[tuple[object, ...], tuple[object, ...]], bool] = {}
    modules: dict[str, tuple[set[str], dict[tuple[object, ...], None]]] = {}
    for suite in suites:
        for items in suite.items_of.values():
            members = [item for item in items if item.refusal is None and wanted(suite, item)]
            if not members:
                continue
            tests = {(suite.files.name, item.nodeid) for item in members}
            own = [edge for edge in asked_edges(suite, members[0]) if _is_shown(edge)]
            for edge in own:
                answer = _add(reached, edge.answer, tests)
                if edge.asker is not None:
                    asker = _add(reached, edge.asker, tests)
                    arrows[asker, answer] = _mismatch(edge.asker, edge.answer)
            for one, other in suite.lookups.made(members[0]):
                if _is_own(one) and not other.pseudo:
                    asker, answer = _add(reached, one, tests), _add(reached, other, tests)
                    arrows[asker, answer] = _mismatch(one, other)
            for item in members:
                nodeids, requests = modules.setdefault(item.path, (set(), {}))
                nodeids.add(item.nodeid)
                requests.update((_key(e.answer), None) for e in own if e.asker is None)
    ids = _ids(reached)
    nodes = [_node(ids[key], found) for key, found in reached.items()]
    roots = [suite.relative(suite.files.config.rootdir) for suite in suites]
    return Graph(
        tuple(sorted(nodes, key=_order)),
        tuple(sorted(Arrow(ids[one], ids[two], bad) for (one, two), bad in arrows.items())),
        tuple(
            sorted(
                Module(path, len(nodeids), tuple(sorted({ids[key] for key in requests})))
                for path, (nodeids, requests) in modules.items()
            )
        ),
        roots[0] if len(roots) == 1 else "",
    )


class _Reached(msgspec.Struct):
    fixture: Fixture
    tests: set[tuple[str, str]]


def _key(fixture: Fixture) -> tuple[object, ...]:
    return fixture.key


def _add(
    reached: dict[tuple[object, ...], _Reached], fixture: Fixture, tests: set[tuple[str, str]]
) -> tuple[object, ...]:
    key = _key(fixture)
    found = reached.get(key)
    if found is None:
        found = reached[key] = _Reached(fixture, set())
    found.tests |= tests
    return key


def _is_own(fixture: Fixture | None) -> bool:
    """Whether a request comes from the project's own code; None is a test."""
    if fixture is None:
        return True
    return not fixture.pseudo and fixture.path is not None and "site-packages/" not in fixture.path


def _is_shown(edge: Edge) -> bool:
    if edge.answer.pseudo or not _is_own(edge.asker):
        return False
    return _is_own(edge.answer) or not (edge.asker is None and edge.answer.autouse)


def _mismatch(asker: Fixture, answer: Fixture) -> bool:
    return asker.scope is not None and answer.scope is not None and asker.scope > answer.scope


def _ids(reached: dict[tuple[object, ...], _Reached]) -> dict[tuple[object, ...], str]:
    """An id for each: with the line where several would have the same."""
    plain = {key: _plain_id(found.fixture) for key, found in reached.items()}
    counts: dict[str, int] = {}
    for text in plain.values():
        counts[text] = counts.get(text, 0) + 1
    return {
        key: text if counts[text] == 1 else f"{text}:{reached[key].fixture.line}"
        for key, text in plain.items()
    }


def _plain_id(fixture: Fixture) -> str:
    parts = (fixture.path or f"[{fixture.plugin}]", fixture.owner, fixture.name)
    return "::".join(filter(None, parts))


def _node(name: str, found: _Reached) -> Node:
    fixture = found.fixture
    own = _is_own(fixture)
    return Node(
        name,
        fixture.name,
        None if fixture.scope is None else fixture.scope.word,
        fixture.path if own else None,
        fixture.line if own else 0,
        None if own else (fixture.plugin or "plugin"),
        bool(fixture.autouse),
        fixture.is_async,
        len(found.tests),
    )


def _order(node: Node) -> tuple[int, str, int, str]:
    rank = -1 if node.scope is None else Scope[node.scope.upper()]
    return (-rank, node.path or "~", node.line, node.name)


__all__ = ["Arrow", "Graph", "Module", "Node", "graph_of"]
