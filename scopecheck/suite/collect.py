"""Collects the tests of a suite's files.

Follows `PyCollector.collect` and `UnitTestCase.collect` of pytest 9.2; what earlier versions do
otherwise is said where it is done.
"""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from typing import TYPE_CHECKING

from scopecheck.expressions import ClassRef, FunctionRef
from scopecheck.facts import Import
from scopecheck.finding import Place
from scopecheck.suite import marks as pytest_marks
from scopecheck.suite.hooks import marks_subclasses
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

    from scopecheck.suite.classes import Lineage
    from scopecheck.suite.link import Linker
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.values import MarkValue, Value

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
        levels = (*self._linker.levels_of(path), level)
        nodeid = self._linker.nodeid(path)
        if self._evaluator.lookup(space, "__test__") == Literal(False):
            return
        if space.facts.always_stops:
            self._linker.broken.setdefault(nodeid, Refusal("the module ends its import itself"))
        own = pytest_marks.marks_in(self._evaluator.lookup(space, "pytestmark"))
        for name in space.bindings:
            self._collect(space, name, levels, nodeid, own, path)

    def _collect(
        self,
        space: Namespace,
        name: str,
        levels: tuple[Level, ...],
        parent: str,
        outer_marks: tuple[MarkValue, ...],
        path: str,
    ) -> None:
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
            self._collect_class(value, name, levels, parent, outer_marks, path)
        elif functions:
            function = as_function(value)
            if function is not None and not self._is_fixture(value):
                self._add_item(function, name, levels, parent, outer_marks, path, None)
                if attached is not None and "__signature__" in attached:
                    self.items[-1].unknown += ("its signature is assigned",)
                if attached is not None and "pytestmark" in attached:
                    self.items[-1].unknown += ("its marks are assigned",)

    def _is_fixture(self, value: Value) -> bool:
        hidden = isinstance(value, FunctionValue) and value.hidden is not None
        return isinstance(value, FixtureValue) or (hidden and self._rules.version < (8, 4))

    def _collect_class(
        self,
        value: ClassValue,
        name: str,
        levels: tuple[Level, ...],
        parent: str,
        outer_marks: tuple[MarkValue, ...],
        path: str,
    ) -> None:
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
        level = Level("class", f"{parent}::{name}")
        if lineage.opaque:
            level.complete = False
            level.reason = f"a base class of {name} is not known"
            self.with_unseen_tests.add(path)
        owner = "::".join([*parent.split("::")[1:], name])
        self._linker.register_class(lineage, level, path, owner)
        own = self._class_marks(lineage, value)
        marks = (*own, *outer_marks)
        nodeid = f"{parent}::{name}"
        inner = (*levels, level)
        if lineage.testcase:
            self._collect_testcase(lineage, inner, nodeid, marks, path)
            return
        for attribute, holder in self._lineages.collected_names(lineage):
            space = self._evaluator.class_space(holder)
            member = self._evaluator.lookup(space, attribute)
            if isinstance(member, ClassValue):
                self._collect_class(member, attribute, inner, nodeid, marks, path)
            elif matches(self._rules.python_functions, attribute):
                function = as_function(member)
                if function is not None and not self._is_fixture(member):
                    self._add_item(function, attribute, inner, nodeid, marks, path, lineage)

    def _collect_testcase(
        self,
        lineage: Lineage,
        levels: tuple[Level, ...],
        nodeid: str,
        marks: tuple[MarkValue, ...],
        path: str,
    ) -> None:
        names = self._lineages.names(lineage)
        found = False
        for name in sorted(name for name in names if name.startswith("test")):
            member = self._lineages.attribute(lineage, name)
            function = as_function(member)
            if function is not None:
                found = True
                self._add_item(function, name, levels, nodeid, marks, path, lineage)
        if not found and "runTest" in names:
            function = as_function(self._lineages.attribute(lineage, "runTest"))
            if function is not None:
                self._add_item(function, "runTest", levels, nodeid, marks, path, lineage)

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

    def _add_item(
        self,
        function: FunctionValue,
        name: str,
        levels: tuple[Level, ...],
        parent: str,
        outer_marks: tuple[MarkValue, ...],
        path: str,
        lineage: Lineage | None,
    ) -> None:
        testcase = lineage is not None and lineage.testcase
        marks = (*function.marks, *outer_marks)
        if lineage is not None and (patched := sum(c.patched for c in lineage.classes)):
            function = replace(function, patched=function.patched + patched)
        inner = innermost(function)
        facts = inner.function
        used = tuple(
            Request(used, Place(inner.module, facts.span))
            for used in pytest_marks.used_names(marks)
        )
        if self._linker.loop_factories and self._runs_asyncio(function, marks):
            # pytest-asyncio 1.4 and later parametrize it where a hook chooses loop factories.
            used = (*used, Request("_asyncio_loop_factory", Place(inner.module, facts.span)))
        if self._runs_anyio(function, marks, testcase=testcase):
            used = (*used, Request("anyio_backend", Place(inner.module, facts.span)))
        version = self._rules.version
        method = lineage is not None
        asked = requests(function, method=method, bound=False, version=version)
        # unittest fills no parameters: what fills them may run the test too.
        runs_async = lineage is not None and (lineage.runs_async or (testcase and bool(asked)))
        if testcase:
            asked = ()
        self.items.append(
            Item(
                f"{parent}::{name}",
                path,
                facts.line,
                Place(inner.module, facts.span),
                facts,
                levels,
                asked,
                used,
                marks,
                # unittest knows no parametrization: pytest ignores the marks.
                pytest_marks.parametrized(() if testcase else marks),
                is_async=function.is_async,
                testcase=testcase,
                runs_async=runs_async,
                own_marks=len(function.marks),
                skipped=pytest_marks.is_skipped(marks) or self._is_put_aside(function, lineage),
                opaque=function.opaque or _under_decorator(lineage),
                unknown=(*self._linker.changes_items, *(_DOUBTFUL if function.doubtful else ())),
            )
        )

    def _is_put_aside(self, function: FunctionValue, lineage: Lineage | None) -> bool:
        """Whether a decorator of unittest skips the test, or wants it to fail."""
        read = [(one, function.env) for one in function.function.decorators]
        for value in lineage.classes if lineage is not None else ():
            outer = self._evaluator.class_space(value).parent
            if outer is not None:
                read += [(one, outer) for one in value.class_.decorators]
        return any(
            pytest_marks.is_unittest_skip(self._evaluator.evaluate(one.expression, space))
            for one, space in read
            if pytest_marks.may_skip(one.expression)
        )

    def _runs_asyncio(self, function: FunctionValue, marks: Sequence[MarkValue]) -> bool:
        if not function.is_async:
            return False
        return self._rules.asyncio_auto or any(mark.name == "asyncio" for mark in marks)

    def _runs_anyio(
        self, function: FunctionValue, marks: Sequence[MarkValue], *, testcase: bool
    ) -> bool:
        """Whether anyio's plugin puts `usefixtures("anyio_backend")` on the test.

        (`pytest_pycollect_makeitem` of anyio 4.16: an async test, marked or in auto mode.)
        """
        if not self._linker.plugins.anyio or testcase or not function.is_async:
            return False
        return self._rules.anyio_auto or any(mark.name == "anyio" for mark in marks)


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether a name fits `python_functions` or `python_classes`: a prefix, or a glob."""
    return any(
        name.startswith(pattern)
        or (any(c in pattern for c in "*?[") and fnmatch.fnmatch(name, pattern))
        for pattern in patterns
    )


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


def _under_decorator(lineage: Lineage | None) -> bool:
    """Whether an unknown decorator on a class may change its methods."""
    return lineage is not None and any(value.decorated for value in lineage.classes)
