"""Works out a class's bases and attributes as Python's method resolution order gives them."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from msgspec import Struct

from scopecheck.expressions import FunctionRef
from scopecheck.suite.values import MISSING, ClassValue, External, Literal, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Binding
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.values import Value

# Bases outside the files read that add no tests, no fixtures and no `__init__`.
_PLAIN_BASES = frozenset(
    {
        "builtins.object",
        "typing.Generic",
        "typing.Protocol",
        "typing_extensions.Protocol",
        "typing_extensions.Generic",
        "abc.ABC",
    }
)
# Under these a coroutine function is called, and what it returns is dropped.
_PLAIN_TESTCASES = frozenset({"unittest.TestCase", "unittest.case.TestCase"})
# Methods by which a TestCase may have its own way to run a test, or may put another in its place.
_RUNNING = frozenset(
    {
        "__call__",
        "__getattr__",
        "__getattribute__",
        "__init__",
        "__new__",
        "_callTestMethod",
        "debug",
        "execute_example",
        "run",
    }
)
# Bases whose own constructor makes pytest refuse the class.
_CONSTRUCTED_TOPS = frozenset({"builtins", "enum", "pydantic", "typing", "collections", "ctypes"})
_CONSTRUCTING_DECORATORS = frozenset(
    {
        "dataclasses.dataclass",
        "attr.s",
        "attr.attrs",
        "attr.dataclass",
        "attr.define",
        "attrs.define",
        "attrs.frozen",
        "attr.frozen",
        "attrs.mutable",
        "attr.mutable",
        "pydantic.dataclasses.dataclass",
    }
)


class Lineage(Struct, frozen=True):
    """A class's method resolution order.

    classes: the classes that were read, the class itself first.
    testcase: it is a `unittest.TestCase`.
    runs_async: it is of a kind that awaits async tests itself, or may.
    opaque: a base is not known, and may hold tests, fixtures or a constructor.
    constructed: a base outside the files read, or a decorator, gives it a constructor.
    """

    classes: tuple[ClassValue, ...]
    testcase: bool = False
    runs_async: bool = False
    opaque: bool = False
    constructed: bool = False


class Lineages:
    """The lineages of one suite's classes."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._found: dict[tuple[str, int, int], Lineage] = {}

    def of(self, value: ClassValue) -> Lineage:
        """A class's lineage; of a class among its own bases only what is known so far."""
        found = self._found.get(value.key)
        if found is None:
            self._found[value.key] = Lineage((value,))
            found = self._found[value.key] = self._make(value)
        return found

    def _make(self, value: ClassValue) -> Lineage:
        testcase = opaque = constructed = False
        parents: list[list[ClassValue]] = []
        space = self._evaluator.class_space(value)
        runs_async = "__init_subclass__" in space.bindings
        outer = space.parent if space.parent is not None else space
        for base in value.class_.bases:
            found = self._evaluator.evaluate_at(base, outer, value.class_.span)
            match found:
                case ClassValue():
                    lineage = self.of(found)
                    parents.append(list(lineage.classes))
                    testcase |= lineage.testcase
                    runs_async |= lineage.runs_async
                    opaque |= lineage.opaque
                    constructed |= lineage.constructed
                case External(name=name) if name in _PLAIN_BASES:
                    pass
                case External(name=name) | Result(name=name):
                    last = name.rpartition(".")[2]
                    plain = name in _PLAIN_TESTCASES
                    if last.endswith(("TestCase", "TestCase()")) and (
                        plain or not self._takes_fixtures(value)
                    ):
                        testcase = True
                        runs_async |= not plain
                    elif isinstance(found, External) and _has_constructor(name):
                        constructed = True
                    else:
                        opaque = True
                case _:
                    opaque = True
        for decorator in value.class_.decorators:
            made = self._evaluator.evaluate(decorator.expression, outer)
            name = made.name.removesuffix("()") if isinstance(made, (External, Result)) else ""
            constructed |= name in _CONSTRUCTING_DECORATORS
        if any(key == "metaclass" for key, _ in value.class_.keywords):
            metaclass = self._evaluator.evaluate(dict(value.class_.keywords)["metaclass"], outer)
            if not (isinstance(metaclass, External) and metaclass.name == "abc.ABCMeta"):
                opaque = True
        order = parents[0] if len(parents) == 1 else _merge([*parents, [mro[0] for mro in parents]])
        classes = (value, *order)
        if testcase:
            spaces = map(self._evaluator.class_space, classes)
            runs_async |= any(not _RUNNING.isdisjoint(space.bindings) for space in spaces)
        return Lineage(classes, testcase, runs_async, opaque, constructed)

    def _takes_fixtures(self, value: ClassValue) -> bool:
        """Whether a test of the class has a parameter that only pytest could give a value to.

        A `unittest.TestCase` calls its tests with `self` alone, so its base is none, whatever its
        name (`pylint.testutils.CheckerTestCase`).
        """
        if value.class_.decorators:
            return False
        space = self._evaluator.class_space(value)
        for name, bindings in space.bindings.items():
            if not name.startswith("test"):
                continue
            for binding in bindings:
                if not isinstance(binding.value, FunctionRef):
                    continue
                function = space.facts.functions[binding.value.index]
                if function.decorators:
                    continue
                asked = [p for p in function.parameters if p.kind == "normal" and not p.default]
                if len(asked) > 1:
                    return True
        return False

    def attribute(self, lineage: Lineage, name: str) -> Value:
        """What an attribute of the class stands for; MISSING when no class read has it."""
        owner = self.owner(lineage, name)
        if owner is None:
            return MISSING
        return self._evaluator.lookup(self._evaluator.class_space(owner), name)

    def owner(self, lineage: Lineage, name: str) -> ClassValue | None:
        """The first class of the lineage whose body binds the name."""
        for value in lineage.classes:
            if name in self._evaluator.class_space(value).bindings:
                return value
        return None

    def names(self, lineage: Lineage) -> dict[str, ClassValue]:
        """Every name that a class of the lineage binds, and the class it is found in."""
        return {name: value for value, _, names in self._bound_by_each(lineage) for name in names}

    def members(self, lineage: Lineage) -> Iterator[tuple[str, ClassValue, Namespace]]:
        """Every name of `names` with its class and that one's namespace, in pytest's order.

        That is bases first, each class in definition order.
        """
        for value, space, names in reversed(self._bound_by_each(lineage)):
            for name in names:
                yield name, value, space

    def _bound_by_each(self, lineage: Lineage) -> list[tuple[ClassValue, Namespace, list[str]]]:
        """The classes, each with its namespace and the names that no class before it binds."""
        seen: set[str] = set()
        found = []
        for value in lineage.classes:
            space = self._evaluator.class_space(value)
            names = [name for name in space.bindings if name not in seen]
            seen.update(names)
            found.append((value, space, names))
        return found

    def has_constructor(self, lineage: Lineage) -> str | None:
        """`__init__` or `__new__` when a class of the lineage defines one."""
        for name in ("__init__", "__new__"):
            if self.attribute(lineage, name) != MISSING:
                return name
        return "__init__" if lineage.constructed else None

    def is_abstract(self, lineage: Lineage) -> bool:
        """Whether an abstract method is left unimplemented in a class with ABCMeta.

        (`inspect.isabstract`: pytest does not collect such a class.)
        """
        if not self._has_abc(lineage):
            return False
        for name, owner in self.names(lineage).items():
            for binding in self._evaluator.class_space(owner).bindings[name][-1:]:
                if self._is_abstract_binding(owner, binding):
                    return True
        return False

    def _has_abc(self, lineage: Lineage) -> bool:
        for value in lineage.classes:
            space = self._evaluator.class_space(value)
            outer = space.parent if space.parent is not None else space
            bases = [self._evaluator.evaluate(b, outer) for b in value.class_.bases]
            keywords = [self._evaluator.evaluate(v, outer) for _, v in value.class_.keywords]
            names = {found.name for found in (*bases, *keywords) if isinstance(found, External)}
            if names & {"abc.ABC", "abc.ABCMeta", "typing.Protocol", "typing_extensions.Protocol"}:
                return True
        return False

    def _is_abstract_binding(self, owner: ClassValue, binding: Binding) -> bool:
        if not isinstance(binding.value, FunctionRef):
            return False
        space = self._evaluator.class_space(owner)
        function = space.facts.functions[binding.value.index]
        for decorator in function.decorators:
            found = self._evaluator.evaluate(decorator.expression, space)
            if isinstance(found, External) and found.name.startswith("abc.abstract"):
                return True
        return False

    def is_test(self, lineage: Lineage) -> bool | None:
        """The class's `__test__`, None where it has none or it is not known."""
        value = self.attribute(lineage, "__test__")
        if isinstance(value, Literal):
            return bool(value.value)
        return None


def _has_constructor(name: str) -> bool:
    """Whether a base outside the files read has a constructor of its own.

    A name that a module does not have is looked for among the built-ins, and may be none of them.
    """
    top, _, rest = name.partition(".")
    return top in _CONSTRUCTED_TOPS and (top != "builtins" or hasattr(builtins, rest))


def _merge(sequences: list[list[ClassValue]]) -> list[ClassValue]:
    """C3 linearisation; in source order where the hierarchy is inconsistent."""
    result: list[ClassValue] = []
    left = [list(sequence) for sequence in sequences if sequence]
    while left:
        for sequence in left:
            head = sequence[0]
            if not any(head in other[1:] for other in left):
                break
        else:
            head = left[0][0]
        result.append(head)
        left = [
            rest for sequence in left if (rest := [value for value in sequence if value != head])
        ]
    return result
