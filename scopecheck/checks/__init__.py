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

FAMILIES: dict[str, tuple[str, ...]] = {
    "0": (),
    "1": ("scope", "lifetimes"),
    "2": (
        "loops",
        "handling",
        "event_loop",
        "loop_spellings",
        "anyio_backend",
        "nested_loops",
        "loop_objects",
    ),
    "3": ("missing", "graph", "called", "unused", "definitions", "collection"),
    "4": (
        *("environ", "process_state", "patches", "module_state", "class_state", "fixture_values"),
        *("shared_arguments", "cached_values", "contexts", "run_order"),
    ),
    "5": ("events",),
    "6": ("assertions", "assertion_flow"),
    "7": ("cost",),
    "8": ("policy",),
}


def find(code: str, name: str) -> Check | None:
    """The check of a rule; None for the engine's own rules (SCP0xx), which no function makes.

    Raises:
        LookupError: the rule has a page, and no function of its name in its family's modules.
    """
    modules = FAMILIES[code[3]]
    for module in modules:
        check: Check | None = getattr(
            import_module(f"{__name__}.{module}"), name.replace("-", "_"), None
        )
        if check is not None:
            return check
    if modules:
        raise LookupError(f"no function of {__name__} is named for the rule {name} ({code})")
    return None
