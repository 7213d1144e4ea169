"""Lists, dicts and sets of classes that tests change and that tests read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.asserted import assertions
from scopecheck.checks.leaks import body_of, is_text, runs_in_process, symbol_of
from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at, tests
from scopecheck.expressions import Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import (
    IN_PLACE,
    WIDE_XUNIT,
    is_container,
    is_in_place,
    is_test_code,
)
from scopecheck.suite.values import ClassValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Binding, Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.namespace import Namespace

# Bases, of libraries that were not read, whose subclasses keep what their body assigns as it is.
_PLAIN_BASE = re.compile(
    r"(?:Processor|Handler|Listener|Mixin|Exporter|Callback|Client|Server|Worker|Backend|Plugin"
    r"|Adapter|Formatter|Logger|TestCase|Protocol|Factory|Middleware|Transport)s?$"
)
_TAKE_AWAY = frozenset({"clear", "pop", "popitem", "popleft", "remove", "discard"})


class _Attribute(NamedTuple):
    """A container that a class body makes, and who leaves something in it."""

    holder: ClassValue
    binding: Binding
    actor: Actor
    change: Change


@looks("far")
def class_state_mutation(suite: Suite) -> Iterator[Fault]:
    """SCP403: a container of a class of the tests that tests change."""
    told: set[object] = set()
    for actor in (*suite.changes.changing, *suite.changes.helpers):
        for change in actor.changes:
            found = _attribute(suite, actor, change)
            if found is None:
                continue
            if not runs_in_process(suite, actor):
                break
            key = (found.holder.key, found.binding.name, actor.path, actor.function.line)
            if key in told:
                continue
            told.add(key)
            if not _is_reset(suite, found):
                yield from _told(suite, found)


def _attribute(suite: Suite, actor: Actor, change: Change) -> _Attribute | None:
    """The container of a class that a change is made to."""
    if change.condition or change.final or not _leaves_something(change):
        return None
    if len(change.target) != 2 or change.target[1] == "[]":
        return None
    root, name = change.target
    function = actor.function
    if change.kind == "item" and function.parameters and change.key == function.parameters[0].name:
        return None  # It keeps something of each object under the object itself.
    space: Namespace | None = None
    if function.owner >= 0 and function.parameters and function.parameters[0].name == root:
        space = suite.evaluator.body(actor.path, function.owner)
        if space is None or _is_given_to_objects(suite, actor, name):
            return None
        holder = _holder(suite, actor, space)
    else:
        subject = suite.changes.subjects.resolve(
            actor.path, function, change.target, change.imported
        )
        if subject is None or subject.class_ is None or subject.rest != (name,):
            return None
        holder = subject.class_
    if holder is None or not is_test_code(holder.module):
        return None
    lineage = suite.linker.lineages.of(holder)
    owner = suite.linker.lineages.owner(lineage, name)
    if owner is None or not is_test_code(owner.module):
        return None
    bindings = suite.evaluator.class_space(owner).bindings[name]
    if len(bindings) != 1 or not is_container(bindings[0].value) or _is_made_anew(suite, owner):
        return None
    return _Attribute(owner, bindings[0], actor, change)


def _holder(suite: Suite, actor: Actor, space: Namespace) -> ClassValue | None:
    facts = suite.facts(actor.path)
    if facts is None or space.class_ is None or space.parent is None:
        return None
    owner = actor.function.owner
    return ClassValue(actor.path, facts.classes[owner], space.parent, owner)


def _leaves_something(change: Change) -> bool:
    if not is_in_place(change) or change.kind in ("attribute", "del"):
        return False
    if change.kind == "call":
        return change.name in IN_PLACE - _TAKE_AWAY
    return True


def _is_given_to_objects(suite: Suite, actor: Actor, name: str) -> bool:
    """Whether a method of the class gives each object a container of its own."""
    facts = suite.facts(actor.path)
    for function in () if facts is None else facts.functions:
        if function.owner == actor.function.owner:
            for change in function.changes:
                if change.kind == "attribute" and change.name == name:
                    return True
    return False


def _is_made_anew(suite: Suite, holder: ClassValue) -> bool:
    """Whether a base or a decorator makes fields of what the body assigns, as a dataclass does."""
    lineage = suite.linker.lineages.of(holder)
    if holder.class_.decorators or lineage.constructed:
        return True
    last = [base.parts[-1] for base in holder.class_.bases if isinstance(base, Name)]
    return lineage.opaque and not all(_PLAIN_BASE.search(name) for name in last)


def _is_reset(suite: Suite, found: _Attribute) -> bool:
    """Whether anything in the files concerned empties the container or replaces it."""
    name = re.escape(found.binding.name)
    reset = re.compile(
        rf"\.{name}\s*(?:=[^=]|\.clear\b|\[:\]|\.pop)|setattr\([^)]*[\"']{name}[\"']"
        rf"|del [\w.]*\.{name}\b|[\"'][\w.]*\.{name}[\"']"
    )
    suite.looks_into(found.actor.path, found.actor.function)
    paths = {found.holder.module, found.actor.path, *suite.files.conftests}
    return any(suite.has(path, reset) for path in paths)


def _told(suite: Suite, found: _Attribute) -> Iterator[Fault]:
    holder, binding, actor, change = found
    attribute = (f".{binding.name}",)
    having: dict[str, bool] = {}
    victims = []
    for other in suite.changes.actors:
        if other.kind == "test":
            if other.path not in having:
                having[other.path] = bool(suite.having(other.path, attribute))
            if having[other.path] and _asserts(suite, other, found):
                victims.append(other)
    name = f"{holder.class_.name}.{binding.name}"
    others = [other for other in victims if other is not actor]
    again = any(item.parametrized.direct for other in victims for item in other.items)
    if actor.kind == "test":
        met = others or (victims if again else [])
    else:
        met = victims if len(victims) > 1 or again else []
    if not met:
        return
    if _gives_anew(actor, change):
        met = [other for other in met if not set(other.items) <= set(actor.items)]
    if not met:
        return
    met.sort(key=lambda other: (other.path, other.function.line))
    affected = {item.nodeid for other in met for item in other.items}
    count = tests(len(affected))
    related = [at(Place(holder.module, binding.span), "it is made here, once for all tests")]
    related += [
        at(Place(other.path, other.function.span), "this test asserts what is in it")
        for other in met[:5]
    ]
    yield Fault(
        Place(actor.path, change.span),
        f"`{name}` of the class is changed here and stays so, and {count} "
        f"assert{'s' if len(affected) == 1 else ''} what is in it",
        symbol_of(actor),
        tuple(related),
        notes=("what they find depends on which tests ran before",),
        help=f"make `{binding.name}` for each object or test, in `__init__` or in a fixture",
        tests=frozenset(affected),
    )


def _gives_anew(actor: Actor, change: Change) -> bool:
    """Whether a set-up gives what stands under a key before each test that it is called for."""
    each = actor.kind == "xunit" and actor.function.name not in WIDE_XUNIT
    return each and change.kind == "item" and is_text(change.key)


def _asserts(suite: Suite, other: Actor, found: _Attribute) -> bool:
    """Whether a test asserts something of the container."""
    text = body_of(suite, other)
    if f".{found.binding.name}" not in text:
        return False
    cls = found.holder.class_.name
    own = "self|cls" if _is_of_class(suite, other, found) else "(?!)"
    pattern = rf"\b(?:{re.escape(cls)}|{own})\.{re.escape(found.binding.name)}\b"
    if any(re.search(pattern, each) for each in assertions(text)):
        return True
    made = re.findall(rf"(\w+)\s*(?::[^=\n]*)?=\s*(?:await\s+)?{re.escape(cls)}\(", text)
    return any(
        re.search(rf"\b{re.escape(each)}\.{re.escape(found.binding.name)}\b", assertion)
        for each in made
        for assertion in assertions(text)
    )


def _is_of_class(suite: Suite, other: Actor, found: _Attribute) -> bool:
    facts = suite.facts(other.path)
    owner = other.function.owner
    if facts is None or owner < 0:
        return False
    space = suite.evaluator.body(other.path, owner)
    if space is None or space.parent is None:
        return False
    value = ClassValue(other.path, facts.classes[owner], space.parent, owner)
    return any(
        each.key[:2] == found.holder.key[:2] for each in suite.linker.lineages.of(value).classes
    )
