"""What the assertions of a function say about a name, by their words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASSERTS = re.compile(r"^[ \t]*(?:assert\b|(?:await[ \t]+)?(?:self|cls)\.assert\w+\()")
# An attribute that holds what each object has for itself, of one that is no test class.
_OWN_KEY = r"\[(?!self\.|cls\.)[a-z_]\w*\.(?:\w+\.)*(?:id|uid|uuid|pk|key|\w+_id)\]"
ANY = ""
"""Stands for the whole of a container, where keys are asked for."""


def assertions(text: str) -> Iterator[str]:
    """The texts of the assertions in a function's text."""
    found, depth = "", 0
    for line in text.splitlines():
        if not found and not _ASSERTS.match(line):
            continue
        found += f"{line}\n"
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
        if depth <= 0 and not line.endswith("\\"):
            yield found
            found, depth = "", 0
    if found:
        yield found


def asserted_keys(text: str, written: str) -> frozenset[str]:
    """The constant keys of a container that a function asserts something of, ANY for the whole.

    What stands under a key of an object of its own, `state[user.id]`, other tests do not reach.
    written: how the function names the container: `state`, `self.state`, `Recorder.calls`.
    """
    name = re.compile(
        rf"(?<![\w.]){re.escape(written)}(?![\w(])"
        rf"(?:\[(\"[^\"]*\"|'[^']*'|\d+)\]|(?P<own>{_OWN_KEY}))?"
    )
    return frozenset(
        (match[1] or ANY).strip("\"'")
        for assertion in assertions(text)
        for match in name.finditer(assertion)
        if match["own"] is None
    )
