"""A choice of plain words is found where the pattern itself would be."""

from __future__ import annotations

import random
import re

import pytest

from scopecheck.literals import _parts, occurs

PATTERNS = [
    r"\b(?:gather|start)\(|\.(?:submit|map)\(",
    r"(?:Context|Session|_context)[.(]",
    r"\b(?:assert\w*|\w*check|a)\(",
    r"\b(?:stop|é1)\b",
    r"(?:map)",
    r"\bstop\b",
    r"(?<!\w)(?:map)\(",
]
_PIECES = ["gather", "start", "map", "submit", "Context", "_context", "stop", "é1", "check", "a"]
_OTHER = ["(", ".", "\n", "x", "_", "é", "assert", " "]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_found(pattern: str) -> None:
    chance = random.Random(pattern)
    found = []
    for _ in range(400):
        text = "".join(chance.choices([*_PIECES, *_OTHER], k=chance.randrange(9)))
        expected = re.search(pattern, text) is not None
        assert occurs(re.compile(pattern), text) == expected, text
        found.append(expected)
    assert {True, False} == set(found)


@pytest.mark.parametrize(
    ("pattern", "texts", "begin"),
    [
        (PATTERNS[0], ("gather(", "start(", ".submit(", ".map("), True),
        (PATTERNS[1], ("Context", "Session", "_context"), True),
        (PATTERNS[2], ("assert", "check(", "a("), False),
        (PATTERNS[5], (), False),
    ],
)
def test_what_is_looked_for(pattern: str, texts: tuple[str, ...], begin: bool) -> None:
    assert _parts(pattern) == (texts, begin)
