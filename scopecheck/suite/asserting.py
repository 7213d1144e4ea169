"""Which functions may fail the test that calls them, followed across files.

A function of the test code may fail a test if its text asserts, or if it calls one that may. What
is imported from elsewhere is tested, or helps to test: a module that imports pytest or unittest is
test code wherever it lies, and any other function counts if an `assert` of its own does more than
narrow the type of a parameter. What cannot be followed, a method of an object of unknown class or a
function of a library, is judged by its name; where that tells nothing, by whether any class of the
test code has a method of that name that asserts. When in doubt the answer is yes.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from scopecheck.expressions import Call, Name
from scopecheck.facts import Import
from scopecheck.suite.values import (
    MISSING,
    ClassValue,
    External,
    FixtureValue,
    FunctionValue,
    ModuleValue,
    PackageValue,
    PartialValue,
    Result,
    Unknown,
)
from scopecheck.whole import known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scopecheck.evidence import Callee
    from scopecheck.facts import FileFacts, Function
    from scopecheck.suite.link import Linker
    from scopecheck.suite.model import Fixture, Item
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.values import Value
    from scopecheck.whole import Whole

# Names of functions that are likely to check something, where the function itself is not seen.
_CHECKS = re.compile(
    r"assert|check|verif|valid|expect|ensure|should|must|compare|raise|fail|match|equal|approx"
    r"|^test|snapshot|golden|regress|inspect_|require",
    re.IGNORECASE,
)
_MAX_CALLS = 5
# Modules that only what tests something imports.
_TESTING = ("pytest", "_pytest", "unittest", "hypothesis")
# An assertion that is no mere help for a type checker.
_WORD = re.compile(r"\w+")
_ASSERTION = re.compile(
    r"^[ \t]*assert (?!isinstance\(|callable\(|[\w.]+ is not None)(.*)", re.MULTILINE
)


class Asserting:
    """The functions of one suite, and whether they may fail a test.

    Args:
        linker: of the suite.
        read_function: the facts of one function with all that its body does.
        files: the facts of the suite's own files.
        lines: the text of some lines of a file.
        configured: globs of functions that assert, by plain or dotted name.
        whole: what is known of the suite that this is a part of.
    """

    def __init__(
        self,
        linker: Linker,
        read_function: Callable[[str, Function], FileFacts | None],
        files: Callable[[], Iterable[FileFacts]],
        lines: Callable[[str, int, int], str],
        configured: tuple[str, ...],
        whole: Whole | None = None,
    ) -> None:
        self._whole = whole
        self._linker = linker
        self._evaluator = linker.evaluator
        self._read_function = read_function
        self._files = files
        self._lines = lines
        self._configured = configured
        self._known: dict[tuple[str, int], bool] = {}
        self._test_code: dict[str, bool] = {}

    def calls_a_check(self, item: Item, callees: Iterable[Callee]) -> bool:
        """Whether one of the functions that a test calls or hands on may fail it."""
        return any(self._may_fail(item, callee.parts) for callee in callees)

    def fixture_checks(self, item: Item) -> bool:
        """Whether a fixture of the test code that is set up for a test has assertions."""
        plan = item.plan
        return plan is not None and any(
            fixture.function is not None
            and fixture.path is not None
            and self._is_test_code(fixture.path)
            and fixture.function.asserts == "assert"
            for fixture in plan.order
        )

    def asserts(self, path: str, function: Function) -> bool:
        """Whether a function asserts itself; outside the test code, by a real assertion."""
        if function.asserts != "assert":
            return False
        if self._is_test_code(path):
            return True
        given = {parameter.name for parameter in function.parameters}
        text = self._lines(path, function.line, function.end_line)
        return any(
            not given.isdisjoint(_WORD.findall(match[1])) for match in _ASSERTION.finditer(text)
        )

    def _may_fail(self, item: Item, parts: tuple[str, ...]) -> bool:
        name = parts[-1]
        dotted = ".".join(parts)
        if any(fnmatchcase(name, one) or fnmatchcase(dotted, one) for one in self._configured):
            return True
        space = self._evaluator.module(item.place.path)
        if _CHECKS.search(name):
            return space is None or not self._only_tells(parts, space)
        if not parts[0]:
            return name in self._checking_methods
        if space is None:
            return True
        function = item.function
        if function is not None and any(p.name == parts[0] for p in function.parameters):
            if parts[0] in ("self", "cls") and len(parts) > 1:
                return self._method(item, parts)
            return self._given(item, parts)
        return self._value(self._evaluator.evaluate(Name(parts), space), parts, space)

    def _only_tells(self, parts: tuple[str, ...], space: Namespace) -> bool:
        """Whether this is a helper of the test code that can be seen to fail nothing.

        `validate_events(events)` may return its verdict, and then it fails no test by itself.
        """
        if len(parts) != 1 or not parts[0]:
            return False
        value = self._evaluator.evaluate(Name(parts), space)
        return (
            isinstance(value, FunctionValue)
            and not (value.opaque or value.doubtful or value.wrapped)
            and self._is_test_code(value.module)
            and not self._function(value, 0)
        )

    def _given(self, item: Item, parts: tuple[str, ...]) -> bool:
        """A parameter that is called, or a method of it."""
        fixtures = [
            edge.answer
            for edge in (item.plan.edges if item.plan is not None else ())
            if edge.asker is None and edge.request == parts[0]
        ]
        if len(parts) > 1:
            return parts[-1] in self._checking_methods
        if not fixtures:
            return True
        return any(self._fixture(fixture) for fixture in fixtures)

    def _fixture(self, fixture: Fixture) -> bool:
        """Whether what a fixture hands out may fail a test when it is called."""
        if fixture.function is None or fixture.path is None:
            return fixture.plugin is not None and bool(_CHECKS.search(fixture.name))
        space = self._evaluator.module(fixture.path)
        if space is None:
            return True
        return self._function(FunctionValue(fixture.path, fixture.function, space), 0)

    def _method(self, item: Item, parts: tuple[str, ...]) -> bool:
        space = self._evaluator.module(item.path)
        value: Value = MISSING
        for name in item.nodeid.split("::")[1:-1]:
            if space is None:
                break
            value = self._evaluator.lookup(space, name)
            space = self._evaluator.class_space(value) if isinstance(value, ClassValue) else None
        if not isinstance(value, ClassValue):
            return True
        lineage = self._linker.lineages.of(value)
        for holder in lineage.classes:
            inner = self._evaluator.class_space(holder)
            found = self._evaluator.lookup(inner, parts[1])
            if found == MISSING:
                continue
            if len(parts) > 2:
                return parts[-1] in self._checking_methods
            return self._value(found, parts, inner)
        if len(parts) > 2:
            return parts[-1] in self._checking_methods
        return lineage.opaque

    def _value(
        self, value: Value, parts: tuple[str, ...], space: Namespace, depth: int = 0
    ) -> bool:
        match value:
            case FunctionValue():
                return self._function(value, depth)
            case FixtureValue():
                return self._function(value.function, depth)
            case ClassValue():
                return self._class(value)
            case PartialValue():
                return self._value(value.func, parts, space, depth)
            case External() | Result() | ModuleValue() | PackageValue():
                return False
            case Unknown():
                if len(parts) > 1:
                    return parts[-1] in self._checking_methods
                return True
        if value == MISSING:
            # A name of the function itself, or one that it imports.
            if len(parts) > 1:
                return parts[-1] in self._checking_methods
            return parts[0] in space.facts.inner_imports or depth == 0
        return False

    def _class(self, value: ClassValue) -> bool:
        return any(
            function.asserts == "assert"
            for holder in self._linker.lineages.of(value).classes
            if self._is_test_code(holder.module)
            for function in holder.env.facts.functions
            if function.owner == holder.index
        )

    def _function(self, value: FunctionValue, depth: int) -> bool:
        function, path = value.function, value.module
        if self.asserts(path, function):
            return True
        if not self._is_test_code(path):
            return False
        if function.asserts:
            return True
        key = (path, function.line)
        known = self._known.get(key)
        if known is not None:
            return known
        if depth > _MAX_CALLS:
            return True
        self._known[key] = False  # While it is looked at: a function that calls itself.
        found = any(
            self._value(
                self._evaluator.evaluate(Name(parts), value.env), parts, value.env, depth + 1
            )
            if not _CHECKS.search(parts[-1])
            else True
            for parts in self._called(path, function)
        )
        self._known[key] = found
        return found

    def _called(self, path: str, function: Function) -> Iterator[tuple[str, ...]]:
        facts = self._read_function(path, function)
        body = facts.functions[0].body if facts is not None and facts.functions else None
        for call in () if body is None else body.calls:
            yield from _names(call.call)

    @property
    def checking(self) -> frozenset[str] | None:
        """The methods that assert, if they were asked for."""
        found: frozenset[str] | None = self.__dict__.get("_checking_methods")
        return found

    @cached_property
    def _checking_methods(self) -> frozenset[str]:
        """The methods of the test code's classes that assert, those of test classes left out."""
        if self._whole is not None:
            return known(self._whole.checking)
        return frozenset(
            name
            for facts in self._files()
            for name in checking_methods(facts)
            if self._is_test_code(facts.path)
        )

    def _is_test_code(self, path: str) -> bool:
        """Whether a file is about tests, by its path or imports, and no part of what is tested."""
        known = self._test_code.get(path)
        if known is None:
            known = self._test_code[path] = is_test_path(path) or self._imports_testing(path)
        return known

    def _imports_testing(self, path: str) -> bool:
        space = self._evaluator.module(path)
        return space is not None and any(
            isinstance(binding.value, Import)
            and not binding.guard.never
            and binding.value.module.partition(".")[0] in _TESTING
            for binding in space.facts.bindings
        )


def _names(call: Call) -> Iterator[tuple[str, ...]]:
    """The names that a call calls, or hands to what it calls."""
    for expression in (call.func, *call.args, *(value for _, value in call.keywords)):
        if isinstance(expression, Name):
            yield expression.parts


def checking_methods(facts: FileFacts) -> Iterator[str]:
    """The methods of a file's classes that assert, those of test classes left out."""
    for function in facts.functions:
        own = function.owner >= 0 and not function.name.startswith(("test", "__"))
        if own and function.asserts == "assert":
            yield function.name


def is_test_path(path: str) -> bool:
    """Whether a file is about tests, by its path."""
    return "test" in path.lower() or path.endswith("conftest.py")
