"""The solver of scopes, against every choice there is."""

from __future__ import annotations

import os
import random
from itertools import product
from typing import TYPE_CHECKING

import pytest

from scopecheck.repair.solver import VALUES, solve

if TYPE_CHECKING:
    from collections.abc import Sequence

GRAPHS = int(os.environ.get("SCOPECHECK_RANDOM", "3000"))


def total(costs: dict[int, list[int | None]], values: Sequence[int]) -> int | None:
    found = 0
    for variable, value in enumerate(values):
        cost = costs[variable][value]
        if cost is None:
            return None
        found += cost
    return found


def cheapest(costs: dict[int, list[int | None]], pairs: list[tuple[int, int]]) -> int | None:
    """By trying everything."""
    found = [
        cost
        for values in product(range(VALUES), repeat=len(costs))
        if all(values[a] <= values[b] for a, b in pairs)
        and (cost := total(costs, values)) is not None
    ]
    return min(found, default=None)


@pytest.mark.parametrize("part", range(10))
def test_no_choice_is_cheaper(part: int) -> None:
    chance = random.Random(part)
    for _ in range(GRAPHS // 10):
        size = chance.choice([1, 2, 3, 3, 4, 4])
        most = chance.choice([1, 3, 1000])
        costs: dict[int, list[int | None]] = {
            variable: [
                None if chance.random() < 0.2 else chance.randint(0, most) for _ in range(VALUES)
            ]
            for variable in range(size)
        }
        pairs = [
            (chance.randrange(size), chance.randrange(size))
            for _ in range(chance.randint(0, 2 * size))
        ]
        found = solve(costs, pairs)
        best = cheapest(costs, pairs)
        if found is None:
            assert best is None
            continue
        values = [found[variable] for variable in range(size)]
        assert all(values[a] <= values[b] for a, b in pairs)
        assert total(costs, values) == best


def test_a_chain_of_many_fixtures_is_no_trouble() -> None:
    size = 400
    costs: dict[int, list[int | None]] = {i: [3, 3, 3, 3, 0] for i in range(size)}
    costs[size - 1] = [0, None, None, None, 1000]
    found = solve(costs, [(i, i + 1) for i in range(size - 1)])
    assert found == dict.fromkeys(range(size), 4)
