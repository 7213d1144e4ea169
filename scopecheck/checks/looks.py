"""How far a check looks: what its findings in one test file rest on. Likewise how far a fixer does.

near  on that file, and on what its tests reach: conftests, plugins, what they import. A finding
      that several test files have a part in names tests of each of them.
far   on other test files, too: what one of them does to an object that several share, which names
      they have, how many of them do something.

What a fixer offers is what it would do, in words, and whether that is safe; one that looks near
offers what the finding and the function that it stands in call for.

After an edit of a test file, what near checks find is looked for in that file alone. What far
checks find is taken to be what it was where they learned nothing new from the file (see
`scopecheck.learned`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scopecheck.finding import Fault
    from scopecheck.suite import Suite

    Any = TypeVar("Any", bound=Callable[..., object])

Distance: TypeAlias = Literal["near", "far"]


def looks(distance: Distance) -> Callable[[Any], Any]:
    """Declares how far a check or a fixer looks."""

    def declare(check: Any) -> Any:
        check.looks = distance  # type: ignore[attr-defined]
        return check

    return declare


def near(suite: Suite, faults: Iterable[Fault]) -> Iterator[Fault]:
    """What a check that looks far finds where it looks at one test at a time."""
    far, suite.looks_far = suite.looks_far, False
    yield from faults
    suite.looks_far = far


def distance_of(check: Callable[..., object]) -> Distance:
    """How far a check or a fixer looks; one that does not say is taken to look far."""
    found: Distance = getattr(check, "looks", "far")
    return found
