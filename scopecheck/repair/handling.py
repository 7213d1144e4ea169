"""Fixers of async code that nobody runs: the decorator or the mark that a plugin looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.expressions import Name
from scopecheck.repair.bench import Offer
from scopecheck.suite.values import External

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item


_TESTCASES = frozenset({"unittest.TestCase", "unittest.case.TestCase"})


@looks("near")
def unhandled_async_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP203: hand the fixture over to pytest-asyncio."""
    fixture = fixture_at(suite, fault)
    if fixture is None or fault.names != ("asyncio",):
        return

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.decorators import Decorators

        decorators = Decorators(workspace, suite)
        if not decorators.hand_over(fixture):
            workspace.leave(fault.place.path, fixture.line, "its decorator cannot be rewritten")
        decorators.write()

    yield Offer("make it a `pytest_asyncio.fixture`", "safe", write)


def fixture_at(suite: Suite, fault: Fault) -> Fixture | None:
    """The fixture whose definition a fault is about."""
    for fixture in suite.fixtures:
        if (
            fixture.place is not None
            and fixture.path == fault.place.path
            and fixture.place.span == fault.place.span
        ):
            return fixture
    return None


@looks("far")
def unhandled_async_test(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP205: give the tests the mark that their plugin looks for, or a base that awaits them."""
    if not fault.names:
        return
    mark = fault.names[0]
    path = fault.place.path
    if mark == "testcase":
        yield from _awaiting_base(suite, fault)
        return
    items = [i for i in suite.items if i.nodeid in fault.tests and i.place.path == path]
    where, lines = _places(suite, path, items)

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.marks import decorate, mark_module, spell_mark

        spelled = spell_mark(workspace, path, mark)
        if where == "module":
            mark_module(workspace, path, spelled)
        for line in lines:
            decorate(workspace, path, line, spelled)

    on = {"module": "the module", "class": "the class", "classes": "the classes"}
    what = "the test" if len(lines) == 1 else "the tests"
    yield Offer(f"put the mark `{mark}` on {on.get(where, what)}", "safe", write)


def _awaiting_base(suite: Suite, fault: Fault) -> Iterator[Offer]:
    """Derive the class of the tests from the one of unittest's that runs coroutines."""
    path = fault.place.path
    facts, space = suite.facts(path), suite.evaluator.module(path)
    owners = {_owner(i) for i in suite.items if i.nodeid in fault.tests and i.place.path == path}
    if facts is None or space is None or len(owners) != 1:
        return
    (owner,) = owners
    class_ = None if owner is None else facts.classes[owner]
    bases = () if class_ is None else class_.bases
    if class_ is None or len(bases) != 1 or not isinstance(bases[0], Name):
        return
    value = suite.evaluator.evaluate(bases[0], space)
    if not isinstance(value, External) or value.name not in _TESTCASES:
        return
    base, line = ".".join(bases[0].parts), class_.line

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import spell

        editor = workspace.editor(path)
        text = editor.lines(line, line)
        head, found, rest = text.partition(f"({base})")
        if not found:
            workspace.leave(path, line, "its base is not on the line of the `class`")
            return
        new = spell(workspace, path, "unittest", "IsolatedAsyncioTestCase")
        editor.replace_lines(line, line, f"{head}({new}){rest}")

    title = f"derive `{class_.name}` from `unittest.IsolatedAsyncioTestCase`"
    yield Offer(title, "unsafe", write)


def _places(suite: Suite, path: str, items: list[Item]) -> tuple[str, list[int]]:
    """Where a mark has to stand for these tests and no other: kind and lines of the `def`s."""
    facts = suite.facts(path)
    functions = {item.line for item in items}
    others = [i for i in suite.items if i.place.path == path and i not in set(items)]
    marked = facts is not None and any(b.name == "pytestmark" for b in facts.bindings)
    inherited = any(item.path != path for item in items)
    if len(functions) > 1 and not others and not inherited and not marked:
        return "module", []
    owners = {_owner(item) for item in items}
    if facts is not None and None not in owners and len(functions) > len(owners):
        taken = {_owner(item) for item in others}
        if not taken & owners:
            lines = [facts.classes[owner].line for owner in owners if owner is not None]
            return "class" if len(lines) == 1 else "classes", sorted(lines)
    return "function", sorted(functions)


def _owner(item: Item) -> int | None:
    """The class whose body has the test; None at the top level."""
    function = item.function
    return None if function is None or function.owner < 0 else function.owner
