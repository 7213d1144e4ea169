"""The values of fixtures that outlive a test, changed by what receives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import body_of, judge, runs_in_process, symbol_of
from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at, scoped, tests
from scopecheck.expressions import Call, ClassRef, Items, Mapping, Name
from scopecheck.facts import Change
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_container, is_in_place
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue, External

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scopecheck.expressions import Expression
    from scopecheck.facts import Passed
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.model import Fixture, Item, Plan

_TAKE_AWAY = frozenset({"sort", "reverse"})
_MAX_HOPS = 5
_FOLLOWED = (Items, Mapping, Call, ClassRef, Name)
# Functions of libraries that make an object of its own with each call.
_MAKERS = frozenset({"ssl.create_default_context", "copy.copy", "copy.deepcopy"})


@looks("far")
def shared_fixture_mutation(suite: Suite) -> Iterator[Fault]:
    """SCP401: the value of a wide fixture is changed by a test or a narrower fixture."""
    sources = _Sources(suite)
    for actor in suite.changes.actors:
        function = actor.function
        if not (function.kept_effects and any(map(function.may_touch, sources.wide(actor)))):
            continue
        told: set[str] = set()
        shared: dict[str, Fixture | None] = {}

        def source_of(
            parameter: str, actor: Actor = actor, shared: dict[str, Fixture | None] = shared
        ) -> Fixture | None:
            if parameter not in shared:
                shared[parameter] = sources.shared(actor, parameter)
            return shared[parameter]

        for change, parameter in _changed(suite, actor, source_of):
            if parameter in told or change.final or change.nested:
                continue
            source = source_of(parameter)
            if source is None or not _is_change_of(suite, source, change):
                continue
            if not runs_in_process(suite, actor):
                break
            told.add(parameter)
            fault = _fault(suite, actor, change, parameter, source)
            if fault is not None:
                yield fault


def _changed(
    suite: Suite, actor: Actor, source_of: Callable[[str], Fixture | None]
) -> Iterator[tuple[Change, str]]:
    """The changes an actor makes to its parameters' values, calls of its helpers included."""
    names = {parameter.name for parameter in actor.function.parameters}
    for change in actor.changes:
        if change.target and change.target[0] in names and is_in_place(change):
            yield change, change.target[0]
    for passed in actor.function.passed if names else ():
        roots = [path[0] for _, path in passed.arguments if len(path) == 1 and path[0] in names]
        if not roots or not any(source_of(root) is not None for root in roots):
            continue
        for _, path in suite.changes.given(actor.path, actor.function, passed):
            if path[0] in names and len(path) == 1:
                yield Change("call", path, "update", passed.span, nested=passed.nested), path[0]


class _Sources:
    """The wide fixtures whose own objects parameters get."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._of: dict[Fixture, Fixture | None] = {}
        self._wide: dict[tuple[Plan, Fixture | None], tuple[str, ...]] = {}
        self._answers: dict[tuple[Plan, Fixture | None, str], list[Fixture]] = {}

    def wide(self, actor: Actor) -> tuple[str, ...]:
        """The names of what an actor gets of wide fixtures in its first test."""
        plan = actor.items[0].plan if actor.items else None
        if plan is None:
            return ()
        asker = None if actor.kind == "test" else actor.fixture
        key = (plan, asker)
        if key not in self._wide:
            self._wide[key] = tuple(
                edge.request
                for edge in plan.edges
                if edge.asker is asker
                and (source := self._source(edge.answer)) is not None
                and source.scope is not Scope.FUNCTION
            )
        return self._wide[key]

    def shared(self, actor: Actor, parameter: str) -> Fixture | None:
        """The wide fixture whose object a parameter gets, in every test of the actor."""
        asker = None if actor.kind == "test" else actor.fixture
        sources: set[Fixture] = set()
        for plan in dict.fromkeys(item.plan for item in actor.items):
            assert plan is not None
            answers = self._answering(plan, asker, parameter)
            if not answers:
                return None
            for answer in answers:
                source = self._source(answer)
                if source is None or source.scope is None or source.scope is Scope.FUNCTION:
                    return None
                sources.add(source)
        if len(sources) != 1:
            return None
        (source,) = sources
        assert source.scope is not None
        own = Scope.FUNCTION if actor.fixture is None else actor.fixture.scope
        if own is None or own >= source.scope or not source.certain or source.opaque:
            return None
        if source.pseudo or source.path is None or source.place is None:
            return None
        return None if source.has_params is None else source

    def _answering(self, plan: Plan, asker: Fixture | None, parameter: str) -> list[Fixture]:
        key = (plan, asker, parameter)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = [
                e.answer for e in plan.edges if e.request == parameter and e.asker is asker
            ]
        return found

    def _source(self, fixture: Fixture) -> Fixture | None:
        if fixture not in self._of:
            self._of[fixture] = _source(self._suite, fixture, 0)
        return self._of[fixture]


def _source(suite: Suite, fixture: Fixture, hops: int) -> Fixture | None:
    """The fixture whose value another one only hands on; itself where it makes its own."""
    expression = _handed(fixture)
    function = fixture.function
    if hops > _MAX_HOPS or expression is None or function is None:
        return fixture if fixture.path is not None else None
    if isinstance(expression, Name) and len(expression.parts) == 1:
        (name,) = expression.parts
        if any(parameter.name == name for parameter in function.parameters):
            if any(binding.name == name for binding in function.bindings):
                return fixture
            answers = {_source(suite, each, hops + 1) for each in suite.answers(fixture, name)}
            return answers.pop() if len(answers) == 1 else None
    return fixture


def _handed(fixture: Fixture) -> Expression | None:
    """The one expression that a fixture yields or returns, local names followed."""
    function = fixture.function
    if function is None or function.handout is None or len(function.handout.values) != 1:
        return None
    ((expression, _),) = function.handout.values
    if isinstance(expression, Name) and len(expression.parts) == 1:
        bindings = [b for b in function.bindings if b.name == expression.parts[0] and not b.target]
        if len(bindings) == 1 and isinstance(bindings[0].value, _FOLLOWED):
            return bindings[0].value
        if bindings:
            return None
    return expression


def _is_change_of(suite: Suite, source: Fixture, change: Change) -> bool:
    """Whether a change surely changes the object that a fixture keeps.

    A method called like one of a list's may be a query builder's or a client's: what is called on
    must be a container as it is written.
    """
    if any(part.endswith("()") for part in change.target) or change.name in _TAKE_AWAY:
        return False
    expression = _handed(source)
    if expression is None:
        return False
    if change.kind == "call" or change.kind == "augmented":
        return len(change.target) == 1 and is_container(expression)
    if change.kind in ("item", "del"):
        own = len(change.target) == 1 and is_container(expression)
        return own or _is_own_object(suite, source, expression, change)
    return _is_own_object(suite, source, expression, change)


def _is_own_object(suite: Suite, source: Fixture, expression: Expression, change: Change) -> bool:
    """Whether a fixture makes an object of a class that is known, with attributes of its own."""
    if isinstance(expression, ClassRef):
        return len(change.target) == 1
    if not isinstance(expression, Call) or "[]" in change.target:
        return False
    assert source.path is not None
    space = suite.evaluator.module(source.path)
    made = None if space is None else suite.evaluator.evaluate(expression.func, space)
    if isinstance(made, ClassValue):
        return _LOCAL.search(made.class_.name) is None
    if isinstance(made, External):
        last = made.name.rpartition(".")[2]
        if made.name in _MAKERS:
            return True
        return last[:1].isupper() and _LOCAL.search(last) is None and "mock" not in made.name
    return False


_LOCAL = re.compile(r"local|proxy|mock|session$", re.IGNORECASE)


def _fault(
    suite: Suite, actor: Actor, change: Change, parameter: str, source: Fixture
) -> Fault | None:
    if _is_undone(suite, actor, change, parameter, source):
        return None
    victims = _victims(suite, actor, change, source)
    if not victims:
        return None
    count = tests(len(victims))
    shown = sorted(victims, key=lambda item: (item.place.path, item.line))[:5]
    assert source.place is not None
    related = [at(source.place, f"`{source.name}` is made here, once for the {_word(source)}")]
    related += [at(item.place, "this test gets the changed value") for item in shown]
    what = ".".join((*change.target, *([change.name] if change.kind == "attribute" else [])))
    return Fault(
        Place(actor.path, change.span),
        f"`{what.replace('.[]', '[...]')}` of the {scoped(source.scope)} fixture `{source.name}` "
        f"is changed, and {count} get{'s' if len(victims) == 1 else ''} the changed value",
        symbol_of(actor),
        tuple(related),
        notes=("what they find depends on which tests ran before",),
        help=f"give `{source.name}` function scope, or let it return a function that makes one",
        tests=frozenset(item.nodeid for item in victims),
    )


def _word(source: Fixture) -> str:
    assert source.scope is not None
    return source.scope.word


def _victims(suite: Suite, actor: Actor, change: Change, source: Fixture) -> list[Item]:
    """The other tests that share the fixture's value and read what was changed."""
    found = []
    mine = set(actor.items)
    own = {_instance(item, source) for item in actor.items}
    for other in suite.changes.actors:
        if other.kind != "test":
            continue
        for item in other.items:
            if item in mine and actor.kind == "test":
                continue
            if item.plan is None or source not in item.plan.order:
                continue
            if change.kind == "attribute" and _is_given_anew(actor, item):
                continue
            if _instance(item, source) in own and _reads(suite, other, item, change, source):
                found.append(item)
    # One test alone finds what was changed for it.
    return [] if len(mine) == 1 and found == [*mine] and _runs_once(found[0]) else found


def _is_given_anew(actor: Actor, item: Item) -> bool:
    """Whether a fixture sets the attribute for this very test, before it looks."""
    fixture = actor.fixture
    if fixture is None or fixture.scope is not Scope.FUNCTION or item.plan is None:
        return False
    return fixture in item.plan.order


def _runs_once(item: Item) -> bool:
    given = item.parametrized
    if given.direct or given.indirect or not given.complete or item.plan is None:
        return False
    return not any(fixture.has_params for fixture in item.plan.order)


def _instance(item: Item, source: Fixture) -> str:
    """The same for two tests that get one object of a fixture."""
    match source.scope:
        case Scope.CLASS:
            return item.nodeid.rpartition("::")[0]
        case Scope.MODULE:
            return item.path
    return ""


def _reads(suite: Suite, other: Actor, item: Item, change: Change, source: Fixture) -> bool:
    """Whether a test reads what was changed, and did not set it itself before."""
    assert item.plan is not None
    names = {
        edge.request
        for edge in item.plan.edges
        if edge.asker is None and _source(suite, edge.answer, 0) is source
    }
    text = body_of(suite, other)
    for name in names:
        own = [c for c in other.changes if c.target[:1] == (name,) and c.name == change.name]
        if any(c.key == change.key for c in own) or f"{name}.clear()" in text:
            continue
        path = ".".join((name, *change.target[1:]))
        attribute = change.kind == "attribute"
        tail = _reading(suite, source, change.name) if attribute else r"(?!\w)"
        reading = re.compile(rf"(?<![\w.\"']){re.escape(path)}{tail}")
        if not reading.search(_statements(text)):
            continue
        if attribute or reading.search(_statements(_without_adding(suite, other, name, text))):
            return True
    return False


# `results.append(`, `results["times"].append(`, `results["times"][name] =`
_ADDS = (
    r"^[ \t]*{name}(?:(?:\[[^\]\n]*\])*\.(?:append|extend|add|insert|appendleft)\("
    r"|(?:\[[^\]\n]*\])+\s*=(?!=))"
)


def _without_adding(suite: Suite, other: Actor, name: str, text: str) -> str:
    """A test's text without the calls that hand an object to functions that only add to it."""
    lines = text.splitlines(keepends=True)
    for passed in other.function.passed:
        given = suite.changes.given(other.path, other.function, passed)
        if any(path == (name,) and _only_adds(suite, other, passed, p) for p, path in given):
            first = passed.span.line - other.function.line
            lines[first : passed.span.end_line - other.function.line + 1] = [
                "\n" for _ in range(passed.span.end_line - passed.span.line + 1)
            ]
    return "".join(lines)


def _only_adds(suite: Suite, other: Actor, passed: Passed, parameter: str) -> bool:
    """Whether a function that is handed an object does nothing with it but add to it."""
    called = suite.changes.subjects.resolve(
        other.path, other.function, passed.function, passed.imported
    )
    if called is None:
        return False
    facts = suite.facts(called.path)
    for function in () if facts is None else facts.functions:
        if (function.line, function.name) == (called.line, called.name):
            text = _statements(suite.lines(called.path, function.line, function.end_line))
            named = re.escape(parameter)
            rest = re.sub(_ADDS.format(name=named), "", text, flags=re.MULTILINE)
            return re.search(rf"\b{named}\b", rest) is None
    return False


def _reading(suite: Suite, source: Fixture, name: str) -> str:
    """What follows an object where its attribute is read: by name, or by what may read it.

    Of a class that was read, the methods and properties that name the attribute; of another one
    any method, and whatever the object is handed to.
    """
    made = _class_of(suite, source)
    readers = [name]
    if made is None:
        return rf"(?:\.{re.escape(name)}\b|\.\w+\(|(?![\w.]))"
    for holder in suite.linker.lineages.of(made).classes:
        facts = suite.facts(holder.module)
        for function in () if facts is None else facts.functions:
            if function.owner == holder.index and function.name != "__init__":
                text = suite.lines(holder.module, function.line, function.end_line)
                if f".{name}" in text:
                    readers.append(function.name)
    return rf"\.(?:{'|'.join(map(re.escape, readers))})\b"


def _class_of(suite: Suite, source: Fixture) -> ClassValue | None:
    """The class, of those that were read, of the object that a fixture makes."""
    expression = _handed(source)
    assert source.path is not None
    space = suite.evaluator.module(source.path)
    if not isinstance(expression, Call) or space is None:
        return None
    made = suite.evaluator.evaluate(expression.func, space)
    return made if isinstance(made, ClassValue) else None


def _statements(text: str) -> str:
    """A function's text below its parameters."""
    head = re.search(r"\)\s*(?:->[^\n]*)?:[ \t]*(?:#[^\n]*)?\n", text)
    return text if head is None else text[head.end() :]


def _is_undone(suite: Suite, actor: Actor, change: Change, parameter: str, source: Fixture) -> bool:
    """Whether the change is put back after the test, or by the fixture that keeps the value."""
    last = change.name if change.kind == "attribute" else change.target[-1]
    if last == "[]":
        return True
    # What a fixture does with the object when the test is over may undo it.
    _, _, after = body_of(suite, actor).partition("yield")
    if actor.kind == "fixture" and re.search(rf"\b{re.escape(parameter)}\.\w+\(", after):
        return True

    def touches(_: Actor, other: Change) -> bool:
        if other.kind == "call" and other.target == ("monkeypatch",):
            return parameter in re.split(r"\W", other.key)
        same = other.target == change.target
        return same and (other.name == change.name or other.kind in ("call", "del", "item"))

    def undoes(other: Change) -> bool:
        return other.kind == "del" or other.by_name or other.name in ("pop", "clear", "remove")

    # An attribute or item put back by its name, or a method that empties or resets.
    given = rf"\.{re.escape(change.name)}\s*=[^=]" if change.kind == "attribute" else r"\[.+\]\s*="
    names = "|".join(re.escape(name) for name in sorted({source.name, parameter}))
    pattern = rf"\b(?:{names})\b[\w.]*(?:{given}|\.(?:clear|pop|update)\(|\.\w*reset)"
    verdict = judge(suite, actor, change, touches, undoes, re.compile(pattern))
    return verdict != "left"
