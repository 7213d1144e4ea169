"""Words and places that the checks of several families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.finding import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loops
    from scopecheck.suite.model import Fixture, Item, Scope


def at(place: Place, message: str) -> Place:
    """The same place with something to say about it."""
    return Place(place.path, place.span, message)


def scoped(scope: Scope | None) -> str:
    """`session-scoped`."""
    return f"{scope.word}-scoped" if scope is not None else "unknown-scoped"


def tests(count: int) -> str:
    """`1 test`, `7 tests`."""
    return "1 test" if count == 1 else f"{count} tests"


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    found = list(names)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} and {found[-1]}"


def definition(fixture: Fixture) -> str:
    """A fixture's name, and the plugin it comes from if it is one's."""
    if fixture.path is None and fixture.plugin == "pytest":
        return f"pytest's own `{fixture.name}`"
    if fixture.path is None:
        return f"`{fixture.name}` of the plugin {fixture.plugin}"
    return f"`{fixture.name}`"


def written(fixture: Fixture) -> tuple[str, int, str]:
    """The same for every registration of one function, also under another name."""
    if fixture.path is None:
        return fixture.key
    return (fixture.path, fixture.line, "")


def request_place(asker: Fixture, name: str) -> Place | None:
    """Where a fixture's parameter of that name stands, if it can be shown."""
    for request in asker.requests:
        if request.name == name and request.place.path:
            return request.place
    return None


def first_test(items: Iterable[Item]) -> Item:
    """The test to show for all: the first by path and line."""
    return min(items, key=lambda item: (item.place.path, item.line, item.nodeid))


def symbol_of_test(item: Item) -> str:
    """`tests/test_users.py::TestUsers::test_create`, by the file that a test is collected from."""
    return _symbol(item.path, item)


def written_symbol(item: Item) -> str:
    """The same by the file that the test's function stands in."""
    return _symbol(item.place.path, item)


def _symbol(path: str, item: Item) -> str:
    return "::".join([path, *item.nodeid.split("::")[1:]])


def version_in_force(loops: Loops) -> str:
    """The version of the pytest-asyncio that is in force; there is one."""
    assert loops.version is not None
    return loops.version.version or "1.x"


def taken_version(loops: Loops) -> str | None:
    """Which version of pytest-asyncio was taken and why, where it is not certain."""
    version = loops.version
    if version is None or version.certainty == "exact":
        return None
    return f"taken as pytest-asyncio {version.version} ({version.origin})"


def taken_pytest(suite: Suite, *number: int) -> str | None:
    """Which pytest was taken and why, where another that may be installed decides otherwise.

    number: the version from which on it is decided so.
    """
    known = suite.linker.plugins.run_async.pytest
    if known is None or known.agrees(*number):
        return None
    if known.origin == "assumed newest":
        return f"taken as pytest {known.version}, the newest: nothing states which is installed"
    return f"taken as pytest {known.version}, the newest that {known.origin} allows"


def all_that_need(nodeids: frozenset[str]) -> str:
    """`the 1 test that needs it`, `all 7 tests that need it`."""
    count = len(nodeids)
    return "the 1 test that needs it" if count == 1 else f"all {tests(count)} that need it"


def chain(stack: Sequence[Fixture], item: Item) -> Iterator[Place]:
    """Every step from the fixture that asks back to a test."""
    for outer, inner in zip(reversed(stack[:-1]), reversed(stack[1:]), strict=True):
        if outer.path is not None and outer.place is not None:
            yield at(
                request_place(outer, inner.name) or outer.place,
                f"`{inner.name}` is requested by `{outer.name}`",
            )
    if stack:
        first = stack[0].name
        for request in (*item.requests, *item.usefixtures):
            if request.name == first:
                yield at(request.place, f"`{first}` is used by this test")
                return
        yield at(item.place, f"this test gets `{first}` without naming it")
