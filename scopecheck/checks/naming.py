"""Which functions name an object of a module, and how their files spell it."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.leaks import body_of
from scopecheck.checks.once import once
from scopecheck.facts import Import

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.subjects import Subject


def naming(suite: Suite, subject: Subject) -> Iterator[Actor]:
    """The actors and helpers of the files that have a container, or import it or its module."""
    stem = subject.path.rpartition("/")[2].removesuffix(".py")
    if stem == "__init__":
        stem = subject.path.split("/")[-2] if "/" in subject.path else stem
    known = _known(suite)
    paths = {subject.path, *known.modules.get(stem, ())}
    for word in (subject.name, stem, "*"):
        paths.update(known.words.get(word, ()))
    numbers = sorted(number for path in paths for number in known.numbers.get(path, ()))
    return (known.actors[number] for number in numbers)


class _Known(NamedTuple):
    """The files that have actors or helpers, by what they import.

    modules: by the last parts of the modules' names. words: by the names imported from modules,
    and by all that import statements inside of functions name. numbers: of the actors of each file.
    """

    modules: dict[str, list[str]]
    words: dict[str, list[str]]
    actors: tuple[Actor, ...]
    numbers: dict[str, array[int]]


@once
def _known(suite: Suite) -> _Known:
    known = _Known({}, {}, (*suite.changes.actors, *suite.changes.helpers), {})
    for number, actor in enumerate(known.actors):
        if actor.path not in known.numbers:
            known.numbers[actor.path] = array("L")
        known.numbers[actor.path].append(number)
    for path in known.numbers:
        facts = suite.facts(path)
        if facts is None:
            continue
        values = [b.value for b in facts.bindings if isinstance(b.value, Import)]
        for stem in {value.module.rpartition(".")[2] for value in values}:
            known.modules.setdefault(stem, []).append(path)
        names = {value.name for value in values if value.name is not None}
        for word in names.union(facts.inner_imports):
            known.words.setdefault(word, []).append(path)
    return known


def written(suite: Suite, actor: Actor, subject: Subject) -> str | None:
    """How an actor's file names a container."""
    if actor.path == subject.path:
        shadowed = any(p.name == subject.name for p in actor.function.parameters)
        return None if shadowed else subject.name
    facts = suite.facts(actor.path)
    if facts is None or subject.name not in body_of(suite, actor):
        return None
    for parts in ((subject.name,), *_module_names(suite, actor, subject)):
        found = suite.changes.subjects.resolve(actor.path, actor.function, parts)
        if found is not None and found.key == subject.key:
            return ".".join(parts)
    return None


def _module_names(suite: Suite, actor: Actor, subject: Subject) -> Iterator[tuple[str, ...]]:
    pattern = rf"(?<![\w.])([A-Za-z_][\w.]*)\.{re.escape(subject.name)}\b"
    for name in sorted(set(re.findall(pattern, body_of(suite, actor)))):
        yield (*name.split("."), subject.name)
