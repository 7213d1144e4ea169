"""Rule pages as tests: each section is run, and where a page says `proved`, pytest is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from scopecheck import rulebook, testing
from scopecheck.rulebook import Example, ExampleFile, Expected, PageError, Proof
from scopecheck.testing import environments, fixes, oracle

if TYPE_CHECKING:
    from scopecheck.testing.environments import Environment

FURTHER = Path(__file__).with_name("suites")
"""Pages of the same names and form, for what a user need not read."""

RULE_PAGES = sorted(rulebook.pages_folder().glob("*.md"))
FURTHER_PAGES = sorted(FURTHER.glob("*.md"))


def sections() -> list[tuple[Path, Example]]:
    found = []
    for page in (*RULE_PAGES, *FURTHER_PAGES):
        try:
            found += [(page, example) for example in rulebook.read_examples(page)]
        except PageError:
            continue  # test_page says what is wrong
    return found


SECTIONS = sections()


@pytest.mark.parametrize("page", RULE_PAGES, ids=lambda page: page.stem)
def test_page(page: Path) -> None:
    rulebook.read_rule(page)
    assert not list(map(str, testing.page_problems(page)))


@pytest.mark.parametrize("page", FURTHER_PAGES, ids=lambda page: page.stem)
def test_further_page(page: Path) -> None:
    rulebook.find(page.stem)
    assert rulebook.read_examples(page)


@pytest.mark.parametrize(
    "example", [pytest.param(example, id=example.id) for _, example in SECTIONS]
)
def test_section(example: Example, tmp_path: Path) -> None:
    testing.write_example(example, tmp_path)
    problems = testing.example_problems(example, tmp_path)
    if problems:
        pytest.fail("\n".join(map(str, problems)), pytrace=False)


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, id=example.id)
        for page, example in SECTIONS
        if testing.needs_proof(example, page)
    ],
)
def test_section_against_pytest(example: Example, tmp_path: Path) -> None:
    testing.write_example(example, tmp_path)
    try:
        problems = testing.proof_problems(example, tmp_path)
    except oracle.Unavailable as reason:
        pytest.skip(str(reason))
    if problems:
        pytest.fail("\n".join(map(str, problems)), pytrace=False)


@pytest.mark.parametrize(
    "example",
    [pytest.param(example, id=example.id) for _, example in SECTIONS if example.mutation],
)
def test_section_under_mutation(example: Example, tmp_path: Path) -> None:
    testing.write_example(example, tmp_path)
    try:
        problems = testing.mutation_problems(example, tmp_path)
    except oracle.Unavailable as reason:
        pytest.skip(str(reason))
    if problems:
        pytest.fail("\n".join(map(str, problems)), pytrace=False)


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, id=example.id)
        for page, example in SECTIONS
        if fixes.has_fix(example, page)
    ],
)
def test_fix_of_section(example: Example, tmp_path: Path) -> None:
    folder = tmp_path / "before"
    testing.write_example(example, folder)
    problems = fixes.problems(example, folder, tmp_path / "after")
    if problems:
        pytest.fail("\n".join(map(str, problems)), pytrace=False)


@pytest.mark.parametrize(
    "example",
    [pytest.param(example, id=example.id) for _, example in SECTIONS if example.diffs],
)
def test_section_against_pytest_after_its_fix(example: Example, tmp_path: Path) -> None:
    folder = tmp_path / "before"
    testing.write_example(example, folder)
    try:
        problems = fixes.proof_problems(example, folder, tmp_path / "after")
    except oracle.Unavailable as reason:
        pytest.skip(str(reason))
    if problems:
        pytest.fail("\n".join(map(str, problems)), pytrace=False)


# Rules of these families say that a test passes whatever the code under test does. SCP602, SCP604,
# SCP605 and SCP606 show it by runs on code that is wrong already.
MUTATED = [
    rule
    for rule in rulebook.rules().values()
    if rule.code.startswith(("SCP5", "SCP6"))
    and rule.default != "opt-in"
    and rule.certainty == "likely"
]


@pytest.mark.parametrize("rule", MUTATED, ids=lambda rule: rule.name)
def test_default_rule_is_shown_by_a_mutation(rule: rulebook.Rule) -> None:
    mutations = [example.mutation for example in rule.examples if example.mutation]
    assert any(mutation.passed for mutation in mutations)
    assert any(mutation.failed for mutation in mutations)


@pytest.mark.parametrize("page", RULE_PAGES, ids=lambda page: page.stem)
def test_page_says_what_kind_of_fix_its_rule_has(page: Path, tmp_path: Path) -> None:
    offered = set()
    for number, section in enumerate(rulebook.read_examples(page)):
        if fixes.has_fix(section, page):
            testing.write_example(section, tmp_path / str(number))
            offered |= fixes.offered(section, tmp_path / str(number))
    assert not list(map(str, fixes.page_problems(page, offered)))


# The runner itself.


def example(
    text: str, *expected: Expected, proof: Proof | None = None, rule: str = "syntax-error"
) -> Example:
    file = ExampleFile("test_example.py", text, 10)
    return Example(rule, "A section", 1, (file,), expected, {}, proof, ())


MUTATED_CODE = """\
# vacuous-loop

## One

`code.py`:

```py
def run():
    return ["started"]
```

```py
from code_under_test import run


def test_a():
    run()


def test_b():
    assert run()
```

```mutation
code_under_test.py: ["started"] => []
passed: test_a
failed: test_b
```
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("passed: test_a", "passed: test_a", ""),
        ("passed: test_a", "passed: test_a, test_b", "`test_b` does not pass after the mutation"),
        ("failed: test_b", "failed: test_a, test_b", "`test_a` passes after the mutation"),
        ("failed: test_b", "failed: test_c", "`test_c` does not pass before the mutation"),
    ],
)
def test_what_tests_do_under_a_mutation_is_held_against_the_page(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    page = tmp_path / "vacuous-loop.md"
    text = MUTATED_CODE.replace("`code.py`", "`code_under_test.py`").replace(old, new)
    page.write_text(text, encoding="utf-8")
    (section,) = rulebook.read_examples(page)
    folder = tmp_path / "example"
    testing.write_example(section, folder)
    problems = testing.mutation_problems(section, folder)
    assert [problem.message.partition("\n")[0] for problem in problems] == [message] * bool(message)


@pytest.mark.parametrize(
    "block", ["code.py", "code.py: a => b", "code.py: missing => b\npassed: test_a", ""]
)
def test_mutation_that_says_too_little(tmp_path: Path, block: str) -> None:
    page = tmp_path / "vacuous-loop.md"
    start, _, _ = MUTATED_CODE.partition("code_under_test.py: [")
    page.write_text(f"{start}{block}\n```\n", encoding="utf-8")
    with pytest.raises(PageError):
        rulebook.read_examples(page)


BROKEN = "\ndef test_a(:\n    pass\n"
AT_LINE_TWO = Expected("test_example.py", 2, "invalid syntax")


@pytest.mark.parametrize(
    ("text", "expected", "problems"),
    [
        (BROKEN, [AT_LINE_TWO], []),
        (BROKEN, [], ["syntax-error.md:11: false alarm: test_example.py:2: invalid syntax"]),
        (
            BROKEN,
            [Expected("test_example.py", 2, "klingon")],
            ["syntax-error.md:11: 'invalid syntax' does not contain 'klingon'"],
        ),
        (
            BROKEN,
            [AT_LINE_TWO, AT_LINE_TWO],
            ["syntax-error.md:11: missed alarm of 'invalid syntax' at test_example.py:2"],
        ),
        (
            "def test_a(): ...\n",
            [Expected("test_example.py", 1)],
            ["syntax-error.md:10: missed alarm at test_example.py:1"],
        ),
    ],
)
def test_what_is_found_is_held_against_the_marks(
    tmp_path: Path, text: str, expected: list[Expected], problems: list[str]
) -> None:
    broken = example(text, *expected)
    testing.write_example(broken, tmp_path)
    assert list(map(str, testing.example_problems(broken, tmp_path))) == problems


PASSING = "def test_a(): ...\n"
FAILING = "def test_a(nothing): ...\n"


@pytest.mark.parametrize(
    ("text", "proof", "message"),
    [
        (PASSING, None, ""),
        (PASSING, Proof("1 passed"), ""),
        (PASSING, Proof("1 passed", words=("test_example.py",)), ""),
        (PASSING, Proof("1 passed", words=("klingon",)), "pytest does not say 'klingon'"),
        (PASSING, Proof("2 passed"), "pytest says '1 passed', not '2 passed'"),
        (PASSING, Proof("1 passed, 1 failed"), "pytest says '1 passed', not '1 passed, 1 failed'"),
        (PASSING, Proof("fine"), "pytest says '1 passed', not 'fine'"),
        (PASSING, Proof("no tests", ("-k", "nothing")), ""),
        (PASSING, Proof("usage error", ("--klingon",)), ""),
        (FAILING, None, "pytest is not content with this section: 1 error"),
        (FAILING, Proof("1 error", words=("fixture 'nothing' not found",)), ""),
        (BROKEN, Proof("collection error"), ""),
        (BROKEN, Proof("1 error"), "pytest says 'collection error', not '1 error'"),
    ],
)
def test_what_pytest_does_is_held_against_the_page(
    tmp_path: Path, text: str, proof: Proof | None, message: str
) -> None:
    section = example(text, proof=proof)
    testing.write_example(section, tmp_path)
    problems = testing.proof_problems(section, tmp_path)
    assert len(problems) == bool(message)
    assert all(problem.message.startswith(message) for problem in problems)


def test_further_runs_are_held_against_the_page_too(tmp_path: Path) -> None:
    section = msgspec.structs.replace(
        example(PASSING, proof=Proof("1 passed")),
        further_runs=(Proof("no tests", ("-k", "nothing")), Proof("2 passed", line=30)),
    )
    testing.write_example(section, tmp_path)
    (problem,) = testing.proof_problems(section, tmp_path)
    assert problem.line == 30
    assert problem.message.startswith("pytest says '1 passed', not '2 passed'")


def test_firing_section_of_a_proved_rule_needs_a_proof(tmp_path: Path) -> None:
    (problem,) = testing.proof_problems(example(BROKEN, AT_LINE_TWO), tmp_path)
    assert "a proved rule needs a `pytest` block" in problem.message


def test_version_that_no_interpreter_has(tmp_path: Path) -> None:
    with pytest.raises(oracle.Unavailable, match=r"no interpreter has pytest 0\.1"):
        oracle.run(tmp_path, (), {"pytest": "0.1"})


SHOWS_VERSIONS = """
import pytest, pytest_asyncio
def test_a():
    assert 0, f"pytest {pytest.__version__}! pytest-asyncio {pytest_asyncio.__version__}!"
"""


@pytest.mark.parametrize("environment", environments.built(), ids=lambda each: each.name)
def test_version_of_an_environment(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(SHOWS_VERSIONS, encoding="utf-8")
    versions = {"pytest-asyncio": environment.versions["pytest-asyncio"]}
    output = oracle.run(tmp_path, (), versions).output
    assert f"pytest-asyncio {versions['pytest-asyncio']}!" in output
    assert f"pytest {oracle.pytest_version(versions)}!" in output


def test_version_of_an_environment_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environments.FOLDER, str(tmp_path / "nothing"))
    assert oracle.pytest_version({"pytest_asyncio": "0.23"}) == "8.3.5"
    with pytest.raises(oracle.Unavailable, match=r"no interpreter has pytest-asyncio 0\.23 \("):
        oracle.run(tmp_path, (), {"pytest_asyncio": "0.23"})


def test_plugins_are_loaded_only_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("async def test_a(): ...\n", encoding="utf-8")
    assert oracle.run(tmp_path, (), {}).summary == "1 failed"
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
    version = oracle.installed("pytest-asyncio")
    assert oracle.run(tmp_path, (), {"pytest_asyncio": version}).summary == "1 passed"


def test_bless_rewrites_and_adds_proofs(tmp_path: Path) -> None:
    page = tmp_path / "syntax-error.md"
    page.write_text(
        "# syntax-error\n\n## One\n\n```py\ndef test_a(: ...  # error\n```\n\n## Two\n\n"
        "```py\ndef test_b(): ...\n```\n\n```pytest\n$ pytest -x\n7 failed\ntest_example.py\n```\n",
        encoding="utf-8",
    )
    for number, section in enumerate(rulebook.read_examples(page)):
        folder = tmp_path / str(number)
        testing.write_example(section, folder)
        assert testing.bless(page, section, folder)
        assert not testing.bless(page, rulebook.read_examples(page)[number], folder)
    assert page.read_text(encoding="utf-8") == (
        "# syntax-error\n\n## One\n\n```py\ndef test_a(: ...  # error\n```\n\n"
        "```pytest\ncollection error\n```\n\n## Two\n\n"
        "```py\ndef test_b(): ...\n```\n\n```pytest\n$ pytest -x\n1 passed\ntest_example.py\n```\n"
    )
