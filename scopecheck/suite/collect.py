"""Collects the tests of a suite's files.

Follows `PyCollector.collect` and `UnitTestCase.collect` of pytest 9.2; what earlier versions do
otherwise is said where it is done.
"""

from __future__ import annotations

import fnmatch
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from scopecheck.expressions import ClassRef, FunctionRef
from scopecheck.facts import Import
from scopecheck.finding import Place
from scopecheck.suite import marks as pytest_marks
from scopecheck.suite.hooks import marks_subclasses
from scopecheck.suite.link import is_plain_function
from scopecheck.suite.model import Item, Level, Request
from scopecheck.suite.refusals import Refusal
from scopecheck.suite.signatures import innermost, requests
from scopecheck.suite.values import (
    ClassValue,
    FixtureValue,
    FunctionValue,
    Literal,
    PartialValue,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.expressions import Expression
    from scopecheck.suite.classes import Lineage
    from scopecheck.suite.link import Linker
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.values import MarkValue, Value


class _Parent(Struct):
    """What tests are collected from, a module or a class, with what holds for each of them.

    marks: of the class and what it stands in. patched: leading parameters that patches of the class
    fill. opaque: an unknown decorator of the class may change its methods. may_skip: decorators of
    the class by which unittest may put the tests aside.
    """

    nodeid: str
    path: str
    levels: tuple[Level, ...]
    marks: tuple[MarkValue, ...]
    lineage: Lineage | None = None
    patched: int = 0
    opaque: bool = False
    may_skip: tuple[tuple[Expression, Namespace], ...] = ()


_DOUBTFUL = ("a decorator may put something else in its place",)


class Collector:
    """Collects tests, file by file, and registers what their modules and classes define.

    refused: classes that pytest does not collect for their constructor, with where that is from.
    with_unseen_tests: files with a class that may inherit tests from a base that is not known.
    """

    def __init__(self, linker: Linker) -> None:
        self._linker = linker
        self._evaluator = linker.evaluator
        self._lineages = linker.lineages
        self._rules = linker.rules
        self.items: list[Item] = []
        self.refused: list[tuple[ClassValue, str]] = []
        self.with_unseen_tests: set[str] = set()

    def add_module(self, path: str) -> None:
        """Register a test module's fixtures and collect its tests."""
        space = self._evaluator.module(path)
        if space is None:
            return
        level = self._linker.add_module(path, space)
        nodeid = self._linker.nodeid(path)
        if self._evaluator.lookup(space, "__test__") == Literal(False):
            return
        if space.facts.always_stops:
            self._linker.broken.setdefault(nodeid, Refusal("the module ends its import itself"))
        levels = (*self._linker.levels_of(path), level)
        own = pytest_marks.marks_in(self._evaluator.lookup(space, "pytestmark"))
        module = _Parent(nodeid, path, levels, own)
        for name in space.bindings:
            self._collect(space, name, module)

    def _collect(self, space: Namespace, name: str, module: _Parent) -> None:
        last = space.bindings[name][-1].value
        functions = matches(self._rules.python_functions, name)
        attached = space.attached.get(name)
        if attached is not None and "__test__" in attached:
            functions = self._evaluator.bound(attached["__test__"], space) == Literal(True)
        if isinstance(last, FunctionRef) and not functions:
            return
        if isinstance(last, Import) and not self._rules.collect_imported_tests:
            return
        value = self._evaluator.lookup(space, name)
        if isinstance(value, ClassValue):
            self._collect_class(value, name, module)
        elif functions:
            function = as_function(value)
            if function is not None and not self._is_fixture(value):
                self._add_item(function, name, module)
                if attached is not None and "__signature__" in attached:
                    self.items[-1].unknown += ("its signature is assigned",)
                if attached is not None and "pytestmark" in attached:
                    self.items[-1].unknown += ("its marks are assigned",)

    def _is_fixture(self, value: Value) -> bool:
        hidden = isinstance(value, FunctionValue) and value.hidden is not None
        return isinstance(value, FixtureValue) or (hidden and self._rules.version < (8, 4))

    def _collect_class(self, value: ClassValue, name: str, parent: _Parent) -> None:
        lineage = self._lineages.of(value)
        flag = self._lineages.is_test(lineage)
        if not lineage.testcase and not (matches(self._rules.python_classes, name) or flag is True):
            return
        if flag is False or self._lineages.is_abstract(lineage):
            return
        if not lineage.testcase:
            constructor = self._lineages.has_constructor(lineage)
            if constructor is not None:
                self.refused.append((value, constructor))
                return
        nodeid = f"{parent.nodeid}::{name}"
        level = Level("class", nodeid)
        if lineage.opaque:
            level.complete = False
            level.reason = f"a base class of {name} is not known"
            self.with_unseen_tests.add(parent.path)
        owner = "::".join(nodeid.split("::")[1:])
        self._linker.register_class(lineage, level, parent.path, owner)
        marks = (*self._class_marks(lineage, value), *parent.marks)
        class_ = _Parent(nodeid, parent.path, (*parent.levels, level), marks, lineage)
        class_.patched = sum(one.patched for one in lineage.classes)
        class_.opaque = any(one.decorated for one in lineage.classes)
        class_.may_skip = self._may_skip_class(lineage)
        if lineage.testcase:
            self._collect_testcase(lineage, class_)
            return
        for attribute, _, space in self._lineages.members(lineage):
            functions = matches(self._rules.python_functions, attribute)
            if not functions and is_plain_function(space, space.bindings[attribute]):
                continue
            member = self._evaluator.lookup(space, attribute)
            if isinstance(member, ClassValue):
                self._collect_class(member, attribute, class_)
            elif functions:
                function = as_function(member)
                if function is not None and not self._is_fixture(member):
                    self._add_item(function, attribute, class_)

    def _collect_testcase(self, lineage: Lineage, class_: _Parent) -> None:
        names = self._lineages.names(lineage)
        found = False
        for name in sorted(name for name in names if name.startswith("test")):
            member = self._lineages.attribute(lineage, name)
            function = as_function(member)
            if function is not None:
                found = True
                self._add_item(function, name, class_)
        if not found and "runTest" in names:
            function = as_function(self._lineages.attribute(lineage, "runTest"))
            if function is not None:
                self._add_item(function, "runTest", class_)

    def _class_marks(self, lineage: Lineage, value: ClassValue) -> tuple[MarkValue, ...]:
        """A class's own marks, those of its bases first (`get_unpacked_marks`)."""
        found: list[MarkValue] = []
        if marks_subclasses(self._evaluator, lineage):
            found.append(pytest_marks.UNKNOWN_MARK)
        for holder in reversed(lineage.classes):
            space = self._evaluator.class_space(holder)
            found.extend(pytest_marks.marks_in(self._evaluator.lookup(space, "pytestmark")))
            found.extend((value if holder == value else self._decorated(holder)).marks)
        return tuple(found)

    def _decorated(self, value: ClassValue) -> ClassValue:
        """The class with its decorators applied, as its module sees it."""
        found = self._evaluator.evaluate(ClassRef(value.index), value.env)
        return found if isinstance(found, ClassValue) else value

    def _may_skip_class(self, lineage: Lineage) -> tuple[tuple[Expression, Namespace], ...]:
        """The decorators of a class and its bases by which unittest may put the tests aside."""
        return tuple(
            (one.expression, outer)
            for value in lineage.classes
            if value.class_.decorators
            and (outer := self._evaluator.class_space(value).parent) is not None
            for one in value.class_.decorators
            if pytest_marks.may_skip(one.expression)
        )

    def _add_item(self, function: FunctionValue, name: str, parent: _Parent) -> None:
        lineage = parent.lineage
        testcase = lineage is not None and lineage.testcase
        marks = (*function.marks, *parent.marks) if function.marks else parent.marks
        if parent.patched:
            function = replace(function, patched=function.patched + parent.patched)
        inner = innermost(function)
        facts = inner.function
        place = Place(inner.module, facts.span)
        used: tuple[Request, ...] = ()
        if marks:
            used = tuple([Request(used, place) for used in pytest_marks.used_names(marks)])
        if function.is_async:
            if self._linker.loop_factories and self._runs_asyncio(marks):
                # pytest-asyncio 1.4 and later parametrize it where a hook chooses loop factories.
                used = (*used, Request("_asyncio_loop_factory", place))
            if not testcase and self._runs_anyio(marks):
                used = (*used, Request("anyio_backend", place))
        asked = requests(
            function, method=lineage is not None, bound=False, version=self._rules.version
        )
        # unittest fills no parameters: what fills them may run the test too.
        runs_async = lineage is not None and (lineage.runs_async or (testcase and bool(asked)))
        if testcase:
            asked = ()
        self.items.append(
            Item(
                f"{parent.nodeid}::{name}",
                parent.path,
                facts.line,
                place,
                facts,
                parent.levels,
                asked,
                used,
                marks,
                # unittest knows no parametrization: pytest ignores the marks.
                pytest_marks.parametrized(() if testcase else marks),
                is_async=function.is_async,
                testcase=testcase,
                runs_async=runs_async,
                own_marks=len(function.marks),
                skipped=pytest_marks.is_skipped(marks) or self._is_put_aside(function, parent),
                opaque=function.opaque or parent.opaque,
                unknown=(*self._linker.changes_items, *(_DOUBTFUL if function.doubtful else ())),
            )
        )

    def _is_put_aside(self, function: FunctionValue, parent: _Parent) -> bool:
        """Whether a decorator of unittest skips the test, or wants it to fail."""
        read = parent.may_skip
        if function.function.kept_decorators:
            own = (one.expression for one in function.function.decorators)
            read = (*((one, function.env) for one in own if pytest_marks.may_skip(one)), *read)
        return any(
            pytest_marks.is_unittest_skip(self._evaluator.evaluate(expression, space))
            for expression, space in read
        )

    def _runs_asyncio(self, marks: Sequence[MarkValue]) -> bool:
        return self._rules.asyncio_auto or any(mark.name == "asyncio" for mark in marks)

    def _runs_anyio(self, marks: Sequence[MarkValue]) -> bool:
        """Whether anyio's plugin puts `usefixtures("anyio_backend")` on an async test.

        (`pytest_pycollect_makeitem` of anyio 4.16: one that is marked, or any in auto mode.)
        """
        if not self._linker.plugins.anyio:
            return False
        return self._rules.anyio_auto or any(mark.name == "anyio" for mark in marks)


def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a name fits `python_functions` or `python_classes`: a prefix, or a glob."""
    return name.startswith(patterns) or any(
        fnmatch.fnmatch(name, pattern) for pattern in _globs(patterns)
    )


@lru_cache(64)
def _globs(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(pattern for pattern in patterns if any(c in pattern for c in "*?["))


def as_function(value: Value) -> FunctionValue | None:
    """The function that pytest would call for a test, if the value is one."""
    match value:
        case FunctionValue():
            return value
        case PartialValue(func=FunctionValue() as inner, args=args, keywords=keywords):
            count, names = inner.bound
            given = tuple(key for key, _ in keywords)
            return replace(inner, bound=(count + len(args), (*names, *given)))
    return None
