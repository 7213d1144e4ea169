"""Whether what a test, fixture or set-up changes is put back, by itself or by what runs with it.

left      nothing is seen to put it back
inline    it is put back by a statement that a failure before it would skip
restored  it is put back, or may be: also where only running code could tell
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from scopecheck.checks.blocks import are_alternatives
from scopecheck.expressions import Call, Name
from scopecheck.suite.changes import AFTER, is_test_code
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue, FunctionValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Item

Verdict: TypeAlias = Literal["left", "inline", "restored"]


class Searched(Protocol):
    """A pattern, or what stands for one."""

    def search(self, text: str, /) -> object:
        """Something true if the text matches anywhere."""


class Words:
    """A pattern that is compiled when a text has one of the words that each match has."""

    def __init__(self, pattern: str, words: Iterable[str]) -> None:
        self._pattern = pattern
        self._words = tuple(words)
        self._compiled: re.Pattern[str] | None = None

    def search(self, text: str, /) -> bool:
        """Whether the pattern matches anywhere in a text."""
        if not any(word in text for word in self._words):
            return False
        self._compiled = self._compiled or re.compile(self._pattern)
        return self._compiled.search(text) is not None


# Context managers that put nothing back but what they do themselves, by the last part of the name.
_HARMLESS = frozenset(
    [
        *("raises", "warns", "deprecated_call", "open", "suppress", "assertRaises", "subTest"),
        *("assertRaisesRegex", "assertLogs", "assertWarns", "TemporaryDirectory", "patch"),
        *("NamedTemporaryFile", "at_level", "disabled", "catch_warnings", "freeze_time", "timeout"),
        *(
            "fail_after",
            "move_on_after",
            "create_task_group",
            "TaskGroup",
            "closing",
            "nullcontext",
        ),
        *("websocket_connect", "StringIO", "BytesIO", "socket", "ThreadPoolExecutor", "Lock"),
        *("redirect_stdout", "redirect_stderr", "assertNoLogs", "ZipFile", "ProcessPoolExecutor"),
    ]
)
# What a test says that gives it modules of its own, to import inside of it.
_FAKE_MODULES = re.compile(r"\w\.modules\b|\w_modules?\(|fake_module|mock_module")
_HARMLESS_ENDS = ("Client", "client", "TestServer")
# Marks of tests that run in a process of their own.
_OWN_PROCESS = re.compile(r"fork|subproc|isolat|boxed|xdist_group")


def runs_in_process(suite: Suite, actor: Actor) -> bool:
    """Whether what an actor does is done in the process of the tests, as it is written."""
    known = suite.changes.in_process
    found = known.get(actor)
    if found is None:
        found = known[actor] = _runs_in_process(suite, actor)
    return found


def _runs_in_process(suite: Suite, actor: Actor) -> bool:
    items = [item for item in actor.items if not item.skipped]
    if not items or actor.function.name == "<lambda>":
        return False
    if actor.kind == "test" and _is_wrapped(suite, actor):
        return False
    if actor.kind == "test" and any(item.opaque or _is_doubtful(item) for item in items):
        return False
    if all(_is_of_processes(suite, item) for item in items):
        return False
    return not all(any(_OWN_PROCESS.search(m.name) for m in item.marks) for item in items)


def _is_of_processes(suite: Suite, item: Item) -> bool:
    """Whether the class of a test runs it in processes of its own, as torch's test classes do."""
    names = item.nodeid.split("::")[1:-1]
    space = suite.evaluator.module(item.path) if names else None
    found = None if space is None else suite.evaluator.lookup(space, names[0])
    if not isinstance(found, ClassValue):
        return False
    return any(
        "MultiProcess" in name
        for holder in suite.linker.lineages.of(found).classes
        for name in (holder.class_.name, *map(str, holder.class_.bases))
    )


def _is_wrapped(suite: Suite, actor: Actor) -> bool:
    """Whether a decorator of the project is on a test, which may put back what it changes."""
    space = suite.evaluator.module(actor.path)
    for decorator in actor.function.decorators:
        expression = decorator.expression
        func = expression.func if isinstance(expression, Call) else expression
        if space is not None and isinstance(func, Name):
            found = suite.evaluator.evaluate(func, space)
            if isinstance(found, FunctionValue):
                return True
    return False


def _is_doubtful(item: Item) -> bool:
    return any("decorator" in reason for reason in item.unknown)


def is_for_all(actor: Actor) -> bool:
    """Whether an actor runs for the whole run: what it changes, it changes for every test."""
    fixture = actor.fixture
    if fixture is None:
        return False
    if fixture.scope is None or fixture.scope >= Scope.PACKAGE or not fixture.certain:
        return True
    return bool(fixture.autouse) and fixture.level in ("session", "folder")


def judge(
    suite: Suite,
    actor: Actor,
    change: Change,
    touches: Callable[[Actor, Change], bool],
    undoes: Callable[[Change], bool],
    words: Searched,
    assigned: Searched | None = None,
) -> Verdict:
    """What becomes of a change.

    Args:
        suite: the suite.
        actor: who makes the change.
        change: the change.
        touches: whether another change is one of the same thing.
        undoes: whether a later change of the same thing in the same function puts it back.
        words: what the text of a fixture or xunit function has that puts it back.
        assigned: what a function of the code under test has that puts it back, which those call.
    """
    if change.final or change.nested:
        return "restored"
    if any(
        may_restore(name) and not _is_of_another(suite, actor, change, name)
        for name in change.under
    ):
        return "restored"
    if _ends_with(suite, actor, change):
        return "restored"
    others = [other for other in actor.changes if other != change and touches(actor, other)]
    if any(other.final or other.nested for other in others):
        return "restored"
    if words.search(decorators(suite, actor)) or _calls_later(suite, actor, words):
        return "restored"
    if change.imported is not None and _FAKE_MODULES.search(text_of(suite, actor)):
        return "restored"
    if _is_restored_around(suite, actor, words, assigned):
        return "restored"
    place = (change.span.line, change.span.column)
    later = [other for other in others if (other.span.line, other.span.column) > place]
    undoing = [
        other
        for other in later
        if (undoes(other) or _is_last(actor, other))
        and not _are_alternatives(suite, actor, change, other)
    ]
    if any(_cannot_fail(suite, actor, change, other) for other in undoing):
        return "restored"
    return "inline" if undoing else "left"


def _is_of_another(suite: Suite, actor: Actor, change: Change, context: str) -> bool:
    """Whether a context is `patch.object(...)`, which puts back one attribute: none of these."""
    if not f".{context}".endswith(".patch.object"):
        return False
    names = "|".join(map(re.escape, (*change.target, change.name)))
    return re.search(rf"[\"'](?:{names})[\"']", body_of(suite, actor)) is None


def _ends_with(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether a test that has looked at something ends by giving it a value: that from before."""
    if not _is_last(actor, change):
        return False
    above = suite.lines(actor.path, actor.function.line + 1, change.span.line - 1)
    item = change.kind == "item"
    what = change.key.strip("'\"") if item else ".".join((*change.target[-1:], change.name))
    return bool(what) and re.search(rf"assert\b.*{re.escape(what)}", above) is not None


def _is_last(actor: Actor, change: Change) -> bool:
    """Whether a test ends with this assignment: of no use to itself, it is for those after it."""
    given = change.kind in ("attribute", "item") and not change.condition
    return given and actor.kind == "test" and change.span.end_line == actor.function.end_line


def _are_alternatives(suite: Suite, actor: Actor, change: Change, other: Change) -> bool:
    if not (change.condition and other.condition):
        return False
    first = actor.function.line
    return are_alternatives(suite, actor.path, first, change.span.line, other.span.line)


# What is written on one line, and is not seen to fail.
_SAFE = re.compile(
    r"\s*(?:(?:warnings|logging|\w*log(?:ger)?)\.(?:warn|warning|debug|info|error|critical)\(.*\)"
    r"|print\(.*\)|pass)?\s*(?:#.*)?"
)


def _cannot_fail(suite: Suite, actor: Actor, change: Change, undoing: Change) -> bool:
    """Whether nothing stands between a change and what puts it back that could fail."""
    between = suite.lines(actor.path, change.span.end_line + 1, undoing.span.line - 1)
    return all(_SAFE.fullmatch(line) for line in between.splitlines())


_ENTERED = re.compile(r"\.enter(?:_context|_async_context|Context|ClassContext|AsyncContext)\((.*)")
_LATER_CALL = r"\b(?:addCleanup|addClassCleanup|addfinalizer|callback)\("
_LATER = re.compile(rf"{_LATER_CALL}\s*([\w.]+)\s*[,)]")
# A method of what is changed, with the value from before: `addCleanup(registry.update, before)`.
_LATER_METHOD = re.compile(rf"{_LATER_CALL}\s*([\w.]+\.\w+),.*")


def _calls_later(suite: Suite, actor: Actor, words: Searched) -> bool:
    """Whether a context with these words, or a function with them, ends or runs after the test."""
    body = body_of(suite, actor)
    if any(words.search(context) for context in _ENTERED.findall(body)):
        return True
    if any(words.search(method) for method in _LATER_METHOD.findall(body)):
        return True
    names = {name.rpartition(".")[2] for name in _LATER.findall(body)}
    facts = suite.facts(actor.path) if names else None
    return facts is not None and any(
        words.search(suite.lines(actor.path, function.line, function.end_line))
        for function in facts.functions
        if function.name in names
    )


def by_monkeypatch_before(
    actor: Actor, change: Change, touches: Callable[[Actor, Change], bool]
) -> bool:
    """Whether `monkeypatch` has kept the value from before, and so puts it back."""
    return any(
        other.target == ("monkeypatch",)
        and other.span.line < change.span.line
        and touches(actor, other)
        for other in actor.changes
    )


def may_restore(context: str) -> bool:
    """Whether a context manager, by its dotted name, may put something back when it is left."""
    last = context.rpartition(".")[2]
    return last not in _HARMLESS and not last.endswith(_HARMLESS_ENDS)


def _is_restored_around(
    suite: Suite, actor: Actor, words: Searched, assigned: Searched | None
) -> bool:
    """Whether a fixture or xunit function that runs with each test may put something back."""
    judged: dict[Actor, bool] = {actor: False}

    def may_restore(other: Actor) -> bool:
        found = judged.get(other)
        if found is None:
            found = bool(words.search(text_of(suite, other)))
            found = found or _calls_own(suite, other, actor.path, words)
            judged[other] = found = found or _calls_helper(suite, other, words, assigned)
        return found

    def is_restored(item: Item) -> bool:
        if item.plan is None or any(_UNSEEN.search(name) for name in item.plan.unknown):
            return True
        if any(map(may_restore, suite.changes.around(item))):
            return True
        return any(f.path is None and f.name in _RESTORING for f in item.plan.order)

    # Those of one class and one plan have the same ones around them.
    shapes = {
        (item.plan, item.path, item.nodeid.rpartition("::")[0]): item
        for item in actor.items
        if not item.skipped
    }
    return all(map(is_restored, shapes.values()))


_OWN_CALL = re.compile(r"\bself\.(\w+)\(")
_CALL = re.compile(r"(?<![\w.])([^\W\d][\w.]*)\(")


def _calls_own(suite: Suite, actor: Actor, path: str, words: Searched) -> bool:
    """Whether a set-up calls another method that has these words.

    Args:
        suite: the suite.
        actor: the set-up.
        path: of the tests, whose classes may override what a base class calls.
        words: what the text of the method has.
    """
    body = body_of(suite, actor)
    names = set(_OWN_CALL.findall(body)) if "self." in body else ()
    return any(
        function.owner >= 0
        and function.name in names
        and words.search(suite.lines(home, function.line, function.end_line))
        for home in (dict.fromkeys((actor.path, path)) if names else ())
        if (facts := suite.facts(home)) is not None
        for function in facts.functions
    )


def _calls_helper(suite: Suite, actor: Actor, words: Searched, assigned: Searched | None) -> bool:
    """Whether a set-up calls a function of the test code that has these words.

    Or one of the code under test that has those of an assignment.
    """
    space = suite.evaluator.module(actor.path)
    if space is None:
        return False
    for name in dict.fromkeys(_CALL.findall(body_of(suite, actor))):
        found = suite.evaluator.evaluate(Name(tuple(name.split("."))), space)
        if not isinstance(found, FunctionValue):
            continue
        wanted, function = words if is_test_code(found.module) else assigned, found.function
        if wanted and wanted.search(suite.lines(found.module, function.line, function.end_line)):
            return True
    return False


# Names of fixtures that nobody can see, and that may put something back.
_UNSEEN = re.compile(r"env|clean|reset|restor|isolat|patch|chdir|cwd|fs\b|sandbox|override")
_RESTORING = frozenset({"pytester", "testdir"})


def is_text(key: str) -> bool:
    """Whether the key of a change is a text that is written there."""
    return key[:1] in "'\"b"


def text_of(suite: Suite, actor: Actor) -> str:
    """The text of an actor, decorators included."""
    return suite.lines(actor.path, actor.function.first_line, actor.function.end_line)


def matches(suite: Suite, actor: Actor, words: re.Pattern[str]) -> bool:
    """Whether a pattern matches in the text of an actor."""
    return suite.occurs(actor.path, (actor.function.first_line, actor.function.end_line), words)


def body_of(suite: Suite, actor: Actor) -> str:
    """The text of an actor below its first line."""
    return suite.lines(actor.path, actor.function.line, actor.function.end_line)


def decorators(suite: Suite, actor: Actor) -> str:
    """The text of an actor's decorators, and of those of its class."""
    function = actor.function
    text = suite.lines(actor.path, function.first_line, function.line - 1)
    facts = suite.facts(actor.path)
    owner = function.owner
    while facts is not None and owner >= 0:
        class_ = facts.classes[owner]
        for decorator in class_.decorators:
            text += suite.lines(actor.path, decorator.span.line, decorator.span.end_line)
        owner = class_.owner
    return text


def first_words(path: str) -> str:
    """The name of a module, as a pattern."""
    return rf"\b{re.escape(path.rpartition('/')[2].removesuffix('.py'))}"


def symbol_of(actor: Actor) -> str:
    """`path::Class::function` of an actor."""
    if actor.fixture is not None:
        return actor.fixture.symbol
    classes = actor.items[0].nodeid.split("::")[1:-1] if actor.kind == "test" else []
    return "::".join([actor.path, *classes, actor.function.name])


NOTE = "every test that runs later in the same process meets it"


def fate(verdict: Verdict) -> str:
    """What becomes of a change, in words."""
    return "put back only if nothing fails before that" if verdict == "inline" else "never put back"


def advice(actor: Actor, method: str) -> str:
    """What to do instead: by a method of `monkeypatch`, where that can be requested."""
    wide = actor.fixture is not None and actor.fixture.scope is not Scope.FUNCTION
    if wide or actor.kind == "xunit" or any(item.testcase for item in actor.items):
        return "put the old value back when the tests are over: after the `yield`, or in a clean-up"
    return f"request `monkeypatch` and use `monkeypatch.{method}`, which puts it back"


def tests_of(actor: Actor) -> frozenset[str]:
    """The node ids of the tests that an actor runs for."""
    return frozenset(item.nodeid for item in actor.items)


def writers(suite: Suite, words: re.Pattern[str] | None = None) -> Iterator[Actor]:
    """The actors whose changes may reach other tests, those with these words in them included."""
    found = suite.changes.changing if words is None else _changing_or_matching(suite, words)
    for actor in found:
        if "site-packages/" in actor.path or actor.function.name in AFTER:
            continue
        if not is_for_all(actor) and runs_in_process(suite, actor):
            yield actor


def _changing_or_matching(suite: Suite, words: re.Pattern[str]) -> Iterator[Actor]:
    having: dict[str, bool] = {}
    for actor in suite.changes.actors:
        path = actor.path
        if not actor.changes:
            if path not in having:
                having[path] = suite.has(path, words)
            if not having[path] or not matches(suite, actor, words):
                continue
        yield actor


def first(changes: Iterable[Change]) -> Change:
    """The first of some changes in the source."""
    return min(changes, key=lambda change: (change.span.line, change.span.column))
