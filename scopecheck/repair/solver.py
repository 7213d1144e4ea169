"""Finds the cheapest scopes under which no fixture requests a narrower one.

Each variable takes one of the values 0 to 4 at a cost of its own, and a constraint `(a, b)` asks
for the value of `a` to be at most that of `b`. That is a minimum cut: a variable is a chain of
nodes, the k-th on the near side where its value is at least k, and cutting the chain at a place
costs what the value there does (Ishikawa, 2003). The cut is exact for any number of variables.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    Variable = TypeVar("Variable", bound=Hashable)

VALUES = 5
_FOREVER = 1 << 60


def solve(
    costs: Mapping[Variable, Sequence[int | None]], constraints: Iterable[tuple[Variable, Variable]]
) -> dict[Variable, int] | None:
    """The values of the least total cost; None where no values meet all constraints.

    Args:
        costs: what each of the values 0 to 4 costs, at least 0; None for one that cannot be taken.
        constraints: pairs of which the first may not be greater than the second.
    """
    numbers = {variable: number for number, variable in enumerate(costs)}
    network = _Network(2 + (VALUES - 1) * len(numbers))
    source, sink = 0, 1

    def node(variable: Variable, value: int) -> int:
        """On the near side where the variable is at least this value."""
        if value == 0:
            return source
        if value == VALUES:
            return sink
        return 2 + (VALUES - 1) * numbers[variable] + value - 1

    for variable, own in costs.items():
        for value in range(VALUES):
            cost = own[value]
            capacity = _FOREVER if cost is None else cost
            network.connect(node(variable, value), node(variable, value + 1), capacity)
        for value in range(1, VALUES - 1):
            network.connect(node(variable, value + 1), node(variable, value), _FOREVER)
    for narrow, wide in constraints:
        for value in range(1, VALUES):
            network.connect(node(narrow, value), node(wide, value), _FOREVER)
    if network.maximum_flow(source, sink) >= _FOREVER:
        return None
    near = network.reached(source)
    return {
        variable: max(value for value in range(VALUES) if node(variable, value) in near)
        for variable in costs
    }


class _Network:
    """A flow network; the flow is found by shortest augmenting paths in layers (Dinic, 1970)."""

    def __init__(self, nodes: int) -> None:
        self._edges: list[list[int]] = [[] for _ in range(nodes)]
        self._target: list[int] = []
        self._left: list[int] = []

    def connect(self, start: int, end: int, capacity: int) -> None:
        """An edge; its opposite, which takes flow back, is the one numbered next."""
        for near, far, left in ((start, end, capacity), (end, start, 0)):
            self._edges[near].append(len(self._target))
            self._target.append(far)
            self._left.append(left)

    def maximum_flow(self, source: int, sink: int) -> int:
        """How much flows at most; no more is looked for once nothing limits it."""
        total = 0
        while total < _FOREVER:
            depth = self._depths(source)
            if sink not in depth:
                break
            tried = [0] * len(self._edges)
            while flow := self._augment(source, sink, depth, tried):
                total += flow
        return total

    def reached(self, source: int) -> set[int]:
        """The nodes that more could flow to."""
        return set(self._depths(source))

    def _depths(self, source: int) -> dict[int, int]:
        depth = {source: 0}
        queue = deque([source])
        while queue:
            node = queue.popleft()
            for edge in self._edges[node]:
                target = self._target[edge]
                if self._left[edge] and target not in depth:
                    depth[target] = depth[node] + 1
                    queue.append(target)
        return depth

    def _augment(self, source: int, sink: int, depth: Mapping[int, int], tried: list[int]) -> int:
        """Send flow along one path of the layers; 0 where there is none any more."""
        path: list[int] = []
        node = source
        while node != sink:
            while tried[node] < len(self._edges[node]):
                edge = self._edges[node][tried[node]]
                target = self._target[edge]
                if self._left[edge] and depth.get(target) == depth[node] + 1:
                    break
                tried[node] += 1
            else:
                if not path:
                    return 0
                # A dead end: the edge that led here is done with.
                node = self._target[path.pop() ^ 1]
                tried[node] += 1
                continue
            path.append(edge)
            node = target
        flow = min(self._left[edge] for edge in path)
        for edge in path:
            self._left[edge] -= flow
            self._left[edge ^ 1] += flow
        return flow
