"""What makes the context of a user, a request or a session, and whether that context can change."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from scopecheck.expressions import Awaited, Call, Entered, Items, Mapping, Name
from scopecheck.suite.changes import is_container, is_in_place
from scopecheck.suite.values import ClassValue, FunctionValue

if TYPE_CHECKING:
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture

_DEFAULTS = ("*Context", "*Session", "create_*_context")
# Contexts that there is one of for all users, by the purpose of what they are named for.
_OF_ALL = re.compile(r"App|Server|Global|Process|Plugin|Build|SSL|Ssl|TLS|Tls|Zmq|Browser|Root")
_INSTALLED = "site-packages/"


class Makers:
    """The functions and classes that make contexts, by the configuration or by their names."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        globs = suite.options.context_factories
        self._told = globs is not None
        self._globs = tuple(glob.rpartition(".")[2] for glob in globs or _DEFAULTS)
        self._fixtures: dict[Fixture, str | None] = {}
        names = "|".join(map(_end_of, self._globs))
        # What the text of a function has that makes a context.
        self.words = re.compile(rf"(?:{names})[.(]")

    def of_fixture(self, fixture: Fixture) -> str | None:
        """The name of the context that a fixture makes, if it makes one that can be changed."""
        if fixture not in self._fixtures:
            self._fixtures[fixture] = self._of_fixture(fixture)
        return self._fixtures[fixture]

    def _of_fixture(self, fixture: Fixture) -> str | None:
        if fixture.function is None or fixture.path is None or not fixture.certain:
            return None
        function = fixture.function
        if fixture.pseudo or function.handout is None or len(function.handout.values) != 1:
            return None
        ((expression, _),) = function.handout.values
        value: object = expression
        if isinstance(expression, Name) and len(expression.parts) == 1:
            bound = [b.value for b in function.bindings if b.name == expression.parts[0]]
            if len(bound) != 1:
                return None
            value = bound[0]
        return self.of_value(fixture.path, value)

    def of_value(self, path: str, value: object) -> str | None:
        """The name of the context that an expression of a file makes, if it can be changed."""
        while isinstance(value, (Awaited, Entered)):
            value = value.value
        if not isinstance(value, Call) or not isinstance(value.func, Name):
            return None
        return self.of_call(path, value.func)

    def of_call(self, path: str, func: Name) -> str | None:
        """The name of the context that a call of a name makes, if it can be changed."""
        parts = func.parts
        if self._is_named(parts[-1]):
            return self._made(path, func, parts[-1])
        # `UserContext.for_user(...)`, a second way to make one.
        if len(parts) > 1 and self._is_named(parts[-2]):
            space = self._suite.evaluator.module(path)
            owner = Name(parts[:-1])
            holder = None if space is None else self._suite.evaluator.evaluate(owner, space)
            if isinstance(holder, ClassValue) and self._is_class_method(holder, parts[-1]):
                return self._made(path, owner, parts[-2])
        return None

    def _is_named(self, name: str) -> bool:
        return any(fnmatchcase(name, glob) for glob in self._globs)

    def _is_class_method(self, holder: ClassValue, name: str) -> bool:
        space = self._suite.evaluator.class_space(holder)
        found = self._suite.evaluator.lookup(space, name)
        return isinstance(found, FunctionValue) and any(
            isinstance(d.expression, Name) and d.expression.parts[-1] == "classmethod"
            for d in found.function.decorators
        )

    def _made(self, path: str, func: Name, name: str) -> str | None:
        space = self._suite.evaluator.module(path)
        found = None if space is None else self._suite.evaluator.evaluate(func, space)
        if isinstance(found, ClassValue) and _INSTALLED not in found.module:
            if self._told:
                return name
            return name if not _OF_ALL.search(name) and can_change(self._suite, found) else None
        if isinstance(found, FunctionValue) and _INSTALLED not in found.module:
            return name if self._told or self._returns_one(found) else None
        return None

    def _returns_one(self, function: FunctionValue) -> bool:
        """Whether a function returns a new object of the project that can change."""
        value = self._suite.changes.returned(function.module, function.function)
        if not isinstance(value, Call) or not isinstance(value.func, Name):
            return False
        space = self._suite.evaluator.module(function.module)
        found = None if space is None else self._suite.evaluator.evaluate(value.func, space)
        return (
            isinstance(found, ClassValue)
            and _INSTALLED not in found.module
            and can_change(self._suite, found)
        )


def _end_of(glob: str) -> str:
    """A pattern for the end of the names that a glob means, which is found soonest."""
    end = glob.rpartition("*")[2]
    return re.escape(end) if end else re.escape(glob).replace(r"\*", r"\w*")


def can_change(suite: Suite, value: ClassValue) -> bool:
    """Whether an object of a class keeps a container, or has a method that changes it."""
    for decorator in value.class_.decorators:
        expression = decorator.expression
        if isinstance(expression, Call):
            frozen = expression.keyword("frozen")
            if frozen is not None and getattr(frozen, "value", None) is True:
                return False
    lineage = suite.linker.lineages.of(value)
    for holder in lineage.classes:
        space = suite.evaluator.class_space(holder)
        for bindings in space.bindings.values():
            for binding in bindings:
                if _is_container_field(binding.value):
                    return True
        facts = suite.facts(holder.module)
        for function in () if facts is None else facts.functions:
            if function.owner != holder.index:
                continue
            first = function.parameters[0].name if function.parameters else ""
            for change in function.changes:
                if change.target[:1] != (first,) or not is_in_place(change):
                    continue
                if function.name != "__init__" or change.value in ("[]", "{}"):
                    return True
    return False


def _is_container_field(value: object) -> bool:
    """Whether a class body gives its objects a container: `field(default_factory=list)`."""
    if isinstance(value, (Items, Mapping)) and not value.items:
        return True
    if not isinstance(value, Call):
        return False
    factory = value.keyword("default_factory")
    if isinstance(factory, Name):
        return is_container(Call(factory, (), (), value.span))
    return False
