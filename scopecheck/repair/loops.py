"""Fixers of event loops: loop scopes written where they are missing, or in today's spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.fix.edits import Withheld
from scopecheck.repair.bench import Offer
from scopecheck.repair.handling import fixture_at
from scopecheck.repair.scopes import scopes_of, way_offer
from scopecheck.suite.loops.pytest_asyncio import FIXTURE_DEFAULT, TEST_DEFAULT
from scopecheck.suite.model import SCOPES, Fixture, Item, Scope
from scopecheck.suite.values import MarkValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Applicability, Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loop
    from scopecheck.suite.model import Plan


@looks("near")
def loop_scope_too_narrow(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP202: give the fixture a loop that lives as long as it does."""
    fixture = fixture_at(suite, fault)
    if fixture is None or fixture.scope is None or fault.names != ("loop_scope",):
        return
    yield give_loop_scope(suite, fixture, fixture.scope)


def give_loop_scope(suite: Suite, fixture: Fixture, scope: Scope) -> Offer:
    """Write `loop_scope=` in a fixture's decorator."""

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.decorators import Decorators

        decorators = Decorators(workspace, suite)
        if not decorators.set_loop_scope(fixture, scope):
            workspace.leave(fixture.path or "", fixture.line, "its decorator cannot be rewritten")
        decorators.write()

    return Offer(f'write `loop_scope="{scope.word}"` on `{fixture.name}`', "safe", write)


@looks("near")
def deprecated_asyncio_mark(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP207: `scope=` of the mark is called `loop_scope=` now."""
    if not fault.names:
        return
    path, line = fault.place.path, fault.place.span.line
    both = fault.names[0] == "both"

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.calls import rewrite_call
        from scopecheck.fix.marks import calls_of_marks

        editor = workspace.editor(path)
        space = suite.evaluator.module(path)
        for call in calls_of_marks(workspace, path):
            if call.span.line != line or call.keyword("scope") is None or space is None:
                continue
            value = suite.evaluator.evaluate(call.func, space)
            if isinstance(value, MarkValue) and value.name == "asyncio":
                changes = {} if both else {"scope": "loop_scope"}
                dropped = ["scope"] if both else []
                text = editor.slice(call.span)
                editor.replace(call.span, rewrite_call(text, renamed=changes, dropped=dropped))

    title = "take `scope` out of the mark" if both else "write `loop_scope` in place of `scope`"
    yield Offer(title, "safe", write)


_LOOP_SCOPE_SINCE, _TEST_DEFAULT_SINCE = (0, 24), (0, 26)


@looks("near")
def loop_defaults_disagree(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP208: set the option that is missing to what the other one says."""
    if not fault.names:
        return
    option, value = fault.names
    yield _set_options(suite, {option: value}, "safe")


def _set_options(suite: Suite, options: dict[str, str], applicability: Applicability) -> Offer:
    def write(workspace: Workspace) -> None:
        from scopecheck.fix.configuration import Configuration

        configuration = Configuration(workspace, suite)
        if not configuration.exists or not configuration.writable:
            raise Withheld("there is no table of options to write to")
        configuration.set(options)

    said = " and ".join(f"`{name} = {value}`" for name, value in options.items())
    return Offer(f"set {said}", applicability, write)


@looks("far")
def loop_mismatch(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP212: put the fixture on the loop of all that uses it."""
    fixture, plugin = fixture_at(suite, fault), suite.loops.plugin
    if fixture is None or plugin is None or plugin.version < _LOOP_SCOPE_SINCE:
        return
    others = {loop.scope for _, loop, _ in _apart(suite, fixture)}
    scope = others.pop() if len(others) == 1 else None
    if scope is not None:
        yield give_loop_scope(suite, fixture, scope)


@looks("far")
def wide_async_fixture_loop(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:
    """SCP201: narrow the fixture, give its users its loop, or set both defaults."""
    fixture, plugin = fixture_at(suite, fault), suite.loops.plugin
    if fixture is None or fixture.scope is None or plugin is None:
        return
    apart = list(_apart(suite, fixture))
    if not apart or plugin.version < _LOOP_SCOPE_SINCE:
        return
    own, users = apart[0][2], {loop.scope for _, loop, _ in apart}
    scopes = scopes_of(bench, suite)
    decided = own.decision.kind if own.decision is not None else ""
    key = (fixture.path or "", fixture.line)
    if users == {Scope.FUNCTION} and key in scopes.variables:
        default = suite.files.config.asyncio_default_fixture_loop_scope
        explicit = decided == "decorator" and default in (None, "function")
        follows = decided == "scope" or own.scope is Scope.FUNCTION
        way = scopes.way({key: Scope.FUNCTION}) if explicit or follows else None
        if way is not None:
            yield way_offer(suite, scopes, way, [fixture] if explicit else [])
    if own.scope is None:
        return
    yield _share_loop(suite, fixture, own.scope)
    if plugin.version >= _TEST_DEFAULT_SINCE:
        word = own.scope.word
        yield _set_options(suite, {FIXTURE_DEFAULT: word, TEST_DEFAULT: word}, "unsafe")


def _apart(suite: Suite, fixture: Fixture) -> Iterator[tuple[Fixture | Item, Loop, Loop]]:
    """What uses a fixture's value on another asyncio loop: the user, its loop and the fixture's."""
    loops = suite.loops
    for items in loops.shapes:
        for pair in loops.pairs(items[0]):
            same = (pair.fixture.path, pair.fixture.line) == (fixture.path, fixture.line)
            if not same or pair.same is not False or not pair.handed:
                continue
            if pair.user_loop.runner != "asyncio" or pair.fixture_loop.runner != "asyncio":
                return
            for user in items if pair.user is None else (pair.user,):
                yield user, pair.user_loop, pair.fixture_loop


def _share_loop(suite: Suite, fixture: Fixture, scope: Scope) -> Offer:
    """Give all async code that a fixture's value may reach its loop."""
    items: dict[Item, None] = {}
    fixtures: dict[Fixture, None] = {}
    for plan, alike in suite.items_of.items():
        reached = _reached_from(plan, fixture)
        if not reached:
            continue
        for one in reached:
            loop = suite.loops.fixture(one, alike[0]) if one.is_async else None
            if loop is not None and loop.scope is not scope:
                fixtures[one] = None
        for item in alike:
            loop = suite.loops.test(item)
            if loop is not None and loop.scope is not scope:
                items[item] = None

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.decorators import Decorators
        from scopecheck.migrate.marks import Marks, rewrite_marks, write_steps

        decorators = Decorators(workspace, suite)
        for user in fixtures:
            if not decorators.set_loop_scope(user, scope):
                raise Withheld(f"the decorator of `{user.name}` cannot be rewritten")
        decorators.write()
        default = SCOPES.get(suite.files.config.asyncio_default_test_loop_scope or "function")
        targets = dict.fromkeys(items, scope)
        steps = Marks(workspace, suite).steps(targets, default or Scope.FUNCTION)
        rewrite_marks(workspace, {}, write_steps(workspace, steps))

    tests = len({item.nodeid for item in items})
    who = [f"`{name}`" for name in dict.fromkeys(user.name for user in fixtures)]
    if tests:
        who.append("the test that uses it" if tests == 1 else f"the {tests} tests that use it")
    title = f'write `loop_scope="{scope.word}"` on {" and ".join(who)}, as for `{fixture.name}`'
    return Offer(title, "unsafe", write, (fixture.name,))


def _reached_from(plan: Plan, fixture: Fixture) -> list[Fixture]:
    """A fixture and those that it is handed on to, directly or not, in the tests of one shape."""
    found = [one for one in plan.order if (one.path, one.line) == (fixture.path, fixture.line)]
    for holder in found:
        for edge in plan.edges:
            if edge.answer is holder and edge.asker is not None and edge.asker not in found:
                found.append(edge.asker)
    return found


_BACKEND = """\
@{fixture}(scope={scope}, params={backends}())
def anyio_backend(request):
    return request.param


"""


@looks("far")
def anyio_backend_scope(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP210: a backend that lives as long as the fixture."""
    fixture = fixture_at(suite, fault)
    if fixture is None or fixture.scope is None or fixture.path is None or not fault.names:
        return
    path, scope, function = fixture.path, fixture.scope, fixture.function
    own = [one for one in suite.fixtures if one.name == "anyio_backend" and one.path is not None]
    if fault.names == ("own",):
        for backend in own:
            if f"{backend.path}:{backend.line}" in fault.names[1:] or len(own) == 1:

                def widen(workspace: Workspace, backend: Fixture = backend) -> None:
                    from scopecheck.fix.decorators import Decorators

                    decorators = Decorators(workspace, suite)
                    if not decorators.set_scope(backend, scope):
                        raise Withheld("its decorator cannot be rewritten")
                    decorators.write()

                yield Offer(f"give `anyio_backend` {scope.word} scope", "safe", widen)
        return
    if function is None or function.owner >= 0 or own:
        return

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import quote, spell

        text = _BACKEND.format(
            fixture=spell(workspace, path, "pytest", "fixture"),
            scope=quote(workspace, path, scope.word),
            backends=spell(workspace, path, "anyio", "get_all_backends"),
        )
        workspace.editor(path).insert(function.first_line, text)

    yield Offer(f"override `anyio_backend` with {scope.word} scope", "safe", write)
