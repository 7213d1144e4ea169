"""Suppressions: where a comment is found, what it covers, and what is said of a useless one."""

from __future__ import annotations

from textwrap import dedent

import pytest

from scopecheck import rulebook
from scopecheck.finding import Fault, Finding, Place
from scopecheck.read.comments import plain_suppressions, suppressions
from scopecheck.source import Span
from scopecheck.suppress import UNKNOWN, UNUSED, Outcome, suppress

ENGINE = frozenset({UNKNOWN, UNUSED})


def covered(text: str) -> list[tuple[tuple[str, ...], tuple[int, int]]]:
    return [(found.codes, found.lines) for found in suppressions(dedent(text))]


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        ("# scopecheck: ignore[scope-mismatch]", ("scope-mismatch",)),
        ("# scopecheck: ignore[SCP101, SCP201]", ("SCP101", "SCP201")),
        (
            "# scopecheck: ignore[ SCP101 ,fixture-cycle ] -- why: [x], y",
            ("SCP101", "fixture-cycle"),
        ),
        ("#scopecheck:ignore[SCP101]", ("SCP101",)),
        ("# type: ignore  # scopecheck: ignore[SCP101]", ("SCP101",)),
        ("# scopecheck: ignore", ()),
        ("# scopecheck: ignore[]", ()),
        ("# scopecheck: ignore -- all of it", ()),
        ("# noqa: SCP101", ("SCP101",)),
        ("# NoQA:F401,SCP101, E501", ("SCP101",)),
        ("# noqa: F401 SCP101 SCP301 because of this", ("SCP101", "SCP301")),
    ],
)
def test_spellings(comment: str, codes: tuple[str, ...]) -> None:
    assert covered(f"x = 1  {comment}\n") == [(codes, (1, 1))]


@pytest.mark.parametrize(
    ("comment", "word"),
    [
        ("# scopecheck: ignored[SCP101]", "ignored"),
        ("# scopecheck: ignore-files[SCP101]", "ignore-files"),
        ("# scopecheck: Ignore[SCP101] -- why", "Ignore"),
        ("# scopecheck: disable=SCP101", "disable"),
        ("# scopecheck: disable = SCP101", "disable"),
    ],
)
def test_what_is_written_like_a_directive(comment: str, word: str) -> None:
    (found,) = suppressions(f"x = 1  {comment}\n")
    assert (found.style, found.codes, found.lines) == ("unknown", (word,), (1, 0))
    assert found.span == Span(1, 8, 1, 8 + len(comment))
    (fault,) = suppress([], {"a.py": [found]}, lambda _: ENGINE).faults[UNKNOWN]
    assert fault.message == f"`{word}` is no directive, so this suppresses nothing"


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# noqa: F401, E501",
        "# noqa SCP101",
        "# scopecheck: is about scopes",
        "# scopecheck: see the page [1]",
        '# write "# scopecheck: ignore[SCP101]" there',
        "# type: ignore[SCP101]",
    ],
)
def test_other_comments(comment: str) -> None:
    assert covered(f"x = 1  {comment}\n") == []


def test_comment_in_a_string_is_none() -> None:
    assert covered('x = "# scopecheck: ignore[SCP101]"\ny = """\n# noqa: SCP101\n"""\n') == []


def test_place_of_a_comment() -> None:
    first, second = suppressions(
        'é = "\t"  # x  # scopecheck: ignore[SCP101] -- why\nx = 1  # noqa: E501, SCP301  \n'
    )
    assert first.span == Span(1, 15, 1, 50)
    assert first.style == "scopecheck"
    assert second.span == Span(2, 8, 2, 28)
    assert second.style == "noqa"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_statement_of_several_lines(newline: str) -> None:
    text = dedent(
        """\
        call(  # scopecheck: ignore[a]
            one,  # scopecheck: ignore[b]
            # scopecheck: ignore[c]
            # and why
            two,
        )  # scopecheck: ignore[d]
        """
    )
    found = suppressions(text.replace("\n", newline))
    assert [(each.codes[0], each.lines) for each in found] == [
        ("a", (1, 6)),
        ("b", (2, 2)),
        ("c", (3, 5)),
        ("d", (6, 6)),
    ]


def test_comment_after_a_string_of_several_lines() -> None:
    assert covered('x = """\n"""  # scopecheck: ignore[a]\ny = 1\n') == [(("a",), (2, 2))]


def test_decorated_function_is_one_statement_without_its_body() -> None:
    assert covered(
        """\
        # scopecheck: ignore[a]
        @pytest.fixture(  # scopecheck: ignore[b]
            scope="session",  # scopecheck: ignore[c]
        )
        # scopecheck: ignore[d]
        @other
        async def engine(  # scopecheck: ignore[e]
            settings,
        ):
            return settings
        """
    ) == [
        (("a",), (1, 9)),
        (("b",), (2, 9)),
        (("c",), (3, 3)),
        (("d",), (2, 9)),
        (("e",), (2, 9)),
    ]


def test_body_of_a_function_is_made_of_its_own_statements() -> None:
    assert covered(
        """\
        def test_a():  # scopecheck: ignore[a]
            # scopecheck: ignore[b]
            one()
            # scopecheck: ignore[c]

            two()
            if x:
                three()
                # scopecheck: ignore[d]
            four()
        """
    ) == [(("a",), (1, 1)), (("b",), (2, 3)), (("c",), (4, 4)), (("d",), (9, 10))]


def test_whole_file_only_above_the_first_function_or_class() -> None:
    text = '"""Doc."""\nimport x\n# scopecheck: ignore-file[a]\n\n@d\ndef f(): ...\n'
    assert covered(text) == [(("a",), (0, 0))]
    low = "class A:\n    pass\n# scopecheck: ignore-file[a]\n"
    assert covered(low) == [(("a",), (1, 0))]
    assert covered("# scopecheck: ignore-file[a]") == [(("a",), (0, 0))]


@pytest.mark.parametrize("rest", ["def f(:\n", "(\n", '"""\n', "  x\n y\n", "\0", "\x0c\n"])
def test_text_that_cannot_be_tokenized(rest: str) -> None:
    found = covered(f"x = 1  # scopecheck: ignore[a]\n{rest}")
    assert found in ([(("a",), (1, 1))], [])


def test_configuration_files() -> None:
    text = (
        "[pytest]\n# scopecheck: ignore[a]\n; more\naddopts = -x\nb = 1  # scopecheck: ignore[b]\n"
    )
    found = plain_suppressions(text)
    assert [(each.codes, each.lines) for each in found] == [(("a",), (2, 2)), (("b",), (5, 5))]
    found = plain_suppressions("# scopecheck: ignore-file[a]\n# scopecheck: ignore[b]\nx = 1\n")
    assert [(each.codes, each.lines) for each in found] == [(("a",), (0, 0)), (("b",), (2, 3))]


def finding(line: int, name: str = "syntax-error", path: str = "a.py") -> Finding:
    place = Place(path, Span(line, 1, line, 2))
    return Finding("SCP001", name, "error", "proved", Fault(place, f"at {line}", path))


def suppressed(
    text: str, *findings: Finding, in_force: frozenset[str] | None = None
) -> tuple[Outcome, list[str]]:
    rules = rulebook.expand(["ALL"]) if in_force is None else in_force
    outcome = suppress(findings, {"a.py": suppressions(dedent(text))}, lambda _: rules)
    said = [
        f"{fault.place.span.line}: {name}: {fault.message}"
        + (f" ({fault.help})" if fault.help else "")
        for name, faults in outcome.faults.items()
        for fault in faults
    ]
    return outcome, said


def test_findings_are_silenced_by_their_primary_place() -> None:
    one, two, other = finding(1), finding(2), finding(1, path="b.py")
    outcome, said = suppressed("x  # scopecheck: ignore[syntax-error]\ny\n", one, two, other)
    assert outcome.kept == (two, other)
    assert outcome.suppressed == 1
    assert said == []


@pytest.mark.parametrize("word", ["SCP001", "syntax-error", "SCP0", "ALL"])
def test_every_way_to_name_a_rule(word: str) -> None:
    outcome, said = suppressed(f"# scopecheck: ignore-file[{word}]\n", finding(7))
    assert outcome.kept == ()
    assert said == []


def test_only_the_rule_that_is_named() -> None:
    outcome, said = suppressed("x  # scopecheck: ignore[unreadable-file]\n", finding(1))
    assert len(outcome.kept) == 1
    assert said == [
        "1: unused-suppression: unused suppression: `unreadable-file` is not reported here"
        " (remove it)"
    ]


def test_one_fault_a_comment() -> None:
    _, said = suppressed(
        "x  # scopecheck: ignore[SCP001, SCP004, ALL, nonsense-rule, unreadeable-file]\n",
        finding(1),
    )
    assert said == [
        "1: unknown-suppression: `nonsense-rule` and `unreadeable-file` name no rule"
        " (did you mean `unreadable-file`?)",
        "1: unused-suppression: unused suppression: `SCP004` is not reported here"
        " (remove the rule)",
    ]


def test_file_wide_and_misplaced() -> None:
    _, said = suppressed(
        "# scopecheck: ignore-file[SCP001]\ndef f(): ...\n# scopecheck: ignore-file[SCP004]\n"
    )
    assert said == [
        "1: unused-suppression: unused suppression: `SCP001` is not reported in this file"
        " (remove it)",
        "3: unused-suppression: `ignore-file` of `SCP004` stands too far down to be in force"
        " (move it above the file's first `def` or `class`)",
    ]


def test_suppression_without_a_rule_silences_nothing() -> None:
    outcome, said = suppressed("x  # scopecheck: ignore\n", finding(1))
    assert len(outcome.kept) == 1
    assert said == [
        "1: unknown-suppression: this suppression names no rule, so it suppresses nothing"
        " (name the rule in brackets, as in `ignore[scope-mismatch]`)"
    ]


def test_suppression_of_a_rule_that_did_not_run_is_not_unused() -> None:
    text = "x  # scopecheck: ignore[SCP001, SCP0, ALL]\n"
    _, said = suppressed(text, in_force=ENGINE | {"unreadable-file"})
    assert said == []


def test_nothing_is_unused_while_a_file_cannot_be_read() -> None:
    found = {"a.py": suppressions("x  # scopecheck: ignore[SCP004, klingon]\n")}
    outcome = suppress([], found, lambda _: rulebook.expand(["ALL"]), complete=False)
    assert list(outcome.faults) == [UNKNOWN]


def test_faults_only_of_rules_in_force() -> None:
    text = "x  # scopecheck: ignore[SCP001, nonsense]\n"
    _, said = suppressed(text, in_force=frozenset({"syntax-error"}))
    assert said == []


def test_suppressing_the_rules_about_suppressions() -> None:
    outcome, said = suppressed("x  # scopecheck: ignore[SCP001, unused-suppression]\n")
    assert (outcome.suppressed, said) == (1, [])
    outcome, said = suppressed("# scopecheck: ignore-file[SCP003]\nx  # scopecheck: ignore\n")
    assert (outcome.suppressed, said) == (1, [])
    _, said = suppressed("x  # scopecheck: ignore[unused-suppression]\n")
    assert said == [
        "1: unused-suppression: unused suppression: `unused-suppression` is not reported here"
        " (remove it)"
    ]
    _, said = suppressed("x  # scopecheck: ignore[ALL]\n")
    assert len(said) == 1


def test_prefix_of_both_suppression_rules_and_others_means_the_others() -> None:
    _, said = suppressed("x  # scopecheck: ignore[SCP0]\n")
    assert said == [
        "1: unused-suppression: unused suppression: `SCP0` is not reported here (remove it)"
    ]
