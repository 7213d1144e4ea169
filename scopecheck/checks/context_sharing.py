"""Tests that give one context to two users, or to two tasks that run at the same time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.blocks import is_in_loop
from scopecheck.checks.leaks import body_of, runs_in_process, symbol_of
from scopecheck.checks.wording import at
from scopecheck.expressions import Awaited, Call, Const, Entered, FunctionRef, Items, Name, Star
from scopecheck.finding import Fault, Place
from scopecheck.literals import occurs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.checks.context_makers import Makers
    from scopecheck.expressions import Expression
    from scopecheck.facts import FileFacts, Function
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Fixture

_WHO = r"(?:users?|clients?|sessions?|tenants?|contexts?|connections?|conversations?|requests?)"
# Tests whose name says that users, or contexts, are kept apart.
_APART = re.compile(
    rf"isolat|(?:other|another|different|separate|two|both|cross|multiple)_?{_WHO}"
    r"|users_(?:do_not|dont|cannot|see|share)"
)
_AT_ONCE = re.compile(
    rf"(?:concurrent|parallel|simultaneous)_(?:\w+_)?{_WHO}"
    rf"|{_WHO}_(?:\w+_)?(?:concurrently|in_parallel|at_once|at_the_same_time)"
)
# Tests whose name says that the one context is the point.
_TOGETHER = re.compile(r"same|shar(?:e|ing)|single|reus|thread_?safe|race|lock|serial|one_|dedup")
_TASKS = re.compile(
    r"\b(?:gather|create_task|ensure_future|start_soon|run_in_executor)\(|\.(?:submit|map)\("
)
_OF_COROUTINES = frozenset({"create_task", "ensure_future"})
_OF_FUNCTIONS = frozenset({"start_soon", "submit", "run_in_executor"})
# Contexts of one user or one request by their name.
_OF_ONE = re.compile(
    r"User|Request|Tenant|Conversation|Auth|Identity|Principal|Customer|user|request|tenant"
)
_IDENTITIES = frozenset(
    ["user", "user_id", "username", "tenant", "tenant_id", "account", "account_id", "customer_id"]
)
# Calls that look at a context and give it to nobody.
_LOOKING = re.compile(
    r"assert|^(?:isinstance|len|print|str|repr|id|type|hasattr|getattr|bool|vars)$"
)


class _Test(NamedTuple):
    """A test that has one context.

    name: of the context in the test; maker: what makes it. facts: all that the test does.
    """

    actor: Actor
    name: str
    maker: str
    facts: FileFacts

    @property
    def function(self) -> Function:
        return self.facts.functions[0]


class _Task(NamedTuple):
    """A task that gets the context; many: one of several that a loop starts."""

    call: Call
    span: Span
    many: bool


def given_twice(suite: Suite, makers: Makers) -> Iterator[Fault]:
    """A context that two users or two tasks of a test are given."""
    fixtures = frozenset(f for f in suite.fixtures if makers.of_fixture(f) is not None)
    words: dict[str, tuple[bool, bool]] = {}
    for actor in suite.changes.actors:
        if actor.kind != "test":
            continue
        path = actor.path
        if path not in words:
            makes = suite.has(path, makers.words)
            words[path] = (makes, bool(makes or fixtures) and suite.has(path, _TASKS))
        makes, starts = words[path]
        if not (makes or fixtures):
            continue
        apart = _APART.search(actor.function.name) is not None
        if not (apart or starts):
            continue
        found = dict(_requested(actor, makers, fixtures))
        if not (found or makes):
            continue
        body = body_of(suite, actor)
        tasks = starts and occurs(_TASKS, body)
        if not (apart or tasks) or not (found or occurs(makers.words, body)):
            continue
        # Most of what has the word makes something else: no use to read the test for it.
        if not (found or _may_make(makers, actor, body)):
            continue
        test = _test(suite, actor, makers, found) if runs_in_process(suite, actor) else None
        if test is None:
            continue
        fault = _to_tasks(suite, test, body, apart=apart) if tasks else None
        if fault is None and apart:
            fault = _to_users(test)
        if fault is not None:
            yield fault


_CALLED = re.compile(r"(?<![\w.])([^\W\d]\w*(?:[\s\\]*\.[\s\\]*\w+)*)[\s\\]*\(")


def _may_make(makers: Makers, actor: Actor, body: str) -> bool:
    """Whether one of the names that are called in a test's text makes a context."""
    return any(
        makers.of_call(actor.path, Name(tuple(re.findall(r"\w+", name)))) is not None
        for name in dict.fromkeys(_CALLED.findall(body))
    )


def _test(suite: Suite, actor: Actor, makers: Makers, found: dict[str, str]) -> _Test | None:
    facts = suite.changes.closely(actor)
    if facts is None:
        return None
    function = facts.functions[0]
    for binding in function.bindings:
        maker = None if binding.target else makers.of_value(actor.path, binding.value)
        same = [other for other in function.bindings if other.name == binding.name]
        if maker is not None:
            line = binding.span.line
            again = is_in_loop(suite, actor.path, actor.function.line, line)
            found[binding.name] = maker if len(same) == 1 and not again else ""
    # Where there are two contexts, each may be for one user.
    if len(found) != 1:
        return None
    ((name, maker),) = found.items()
    return _Test(actor, name, maker, facts) if maker else None


def _requested(
    actor: Actor, makers: Makers, fixtures: frozenset[Fixture]
) -> Iterator[tuple[str, str]]:
    """The contexts that a test gets from fixtures."""
    for item in actor.items if fixtures else ():
        for edge in () if item.plan is None else item.plan.edges:
            if edge.asker is None and edge.answer in fixtures:
                yield edge.request, makers.of_fixture(edge.answer) or ""


def _to_users(test: _Test) -> Fault | None:
    """The same call twice, for two objects or with two results, told apart by nothing else."""
    before: list[tuple[Call, str]] = []
    bound = {
        (value.span.line, value.span.column): binding.name
        for binding in test.function.bindings
        if isinstance(value := _inside(binding.value), Call) and not binding.target
    }
    body = test.function.body
    for fact in () if body is None else body.calls:
        call = fact.call
        if fact.nested or fact.under or not _gets(call, test.name) or _is_looking(call):
            continue
        user = bound.get((call.span.line, call.span.column), "")
        for other, first in before:
            if _is_same(call, other, results=bool(user and first and user != first)):
                return _told_users(test, call, other)
        before.append((call, user))
    return None


def _inside(value: object) -> object:
    while isinstance(value, (Awaited, Entered)):
        value = value.value
    return value


def _is_same(call: Call, other: Call, *, results: bool) -> bool:
    """Whether two calls are the same but for the object, or the name of the result."""
    if (call.args, call.keywords) != (other.args, other.keywords):
        return False
    if not isinstance(call.func, Name) or not isinstance(other.func, Name):
        return False
    if call.func == other.func:
        return results
    mine, theirs = call.func.parts, other.func.parts
    return len(mine) == len(theirs) == 2 and mine[1] == theirs[1]


def _told_users(test: _Test, call: Call, other: Call) -> Fault:
    assert isinstance(call.func, Name)
    return _fault(
        test,
        call.span,
        f"`{test.name}` is given to `{'.'.join(call.func.parts)}` a second time: the two share "
        f"one `{test.maker}`, so that they cannot be kept apart",
        other.span,
        "both are the same user, whatever the names say",
        f"make a second `{test.maker}` for the second one",
        names=(test.name, test.maker),
    )


def _fault(
    test: _Test,
    span: Span,
    message: str,
    first: Span,
    note: str,
    advice: str,
    names: tuple[str, ...] = (),
) -> Fault:
    path = test.actor.path
    related = () if first == span else (at(Place(path, first), "it is given here first"),)
    return Fault(
        Place(path, span),
        message,
        symbol_of(test.actor),
        related,
        notes=(note,),
        help=advice,
        tests=frozenset(item.nodeid for item in test.actor.items),
        names=names,
    )


def _gets(call: Call, name: str) -> bool:
    given = (*call.args, *(value for _, value in call.keywords))
    return any(value == Name((name,)) for value in given)


def _is_looking(call: Call) -> bool:
    return not isinstance(call.func, Name) or _LOOKING.search(call.func.parts[-1]) is not None


def _to_tasks(suite: Suite, test: _Test, body: str, *, apart: bool) -> Fault | None:
    name = test.actor.function.name
    # What a test asserts of the context itself, the tasks are meant to do to one.
    if _TOGETHER.search(name) or re.search(rf"\bassert[^\n]*\b{re.escape(test.name)}\b", body):
        return None
    tasks = sorted(_tasks(suite, test), key=lambda t: (t.span.line, t.span.column))
    if not tasks or (len(tasks) == 1 and not tasks[0].many):
        return None
    named = apart or _AT_ONCE.search(name) is not None
    if not named and not _is_for_two(test, tasks) and not _is_overwritten(suite, test, tasks):
        return None
    last = tasks[0] if tasks[0].many else tasks[1]
    count = "tasks" if any(task.many for task in tasks) else f"{len(tasks)} tasks"
    return _fault(
        test,
        last.span,
        f"`{test.name}` is given to {count} that run at the same time: they share one "
        f"`{test.maker}`, so that they cannot be kept apart",
        tasks[0].span,
        "what one task writes to it, the others find while they run",
        f"make a `{test.maker}` for each task",
    )


def _is_for_two(test: _Test, tasks: list[_Task]) -> bool:
    """Whether the context of one user is given with the names of two."""
    if not _OF_ONE.search(test.maker):
        return False
    known: set[tuple[str, Expression]] = set()
    for task in tasks:
        known.update(
            (key, value)
            for key, value in task.call.keywords
            if key in _IDENTITIES and isinstance(value, Const)
        )
    keys = [key for key, _ in known]
    return len(keys) > len(set(keys))


def _is_overwritten(suite: Suite, test: _Test, tasks: list[_Task]) -> bool:
    """Whether a function of the project gives an attribute of the context another value."""
    for task in tasks:
        func = task.call.func
        if not isinstance(func, Name):
            continue
        called = suite.changes.subjects.resolve(test.actor.path, test.function, func.parts)
        if called is None or called.kind != "function" or called.rest:
            continue
        function = suite.changes.function_at(called.path, called.line)
        if function is None or not function.is_async:
            continue
        parameter = _parameter(function, task.call, test.name)
        given = {p.name for p in function.parameters} - {parameter}
        if any(
            change.kind == "attribute"
            and change.target == (parameter,)
            and change.value.partition(".")[0] in given
            for change in function.changes
        ):
            return True
    return False


def _parameter(function: Function, call: Call, name: str) -> str:
    """The parameter that gets the context."""
    plain = [p.name for p in function.parameters if p.kind in ("normal", "positional")]
    for index, value in enumerate(call.args):
        if value == Name((name,)) and index < len(plain):
            return plain[index]
    return next((key for key, value in call.keywords if value == Name((name,))), "")


def _tasks(suite: Suite, test: _Test) -> Iterator[_Task]:
    """What runs at the same time and gets the context."""
    body = test.function.body
    facts = () if body is None else body.calls
    inner = _inner(test)
    uses = [fact.call for fact in facts if not fact.nested and _uses(fact.call, test.name, inner)]
    for fact in facts:
        call = fact.call
        if fact.nested or not isinstance(call.func, Name):
            continue
        last = call.func.parts[-1]
        again = _is_repeated(suite, test.actor, call.span)
        if last == "gather":
            for value in call.args:
                if isinstance(value, Call) and _uses(value, test.name, inner):
                    yield _Task(value, value.span, many=False)
                elif isinstance(value, Star) and " for " in _text(suite, test.actor, call.span):
                    for use in uses:
                        if _is_in(use.span, call.span) and use not in call.args:
                            yield _Task(use, use.span, many=True)
        elif last in _OF_COROUTINES and call.args:
            work = call.args[0]
            if isinstance(work, Call) and _uses(work, test.name, inner):
                yield _Task(work, call.span, many=again)
        elif last in _OF_FUNCTIONS and len(call.args) > 1:
            if any(value == Name((test.name,)) for value in call.args):
                index = 2 if last == "run_in_executor" else 1
                func, given = call.args[index - 1], call.args[index:]
                yield _Task(Call(func, given, (), call.span), call.span, many=again)
            elif isinstance(call.args[0], Name) and call.args[0].parts[0] in inner:
                yield _Task(call, call.span, many=again)
        elif last == "map" and len(call.args) > 1 and _maps(suite, test, call, inner):
            yield _Task(call, call.span, many=True)


def _uses(call: Call, name: str, inner: frozenset[str]) -> bool:
    """Whether a call is given the context, or runs an inner function that is."""
    if _gets(call, name):
        return not _is_looking(call)
    return isinstance(call.func, Name) and call.func.parts[0] in inner


def _inner(test: _Test) -> frozenset[str]:
    """The functions inside a test that give the test's context to something."""
    body = test.function.body
    found: set[str] = set()
    for binding in test.function.bindings:
        if not isinstance(binding.value, FunctionRef):
            continue
        function = test.facts.functions[binding.value.index]
        own = {p.name for p in function.parameters} | {b.name for b in function.bindings}
        if test.name in own:
            continue
        for fact in () if body is None else body.calls:
            inside = function.line <= fact.call.span.line <= function.end_line
            if fact.nested and inside and _gets(fact.call, test.name):
                found.add(binding.name)
    return frozenset(found)


def _is_pool(test: _Test, parts: tuple[str, ...]) -> bool:
    """Whether `map` is that of an executor, or of a pool of threads."""
    bound = [b.value for b in test.function.bindings if b.name == parts[0]]
    value = _inside(bound[0]) if len(bound) == 1 else None
    if not isinstance(value, Call) or not isinstance(value.func, Name):
        return False
    return value.func.parts[-1].endswith(("PoolExecutor", "ThreadPool"))


def _maps(suite: Suite, test: _Test, call: Call, inner: frozenset[str]) -> bool:
    """Whether `pool.map(...)` gives the context to each of its calls."""
    func, *values = call.args
    assert isinstance(call.func, Name)
    if not _is_pool(test, call.func.parts):
        return False
    name = Name((test.name,))
    if any(isinstance(value, Items) and value.items.count(name) > 1 for value in values):
        return True
    if isinstance(func, Name) and func.parts[0] in inner:
        return True
    word = re.escape(test.name)
    text = _text(suite, test.actor, call.span)
    return (
        re.search(rf"\[\s*{word}\s*\]\s*\*|\brepeat\(\s*{word}\b|lambda [^:]*:.*\b{word}\b", text)
        is not None
    )


def _is_in(span: Span, outer: Span) -> bool:
    start = (outer.line, outer.column) <= (span.line, span.column)
    return start and (span.end_line, span.end_column) <= (outer.end_line, outer.end_column)


def _text(suite: Suite, actor: Actor, span: Span) -> str:
    return suite.lines(actor.path, span.line, span.end_line)


def _is_repeated(suite: Suite, actor: Actor, span: Span) -> bool:
    """Whether a statement is run again by a loop or a comprehension around it."""
    line = suite.lines(actor.path, span.line, span.end_line)
    if re.search(r"\)\s*(?:async )?for \w+", line):
        return True
    return is_in_loop(suite, actor.path, actor.function.line, span.line)
