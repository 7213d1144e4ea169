"""Which tests set which definitions up, without a set of node ids for each definition in memory.

To go through all of them with their tests makes all of these sets: ask for those that matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite.model import Fixture, Item, Plan


class Users(Mapping["Fixture", frozenset[str]]):
    """The node ids of the tests that set a definition up, made when they are asked for.

    Args:
        items_of: the items of each shape.
    """

    def __init__(self, items_of: Mapping[Plan, tuple[Item, ...]]) -> None:
        self._items_of = items_of
        self._plans: dict[Fixture, list[Plan]] = {}
        for plan in items_of:
            for fixture in plan.order:
                self._plans.setdefault(fixture, []).append(plan)

    def __getitem__(self, fixture: Fixture) -> frozenset[str]:
        plans = self._plans[fixture]
        return frozenset([item.nodeid for plan in plans for item in self._items_of[plan]])

    def __contains__(self, fixture: object) -> bool:
        return fixture in self._plans

    def __iter__(self) -> Iterator[Fixture]:
        return iter(self._plans)

    def __len__(self) -> int:
        return len(self._plans)
