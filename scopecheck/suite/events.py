"""What the tests of a suite do with events: contracts in force, and what each test asserts of them.

A test's uses are its own and those of the helpers that it calls, a few calls deep. A constant that
an assertion names (`REQUIRED_EVENTS`, `EventType.STARTED`) stands for its strings; where they are
not known, what the test asserts is open, and nothing is said of what it lacks.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.evidence import EventForms
from scopecheck.expressions import Call, Const, Items, Name
from scopecheck.finding import Place
from scopecheck.suite.asserting import is_test_path
from scopecheck.suite.contracts import AGENT_EVENTS, AGENT_EVENTS_NEEDED, AGENT_PRESET
from scopecheck.suite.values import (
    MISSING,
    ClassValue,
    Dictionary,
    External,
    FixtureValue,
    FunctionValue,
    Literal,
    ModuleValue,
    PackageValue,
    Result,
    Sequence,
    Unknown,
)
from scopecheck.whole import known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scopecheck.evidence import Capture, Constant, EventUse, WordUse
    from scopecheck.facts import BoundValue, FileFacts, Function
    from scopecheck.suite.asserting import Asserting
    from scopecheck.suite.contracts import Contract
    from scopecheck.suite.link import Linker
    from scopecheck.suite.model import Item
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.values import Value
    from scopecheck.whole import Whole

CAPTURING_FIXTURES = frozenset(
    {"caplog", "capsys", "capfd", "capsysbinary", "capfdbinary", "recwarn"}
)
"""pytest's own fixtures that capture."""
NO_FORMS = EventForms()
_MAX_CALLS = 4
# What constants with the names of events are called.
_LISTS = ("REQUIRED", "EXPECTED", "EVENTS", "MANDATORY", "CRITICAL", "ALL_")
ASSERTED: frozenset[WordUse] = frozenset({"member", "equal"})


class Use(Struct, frozen=True):
    """One name in a test, or in a helper that it calls; place: of the string, where it has one."""

    word: str
    use: WordUse
    place: Place | None = None
    own: bool = True


class Story(Struct):
    """What one test does with events.

    uses: of names, its helpers' included. open: it asserts something whose names are not known.
    captures: what it captures itself, parameters that are no recorders left out.
    constants: names of lists, with the strings in them.
    """

    item: Item
    facts: EventUse
    captures: tuple[Capture, ...] = ()
    uses: list[Use] = field(default_factory=list)
    open: bool = False
    ordered: bool = False
    constants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    helpers: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the test function."""
        return self.item.nodeid.rpartition("::")[2]

    def events(self, contract: Contract, uses: Iterable[WordUse]) -> dict[str, Use]:
        """The contract's events that the test has in one of these uses."""
        wanted = frozenset(uses)
        found: dict[str, Use] = {}
        for use in self.uses:
            if use.use in wanted and (event := contract.event(use.word)) is not None:
                found.setdefault(event, use)
        return found

    def asserted(self, contract: Contract) -> dict[str, Use]:
        """The contract's events that the test asserts to be there."""
        return self.events(contract, ASSERTED)

    def mentioned(self, contract: Contract) -> dict[str, Use]:
        """The contract's events that the test names in any way."""
        return self.events(contract, ("member", "equal", "any", "some", "absent", "sent", "other"))


class Events:
    """The events of one suite.

    Args:
        linker: of the suite.
        items: its tests.
        files: the facts of its own files.
        asserting: which functions may fail a test.
        text: of a file.
        read: what one function has to do with events, in the forms of the configuration.
        configured: the contracts of the configuration.
        whole: what is known of the suite that this is a part of.
    """

    def __init__(
        self,
        linker: Linker,
        items: Iterable[Item],
        files: Callable[[], Iterable[FileFacts]],
        asserting: Asserting,
        text: Callable[[str], str],
        read: Callable[[str, Function, EventForms], EventUse | None],
        configured: tuple[Contract, ...],
        whole: Whole | None = None,
    ) -> None:
        self._whole = whole
        self._linker = linker
        self._evaluator = linker.evaluator
        self._items = items
        self._files = files
        self._asserting = asserting
        self._text = text
        self._read = read
        self._configured = configured
        self._forms = _forms(configured)
        # The lines of a file that have such words.
        self._words_in: dict[str, list[int]] = {}
        self._known: dict[tuple[str, int], EventUse | None] = {}

    @cached_property
    def contracts(self) -> tuple[Contract, ...]:
        """The contracts in force: those of the configuration, else the presets that fit."""
        if self._whole is not None:
            # What a contract asks for, all tests answer together.
            known(self._whole.contracts is False or None)
            return ()
        if self._configured:
            return self._configured
        names: set[str] = set()
        for facts in self._files():
            names.update(event_names(facts))
        if len(names.intersection(AGENT_EVENTS)) >= AGENT_EVENTS_NEEDED:
            return (AGENT_PRESET,)
        return ()

    @cached_property
    def stories(self) -> tuple[Story, ...]:
        """What each test that has to do with events does with them, each function once."""
        told: set[tuple[str, int, str]] = set()
        found: list[Story] = []
        unworded = self._words is None
        for item in self._items:
            function = item.function
            if function is None or item.refusal is not None:
                continue
            if unworded and function.events is None and is_test_path(item.place.path):
                continue
            events = self._events(item.place.path, function)
            key = (item.place.path, function.line, item.nodeid.partition("::")[2])
            if events is not None and key not in told:
                told.add(key)
                found.append(self._story(item, function, events))
        return tuple(found)

    @cached_property
    def sent(self) -> frozenset[str]:
        """Every name that a test, or a helper of one, sends itself."""
        if self._whole is not None:
            return known(self._whole.sent)
        return frozenset(name for facts in self._files() for name in sent_names(facts))

    def _events(self, path: str, function: Function) -> EventUse | None:
        """What a function has to do with events.

        It is read again where the configuration has words of its own for events, and where it is a
        helper that does not lie with the tests.
        """
        if is_test_path(path):
            if self._forms == NO_FORMS and function.events is not None:
                return function.events
            if function.events is None and not self._is_worded(path, function):
                return None
        elif not self._asserting.asserts(path, function):
            return None
        return self._reread(path, function)

    def _reread(self, path: str, function: Function) -> EventUse | None:
        key = (path, function.line)
        if key not in self._known:
            self._known[key] = self._read(path, function, self._forms)
        return self._known[key]

    @cached_property
    def _words(self) -> re.Pattern[str] | None:
        return _words(self.contracts)

    def _is_worded(self, path: str, function: Function) -> bool:
        """Whether a function's text has a word that the configuration makes one of events."""
        if self._words is None:
            return False
        if path not in self._words_in:
            text = self._text(path).split("\n")
            found = [number for number, line in enumerate(text, 1) if self._words.search(line)]
            self._words_in[path] = found
        lines = self._words_in[path]
        return bisect_left(lines, function.line) < bisect_right(lines, function.end_line)

    def _story(self, item: Item, function: Function, events: EventUse) -> Story:
        captures = tuple(c for c in events.captures if self._is_capture(item, c))
        story = Story(item, events, captures)
        space = self._evaluator.module(item.place.path)
        if space is None:
            story.open = True
            return story
        self._collect(story, function, item.place.path, space, 0, set())
        return story

    def _collect(
        self,
        story: Story,
        function: Function,
        path: str,
        space: Namespace,
        depth: int,
        seen: set[tuple[str, int]],
    ) -> None:
        key = (path, function.line)
        events = self._events(path, function)
        if key in seen or events is None:
            return
        seen.add(key)
        own = depth == 0
        story.ordered = story.ordered or events.ordered
        story.open = story.open or events.open
        for word in events.words:
            if not own and word.use in ("sent", "other"):
                continue
            story.uses.append(Use(word.text, word.use, Place(path, word.span), own))
        if not self.contracts:
            # Nobody asks what helpers and constants say.
            story.helpers.extend(events.calls)
            return
        for constant in events.constants:
            self._constant(story, constant, space, constant.use, own=own)
        for verdict in events.verdicts:
            self._verdict(story, verdict, space, own=own)
        if depth >= _MAX_CALLS:
            return
        for parts in events.calls:
            story.helpers.append(parts)
            value = self._callee(story.item, parts, space, own=own)
            if isinstance(value, FunctionValue):
                self._collect(story, value.function, value.module, value.env, depth + 1, seen)

    def _constant(
        self, story: Story, constant: Constant, space: Namespace, use: WordUse, *, own: bool
    ) -> None:
        """Takes in the strings that a name in an assertion stands for."""
        words = self._strings(self._evaluator.evaluate(Name(constant.parts), space))
        if words:
            story.constants[".".join(constant.parts)] = words
            story.uses.extend(Use(word, use, None, own) for word in words)
        elif words is None and use in ("member", "equal", "any"):
            story.open = True
            if len(constant.parts) > 1 and constant.parts[-1].isupper():
                # A member of an enum that was not read: `EventType.RUN_STARTED`.
                name = constant.parts[-1]
                story.uses.extend(Use(word, use, None, own) for word in (name, name.lower()))

    def _verdict(self, story: Story, verdict: Constant, space: Namespace, *, own: bool) -> None:
        """Takes in what the result of a function says that a test asserts."""
        value = self._callee(story.item, verdict.parts, space, own=own)
        if not isinstance(value, FunctionValue):
            return
        if verdict.use not in ("equal", "member"):
            return
        events = self._reread(value.module, value.function)
        if events is None:
            return
        for word in events.told:
            story.uses.append(Use(word.text, word.use, Place(value.module, word.span), own=False))
        for constant in events.told_constants:
            self._constant(story, constant, value.env, constant.use, own=False)

    def _is_capture(self, item: Item, capture: Capture) -> bool:
        """Whether a parameter is a list that a fixture made for others to fill."""
        name = capture.name
        if capture.source != name or "." in name or name in CAPTURING_FIXTURES:
            return True
        if self._forms.captured(name):
            return True
        for edge in item.plan.edges if item.plan is not None else ():
            if edge.asker is None and edge.request == name:
                function = edge.answer.function
                return function is not None and _makes_empty_list(function)
        return False

    def _callee(self, item: Item, parts: tuple[str, ...], space: Namespace, *, own: bool) -> Value:
        """The function that a name stands for in a test, a fixture or a helper."""
        if own and item.function is not None and item.plan is not None:
            if parts[0] == "self" and len(parts) == 2:
                return self._method(item, parts[1])
            for edge in item.plan.edges:
                if edge.asker is None and edge.request == parts[0]:
                    fixture = edge.answer
                    if fixture.function is None or fixture.path is None:
                        return MISSING
                    home = self._evaluator.module(fixture.path)
                    if home is None:
                        return MISSING
                    return FunctionValue(fixture.path, fixture.function, home)
        value = self._evaluator.evaluate(Name(parts), space)
        return value.function if isinstance(value, FixtureValue) else value

    def _method(self, item: Item, name: str) -> Value:
        space = self._evaluator.module(item.path)
        owner: ClassValue | None = None
        for part in item.nodeid.split("::")[1:-1]:
            value = self._evaluator.lookup(space, part) if space is not None else MISSING
            owner = value if isinstance(value, ClassValue) else None
            space = self._evaluator.class_space(owner) if owner is not None else None
        for holder in self._linker.lineages.of(owner).classes if owner is not None else ():
            value = self._evaluator.lookup(self._evaluator.class_space(holder), name)
            if value != MISSING:
                return value
        return MISSING

    def _strings(self, value: Value) -> tuple[str, ...] | None:
        """The strings that a constant stands for; None where they are not known."""
        match value:
            case Literal(value=str(text)):
                return (text,)
            case Literal():
                return ()
            case Sequence(items=items):
                found = [self._strings(item) for item in items]
                if not value.complete or any(one is None for one in found):
                    return None
                return tuple(text for one in found for text in one or ())
            case Dictionary(items=pairs):
                return tuple(key for key, _ in pairs)
            case ClassValue():
                return tuple(self._members(value))
            case External() | FunctionValue() | ModuleValue() | PackageValue() | FixtureValue():
                return ()
            case Unknown() | Result():
                return None
        return None if value == MISSING else ()

    def _members(self, value: ClassValue) -> Iterator[str]:
        """The strings of an enum's members, and of a class that is used as one."""
        for binding in value.class_.bindings:
            if isinstance(binding.value, Const) and isinstance(binding.value.value, str):
                yield binding.value.value


def event_names(facts: FileFacts) -> Iterator[str]:
    """Every name in a file that may be that of an event."""
    for binding in facts.bindings:
        if binding.name.isupper():
            yield from _strings_in(binding.value)
    if is_test_path(facts.path):
        for function in facts.functions:
            for word in () if function.events is None else function.events.words:
                yield word.text


def sent_names(facts: FileFacts) -> Iterator[str]:
    """The names of events that the functions of a file send themselves."""
    for function in facts.functions:
        for word in () if function.events is None else function.events.words:
            if word.use == "sent":
                yield word.text


def _strings_in(value: BoundValue) -> Iterator[str]:
    """The strings of a constant, or of a list, tuple or set of them."""
    match value:
        case Const(value=str(text)):
            yield text
        case Items(items=items):
            for item in items:
                if isinstance(item, Const) and isinstance(item.value, str):
                    yield item.value
        case Call(args=[Items() as items]):
            yield from _strings_in(items)


def _makes_empty_list(function: Function) -> bool:
    """Whether a fixture hands out an empty list."""
    if function.handout is None or len(function.handout.values) != 1:
        return False
    ((value, _),) = function.handout.values
    if isinstance(value, Name) and len(value.parts) == 1:
        bound = [one.value for one in function.bindings if one.name == value.parts[0]]
        return len(bound) == 1 and bound[0] == Items(())
    return value == Items(())


def _forms(contracts: Iterable[Contract]) -> EventForms:
    """How all of the contracts say that events are captured and named."""
    contracts = tuple(contracts)
    keys = [contract.name_at for contract in contracts]
    return EventForms(
        tuple(glob for contract in contracts for glob in contract.capture),
        tuple(dict.fromkeys(key for one in keys for key in one)) if all(keys) else (),
    )


def _words(contracts: Iterable[Contract]) -> re.Pattern[str] | None:
    """What a text has that has one of the contracts' events, or captures as they say."""
    contracts = tuple(contracts)
    words = {
        max(re.split(r"[*?.]|\[.*\]", glob), key=len)
        for contract in contracts
        for glob in contract.capture
    }
    words.update(name for contract in contracts for name in contract.names)
    words.update(_LISTS if words else ())
    return re.compile("|".join(map(re.escape, sorted(words)))) if words else None
