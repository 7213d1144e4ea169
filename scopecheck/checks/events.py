"""Events that tests capture, and what they assert of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at, listed, symbol_of_test
from scopecheck.evidence import Callee, is_single
from scopecheck.finding import Fault, Place
from scopecheck.suite.contracts import AGENT_PRESET
from scopecheck.suite.events import ASSERTED, CAPTURING_FIXTURES
from scopecheck.suite.vocabulary import meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.evidence import Capture
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.contracts import Contract
    from scopecheck.suite.events import Story, Use
    from scopecheck.suite.model import Item

# What a test says that it is about, in its name.
_SENDS = re.compile(r"event|emit|notif|broadcast|publish|sends_|_sent(?:_|$)")
_LOGS = re.compile(r"(?:^|_)(?:logs|logged|logging|warns?|warned)(?:_|$)")
_PRINTS = re.compile(r"(?:^|_)(?:prints?|printed|echo(?:es)?)(?:_|$)|_outputs?$")
_RECORDED = re.compile(r"(?:^|_)(?:warns?|warnings?|deprecat\w*)(?:_|$)")
_NAMED_FOR = {"caplog": _LOGS, "recwarn": _RECORDED, "catch_warnings": _RECORDED}
_PLAINLY = re.compile(
    r"(?:^|_)(?:no|not|never|without|doesnt|dont|ignores?|disabled|suppress\w*)_(?:[a-z]+_)?"
    r"(?:logs?|logg\w*|warn\w*|emit\w*|send|sent|events?|publish\w*|notif\w*|messages?|print\w*)"
    r"|silent|quiet"
)
# Several contexts, in a name.
_SEVERAL = re.compile(
    r"(?:^|_)(?:two|both|other|others|each|only|private|isolat\w*|cross|separate\w*|multi\w*"
    r"|concurrent\w*|leak\w*|users|clients|sessions|connections|rooms?|tenants?)(?:_|$)"
)
# The whole contract, in a name or in words.
_ALL = re.compile(
    r"(?:^|_|\b)(?:all|every|complete|full|entire|whole|required|five)(?:_|\b)"
    r"(?:\w*[_\s]){0,4}?(?:events?|sequence|lifecycle|flow)\b"
    r"|events?(?:_\w+)*_(?:complete|all)(?:_|$)|(?:^|_)(?:all|every|complete|full)_(?:\w+_)*events"
)
_ALL_IN_WORDS = re.compile(
    # Not a kind of events, or what is so of each: "all text events have one id".
    r"\b(?:all|every|complete set of|the (?:five|5))\s+(?:(?:\d+|five|of the|the|required|expected"
    r"|mandatory|critical|necessary|lifecycle|agent|websocket)\s+){0,4}events?\b"
    r"(?!\s+(?:should\s+|must\s+)?(?:ha[sv]e?|referenc\w*|produces?|contains?|includes?|carry|share"
    r"|from\s+\S+\s+produces?)\b)"
)
_EVENTS_IN_WORDS = re.compile(r"\b(?:events?|notifications?|messages|emit\w*)\b")
# A test of what goes wrong, or of a part.
_PARTIAL = re.compile(
    r"error|fail|timeout|timed_out|cancel|crash|exception|interrupt|disconnect|invalid|reject"
    r"|deny|denied|unknown|partial|abort|without|missing|stop|retry|recover|no_tool|not_|only"
    r"|single|first|last|before|until|pending|during|unauthorized|refus|except|limit"
)
_REQUIRED_LIST = re.compile(r"(?:^|_|\.)(?:ALL|REQUIRED|EXPECTED|CRITICAL|MANDATORY)(?:_|$)")
_PRINTING = ("capsys", "capfd", "capsysbinary", "capfdbinary")
_SETS = (*CAPTURING_FIXTURES, "catch_warnings")


@looks("far")
def events_not_asserted(suite: Suite) -> Iterator[Fault]:
    """SCP501: a test that captures events and asserts nothing about them."""
    for story in suite.events.stories:
        if story.item.skipped or _PLAINLY.search(story.name):
            continue
        for capture in story.captures:
            promise = _promise(suite, story, capture)
            if promise and not _is_followed(suite, story, capture):
                yield _unasserted(suite, story, capture)
                break


def _promise(suite: Suite, story: Story, capture: Capture) -> bool:
    """Whether a test says that it is about what it captures."""
    name = story.name
    if capture.fate not in ("unused", "reported", "exists"):
        return False
    root = capture.source.partition(".")[0]
    if root in _SETS:
        wanted = _NAMED_FOR.get(root, _PRINTS)
        # A mark or an option may need the fixture; a mock of the logger is asserted in its place.
        return (
            (capture.fate == "unused" or (capture.source != root and capture.fate == "reported"))
            and bool(wanted.search(name))
            and not capture.handed
            and not any(
                "log" in use.word or "warn" in use.word for use in story.uses if _claims(use)
            )
            and not any(_about_logs(parts, root) for parts in story.helpers)
            and not _has_handler(suite, story.item)
        )
    if not _speaks(suite, story, capture) or capture.handed:
        return False
    if is_single(capture) and _checks(suite, story):
        # One message that is received and dropped: often a step of a protocol.
        return False
    if capture.fate == "exists" and not (
        _ALL.search(name) or _ALL_IN_WORDS.search(story.facts.doc)
    ):
        return False
    asserted = any(_claims(use) and _is_event(suite, use) for use in story.uses)
    return not asserted


def _has_handler(suite: Suite, item: Item) -> bool:
    """Whether a fixture that every test has handles logs, and may let a test fail by one."""
    return item.plan is not None and any(
        fixture.autouse
        and fixture.path is not None
        and fixture.function is not None
        and "addHandler(" in suite.lines(fixture.path, fixture.line, fixture.function.end_line)
        for fixture in item.plan.order
    )


def _speaks(suite: Suite, story: Story, capture: Capture) -> bool:
    """Whether a test says that it is about the events that it captures."""
    if _SENDS.search(story.name):
        return True
    for contract in suite.events.contracts:
        if contract.is_full_flow(story.item.place.path):
            return True
        configured = contract.captures(capture.source or capture.name)
        if configured and _EVENTS_IN_WORDS.search(story.facts.doc):
            return True
        if len(story.events(contract, ("other",))) > 1:
            return True
    return False


def _checks(suite: Suite, story: Story) -> bool:
    """Whether a test may fail on purpose, whatever it asserts."""
    function = story.item.function
    evidence = None if function is None else function.evidence
    if evidence is None or evidence.checked or evidence.checks:
        return True
    return suite.asserting.calls_a_check(story.item, evidence.callees)


def _claims(use: Use) -> bool:
    return use.use in ASSERTED or use.use in ("any", "absent")


def _about_logs(parts: tuple[str, ...], root: str) -> bool:
    """Whether a call logs, or looks at what was logged, printed or warned of, in another way."""
    if parts[0] in (root, "warnings") and root not in ("caplog", *_PRINTING):
        return False
    if parts[0] == "logging":
        return True
    return parts[0] != root and bool(re.search(r"log|warn|captur|output|readouterr", parts[-1]))


def _is_event(suite: Suite, use: Use) -> bool:
    """Whether a string or method in an assertion is an event, or may be."""
    if any(contract.event(use.word) for contract in suite.events.contracts):
        return True
    return use.word.startswith(".") or use.word in suite.events.sent


def _is_followed(suite: Suite, story: Story, capture: Capture) -> bool:
    """Whether something that the capture is handed to may assert on it."""
    return suite.asserting.calls_a_check(story.item, [Callee(parts) for parts in capture.handed])


def _unasserted(suite: Suite, story: Story, capture: Capture) -> Fault:
    path = story.item.place.path
    what = f"`{capture.name}`"
    if capture.source in _SETS:
        message = f"`{story.name}` captures with {what} and never looks at what was captured"
    elif is_single(capture):
        message = f"`{capture.source}()` receives an event, and nothing is asserted of it"
    elif capture.fate == "exists":
        message = f"{what} holds captured events, and only that there are some is asserted"
    elif capture.fate == "reported":
        message = f"{what} holds captured events, and they are only logged or printed"
    else:
        message = f"{what} holds captured events, and nothing is asserted of them"
    related = [at(story.item.place, "the test's name speaks of them")]
    if not _SENDS.search(story.name) and capture.source.partition(".")[0] not in _SETS:
        related = [at(story.item.place, "the test says that it is about events")]
    if capture.shown is not None:
        what = "that there are some is asserted" if capture.fate == "exists" else "only logged"
        related.append(at(Place(path, capture.shown), what))
    notes = ["the test passes when none are sent"]
    if capture.source.partition(".")[0] not in _SETS:
        notes += [
            f"nothing of the contract `{contract.name}` is asserted: {_quoted(contract.required)}"
            for contract in suite.events.contracts
            if contract.required and (len(suite.events.contracts) == 1 or story.mentioned(contract))
        ]
    return Fault(
        Place(path, capture.span),
        message,
        symbol_of_test(story.item),
        tuple(related),
        notes=tuple(notes),
        help="assert which events came",
        tests=frozenset((story.item.nodeid,)),
    )


@looks("far")
def incomplete_event_assertion(suite: Suite) -> Iterator[Fault]:
    """SCP502: a test that promises the whole contract and asserts a part of it."""
    for contract in suite.events.contracts:
        required = contract.required
        for story in suite.events.stories if len(required) > 1 else ():
            asserted = story.asserted(contract)
            lacks = [name for name in required if name not in asserted]
            some = len(story.events(contract, ("some",))) > 1
            if not lacks or (len(lacks) == len(required) and not some):
                continue
            if not _promises_all(story, contract):
                continue
            if story.item.skipped or story.open or _helped(story, contract):
                continue
            named = story.mentioned(contract)
            if any(named[name].use in ("absent", "any") for name in lacks if name in named):
                continue
            yield _incomplete(story, contract, lacks, some=some)


def _promises_all(story: Story, contract: Contract) -> bool:
    name = story.name.lower()
    if _PARTIAL.search(name.removeprefix("test_")):
        return False
    if contract.is_full_flow(story.item.place.path):
        return True
    if _ALL.search(name) or _ALL_IN_WORDS.search(story.facts.doc):
        return True
    return any(
        _REQUIRED_LIST.search(constant)
        and len(set(words).intersection(contract.required)) > 2
        and any(_claims(use) or use.use == "some" for use in story.uses)
        for constant, words in story.constants.items()
    )


def _helped(story: Story, contract: Contract) -> bool:
    return any(contract.asserts(parts) for parts in story.helpers)


def _incomplete(story: Story, contract: Contract, lacks: list[str], *, some: bool) -> Fault:
    related = [*_asserted_places(story, contract), *_captured(story)]
    if some and len(lacks) == len(contract.required):
        what = "asserts only that some of them came"
        note = "it passes when some of the events are not sent"
    else:
        what = f"does not assert {_quoted(lacks)}"
        note = f"it passes when {_quoted(lacks)} {'is' if len(lacks) == 1 else 'are'} not sent"
    return Fault(
        story.item.place,
        f"`{story.name}` promises every event and {what}",
        symbol_of_test(story.item),
        tuple(related),
        notes=(note,),
        help=f"assert all of the contract `{contract.name}`: {_quoted(contract.required)}",
        tests=frozenset((story.item.nodeid,)),
        names=(contract.name, *lacks),
    )


@looks("far")
def unpaired_event(suite: Suite) -> Iterator[Fault]:
    """SCP504: an assertion of one half of a pair, in a test that could see both."""
    for contract in suite.events.contracts:
        for story in suite.events.stories if contract.pairs else ():
            if story.item.skipped or story.open or _helped(story, contract):
                continue
            if _PARTIAL.search(story.name) or _promises_all(story, contract):
                continue
            if story.ordered:
                # Where some events stand among others is asserted, not which came.
                continue
            named = story.mentioned(contract)
            for half, missing in contract.pairs:
                # What ends may have begun before the test looks: only a beginning wants its end.
                use = story.events(contract, ("member",)).get(half)
                if use is None or missing in named or not use.own or use.place is None:
                    continue
                if half in story.name or not _gathers(story):
                    continue
                yield Fault(
                    use.place,
                    f"`{half}` is asserted and `{missing}`, which belongs to it, is not",
                    symbol_of_test(story.item),
                    tuple(_captured(story)),
                    notes=(f"the test passes when `{missing}` is not sent",),
                    help=f"assert `{missing}`, too",
                    tests=frozenset((story.item.nodeid,)),
                    names=(contract.name, half, missing),
                )


def _gathers(story: Story) -> bool:
    """Whether a test gets its events from the code under test, several at once."""
    if any(use.use == "sent" and use.own for use in story.uses):
        return False
    return bool(story.captures)


@looks("far")
def uncovered_event(suite: Suite) -> Iterator[Fault]:
    """SCP506: a required event that no test asserts."""
    for contract in suite.events.contracts:
        if not _concerns(suite, contract):
            continue
        covered: dict[str, int] = dict.fromkeys(contract.required, 0)
        for story in suite.events.stories:
            if story.open and story.captures and story.asserted(contract):
                break
            for name in story.events(contract, ("member", "equal", "any")):
                if name in covered:
                    covered[name] += 1
            if _helped(story, contract):
                covered = {name: number + 1 for name, number in covered.items()}
        else:
            # A preset is in force by the names alone: only a test that captures shows a stream.
            place = contract.place or _first_capture(suite, contract)
            lacks = [name for name, number in covered.items() if not number]
            for name in lacks if place is not None else ():
                assert place is not None
                yield _uncovered(suite, contract, place, name, covered)


def _concerns(suite: Suite, contract: Contract) -> bool:
    """Whether a suite has to do with a contract's events: a project may have several suites."""
    if any(story.mentioned(contract) for story in suite.events.stories):
        return True
    return not suite.vocabulary.emitted.isdisjoint(contract.names)


def _first_capture(suite: Suite, contract: Contract) -> Place | None:
    """The first capture in a test that asserts an event of the contract."""
    places = [
        Place(story.item.place.path, capture.span)
        for story in suite.events.stories
        if story.asserted(contract)
        for capture in story.captures
        if capture.source not in _SETS
    ]
    return min(places, default=None)


def _uncovered(
    suite: Suite, contract: Contract, place: Place, name: str, covered: dict[str, int]
) -> Fault:
    asserted = sum(1 for number in covered.values() if number)
    return Fault(
        place,
        f"no test asserts `{name}`, which the contract `{contract.name}` requires",
        place.path,
        notes=(
            f"{asserted} of {len(covered)} required events are asserted by some test",
            *(
                ("the contract is a preset: the suite has at least three of its names",)
                if contract is AGENT_PRESET
                else ()
            ),
        ),
        help=f"assert `{name}` in a test of a complete run",
        searched=frozenset(story.item.place.path for story in suite.events.stories)
        | suite.searched,
    )


@looks("far")
def unknown_event_name(suite: Suite) -> Iterator[Fault]:
    """SCP503: a name in an assertion that nothing sends, and that is nearly one that is known."""
    told: set[Place] = set()
    for contract in suite.events.contracts:
        # Code that has none of the names is not the code that sends the events.
        stories = suite.events.stories if suite.vocabulary.knows(contract.names) else ()
        for story in stories:
            if not story.mentioned(contract) and not story.captures:
                continue
            for use in story.uses:
                if use.use not in ("member", "equal", "absent") or not use.own or use.place is None:
                    continue
                if use.place in told or (found := _misspelt(suite, contract, use.word)) is None:
                    continue
                told.add(use.place)
                word, name = found
                of = f"`{contract.name}`"
                yield Fault(
                    use.place,
                    f"`{word}` is no event of the contract {of}, and nothing sends it; did you"
                    f" mean `{name}`?",
                    symbol_of_test(story.item),
                    notes=() if name in contract.names else (f"the tested code sends `{name}`",),
                    help=f"write `{name}`",
                    tests=frozenset((story.item.nodeid,)),
                    names=(word, name),
                )


def _misspelt(suite: Suite, contract: Contract, word: str) -> tuple[str, str] | None:
    """A word, or the method of a mock, that is meant to be another one, and that one."""
    if word.startswith("."):
        method = word[1:]
        prefix = next((one for one in contract.emit_prefixes if method.startswith(one)), None)
        if prefix is None or method in suite.vocabulary.methods:
            return None
        event = method.removeprefix(prefix)
        name = None if event in contract.names else meant(event, contract.names)
        return None if name is None else (method, prefix + name)
    if word in contract.names or word in suite.events.sent:
        return None
    if word in suite.vocabulary.quoted:
        return None
    name = meant(word, contract.names) or meant(word, suite.vocabulary.emitted)
    return None if name is None else (word, name)


@looks("far")
def event_order_unasserted(suite: Suite) -> Iterator[Fault]:
    """SCP505: a test that asserts that events came, and not in which order."""
    for contract in suite.events.contracts:
        for story in suite.events.stories if len(contract.order) > 1 else ():
            asserted = [name for name in contract.order if name in story.asserted(contract)]
            if len(asserted) < 2 or story.ordered or story.open or story.item.skipped:
                continue
            if not _gathers(story) or _helped(story, contract):
                continue
            yield Fault(
                story.item.place,
                f"`{story.name}` asserts that {_quoted(asserted)} came, and not their order",
                symbol_of_test(story.item),
                (*_asserted_places(story, contract), *_captured(story)),
                help="compare the list of names, or their indexes",
                tests=frozenset((story.item.nodeid,)),
            )


@looks("near")
def events_read_too_early(suite: Suite) -> Iterator[Fault]:
    """SCP507: captured events are read before the task that sends them has run at all."""
    for story in suite.events.stories:
        for name, span, made in story.facts.early:
            if story.item.skipped:
                continue
            path = story.item.place.path
            yield Fault(
                Place(path, span),
                f"`{name}` is read before the task that sends the events has run",
                symbol_of_test(story.item),
                (at(Place(path, made), "the task is made here, and runs at the next `await`"),),
                notes=("a task runs only while its maker waits",),
                help="await the task first",
                tests=frozenset((story.item.nodeid,)),
            )


@looks("far")
def cross_context_events(suite: Suite) -> Iterator[Fault]:
    """SCP508: events of several contexts, of which only one's are asserted."""
    for story in suite.events.stories:
        if story.item.skipped or story.open or any(use.use == "absent" for use in story.uses):
            continue
        alike: dict[str, list[Capture]] = {}
        for capture in story.captures:
            if capture.opened and capture.source not in _SETS:
                alike.setdefault(capture.opened, []).append(capture)
        for same in alike.values():
            read = {one.source.partition(".")[0] for one in same if one.fate == "used"}
            silent = [one for one in same if one.source.partition(".")[0] not in read]
            if not read or any(_is_followed(suite, story, one) for one in silent):
                continue
            if silent:
                name, span = silent[0].name, silent[0].span
                message = f"`{name}` is another context's events, and that it has none of the"
                yield _crossing(story, span, f"{message} first one's is not asserted")
                break
        else:
            for name, span in story.facts.unread if _SEVERAL.search(story.name) else ():
                message = f"`{name}` is another context, and that none of the first one's"
                yield _crossing(story, span, f"{message} events come to it is not asserted")
                break


def _crossing(story: Story, span: Span, message: str) -> Fault:
    return Fault(
        Place(story.item.place.path, span),
        message,
        symbol_of_test(story.item),
        help="assert what must not be in it",
        tests=frozenset((story.item.nodeid,)),
    )


def _asserted_places(story: Story, contract: Contract) -> list[Place]:
    """Where each event of the contract is asserted, the first time."""
    return [
        at(use.place, f"`{name}` is asserted")
        for name, use in story.asserted(contract).items()
        if use.place is not None
    ]


def _captured(story: Story) -> list[Place]:
    path = story.item.place.path
    return [
        Place(path, capture.span, "captured here")
        for capture in story.captures
        if capture.source not in _SETS
    ][:2]


def _quoted(names: Iterable[str]) -> str:
    return listed(f"`{name}`" for name in names)
