"""What the assertions of a function say about a name, by their words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASSERTS = re.compile(r"^[ \t]*(?:assert\b|(?:await[ \t]+)?(?:self|cls)\.assert\w+\()")
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

    written: how the function names the container: `state`, `self.state`, `Recorder.calls`.
    """
    name = re.compile(rf"(?<![\w.]){re.escape(written)}(?![\w(])(?:\[(\"[^\"]*\"|'[^']*'|\d+)\])?")
    return frozenset(
        (match[1] or ANY).strip("\"'")
        for assertion in assertions(text)
        for match in name.finditer(assertion)
    )
