"""The table of objects that event loops are bound to, tried where Python alone is needed."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from scopecheck.suite.loop_objects import driver, last_names, libraries, loop_object

SCRIPT = Path(__file__).parents[1] / "scripts" / "try_loop_objects.py"
TRIED: dict[str, Any] = runpy.run_path(str(SCRIPT))
# Trying these means to wait for what never comes.
SLOW = {"asyncio.start_server", "asyncio.start_unix_server"}


def here(name: str) -> bool:
    """Whether this Python has it."""
    import asyncio

    return hasattr(asyncio, name.split(".")[1].partition("(")[0])


@pytest.mark.parametrize(
    "name", [name for name in libraries()["asyncio"].objects if name not in SLOW and here(name)]
)
def test_asyncio(name: str) -> None:
    found = loop_object(name)
    assert found is not None
    assert TRIED["when"](name) == found.binds


@pytest.mark.parametrize("name", ["anyio.Lock", "anyio.Event", "anyio.open_process"])
def test_anyio(name: str) -> None:
    found = loop_object(name)
    assert found is not None
    assert TRIED["when"](name) == found.binds


def test_every_object_has_an_experiment() -> None:
    told = {"driver", "engine", "session"}
    wanted = {name for name, says in TRIED["stated"]().items() if says not in told}
    # A browser is no library: it is started over the connection of what is tried.
    assert {name for name in wanted - TRIED["EXPERIMENTS"].keys() if "launch" not in name} == set()


def test_aliases_are_of_known_objects() -> None:
    assert libraries()
    for library in libraries().values():
        for alias, name in library.aliases.items():
            assert name in library.objects
            assert loop_object(alias) == loop_object(name)


def test_look_up() -> None:
    assert loop_object("asyncio.sleep") is None
    assert driver("postgresql+asyncpg") == "used"
    assert driver("postgresql") is None
    assert {"Lock", "create_task", "AsyncClient"} <= last_names()
