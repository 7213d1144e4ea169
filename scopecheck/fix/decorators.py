"""Rewrites the decorators of async fixtures: who runs them, and on which loop scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scopecheck.expressions import Call, FunctionRef, Name
from scopecheck.fix.calls import rewrite_call
from scopecheck.fix.edits import Withheld
from scopecheck.fix.names import quote, spell
from scopecheck.suite.values import External, FixtureMarker, MarkValue

if TYPE_CHECKING:
    from scopecheck.fix.workspace import Workspace
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Scope

ASYNCIO = "pytest_asyncio.fixture"
PLAIN = frozenset({"pytest.fixture", "pytest.yield_fixture"})


@dataclass
class _Wanted:
    fixture: Fixture
    path: str
    span: Span
    asyncio: bool = False
    loop_scope: str = ""
    scope: str = ""
    own_loop: bool = False


class Decorators:
    """The changes to the decorators of a suite's fixtures; several of one are made together."""

    def __init__(self, workspace: Workspace, suite: Suite) -> None:
        self._workspace = workspace
        self._suite = suite
        self._wanted: dict[tuple[str, Span], _Wanted] = {}

    def can_rewrite(self, fixture: Fixture) -> bool:
        """Whether a fixture's decorator is written where it can be changed."""
        return self._place(fixture) is not None

    def hand_over(self, fixture: Fixture) -> bool:
        """Let pytest-asyncio run a fixture; whether that can be written."""
        wanted = self._want(fixture)
        if wanted is not None:
            wanted.asyncio = True
        return wanted is not None

    def set_loop_scope(self, fixture: Fixture, scope: Scope) -> bool:
        """Give a fixture a loop scope; whether that can be written."""
        wanted = self._want(fixture)
        if wanted is None or wanted.loop_scope not in ("", scope.word):
            return False
        wanted.loop_scope = scope.word
        wanted.asyncio = True
        return True

    def set_scope(self, fixture: Fixture, scope: Scope) -> bool:
        """Give a fixture a scope; whether that can be written."""
        wanted = self._want(fixture)
        if wanted is None or wanted.scope not in ("", scope.word):
            return False
        wanted.scope = scope.word
        return True

    def drop_loop_scope(self, fixture: Fixture) -> bool:
        """Leave a fixture's loop scope to the defaults; whether that can be written."""
        wanted = self._want(fixture)
        if wanted is not None:
            wanted.own_loop = True
        return wanted is not None

    def drop_marks(self) -> None:
        """Take asyncio marks off fixtures: they never did anything, and pytest 9 refuses them."""
        seen: set[tuple[str, int]] = set()
        for fixture in self._suite.fixtures:
            path, function = fixture.path, fixture.function
            marked = any(mark.name == "asyncio" for mark in fixture.marks)
            if not marked or function is None or path is None or not self._workspace.may_edit(path):
                continue
            space = self._suite.evaluator.module(path)
            for decorator in function.decorators if space is not None else ():
                assert space is not None
                value = self._suite.evaluator.evaluate(decorator.expression, space)
                place = (path, decorator.span.line)
                if isinstance(value, MarkValue) and value.name == "asyncio" and place not in seen:
                    seen.add(place)
                    editor = self._workspace.editor(path)
                    editor.remove_lines(decorator.span.line, decorator.span.end_line)

    def write(self) -> None:
        """Make the changes."""
        workspace = self._workspace
        for wanted in self._wanted.values():
            editor = workspace.editor(wanted.path)
            callee = None
            if wanted.asyncio and wanted.fixture.spelling in PLAIN:
                callee = spell(workspace, wanted.path, "pytest_asyncio", "fixture")
            given = {}
            if wanted.loop_scope:
                given["loop_scope"] = quote(workspace, wanted.path, wanted.loop_scope)
            dropped = ["scope"] if wanted.scope == "function" else []
            if wanted.scope and not dropped:
                given["scope"] = quote(workspace, wanted.path, wanted.scope)
            if wanted.own_loop:
                dropped.append("loop_scope")
            text = editor.slice(wanted.span)
            try:
                new = rewrite_call(text, callee=callee, given=given, dropped=dropped)
                if dropped and not text.endswith("()"):
                    new = new.removesuffix("()")
                editor.replace(wanted.span, new)
            except Withheld as reason:
                message = f"make this {callee or 'decorator'}({', '.join(given)}) ({reason})"
                workspace.leave(wanted.path, wanted.span.line, message)

    def _want(self, fixture: Fixture) -> _Wanted | None:
        place = self._place(fixture)
        if place is None:
            return None
        return self._wanted.setdefault(place, _Wanted(fixture, *place))

    def _place(self, fixture: Fixture) -> tuple[str, Span] | None:
        """The decorator's expression; of one that only names a marker, the marker's."""
        path, function = fixture.path, fixture.function
        if path is None or function is None or not self._workspace.may_edit(path):
            return None
        space = self._suite.evaluator.module(path)
        if space is None:
            return None
        for decorator in function.decorators:
            expression = decorator.expression
            value = self._suite.evaluator.evaluate(expression, space)
            if isinstance(value, External) and value.name in (*PLAIN, ASYNCIO):
                return path, decorator.span
            if not isinstance(value, FixtureMarker):
                continue
            if isinstance(expression, Call):
                called = self._suite.evaluator.evaluate(expression.func, space)
                known = isinstance(called, External) and called.name in (*PLAIN, ASYNCIO)
                return (path, decorator.span) if known else None
            if isinstance(expression, Name) and len(expression.parts) == 1:
                return self._marker(path, expression.parts[0])
        return None

    def _marker(self, path: str, name: str) -> tuple[str, Span] | None:
        """Where `marker = pytest.fixture(...)` stands, where only fixtures of one kind use it."""
        facts = self._workspace.project.load(path)
        bound = [binding for binding in facts.bindings if binding.name == name]
        users = [
            function
            for function in facts.functions
            if any(decorator.expression == Name((name,)) for decorator in function.decorators)
        ]
        if len(bound) != 1 or isinstance(bound[0].value, FunctionRef):
            return None
        if len({function.is_async for function in users}) != 1:
            return None
        value = bound[0].value
        return (path, value.span) if isinstance(value, Call) else None
