"""Which functions name an object of a module, and how their files spell it."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import body_of
from scopecheck.checks.once import imported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor, Subject


def naming(suite: Suite, subject: Subject) -> Iterator[Actor]:
    """The actors and helpers of the files that have a container, or import it or its module."""
    named: dict[str, bool] = {subject.path: True}
    for actor in chain(suite.changes.actors, suite.changes.helpers):
        path = actor.path
        if path not in named:
            named[path] = _imports(suite, path, subject)
        if named[path]:
            yield actor


def _imports(suite: Suite, path: str, subject: Subject) -> bool:
    found = imported(suite, path)
    if found is None:
        return False
    stem = subject.path.rpartition("/")[2].removesuffix(".py")
    if stem == "__init__":
        stem = subject.path.split("/")[-2] if "/" in subject.path else stem
    words = {subject.name, stem, "*"}
    return stem in found.stems or not (
        words.isdisjoint(found.inner) and words.isdisjoint(found.names)
    )


def written(suite: Suite, actor: Actor, subject: Subject) -> str | None:
    """How an actor's file names a container."""
    if actor.path == subject.path:
        shadowed = any(p.name == subject.name for p in actor.function.parameters)
        return None if shadowed else subject.name
    facts = suite.facts(actor.path)
    if facts is None or subject.name not in body_of(suite, actor):
        return None
    for parts in ((subject.name,), *_module_names(suite, actor, subject)):
        found = suite.changes.resolve(actor.path, actor.function, parts)
        if found is not None and found.key == subject.key:
            return ".".join(parts)
    return None


def _module_names(suite: Suite, actor: Actor, subject: Subject) -> Iterator[tuple[str, ...]]:
    pattern = rf"(?<![\w.])([A-Za-z_][\w.]*)\.{re.escape(subject.name)}\b"
    for name in sorted(set(re.findall(pattern, body_of(suite, actor)))):
        yield (*name.split("."), subject.name)
