"""Rewrites what requests `event_loop`, which pytest-asyncio 1.0 took away.

async function    it is on the loop: `asyncio.get_running_loop()`
synchronous one   is made async where all that it does with the loop is to run coroutines, or to
                  hand it on, and where nothing that it calls may start a loop of its own
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scopecheck.expressions import Call, Const
from scopecheck.facts import Import
from scopecheck.fix import functions
from scopecheck.fix.calls import without_arguments
from scopecheck.fix.edits import Withheld
from scopecheck.fix.names import spell
from scopecheck.fix.parsing import Statement
from scopecheck.migrate.overrides import NAME
from scopecheck.migrate.sharing import key_of
from scopecheck.suite.values import MarkValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scopecheck.facts import Function
    from scopecheck.fix.decorators import Decorators
    from scopecheck.fix.workspace import Workspace
    from scopecheck.migrate.overrides import Override
    from scopecheck.migrate.sharing import FixtureKey
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item

# As many uses are each spelled out.
_FEW = 2
# What may run a loop of its own, which it cannot where one is running.
_RUNS = frozenset(
    {"run", "run_forever", "run_sync", "run_until_complete", "invoke", "main", "async_to_sync"}
    | {"get_event_loop", "new_event_loop", "set_event_loop", "Runner", "call_command"}
)
# What sees the task that runs an async function.
_LISTS = ("all_tasks", "current_task", "get_objects")
_HANDED = "an async fixture that returns `asyncio.get_running_loop()` can hand it the loop"
_STOPS = frozenset({"run_forever", "close", "stop", "is_running", "is_closed"})


@dataclass
class Requester:
    """One function that requests `event_loop`.

    fixtures, items: what it is. answers: the overrides that answer it. reason: why it stays.
    """

    path: str
    function: Function
    fixtures: list[Fixture] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    answers: set[FixtureKey] = field(default_factory=set)
    parametrized: bool = False
    reason: str = ""

    @property
    def key(self) -> FixtureKey:
        """What stands for the function."""
        return (self.path, self.function.line)


def find_requesters(
    workspace: Workspace, suite: Suite, overrides: Mapping[FixtureKey, Override]
) -> list[Requester]:
    """The functions in a suite's own files that request `event_loop` by a parameter."""
    found: dict[FixtureKey, Requester] = {}
    for fixture in suite.fixtures:
        if fixture.function is None or fixture.path is None or key_of(fixture) in overrides:
            continue
        if any(r.name == NAME for r in fixture.requests) and workspace.may_edit(fixture.path):
            requester = Requester(fixture.path, fixture.function)
            found.setdefault(key_of(fixture), requester).fixtures.append(fixture)
    for item in suite.items:
        path = item.place.path
        if item.function is None or not any(request.name == NAME for request in item.requests):
            continue
        if workspace.may_edit(path):
            requester = found.setdefault((path, item.line), Requester(path, item.function))
            requester.items.append(item)
    _answer(suite, found)
    return list(found.values())


def _answer(suite: Suite, found: Mapping[FixtureKey, Requester]) -> None:
    for item in suite.items:
        assert item.plan is not None
        for edge in item.plan.edges:
            if edge.request != NAME:
                continue
            asker = (item.place.path, item.line) if edge.asker is None else key_of(edge.asker)
            requester = found.get(asker)
            if requester is not None and edge.answer.pseudo:
                requester.parametrized = True
            elif requester is not None:
                requester.answers.add(key_of(edge.answer))


def decide(
    workspace: Workspace,
    suite: Suite,
    requesters: Iterable[Requester],
    overrides: Mapping[FixtureKey, Override],
    decorators: Decorators,
) -> tuple[list[Requester], list[Requester]]:
    """Those that are rewritten, and those that stay; those of a foreign fixture are neither."""
    turned: list[Requester] = []
    left: list[Requester] = []
    looked_up = _looked_up(suite)
    for requester in requesters:
        answers = [overrides[key] for key in requester.answers if key in overrides]
        if any(override.kind == "foreign" for override in answers):
            continue
        requester.reason = _objection(workspace, suite, requester, decorators, looked_up)
        (left if requester.reason else turned).append(requester)
    return turned, left


def _objection(
    workspace: Workspace,
    suite: Suite,
    requester: Requester,
    decorators: Decorators,
    looked_up: frozenset[str],
) -> str:
    """Why a function cannot be rewritten; empty where it can."""
    if requester.parametrized:
        return f"`{NAME}` is parametrized for it"
    function = requester.function
    if function.name == "<lambda>":
        return "it is a lambda"
    try:
        statement = _statement(workspace, requester)
    except Withheld as reason:
        return str(reason)
    if function.is_async:
        return ""
    uses = functions.uses_of(statement, NAME)
    runs = uses.methods("run_until_complete")
    if uses.rebound or uses.yields_from:
        return "it gives the name another value" if uses.rebound else "it has a `yield from`"
    if _STOPS.intersection(uses.attributes):
        return "it runs, stops or closes the loop"
    if uses.attributes.count("run_until_complete") != runs:
        return "it runs the loop in a way that is not followed"
    starting = sorted(uses.calls & _RUNS)
    if starting:
        return f"it calls `{starting[0]}`, which may run a loop of its own"
    listing = sorted(call for call in uses.calls if any(word in call for word in _LISTS))
    if listing:
        return f"it calls `{listing[0]}`, which would see its own task"
    if not uses.direct and requester.items:
        return "it relies on the loop without a mention of it"
    return _objection_to_async(suite, requester, decorators, looked_up)


def _objection_to_async(
    suite: Suite, requester: Requester, decorators: Decorators, looked_up: frozenset[str]
) -> str:
    """Why a synchronous function may not become async."""
    for fixture in requester.fixtures:
        if fixture.name in looked_up:
            return f"`{fixture.name}` is looked up with `getfixturevalue`"
        if fixture.wrapper or fixture.opaque or not decorators.can_rewrite(fixture):
            return "its decorator is not one that can be rewritten"
        if len(requester.function.decorators) != 1:
            return "it has another decorator"
    for item in requester.items:
        space = suite.evaluator.module(item.place.path)
        marks = (
            space is not None
            and isinstance(suite.evaluator.evaluate(d.expression, space), MarkValue)
            for d in requester.function.decorators
        )
        if item.testcase or item.opaque or not all(marks):
            return "its decorators, or its class, may not take an async function"
    return ""


def _looked_up(suite: Suite) -> frozenset[str]:
    """The names that are looked up with `getfixturevalue` somewhere."""
    found: set[str] = set()
    for path in suite.own_files:
        facts = suite.facts(path)
        for function in facts.functions if facts is not None else ():
            for fact in function.body.calls if function.body is not None else ():
                name = _looked_up_name(fact.call)
                if name:
                    found.add(name)
    return frozenset(found)


def _looked_up_name(call: Call) -> str:
    func = call.func
    last = getattr(func, "attr", "") or (getattr(func, "parts", None) or ("",))[-1]
    if last not in ("getfixturevalue", "getfuncargvalue") or not call.args:
        return ""
    argument = call.args[0]
    value = argument.value if isinstance(argument, Const) else None
    return value if isinstance(value, str) else ""


def rewrite(workspace: Workspace, requester: Requester, decorators: Decorators, auto: bool) -> None:
    """Take the parameter away, and put the running loop where it was used."""
    path, function = requester.path, requester.function
    editor = workspace.editor(path)
    statement = _statement(workspace, requester)
    try:
        if not function.is_async:
            functions.await_calls(statement, NAME, "run_until_complete")
            _import_kind(workspace, path, functions.make_async(statement))
            workspace.note(
                path, function.line, f"`{function.name}` is async now, since it used `{NAME}`"
            )
            if not auto:
                for fixture in requester.fixtures:
                    decorators.hand_over(fixture)
        remaining = functions.uses_of(statement, NAME)
        several = len(remaining.direct) > _FEW
        if remaining.nested or remaining.rebound or several:
            running = spell(workspace, path, "asyncio", "get_running_loop")
            functions.insert_first(statement, f"{NAME} = {running}()")
        elif remaining.direct:
            running = spell(workspace, path, "asyncio", "get_running_loop")
            functions.replace_reads(statement, NAME, f"{running}()")
        functions.drop_parameter(statement, NAME)
    except Withheld as reason:
        workspace.leave(path, function.line, f"`{function.name}` requests `{NAME}` ({reason})")
        return
    editor.replace_lines(function.line, function.end_line, statement.text)


def awaiting(workspace: Workspace, suite: Suite, fixture: Fixture) -> str | None:
    """What awaits or iterates over the value of a fixture that no plugin runs, if anything does."""
    seen: set[FixtureKey] = set()
    for item in suite.items:
        assert item.plan is not None
        for edge in item.plan.edges:
            if edge.answer is not fixture:
                continue
            path = item.place.path if edge.asker is None else edge.asker.path
            function = item.function if edge.asker is None else edge.asker.function
            if function is None or path is None or (path, function.line) in seen:
                continue
            seen.add((path, function.line))
            if not workspace.may_edit(path):
                continue
            lines = workspace.editor(path).lines(function.line, function.end_line)
            try:
                awaited = functions.awaits(Statement(lines), edge.request)
            except Withheld:
                awaited = edge.request in lines
            if awaited:
                return f"`{function.name}`"
    return None


def _import_kind(workspace: Workspace, path: str, kinds: tuple[str, str] | None) -> None:
    """Import `AsyncGenerator` from where `Generator` is imported."""
    if kinds is None:
        return
    for binding in workspace.project.load(path).bindings:
        if isinstance(binding.value, Import) and binding.value.name == binding.name == kinds[0]:
            workspace.need(path, binding.value.module, kinds[1])


def _statement(workspace: Workspace, requester: Requester) -> Statement:
    function = requester.function
    return Statement(workspace.editor(requester.path).lines(function.line, function.end_line))


def leave(workspace: Workspace, requester: Requester) -> None:
    """Tell of a function that stays as it is."""
    function = requester.function
    message = f"`{function.name}` requests `{NAME}`, and is not rewritten: {requester.reason}"
    if requester.fixtures and not function.is_async:
        message += f"; {_HANDED}"
    workspace.leave(requester.path, function.line, message)


def rewrite_mentions(
    workspace: Workspace, suite: Suite, overrides: Mapping[FixtureKey, Override]
) -> None:
    """`usefixtures("event_loop")` goes; `getfixturevalue("event_loop")` is the running loop."""
    if any(override.kind == "foreign" for override in overrides.values()):
        return
    for path in sorted(suite.own_files):
        if not workspace.may_edit(path) or NAME not in suite.text(path):
            continue
        _rewrite_usefixtures(workspace, path)
        _rewrite_look_ups(workspace, path)
    ini = suite.files.config.usefixtures
    if NAME in ini and suite.files.config.inifile is not None:
        line = suite.files.config.option_lines.get("usefixtures", 1)
        workspace.leave(
            suite.relative(suite.files.config.inifile), line, f"take {NAME!r} out of `usefixtures`"
        )


def _rewrite_usefixtures(workspace: Workspace, path: str) -> None:
    editor = workspace.editor(path)
    facts = workspace.project.load(path)
    decorators = [d for function in facts.functions for d in function.decorators]
    decorators += [d for class_ in facts.classes for d in class_.decorators]
    decorated = {decorator.span for decorator in decorators}
    for call in workspace.code(path).calls("usefixtures"):
        if not any(isinstance(arg, Const) and arg.value == NAME for arg in call.args):
            continue
        try:
            text = without_arguments(editor.slice(call.span), [NAME])
        except Withheld as reason:
            workspace.leave(path, call.span.line, f"take {NAME!r} out of `usefixtures` ({reason})")
            continue
        if text is not None:
            editor.replace(call.span, text)
        elif call.span in decorated:
            editor.remove_lines(call.span.line, call.span.end_line)
        else:
            workspace.leave(path, call.span.line, f"take `usefixtures({NAME!r})` away")


def _rewrite_look_ups(workspace: Workspace, path: str) -> None:
    editor = workspace.editor(path)
    for function in workspace.project.load(path).functions:
        for fact in function.body.calls if function.body is not None else ():
            if _looked_up_name(fact.call) != NAME:
                continue
            if function.is_async and not fact.nested:
                running = spell(workspace, path, "asyncio", "get_running_loop")
                editor.replace(fact.call.span, f"{running}()")
            else:
                workspace.leave(path, fact.call.span.line, f"looks `{NAME}` up")
