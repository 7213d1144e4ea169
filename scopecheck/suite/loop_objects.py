"""What was found out about objects of libraries: when each becomes bound to an event loop.

    made        where it is made: a task, a stream, a connection
    used        by its first use: a client that keeps connections in a pool
    contended   only when something has to wait for it: a lock that is taken, an empty queue
    never       a client that works in memory, a synchronous object

The table is data; `scripts/try_loop_objects.py` tries every object of it on two loops. Three kinds
of SQLAlchemy follow what they are given: `driver` its URL, `engine` its engine, and `session` its
engine, but for the connection that an open transaction keeps.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Binds: TypeAlias = Literal["made", "used", "contended", "never"]

TABLE = Path(__file__).parent.parent / "data" / "loop_objects.json"


class Library(msgspec.Struct, frozen=True):
    """A library's objects by dotted name. tried: the version they were tried in.

    aliases: further names of the same objects. drivers: of database URLs.
    """

    tried: str
    objects: dict[str, Binds | Literal["driver", "engine", "session"]]
    aliases: dict[str, str] = {}
    drivers: dict[str, Binds] = {}


class LoopObject(msgspec.Struct, frozen=True):
    """An object of a library, by the name of what makes it."""

    name: str
    binds: Binds | Literal["driver", "engine", "session"]


@lru_cache(maxsize=1)
def libraries() -> Mapping[str, Library]:
    """The table, by library."""
    return msgspec.json.decode(TABLE.read_bytes(), type=dict[str, Library])


@lru_cache(maxsize=1)
def _objects() -> Mapping[str, LoopObject]:
    found: dict[str, LoopObject] = {}
    for library in libraries().values():
        for name, binds in library.objects.items():
            found[name] = LoopObject(name, binds)
        for alias, name in library.aliases.items():
            found[alias] = found[name]
    return found


def loop_object(name: str) -> LoopObject | None:
    """What is known of the object that calling this dotted name makes."""
    return _objects().get(name)


@lru_cache(maxsize=1)
def last_names() -> frozenset[str]:
    """The last parts of the names of the table, as code is likely to spell them."""
    return frozenset(name.rpartition(".")[2] for name in _objects())


def driver(scheme: str) -> Binds | None:
    """When an engine for URLs of this scheme becomes bound, as far as its pool decides."""
    return libraries()["sqlalchemy"].drivers.get(scheme)
