"""Says whether an async fixture opens what it hands out and closes it again, by awaiting both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.expressions import Entered, Items, Name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scopecheck.expressions import Expression
    from scopecheck.facts import FileFacts, Function

# What is called on a value once the tests are done with it.
_CLOSING = frozenset(
    {
        *("aclose", "close", "cleanup", "disconnect", "dispose", "finalize", "kill", "quit"),
        *("shutdown", "stop", "teardown", "terminate", "wait_closed", "cancel"),
    }
)


def is_held_open(
    function: Function, path: str, whole: Callable[[str, Function], FileFacts | None]
) -> bool:
    """Whether the value comes from `async with`, or is closed after the `yield`.

    Args:
        function: of the fixture.
        path: of its file.
        whole: gives the facts of one function with all that its body does.
    """
    handout = function.handout
    if handout is None or not function.is_async:
        return False
    names = {name for value, _ in handout.values for name in _names(value)}
    for binding in function.bindings:
        value = binding.value
        if binding.name in names and isinstance(value, Entered) and value.is_async:
            return True
    facts = whole(path, function)
    body = facts.functions[0].body if facts is not None and facts.functions else None
    if body is None or body.yields is None or not body.yields.yields:
        return False
    last = body.yields.yields[-1]
    return any(
        isinstance(found.call.func, Name)
        and found.call.func.parts[0] in names
        and found.call.func.parts[-1] in _CLOSING
        and found.call.span.line > last.line
        for found in body.calls
    )


def _names(value: Expression) -> Iterator[str]:
    """The local names in what is handed out."""
    if isinstance(value, Name):
        yield value.parts[0]
    elif isinstance(value, Items):
        for item in value.items:
            yield from _names(item)
