"""`--add-ignore`: where the comments go, what they leave as it is, and that they silence."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from scopecheck import status
from scopecheck.commands.check import run
from scopecheck.commands.options import CheckOptions
from scopecheck.finding import Fault, Finding, Place
from scopecheck.silence import Silenced, silence
from scopecheck.source import WHOLE_FILE, Span, decode


def finding(line: int, name: str = "scope-mismatch", path: str = "a.py") -> Finding:
    code = "SCP001" if name == "syntax-error" else "SCP101"
    span = Span(line, 1, line, 2) if line else WHOLE_FILE
    return Finding(code, name, "error", "proved", Fault(Place(path, span), "wrong", path))


def silenced(data: bytes, *findings: Finding, path: str = "a.py") -> Silenced:
    return silence(findings, lambda _: decode(path, data))


def after(text: str, *lines: int | tuple[int, str], path: str = "a.py") -> str:
    """The text with the findings on these lines silenced."""
    findings = [
        finding(one, path=path) if isinstance(one, int) else finding(*one, path=path)
        for one in lines
    ]
    result = silenced(dedent(text).encode(), *findings, path=path)
    assert result.left == ()
    (change,) = result.changes
    return change.after.decode()


IGNORE = "# scopecheck: ignore[scope-mismatch]"


def test_at_the_end_of_the_line() -> None:
    text = "@fixture\ndef a(b):\n    return b\n"
    assert after(text, 2) == f"@fixture\ndef a(b):  {IGNORE}\n    return b\n"
    assert after("a = 1", 1) == f"a = 1  {IGNORE}"
    assert after("a = 1  \t\nb = 2\n", 1) == f"a = 1  {IGNORE}\nb = 2\n"


def test_rules_share_a_comment() -> None:
    both = "# scopecheck: ignore[scope-mismatch, unused-fixture]"
    assert after("a = 1\n", 1, (1, "unused-fixture"), 1) == f"a = 1  {both}\n"
    assert after(f"a = 1  {IGNORE} -- why\n", (1, "unused-fixture")) == f"a = 1  {both} -- why\n"
    assert after("a = 1  # scopecheck: ignore[ ]\n", 1) == f"a = 1  {IGNORE[:-1]}]\n"


def test_above_a_line_with_another_comment() -> None:
    text = "class A:\n    def a(b):  # noqa: X\n        return b\n"
    assert after(text, 2) == f"class A:\n    {IGNORE}\n    def a(b):  # noqa: X\n        return b\n"


def test_above_a_long_line() -> None:
    line = f"a = '{'x' * 60}'\n"
    assert after(line, 1) == f"{IGNORE}\n{line}"


def test_inside_of_brackets() -> None:
    text = "a = f(\n    1,\n    2,  # two\n)\n"
    assert after(text, 2) == f"a = f(\n    1,  {IGNORE}\n    2,  # two\n)\n"
    assert after(text, 3) == f"a = f(\n    1,\n    {IGNORE}\n    2,  # two\n)\n"


@pytest.mark.parametrize(
    "text",
    ['x = 0\na = """\nb\n"""\n', "x = 0\na = 1 + \\\n    2\n", "x = 0\na = f(\n'''\n\n''')\n"],
)
@pytest.mark.parametrize("line", [2, 3, 4])
def test_inside_of_strings_and_after_backslashes(text: str, line: int) -> None:
    if line > len(text.splitlines()):
        return
    result = after(text, line)
    assert ast.dump(ast.parse(result)) == ast.dump(ast.parse(text))
    assert IGNORE in result


def test_a_whole_file() -> None:
    text = "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nimport x\n"
    assert after(text, 0, 3).splitlines() == [
        "#!/usr/bin/python",
        "# -*- coding: utf-8 -*-",
        "# scopecheck: ignore-file[scope-mismatch]",
        f"import x  {IGNORE}",
    ]
    assert after("", 0) == "# scopecheck: ignore-file[scope-mismatch]\n"


def test_configuration() -> None:
    assert after("[pytest]\naddopts = -q\n", 2, path="pytest.ini") == (
        f"[pytest]\n{IGNORE}\naddopts = -q\n"
    )
    assert after("[pytest]\n", 0, path="pytest.ini") == f"{IGNORE}\n[pytest]\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfa = 1\r\nb = '\xc3\xa9'\r\n",
        b"# coding: latin-1\na = 1\nb = '\xe9'\n",
        b"a = 1\rb = 2\r",
        b"a = 1\n\x0cb = 2",
    ],
)
def test_bytes_stay_as_they_are(data: bytes) -> None:
    (change,) = silenced(data, finding(2)).changes
    assert change.before == data
    assert change.after.replace(b"  " + IGNORE.encode(), b"") == data


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"a = (\n", finding(1)),
        (b"a = 1\n", finding(1, "syntax-error")),
        (b"{}\n", finding(1, path="a.json")),
    ],
)
def test_what_cannot_be_silenced_is_left(data: bytes, wanted: Finding) -> None:
    if wanted.fault.place.path == "a.json":
        assert silence([wanted], lambda _: None) == Silenced((), (wanted,))
    else:
        assert silenced(data, wanted) == Silenced((), (wanted,))


def test_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test_a.py").write_text("def test_a(missing): ...\ndef test_b(missing, lost): ...\n")

    def check(*, add_ignore: bool = False, update_baseline: bool = False) -> int:
        options = CheckOptions(
            select=("SCP3",),
            outputs=(("formats", "concise"),),
            add_ignore=add_ignore,
            update_baseline=update_baseline,
        )
        return run([], options)

    assert check() == 1
    capsys.readouterr()
    assert check(add_ignore=True) == 0
    out, err = capsys.readouterr()
    assert err == "scopecheck: 3 findings silenced in 1 file\n"
    assert out.startswith("All checks passed")
    assert Path("test_a.py").read_text() == (
        "def test_a(missing): ...  # scopecheck: ignore[unknown-fixture]\n"
        "def test_b(missing, lost): ...  # scopecheck: ignore[unknown-fixture]\n"
    )
    assert check() == 0
    with pytest.raises(status.Refused, match="--add-ignore does not go with --update-baseline"):
        check(add_ignore=True, update_baseline=True)


def test_a_file_that_its_encoding_would_not_write_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    escaped = b"# coding: unicode_escape\ndef test_a(lost): ...\n"
    Path("test_a.py").write_bytes(escaped)
    Path("test_b.py").write_text("def test_b(missing): ...\n")
    assert run([], CheckOptions(outputs=(("formats", "concise"),), add_ignore=True)) == 1
    out, err = capsys.readouterr()
    assert err == "scopecheck: 1 finding silenced in 1 file\n"
    assert out.startswith("test_a.py:2:12: ")
    assert Path("test_a.py").read_bytes() == escaped
