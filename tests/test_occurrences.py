"""Words are found in a text the same way with the extra `fast` and without it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopecheck.read import read
from scopecheck.read.occurrences import Wanted
from scopecheck.source import Source

_WORDS = {
    "yield": ("yield",),
    "global ": ("global ",),
    "sync": ("asyncio", "mark.asyncio", "is_async"),
    "sys": ("sys.path", "sys.modules"),
}
_PIECES = st.sampled_from(
    [*(word for several in _WORDS.values() for word in several), "sync", "sys", "\n", " ", "é", "x"]
)
_MODULE = """\
import sys

@pytest.fixture
def clock():
    global started
    yield sys.modules

async def test_it(clock):  # scopecheck: ignore[SCP301]
    if (n := len(clock)):
        asyncio.run(clock())
"""


@given(st.lists(_PIECES).map("".join))
def test_all_at_once_and_one_by_one(text: str) -> None:
    wanted = Wanted(_WORDS)
    found = wanted.occurrences(text)
    assert found == wanted.one_by_one(text)
    assert all(text.startswith(word, at) for word, starts in found.items() for at in starts)


def test_half_a_surrogate_pair() -> None:
    assert Wanted(_WORDS).occurrences("yield \ud800 is_async") == {"yield": [0], "is_async": [8]}


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ahocorasick_rs")
    from scopecheck.read import words

    source = Source("tests/test_clock.py", _MODULE, "utf-8", bom=False)
    facts = read(source)
    assert facts.global_names == ("started",)
    assert facts.suppressions
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    for name in ("_WANTED", "_WANTED_IN_TESTS"):
        monkeypatch.setattr(words, name, Wanted(getattr(words, name).words))
    assert read(source) == facts
