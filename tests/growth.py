"""How much more one thing costs than another: a ratio, so that a busy machine changes little."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_RUNS = 7


def growth(small: Callable[[], object], large: Callable[[], object]) -> float:
    """How many times the CPU time of one call another takes, each at its best of some in turn."""
    best = [float("inf"), float("inf")]
    for _ in range(_RUNS):
        for index, call in enumerate((small, large)):
            start = time.process_time()
            call()
            best[index] = min(best[index], time.process_time() - start)
    return best[1] / best[0]
