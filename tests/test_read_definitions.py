"""Facts about definitions: which are replaced unused, and how often a function's paths yield."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest

from scopecheck.read import read
from scopecheck.source import decode

if TYPE_CHECKING:
    from scopecheck.facts import FileFacts


def facts_of(text: str) -> FileFacts:
    facts = read(decode("test_a.py", dedent(text).encode()))
    assert facts.error is None
    return facts


def replaced(text: str) -> list[tuple[str, int, int]]:
    return [(one.name, one.first.line, one.second.line) for one in facts_of(text).redefined]


ONE = "def a(): ...\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ONE, []),
        (ONE + "def b(): ...\n", []),
        (ONE + ONE, [("a", 1, 2)]),
        (ONE + ONE + ONE, [("a", 1, 2), ("a", 2, 3)]),
        (ONE + "a()\n" + ONE, []),
        (ONE + "b = a\n" + ONE, []),
        (ONE + "del a\n" + ONE, []),
        (ONE + "register('a')\n" + ONE, []),
        (ONE + "globals()\n" + ONE, []),
        (ONE + "def b(c=a): ...\n" + ONE, []),
        (ONE + "def b(): return a\n" + ONE, [("a", 1, 3)]),
        (ONE + "class B:\n    c = a\n" + ONE, []),
        (ONE + "class B:\n    def a(self): ...\n" + ONE, [("a", 1, 4)]),
        (ONE + "@a.setter\n" + ONE, []),
        (ONE + "class a: ...\n", [("a", 1, 2)]),
        ("class a: ...\nclass a(a): ...\n", []),
        (f"if x:\n{indent(ONE, '    ')}else:\n{indent(ONE, '    ')}", []),
        (f"if x:\n{indent(ONE, '    ')}{ONE}", [("a", 2, 3)]),
        (f"{ONE}if x:\n{indent(ONE, '    ')}", []),
        (f"if x:\n{indent(ONE + ONE, '    ')}", [("a", 2, 3)]),
        (f"try:\n{indent(ONE, '    ')}except E:\n{indent(ONE, '    ')}", []),
        (f"for x in y:\n{indent(ONE, '    ')}", [("a", 2, 2)]),
        (f"for x in y:\n{indent(ONE, '    ')}    keep(a)\n", []),
        (f"for x in y:\n{indent(ONE, '    ')}    break\n", []),
        (f"while x:\n{indent(ONE, '    ')}", []),
        (f"class B:\n{indent(ONE + ONE, '    ')}", [("a", 2, 3)]),
        (f"def b():\n{indent(ONE + ONE, '    ')}", []),
    ],
)
def test_replaced_unused(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert replaced(text) == expected


def yields(body: str) -> tuple[tuple[int, int] | None, int | None]:
    """The lines of the second and first yield of a path with two, and where one is missed."""
    function = facts_of(f"def f():\n{indent(dedent(body), '    ')}").functions[0]
    assert function.body is not None
    found = function.body.yields
    assert found is not None
    twice = found.twice and (found.twice[0].line, found.twice[1].line)
    return twice, None if found.missed is None else found.missed.line


NEITHER = (None, None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("yield 1", NEITHER),
        ("yield 1\nyield 2", ((3, 2), None)),
        ("if x:\n    yield 1\nyield 2", ((4, 3), None)),
        ("if x:\n    yield 1\n    return\nyield 2", NEITHER),
        ("if x:\n    yield 1\nelse:\n    yield 2", NEITHER),
        ("if x:\n    yield 1\nelif y:\n    yield 2", NEITHER),
        ("if x:\n    yield 1", (None, 1)),
        ("if x:\n    yield 1\nif not x:\n    yield 2", NEITHER),
        ("if x:\n    return\nyield 1", (None, 3)),
        ("if x:\n    pytest.skip()\n    return\nyield 1", NEITHER),
        ("if x:\n    yield 1\nelse:\n    assert_never(x)", NEITHER),
        ("if x:\n    yield 1\nelse:\n    raise E", NEITHER),
        ("for x in y:\n    yield x", NEITHER),
        ("while True:\n    yield 1\n    break", NEITHER),
        ("try:\n    yield 1\nexcept E:\n    yield 2", NEITHER),
        ("try:\n    x = 1\nexcept E:\n    yield None\nyield x", ((6, 5), None)),
        ("try:\n    x = 1\nexcept E:\n    yield None\nelse:\n    yield x", NEITHER),
        ("try:\n    yield 1\nfinally:\n    yield 2", ((5, 3), None)),
        ("with x:\n    yield 1", NEITHER),
        ("with x:\n    yield 1\nyield 2", ((4, 3), None)),
        ("yield from x", NEITHER),
        ("yield from x\nyield 1", NEITHER),
        ("def g():\n    yield 1\nyield 2", NEITHER),
        ("return\nyield 1", (None, 2)),
        ("match x:\n    case 1:\n        yield 1\n    case _:\n        yield 2", NEITHER),
    ],
)
def test_yields(body: str, expected: tuple[tuple[int, int] | None, int | None]) -> None:
    assert yields(body) == expected


@pytest.mark.parametrize(
    ("body", "sure"),
    [
        ("return\nyield 1", True),
        ("with x:\n    return\nyield 1", True),
        ("if x:\n    return\nyield 1", False),
        ("if x:\n    if y:\n        return\nyield 1", False),
        ("try:\n    x = 1\nexcept E:\n    return\nyield 1", False),
        ("if x:\n    yield 1", False),
    ],
)
def test_a_yield_that_is_missed_whatever_the_conditions(body: str, sure: bool) -> None:
    function = facts_of(f"def f():\n{indent(dedent(body), '    ')}").functions[0]
    assert function.body is not None
    assert function.body.yields is not None
    assert function.body.yields.missed is not None
    assert function.body.yields.missed_surely is sure


def test_names_that_no_statement_of_the_module_binds() -> None:
    facts = facts_of(
        """
        import sys
        if (a := 1):
            pass
        def f():
            global b, c
            from helpers import d as e  # f
            import g.h
        """
    )
    assert {binding.name for binding in facts.bindings} == {"sys", "a", "f"}
    assert facts.global_names == ("b", "c")
    assert facts.inner_imports == ("d", "e", "g", "h", "helpers")
    assert not facts.dynamic
    assert facts_of("globals()[name] = 1\n").dynamic
    assert facts_of("import sys\nsys.path.append('lib')\n").changes_path
