"""What tests change by calling a function of the project that changes it and leaves it so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from scopecheck.checks.blocks import is_after_exit, is_in_loop
from scopecheck.checks.leaks import matches, may_restore, symbol_of, text_of, writers
from scopecheck.checks.once import once
from scopecheck.checks.wording import at
from scopecheck.facts import CHANGES
from scopecheck.finding import Place
from scopecheck.suite.changes import Actor, is_test_code
from scopecheck.suite.values import ClassValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scopecheck.checks.leaks import Verdict
    from scopecheck.facts import Change, FileFacts, Function
    from scopecheck.suite import Suite

_MAX_CALLS = 3
_Made: TypeAlias = "tuple[Actor, Change]"


class Left(NamedTuple):
    """A change that a function leaves for the tests that call it.

    by: the function. calls: the actors that it is left for, with the call.
    """

    by: Actor
    made: Change
    verdict: Verdict
    calls: tuple[tuple[Actor, Change], ...]

    @property
    def is_of_tests(self) -> bool:
        """Whether the function is one of the tests, and not of the code under test."""
        return is_test_code(self.by.path)

    @property
    def place(self) -> Place:
        """Where the fault is: in a function of the tests, else at the call."""
        actor, change = self.calls[0]
        return self.made_at if self.is_of_tests else Place(actor.path, change.span)

    @property
    def made_at(self) -> Place:
        """Where the change is made."""
        return Place(self.by.path, self.made.span)

    @property
    def symbol(self) -> str:
        """`path::function` of what is at fault."""
        if self.is_of_tests:
            return f"{self.by.path}::{self.by.function.name}"
        return symbol_of(self.calls[0][0])

    def related(self, done: str) -> Iterator[Place]:
        """The other places: calls, or where the code under test makes the change."""
        if not self.is_of_tests:
            yield at(self.made_at, f"it is {done} here")
            return
        for actor, change in self.calls[:3]:
            yield at(Place(actor.path, change.span), f"`{self.by.function.name}` is called here")

    @property
    def tests(self) -> frozenset[str]:
        """The node ids of the tests that it is left by."""
        return frozenset(item.nodeid for actor, _ in self.calls for item in actor.items)


class Helpers:
    """The functions that change something and leave it so.

    Args:
        suite: the suite.
        leaves: the changes of a function that it does not put back.
    """

    def __init__(
        self,
        suite: Suite,
        leaves: Callable[[Actor], Iterator[Change]],
    ) -> None:
        self._suite = suite
        self._found: dict[tuple[str, int, int], list[_Made]] = {}
        # The names of those of them that are methods, and of those that are not.
        self._methods: set[str] = set()
        self._plain: set[str] = set()
        self._find_direct(leaves)
        names = self._names
        for _ in range(_MAX_CALLS):
            more = self._indirect(names)
            if not more:
                break
            names = more
        self._calls = self._calls_of(self._names)
        self._named = _named(self._names)

    def left(self, judged: Callable[[Actor, Actor, Change, Change], Verdict]) -> Iterator[Left]:
        """What the functions leave for the tests, in the order of the functions.

        Args:
            judged: what becomes of a call of an actor that makes a function's change.
        """
        if self._calls is None:
            return
        found: dict[tuple[str, Change], list[tuple[Actor, Change, Verdict]]] = {}
        makers: dict[tuple[str, Change], Actor] = {}
        for actor in writers(self._suite, self._calls):
            if not matches(self._suite, actor, self._calls) or not self._may_call(actor):
                continue
            if self._is_called_around(actor):
                continue
            whole = self._suite.changes.whole(actor)
            for call, by, made in () if _is_undone_by_a_call(whole) else self._called(whole):
                verdict = judged(actor, by, call, made)
                key = (by.path, made)
                if verdict != "restored" and all(a is not actor for a, _, _ in found.get(key, ())):
                    found.setdefault(key, []).append((actor, call, verdict))
                    makers[key] = by
        for key in sorted(found, key=lambda key: (key[0], key[1].span.line)):
            verdicts = {verdict for _, _, verdict in found[key]}
            calls = tuple((actor, call) for actor, call, _ in found[key])
            yield Left(makers[key], key[1], "left" if "left" in verdicts else "inline", calls)

    def _is_called_around(self, actor: Actor) -> bool:
        """Whether a fixture or xunit function of each test calls such a function, too.

        It may put back what the actor leaves.
        """
        assert self._named is not None
        for item in actor.items:
            others = [o for o in self._suite.changes.around(item) if o is not actor]
            if not any(self._named.search(text_of(self._suite, other)) for other in others):
                return False
        return True

    @property
    def _names(self) -> set[str]:
        return self._methods | self._plain

    def _find_direct(self, leaves: Callable[[Actor], Iterator[Change]]) -> None:
        for helper in _changing(self._suite):
            left = [c for c in leaves(helper) if _is_certain(self._suite, helper, c)]
            if left:
                self._suite.counts(helper.path)
                self._found[_key(helper.path, helper.function)] = [(helper, c) for c in left]
                self._add_name(helper.function)

    def _add_name(self, function: Function) -> None:
        (self._methods if function.owner >= 0 else self._plain).add(function.name)

    def _calls_of(self, names: set[str]) -> re.Pattern[str] | None:
        """A pattern for what the text of a function has that calls one of these names."""
        methods = sorted(map(re.escape, names & self._methods))
        plain = sorted(map(re.escape, names & self._plain))
        either = [rf"\b(?:{'|'.join(plain)})\("] if plain else []
        either += [rf"\.(?:{'|'.join(methods)})\("] if methods else []
        return re.compile("|".join(either)) if either else None

    def _may_call(self, actor: Actor) -> bool:
        """Whether one of the calls in a text that matches can be one of the functions.

        A method is called by another one of its class only, and a function by a name that the
        file has, or that is written in the text otherwise than in a call. (An item of `set(...)`.)
        """
        assert self._named is not None
        text = text_of(self._suite, actor)
        for found in self._named.finditer(text):
            point, name = found.groups()
            if point:
                if name in self._plain or actor.function.owner >= 0:
                    return True
            elif name in self._plain and not text.endswith("def ", 0, found.start()):
                bound = self._suite.changes.subjects.bound_in(actor.path)
                if name in bound or re.search(rf"\b{re.escape(name)}\b(?!\()", text):
                    return True
        return False

    def _indirect(self, names: set[str]) -> set[str]:
        """The functions of the tests that call one of these names, and leave what it leaves."""
        words, self._named = self._calls_of(names), _named(names)
        found: list[Function] = []
        for path in sorted(self._suite.own_files) if words is not None else ():
            facts = self._suite.facts(path) if is_test_code(path) else None
            if facts is None or words is None or not self._suite.has(path, words):
                continue
            for function in facts.functions:
                key = _key(path, function)
                if key in self._found or self._suite.changes.is_actor(path, function):
                    continue
                helper = Actor("helper", path, function)
                if not _may_be_called(path, function) or not self._may_call(helper):
                    continue
                whole = self._suite.changes.whole(helper)
                called = () if _is_undone_by_a_call(whole) else self._called(whole)
                left = [(b, m) for c, b, m in called if _is_certain(self._suite, helper, c)]
                if left:
                    self._suite.counts(path)
                    self._found[key] = left
                    found.append(function)
        for function in found:
            self._add_name(function)
        return {function.name for function in found}

    def _called(self, whole: Actor) -> Iterator[tuple[Change, Actor, Change]]:
        """The calls of functions that leave something, each with the function and its change."""
        names = self._names
        for change in whole.changes:
            if change.kind != "call" or change.name not in names:
                continue
            for by, made in self._found.get(self._resolved(whole, change) or ("", 0, 0), ()):
                yield change, by, made

    def _resolved(self, actor: Actor, change: Change) -> tuple[str, int, int] | None:
        """The function that a call calls."""
        function = actor.function
        own = function.parameters[0].name if function.owner >= 0 and function.parameters else ""
        if own and change.target == (own,):
            return self._method(actor, change.name)
        target = (*change.target, change.name)
        found = self._suite.changes.subjects.resolve(actor.path, function, target, change.imported)
        if found is None or found.kind != "function" or found.rest:
            return None
        called = self._suite.changes.function_at(found.path, found.line)
        return None if called is None else _key(found.path, called)

    def _method(self, actor: Actor, name: str) -> tuple[str, int, int] | None:
        """The method of an actor's class, or of a base of it."""
        facts = self._suite.facts(actor.path)
        space = self._suite.evaluator.module(actor.path)
        if facts is None or space is None:
            return None
        owner = actor.function.owner
        holder = ClassValue(actor.path, facts.classes[owner], space, owner)
        for each in self._suite.linker.lineages.of(holder).classes:
            inside = self._suite.facts(each.module)
            for function in () if inside is None else inside.functions:
                if function.owner == each.index and function.name == name:
                    return _key(each.module, function)
        return None


@once
def _changing(suite: Suite) -> list[Actor]:
    """The functions that no test is and no fixture, that change something when they are called."""
    return [
        Actor("helper", path, function)
        for path in sorted(suite.own_files)
        for function in suite.found(path, _may_change) or ()
        if not suite.changes.is_actor(path, function)
    ]


def _may_change(facts: FileFacts) -> tuple[Function, ...]:
    """The functions of a file that change something when they are called."""
    return tuple(
        function
        for function in facts.functions
        # What rules most out is looked at first.
        if function.has & CHANGES and _may_be_called(facts.path, function)
    )


def _key(path: str, function: Function) -> tuple[str, int, int]:
    return (path, function.line, function.span.column)


def _named(names: set[str]) -> re.Pattern[str] | None:
    """A pattern for one of these names before a parenthesis, and the point before it."""
    either = "|".join(map(re.escape, sorted(names)))
    return re.compile(rf"(\.\s*)?\b({either})\(") if names else None


def _may_be_called(path: str, function: Function) -> bool:
    """Whether a call of a function does all that it does: no generator, fixture or lambda."""
    if function.is_generator or function.kept_decorators or function.name == "<lambda>":
        return False
    # Of the code under test only functions: what its methods do is for its objects.
    return function.owner < 0 or is_test_code(path)


def _is_certain(suite: Suite, helper: Actor, change: Change) -> bool:
    """Whether each call of a function makes a change, once."""
    first, line = helper.function.line, change.span.line
    if change.condition or change.final or change.nested:
        return False
    if any(may_restore(name) for name in change.under):
        return False
    return not (
        is_in_loop(suite, helper.path, first, line)
        or is_after_exit(suite, helper.path, first, line)
    )


def _is_undone_by_a_call(whole: Actor) -> bool:
    """Whether something is called when the test is over, which may put anything back."""
    return any(
        change.kind == "call" and (change.final or change.nested) for change in whole.changes
    )
