"""Assertions: those that cannot fail, and those whose failure nobody sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.checks.once import once
from scopecheck.checks.wording import at, symbol_of_test
from scopecheck.finding import Fault, Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from scopecheck.facts import Flaw
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Item

# What is said of each form, and what to do about it.
_VACUOUS = {
    "constant": ("asserts a constant, which is always true", "assert what the test is about"),
    "tuple": (
        "asserts a tuple, which is true as long as it is not empty",
        "take the parentheses away, or make it `assert condition, message`",
    ),
    "generator": (
        "asserts a generator expression, which is always true",
        "put it in `all(...)` or `any(...)`",
    ),
    "or": (
        "asserts `... or` something that is always true",
        "compare with each: `x in (a, b)`, or `x == a or x == b`",
    ),
    "length": (
        "asserts that a length is not negative, which it never is",
        "compare with the number of items that must be there",
    ),
    "uncalled": (
        "names an assertion of a mock and does not call it",
        "call it: write `()` with the expected arguments",
    ),
    "comparison": (
        "compares, and does nothing with the result",
        "write `assert` before it",
    ),
}


@looks("near")
def vacuous_assertion(suite: Suite) -> Iterator[Fault]:
    """SCP602: an assertion that cannot fail."""
    for item, flaw in _flaws(suite, _VACUOUS):
        if flaw.kind == "comparison" and _is_meant(suite, item, flaw):
            continue
        said, advice = _VACUOUS[flaw.kind]
        words = f"`{flaw.words}`: " if flaw.words else ""
        yield _fault(item, flaw, f"{words}{_subject(flaw)} {said}", (), advice, (flaw.kind,))


# What other linters call a comparison that goes nowhere.
_POINTLESS = re.compile(
    r"#.*\b(?:noqa\b.*\bB015|disable\s*=.*(?:pointless-statement|expression-not-assigned))\b"
)


def _is_meant(suite: Suite, item: Item, flaw: Flaw) -> bool:
    """Whether a comment says that a comparison is there for what it may raise."""
    text = suite.lines(item.place.path, flaw.span.line, flaw.span.end_line)
    return _POINTLESS.search(text) is not None


def _subject(flaw: Flaw) -> str:
    return "this statement" if flaw.kind in ("comparison", "uncalled") else "this"


@looks("near")
def swallowed_assertion(suite: Suite) -> Iterator[Fault]:
    """SCP604: an assertion whose failure is caught and goes unseen."""
    for item, flaw in _flaws(suite, ("swallowed",)):
        yield _fault(
            item,
            flaw,
            f"the failure of this assertion is caught, and the test {flaw.words or 'passes'}",
            ((flaw, "it is caught here"),),
            "catch only what the tested code may raise, or raise again",
        )


@looks("near")
def unreachable_assertion(suite: Suite) -> Iterator[Fault]:
    """SCP605: an assertion that is never run."""
    names: tuple[str, ...]
    for item, flaw in _flaws(suite, ("raised", "unreachable")):
        if flaw.kind == "raised":
            message = "this assertion is not run: the exception leaves the block before it"
            related, advice = "the block ends with the exception", "move it below the `with` block"
            names = ("dedent",)
        else:
            message = "this assertion is never run"
            related, advice = "the block ends here", "move it up, or take out what is before it"
            names = ()
        yield _fault(item, flaw, message, ((flaw, related),), advice, names)


def _flaws(suite: Suite, kinds: Collection[str]) -> Iterator[tuple[Item, Flaw]]:
    """The flaws of these kinds in the tests that are collected, each once."""
    return ((item, flaw) for item, flaw in _all_flaws(suite) if flaw.kind in kinds)


@once
def _all_flaws(suite: Suite) -> list[tuple[Item, Flaw]]:
    told: dict[tuple[str, Flaw], Item] = {}
    for item in suite.items:
        for flaw in item.function.flaws if item.function is not None else ():
            told.setdefault((item.place.path, flaw), item)
    return [(item, flaw) for (_, flaw), item in told.items()]


def _fault(
    item: Item,
    flaw: Flaw,
    message: str,
    related: tuple[tuple[Flaw, str], ...],
    advice: str,
    names: tuple[str, ...] = (),
) -> Fault:
    path = item.place.path
    return Fault(
        Place(path, flaw.span),
        message,
        symbol_of_test(item),
        tuple(at(Place(path, one.cause), said) for one, said in related if one.cause is not None),
        help=advice,
        tests=frozenset((item.nodeid,)),
        names=names,
    )
