"""Assertions that are never reached, reach nobody, or are not there at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.checks.once import once
from scopecheck.checks.wording import at, symbol_of_test
from scopecheck.expressions import Call, Name
from scopecheck.facts import CONDITIONAL, DROPPED, LOST, RETURNED, VACUITY
from scopecheck.finding import Fault, Place
from scopecheck.suite import mentions
from scopecheck.suite.values import MISSING, ClassValue, FunctionValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.evidence import Dropped, Evidence, Lost, Returned, Vacuity
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Item

# Tests that are there to show that nothing is raised.
_SMOKE = re.compile(
    r"smoke|not_raise|no_raise|doesnt|does_not|without|no_error|no_exception|no_crash|not_crash"
    r"|not_fail|never|ignore|import|noop|no_op|idempotent|safe|can_|allow|accept|succe|valid|okay|ok$"
)


@looks("near")
def vacuous_loop(suite: Suite) -> Iterator[Fault]:
    """SCP603: all assertions stand in a loop or a condition that nothing shows to be entered.

    Where it is selected by its own name, loops over all that a function returned are told, too.
    """
    everything = not suite.options.selectors.isdisjoint(("SCP603", "vacuous-loop"))
    for item, evidence in _evidence(suite, VACUITY):
        vacuity = evidence.vacuity
        if vacuity is None or item.skipped or not (vacuity.captured or everything):
            continue
        outside = [callee for callee in evidence.callees if callee.outside]
        if suite.asserting.calls_a_check(item, outside) or _gives_a_tuple(suite, item, vacuity):
            continue
        yield _vacuous(item, vacuity)


_RETURN = re.compile(r"^[ \t]+return\b(.*)", re.MULTILINE)
# Two values or more, with no bracket before the first comma.
_TUPLE = re.compile(r"\s*\(?[^()\[\]{},]+,\s*[^\s)]")


def _gives_a_tuple(suite: Suite, item: Item, vacuity: Vacuity) -> bool:
    """Whether a loop goes over what a function returns that returns two values, or more, always."""
    space = suite.evaluator.module(item.place.path) if vacuity.kind in ("loop", "all") else None
    if space is None or not vacuity.source or "[" in vacuity.words:
        return False
    value = suite.evaluator.evaluate(Name(tuple(vacuity.source.split("."))), space)
    if not isinstance(value, FunctionValue) or value.function.is_generator:
        return False
    function = value.function
    returned = _RETURN.findall(suite.lines(value.module, function.line, function.end_line))
    return bool(returned) and all(map(_TUPLE.match, returned))


def _vacuous(item: Item, vacuity: Vacuity) -> Fault:
    path = item.place.path
    what = f"`{vacuity.words}`"
    if not vacuity.words:
        what = f"what `{vacuity.source}()` gives" if vacuity.source else "something captured"
    match vacuity.kind:
        case "loop":
            message = f"every assertion is in a loop over {what}, which may be empty"
        case "all":
            message = f"the only assertion is about all of {what}, which may be empty"
        case "if":
            message = f"every assertion is behind a test of {what}, which may be empty"
        case _:
            message = f"without {what} the test ends before its assertions, and passes"
    related = tuple(at(Place(path, span), "asserted here") for span in vacuity.checks[:3])
    return Fault(
        Place(path, vacuity.span),
        message,
        symbol_of_test(item),
        related if vacuity.kind != "all" else (),
        notes=("the test passes when nothing comes",),
        help=f"assert first that {what} is not empty"
        if vacuity.words
        else "assert first that something has come",
        tests=frozenset((item.nodeid,)),
        names=(vacuity.kind, vacuity.words, vacuity.source),
    )


@looks("near")
def no_assertion(suite: Suite) -> Iterator[Fault]:
    """SCP601: a test that returns its verdict; where it is selected by name, any without one."""
    everything = not suite.options.selectors.isdisjoint(("SCP601", "no-assertion"))
    for item, evidence in _evidence(suite, 0 if everything else RETURNED):
        if item.skipped:
            continue
        returned = evidence.returned
        if returned is not None:
            if _hands_results_on(item) or _is_of_use(suite, item):
                continue
            if returned.kind == "comparison" or not _checks(suite, item, evidence):
                yield _verdict(item, returned)
        elif everything and not _checks(suite, item, evidence):
            name = item.nodeid.rpartition("::")[2]
            marked = any(mark.name not in _PLAIN_MARKS for mark in item.marks)
            if not _SMOKE.search(name) and not marked and not suite.asserting.fixture_checks(item):
                yield Fault(
                    item.place,
                    f"`{name}` asserts nothing",
                    symbol_of_test(item),
                    notes=("it fails only if something raises",),
                    help="assert what it is about, or say in its name that nothing may be raised",
                    tests=frozenset((item.nodeid,)),
                )


_PLAIN_MARKS = frozenset(
    {"asyncio", "anyio", "trio", "parametrize", "usefixtures", "skipif", "slow", "integration"}
)


def _checks(suite: Suite, item: Item, evidence: Evidence) -> bool:
    """Whether anything in a test may fail it on purpose."""
    if evidence.checked or evidence.checks:
        return True
    return suite.asserting.calls_a_check(item, evidence.callees)


# What decorators of pytest, unittest and mocks begin with: what the test returns, they drop.
_DROPPING = frozenset({"pytest", "unittest", "mock", "patch", "mark", "mocker"})


def _hands_results_on(item: Item) -> bool:
    """Whether a decorator may look at what a test returns: two answers that it compares."""
    assert item.function is not None
    for decorator in item.function.decorators:
        expression = decorator.expression
        func = expression.func if isinstance(expression, Call) else expression
        if not isinstance(func, Name) or _DROPPING.isdisjoint(func.parts):
            return True
    return False


def _is_of_use(suite: Suite, item: Item) -> bool:
    """Whether the code of its file uses a function that is only named like a test.

    Then it takes what no fixture is. (A script that calls its own tests is one of tests.)
    """
    facts = suite.facts(item.place.path)
    if facts is None or item.function is None or item.plan is None:
        return False
    if not any(problem.kind == "unknown-fixture" for problem in item.plan.problems):
        return False
    return bool(mentions.in_code(suite.text(item.place.path), facts, (item.function.name,)))


def _verdict(item: Item, returned: Returned) -> Fault:
    what = "a comparison" if returned.kind == "comparison" else "its verdict"
    # Measured with pytest 9.2 and unittest of Python 3.11.
    dropped = "unittest" if item.testcase else "pytest"
    effect = f"{dropped} drops what a test returns, and warns"
    return Fault(
        Place(item.place.path, returned.span),
        f"the test returns {what} instead of asserting it",
        symbol_of_test(item),
        notes=(effect,),
        help="write `assert` in place of `return`",
        tests=frozenset((item.nodeid,)),
    )


@looks("near")
def conditional_assertion(suite: Suite) -> Iterator[Fault]:
    """SCP608: every assertion behind a condition that the test does not decide."""
    for item, evidence in _evidence(suite, CONDITIONAL):
        span = evidence.conditional
        if span is None or item.skipped:
            continue
        if not suite.asserting.calls_a_check(item, evidence.callees):
            yield Fault(
                Place(item.place.path, span),
                "every assertion is behind this condition; where it does not hold, the test passes",
                symbol_of_test(item),
                help="assert the condition, or make it part of the test's set-up",
                tests=frozenset((item.nodeid,)),
            )


@looks("near")
def unawaited(suite: Suite) -> Iterator[Fault]:
    """SCP606: a coroutine function that is called and not awaited."""
    for item, evidence in _evidence(suite, DROPPED):
        for dropped in evidence.dropped:
            if item.skipped or not (dropped.local or _is_coroutine(suite, item, dropped)):
                continue
            name = ".".join(dropped.name)
            if dropped.asserted:
                message = f"`{name}(...)` is not awaited: a coroutine is asserted, and always true"
            else:
                message = f"`{name}(...)` is not awaited, and so nothing of it is run"
            yield Fault(
                Place(item.place.path, dropped.span),
                message,
                symbol_of_test(item),
                _definition(suite, item, dropped),
                help="write `await` before it"
                if item.is_async
                else "make the test async, and write `await` before it",
                tests=frozenset((item.nodeid,)),
                names=("await",) if item.is_async else (),
            )


def _is_coroutine(suite: Suite, item: Item, dropped: Dropped) -> bool:
    value = _called(suite, item, dropped)
    return (
        value is not None
        and value.is_async
        and not value.function.is_generator
        and not (value.opaque or value.doubtful or value.wrapped)
    )


def _called(suite: Suite, item: Item, dropped: Dropped) -> FunctionValue | None:
    """The function that a test calls, by import or by the class that it stands in."""
    evaluator = suite.evaluator
    space = evaluator.module(item.place.path)
    if space is None or dropped.local:
        return None
    if len(dropped.name) == 1:
        value = evaluator.evaluate(Name(dropped.name), space)
        return value if isinstance(value, FunctionValue) else None
    space = evaluator.module(item.path)
    owner = None
    for name in item.nodeid.split("::")[1:-1]:
        value = evaluator.lookup(space, name) if space is not None else MISSING
        owner = value if isinstance(value, ClassValue) else None
        space = evaluator.class_space(owner) if owner is not None else None
    if owner is None:
        return None
    for holder in suite.linker.lineages.of(owner).classes:
        value = evaluator.lookup(evaluator.class_space(holder), dropped.name[1])
        if value != MISSING:
            return value if isinstance(value, FunctionValue) else None
    return None


def _definition(suite: Suite, item: Item, dropped: Dropped) -> tuple[Place, ...]:
    value = _called(suite, item, dropped)
    if value is None:
        return ()
    return (Place(value.module, value.function.span, "a coroutine function"),)


@looks("near")
def lost_assertion(suite: Suite) -> Iterator[Fault]:
    """SCP607: an assertion whose failure stays in a thread or a task."""
    strict = _warnings_fail(suite)
    for item, evidence in _evidence(suite, LOST):
        for lost in evidence.lost:
            if not item.skipped and not (lost.kind == "thread" and strict):
                yield _lost(item, lost)


def _lost(item: Item, lost: Lost) -> Fault:
    path = item.place.path
    where = {
        "thread": "a thread, and its failure ends only the thread",
        "task": "a task that nothing waits for",
        "future": "another thread, and nothing asks for its result",
    }[lost.kind]
    advice = {
        "thread": "assert in the test, on what the thread has stored",
        "task": "keep the task, and await it",
        "future": "keep the future, and ask for its `result()`",
    }[lost.kind]
    return Fault(
        Place(path, lost.span),
        f"this assertion of `{lost.name}` is run in {where}",
        symbol_of_test(item),
        (at(Place(path, lost.cause), "it is run here"),),
        help=advice,
        tests=frozenset((item.nodeid,)),
    )


def _warnings_fail(suite: Suite) -> bool:
    """Whether the configuration turns the warning about a thread's exception into an error."""
    filters = suite.files.config.ini.get("filterwarnings", "")
    lines = filters if isinstance(filters, list) else filters.splitlines()
    return any(line.strip().strip("\"'").startswith("error") for line in lines)


def _evidence(suite: Suite, part: int) -> Iterator[tuple[Item, Evidence]]:
    """The tests with something to say about how they fail, each function once.

    part: a bit of `Function.has`, for those alone that have this part of it; 0 for all.
    """
    for item in _judged(suite):
        function = item.function
        if function is None or (part and not function.has & part):
            continue
        if (evidence := function.evidence) is not None:
            yield item, evidence


@once
def _judged(suite: Suite) -> list[Item]:
    told: dict[tuple[str, int], Item] = {}
    for item in suite.items:
        function = item.function
        if function is not None and function.kept_evidence and item.refusal is None:
            told.setdefault((item.place.path, function.line), item)
    return list(told.values())
