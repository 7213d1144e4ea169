"""What only a whole suite can tell, kept for a look at the tests of a few of its files.

A `Part` is linked like a suite, with the tests of some files alone. What rests on all files (is
there a method of that name that asserts?) is answered as it was for the whole suite; where that was
never asked, the part cannot be judged.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import msgspec

Answer = TypeVar("Answer")


class NeedsWhole(Exception):  # noqa: N818 - no error, but an answer
    """Only the whole suite can tell; why, for who looks for what to widen."""


class Whole(msgspec.Struct, frozen=True, array_like=True):
    """Answers of one suite; None where nobody asked.

    leaves: test files that nothing imports or names as a plugin.
    counting: files that code of other files may be judged by: a function with a cache, an object
        of a module. Of all others a look at a part needs only what its tests reach.
    late: files that were read though no import that surely runs leads to them, nor a conftest; with
        the test file that was registered then, None where the tests were looked at already.
    naming: test files that name plugins, and whether tests were collected before each.
    unread: a conftest or test file has no facts.
    unreached: names of fixtures that no test reaches, and the names that these request.
    ambiguous: names that one fixture's requests of get different definitions in different tests.
    checking: methods of the test code that assert.
    contracts: whether any contract for events is in force. sent: the events that tests send.
    patched: whether loops can run inside one another.
    uses_asyncio, uses_anyio: whether marks or fixtures say that the suite runs under the plugin.
    helpers: fixtures that merely have the name `event_loop`, by their symbols.
    compares_runners: it was asked which plugin runs most tests.
    """

    leaves: frozenset[str] = frozenset()
    counting: frozenset[str] = frozenset()
    late: dict[str, str | None] = {}
    naming: dict[str, bool] = {}
    unread: bool = False
    unreached: frozenset[str] = frozenset()
    ambiguous: frozenset[str] = frozenset()
    checking: frozenset[str] | None = None
    contracts: bool | None = None
    sent: frozenset[str] | None = None
    patched: bool | None = None
    uses_asyncio: bool | None = None
    uses_anyio: bool | None = None
    helpers: frozenset[str] | None = None
    compares_runners: bool = False


class Part(NamedTuple):
    """A few test files of a suite, and what is known of the whole."""

    files: frozenset[str]
    whole: Whole


def known(answer: Answer | None) -> Answer:
    """The answer, if there is one.

    Raises:
        NeedsWhole: there is none.
    """
    if answer is None:
        raise NeedsWhole("an answer that the whole suite was not asked for")
    return answer
