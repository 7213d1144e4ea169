"""Rule pages: what their heads and sections mean, and how rules are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from growth import growth

from scopecheck import rulebook
from scopecheck.rulebook import Expected, PageError, Proof, UnknownRuleError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
# {name}

{summary}

```toml
code = "{code}"
default = "{default}"
certainty = "proved"
severity = "error"
fix = "none"
since = "0.1"
```
"""

SECTIONS = """
## Why

Because.

## A session fixture built from a function fixture

Some words.

`tests/conftest.py`:

```py
import pytest


@pytest.fixture(scope="session")
def engine(settings):  # error: "settings"
    return settings
```

`pytest.ini`:

```ini
[pytest]
usefixtures = engine  # error
```

```toml
plugins = { pytest = "8.3" }
```

```py
def test_engine(engine): ...
```

```pytest
$ pytest tests -k "engine or not"
1 error, 2 passed
ScopeMismatch
```

```diff
-a
+b
```

### Two on one line

```py
x = 1  # error: "a", "b"
```

## Prose with a command

```console
$ scopecheck
```
"""


def write_page(
    folder: Path,
    name: str = "scope-mismatch",
    code: str = "SCP101",
    default: str = "on",
    summary: str = "A fixture may not request one\nthat lives a shorter time.",
    sections: str = "",
) -> Path:
    page = folder / f"{name}.md"
    head = HEAD.format(name=name, code=code, default=default, summary=summary)
    page.write_text(head + sections, encoding="utf-8")
    return page


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five rules in place of the project's own."""
    write_page(tmp_path, "override-narrows-scope", "SCP102")
    write_page(tmp_path, "scope-mismatch", "SCP101")
    write_page(tmp_path, "unknown-fixture", "SCP301")
    write_page(tmp_path, "unsafe-teardown", "SCP314", default="opt-in")
    write_page(tmp_path, "syntax-error", "SCP001")
    rules = rulebook.read_rules(tmp_path)
    monkeypatch.setattr(rulebook, "rules", lambda: rules)
    return tmp_path


def test_head_of_a_page(tmp_path: Path) -> None:
    page = write_page(tmp_path)
    rule = rulebook.read_rule(page)
    assert (rule.code, rule.name, rule.default) == ("SCP101", "scope-mismatch", "on")
    assert rule.summary == "A fixture may not request one that lives a shorter time."
    assert (rule.certainty, rule.severity, rule.fix) == ("proved", "error", "none")
    assert rule.since == "0.1"
    assert rule.text == page.read_text(encoding="utf-8")
    assert not rule.is_engine
    assert rule.examples == ()


def test_rules_are_ordered_by_code(book: Path) -> None:
    assert [rule.code for rule in rulebook.read_rules(book).values()] == [
        "SCP001",
        "SCP101",
        "SCP102",
        "SCP301",
        "SCP314",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# scope-mismatch", "# Scope mismatch", r"x\.md:1: the title must be the file's stem"),
        ('code = "SCP101"', 'code = "SC101"', "code must be SCP and three digits"),
        ('code = "SCP101"\n', "", "the 'toml' block lacks code"),
        ('fix = "none"', 'fix = "maybe"', r"x\.md:11: fix must be one of none, safe, unsafe"),
        ('fix = "none"', "fix = none", 'expected key = "value"'),
        ('fix = "none"', 'fixes = "none"', "with a key of code, default, certainty"),
        ("```toml", "```yaml", "a summary and a 'toml' block must follow"),
        ("shorter time.", "shorter time. So it is.", "must be one sentence"),
        ("shorter time.", "shorter time", "must be one sentence"),
    ],
)
def test_head_that_breaks_the_grammar(tmp_path: Path, old: str, new: str, message: str) -> None:
    page = write_page(tmp_path)
    text = page.read_text(encoding="utf-8").replace("# scope-mismatch", "# x")
    page = tmp_path / "x.md"
    old, new = old.replace("scope-mismatch", "x"), new
    assert old in text
    page.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PageError, match=message):
        rulebook.read_rule(page)


def test_empty_page(tmp_path: Path) -> None:
    page = tmp_path / "x.md"
    page.write_bytes(b"")
    with pytest.raises(PageError):
        rulebook.read_rule(page)


def test_two_pages_with_one_code(tmp_path: Path) -> None:
    write_page(tmp_path, "one-fault")
    write_page(tmp_path, "other-fault")
    with pytest.raises(PageError, match=r"code SCP101 belongs to \S+\.md already"):
        rulebook.read_rules(tmp_path)


def test_section_with_everything(tmp_path: Path) -> None:
    page = write_page(tmp_path, sections=SECTIONS)
    first, second = rulebook.read_examples(page)
    assert first.id == "scope-mismatch: A session fixture built from a function fixture"
    assert [file.path for file in first.files] == [
        "tests/conftest.py",
        "pytest.ini",
        "test_example.py",
    ]
    conftest, ini, test = first.files
    assert conftest.text.splitlines()[4] == "def engine(settings):"
    assert ini.text == "[pytest]\nusefixtures = engine\n"
    assert test.text == "def test_engine(engine): ...\n"
    assert first.expected == (
        Expected("tests/conftest.py", 5, "settings"),
        Expected("pytest.ini", 2),
    )
    assert first.settings == {"plugins": {"pytest": "8.3"}}
    assert first.proof is not None
    assert first.proof.outcome == "1 error, 2 passed"
    assert first.proof.arguments == ("tests", "-k", "engine or not")
    assert first.proof.words == ("ScopeMismatch",)
    assert first.diffs == ("-a\n+b\n",)
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[first.page_line("tests/conftest.py", 5) - 1].startswith("def engine(settings)")
    assert lines[first.line - 1] == "## A session fixture built from a function fixture"
    assert second.title == "A session fixture built from a function fixture: Two on one line"
    assert second.expected == (
        Expected("test_example.py", 1, "a"),
        Expected("test_example.py", 1, "b"),
    )


def test_sections_need_no_head(tmp_path: Path) -> None:
    page = tmp_path / "scope-mismatch.md"
    page.write_text("# more\n\n## It works\n\n```py\n```\n", encoding="utf-8")
    (example,) = rulebook.read_examples(page)
    assert example.files[0].text == ""
    assert not example.fires


def test_block_inside_a_longer_fence_is_not_a_block(tmp_path: Path) -> None:
    page = write_page(tmp_path, sections="\n## A\n\n````markdown\n# no\n```py\n```\n````\n")
    assert rulebook.read_examples(page) == ()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ("## A\n```py\nx\n", "never closed"),
        ("## A\n```py\n```\n```py\n```\n", "two files 'test_example.py'"),
        ("## A\n`../x.py`:\n```py\n```\n", "not inside the example"),
        ("## A\n```py\n```\n## A\n```py\n```\n", "two sections 'A'"),
        ("## A\n```py\n```\n```toml\nx =\n```\n", "not TOML"),
        ("## A\n```py\n```\n```pytest\n\n```\n", "begins with the outcome"),
        ("## A\n```py\n```\n```pytest\n$ tox\n1 error\n```\n", "must be '\\$ pytest"),
        (
            "## A\n```py\n```\n`b.py`:\n```python\n```\n## B\n```py\n```\n```python\n```\n",
            "write 'py'",
        ),
    ],
)
def test_section_that_breaks_the_grammar(tmp_path: Path, sections: str, message: str) -> None:
    page = write_page(tmp_path, sections=f"\n{sections}")
    with pytest.raises(PageError, match=message):
        rulebook.read_examples(page)


def test_proof_without_arguments(tmp_path: Path) -> None:
    page = write_page(tmp_path, sections="\n## A\n```py\n```\n```pytest\n1 error\n```\n")
    (example,) = rulebook.read_examples(page)
    assert example.proof == Proof("1 error", line=example.files[0].line + 2)


def test_further_runs(tmp_path: Path) -> None:
    runs = "```pytest\n1 error\n```\n```pytest\n$ pytest -x\n1 passed\n```\n"
    page = write_page(tmp_path, sections=f"\n## A\n```py\n```\n{runs}")
    (example,) = rulebook.read_examples(page)
    assert example.proof is not None
    assert example.proof.outcome == "1 error"
    (further,) = example.further_runs
    assert (further.outcome, further.arguments) == ("1 passed", ("-x",))


@pytest.mark.parametrize("selector", ["scope-mismatch", "SCP101", "scp101"])
@pytest.mark.usefixtures("book")
def test_find(selector: str) -> None:
    assert rulebook.find(selector).name == "scope-mismatch"


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        (
            ["ALL"],
            "override-narrows-scope scope-mismatch syntax-error unknown-fixture unsafe-teardown",
        ),
        (["SCP1"], "override-narrows-scope scope-mismatch"),
        (
            ["SCP"],
            "override-narrows-scope scope-mismatch syntax-error unknown-fixture unsafe-teardown",
        ),
        (["SCP10", "unknown-fixture"], "override-narrows-scope scope-mismatch unknown-fixture"),
        (["SCP101"], "scope-mismatch"),
        ([], ""),
    ],
)
@pytest.mark.usefixtures("book")
def test_expand(selectors: list[str], names: str) -> None:
    assert sorted(rulebook.expand(selectors)) == names.split()


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("scope-missmatch", "unknown rule 'scope-missmatch'; did you mean 'scope-mismatch'?"),
        ("scope_mismatch", "unknown rule 'scope_mismatch'; did you mean 'scope-mismatch'?"),
        ("SCP999", "unknown rule 'SCP999'"),
        ("SCP9", "unknown rule 'SCP9'"),
        ("all", "unknown rule 'all'; did you mean 'ALL'?"),
        ("S", "unknown rule 'S'"),
        ("", "unknown rule ''"),
        ("F401", "unknown rule 'F401'"),
    ],
)
@pytest.mark.usefixtures("book")
def test_unknown_selector(selector: str, message: str) -> None:
    with pytest.raises(UnknownRuleError) as caught:
        rulebook.expand([selector])
    assert str(caught.value).startswith(message)
    assert caught.value.selector == selector
    if not selector.startswith("SCP1"):
        with pytest.raises(UnknownRuleError):
            rulebook.find(selector)


DEFAULTS = "override-narrows-scope scope-mismatch syntax-error unknown-fixture"


@pytest.mark.parametrize(
    ("select", "ignore", "extend", "names"),
    [
        (None, [], [], DEFAULTS),
        (None, ["SCP1"], [], "syntax-error unknown-fixture"),
        (None, ["SCP1"], ["SCP101"], "scope-mismatch syntax-error unknown-fixture"),
        (None, [], ["unsafe-teardown"], f"{DEFAULTS} unsafe-teardown"),
        (["SCP101"], [], [], "scope-mismatch syntax-error"),
        (["SCP101"], ["SCP1"], [], "scope-mismatch syntax-error"),
        (["SCP1"], ["SCP101"], [], "override-narrows-scope syntax-error"),
        (["SCP101"], ["scope-mismatch"], [], "syntax-error"),
        (["ALL"], ["ALL"], [], "syntax-error"),
        (["ALL"], ["SCP0", "SCP3"], [], "override-narrows-scope scope-mismatch syntax-error"),
        (["ALL"], ["syntax-error", "SCP3"], [], "override-narrows-scope scope-mismatch"),
        ([], [], [], "syntax-error"),
    ],
)
@pytest.mark.usefixtures("book")
def test_choose(select: list[str] | None, ignore: list[str], extend: list[str], names: str) -> None:
    assert sorted(rulebook.choose(select, ignore, extend)) == names.split()


def test_many_pages_are_listed_in_a_time_that_grows_with_them(tmp_path: Path) -> None:
    for count in (15, 60):
        (tmp_path / str(count)).mkdir()
        for number in range(count):
            write_page(
                tmp_path / str(count),
                f"rule-{chr(97 + number // 26)}{number}",
                f"SCP{number:03}",
                sections=SECTIONS * 20,
            )

    def read(count: int) -> None:
        assert len(rulebook.read_rules(tmp_path / str(count))) == count

    assert growth(lambda: read(15), lambda: read(60)) < 8
