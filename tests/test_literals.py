"""A choice of plain words is found where the pattern itself would be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
_TEXTS = st.lists(st.sampled_from([*_PIECES, "(", ".", "\n", "x", "_", "é", "assert", " "]))


@pytest.mark.parametrize("pattern", PATTERNS)
@given(pieces=_TEXTS)
def test_what_is_found(pattern: str, pieces: list[str]) -> None:
    text = "".join(pieces)
    assert occurs(re.compile(pattern), text) == (re.search(pattern, text) is not None)


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
