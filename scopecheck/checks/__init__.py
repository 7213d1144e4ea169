"""One module a family of rules: functions that take the suite and yield faults.

A check is named like its rule, with `_` for `-`, and is found by that name; there is no list to
keep. It reads the suite and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TypeAlias

from scopecheck.finding import Fault
from scopecheck.suite import Suite

Check: TypeAlias = Callable[[Suite], Iterable[Fault]]

FAMILIES = {
    "0": "",
    "1": "scope",
    "2": "loops",
    "3": "graph",
    "4": "isolation",
    "5": "events",
    "6": "assertions",
    "7": "cost",
    "8": "policy",
}


def find(code: str, name: str) -> Check | None:
    """The check of a rule; None for the engine's own rules (SCP0xx), which no function makes.

    Raises:
        LookupError: the rule has a page, and no function of its name in its family's module.
    """
    family = FAMILIES[code[3]]
    if not family:
        return None
    module = import_module(f"{__name__}.{family}")
    check: Check | None = getattr(module, name.replace("-", "_"), None)
    if check is None:
        raise LookupError(f"{module.__name__} has no function for the rule {name} ({code})")
    return check
