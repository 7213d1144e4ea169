"""Edits, diffs, files and rewritings: what lies outside of an edit stays as it is."""

from __future__ import annotations

import os
import stat
import subprocess
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopecheck.finding import Edit
from scopecheck.fix import calls, functions
from scopecheck.fix.diff import Change, unified
from scopecheck.fix.edits import Editor, Overlap, Withheld, apply, encode
from scopecheck.fix.files import Refused, write
from scopecheck.fix.imports import Placing, with_names, without_names
from scopecheck.fix.parsing import Statement, parse_expression
from scopecheck.fix.wrapping import wrapped
from scopecheck.read.code import Code
from scopecheck.source import Span, decode

if TYPE_CHECKING:
    from pathlib import Path


def editor(text: str) -> Editor:
    return Editor(decode("test_a.py", text.encode()))


def test_edits_are_made_from_the_text_as_it_was() -> None:
    edits = [
        Edit("a", Span(2, 2, 2, 3), "XX"),
        Edit("a", Span(1, 1, 1, 2), ""),
        Edit("a", Span(3, 1, 3, 1), "new\n"),
        Edit("a", Span(3, 1, 3, 1), "and\n"),
    ]
    assert apply("ab\r\ncd\r\nef", edits) == "b\r\ncXX\r\nnew\nand\nef"


def test_edits_of_the_same_text_are_refused() -> None:
    with pytest.raises(Overlap, match="line 1"):
        apply("abc", [Edit("a", Span(1, 1, 1, 3), ""), Edit("a", Span(1, 2, 1, 4), "x")])


@pytest.mark.parametrize(
    ("text", "first", "last", "result"),
    [
        ("a\nb\nc\n", 2, 2, "a\nc\n"),
        ("a\n\n\nb\n\n\nc\n", 4, 4, "a\n\n\nc\n"),
        ("a\n\nb\n\n\nc\n", 3, 3, "a\n\n\nc\n"),
        ("a\n\n\nb\n\nc\n", 4, 4, "a\n\n\nc\n"),
        ("a\n\nb\nc\n", 3, 3, "a\n\nc\n"),
        ("a\nb\n\nc\n", 2, 2, "a\n\nc\n"),
        ("a\n\nb\n\nc\n", 1, 1, "b\n\nc\n"),
        ("a\n\n\nb\n\n", 4, 4, "a\n"),
        ("a\n\n\nb", 4, 4, "a"),
        ("class A:\n\n    b\n\n    c\n", 3, 3, "class A:\n\n    c\n"),
        ("class A:\n    b\n\n    c\n", 2, 2, "class A:\n    c\n"),
        ("a\n", 1, 1, ""),
        ("a\r\n\r\nb\r\n\r\nc\r\n", 3, 3, "a\r\n\r\nc\r\n"),
    ],
)
def test_removed_lines_take_their_blank_lines_with_them(
    text: str, first: int, last: int, result: str
) -> None:
    found = editor(text)
    found.remove_lines(first, last)
    assert found.result == result


def test_runs_of_removed_lines_are_one() -> None:
    found = editor("a\n\n\nb\n\n\nc\n\n\nd\n")
    found.remove_lines(4, 4)
    found.remove_lines(7, 7)
    assert found.result == "a\n\n\nd\n"


def test_lines_are_inserted_where_others_are_removed() -> None:
    found = editor("a\n\nb\n\nc\n")
    found.remove_lines(1, 1)
    found.insert(2, "x\n")
    found.insert(2, "w\n", ahead=True)
    assert found.result == "w\nx\n\nb\n\nc\n"


def test_lines_get_the_endings_of_the_file() -> None:
    found = editor("a\r\nb")
    found.insert(2, "x\n")
    found.insert(3, "y\n")
    assert found.result == "a\r\nx\r\nb\r\ny"


@given(
    st.lists(st.sampled_from(["a", "b", "", "\u00e9\u2028x", "\x0c"]), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.data(),
)
@settings(max_examples=200)
def test_replaced_lines_change_only_what_differs(
    lines: list[str], newline: str, data: st.DataObject
) -> None:
    text = "".join(f"{line}{newline}" for line in lines)
    found = editor(text)
    first = data.draw(st.integers(1, max(len(lines), 1)))
    last = data.draw(st.integers(first - 1, len(lines)))
    new = data.draw(st.lists(st.sampled_from(["a", "b", "new"]), max_size=4))
    found.replace_lines(first, last, "".join(f"{line}{newline}" for line in new))
    wanted = [*lines[: first - 1], *new, *lines[last:]]
    assert found.result == "".join(f"{line}{newline}" for line in wanted)


def test_bytes_are_written_in_the_encoding_of_the_file() -> None:
    source = decode("a.py", b"# coding: latin-1\nx = '\xe9'\n")
    assert encode(source, source.text.replace("x", "y")) == b"# coding: latin-1\ny = '\xe9'\n"
    marked = decode("a.py", b"\xef\xbb\xbfx = 1\r\n")
    assert encode(marked, marked.text) == b"\xef\xbb\xbfx = 1\r\n"


LINE = st.sampled_from([b"", b"a", b"b", b"\tc\r", b"\xff\xfe", b"def f():", b"@@ -1 +1 @@"])
TEXT = st.builds(
    lambda lines, ended: b"\n".join(lines) + (b"\n" if ended and lines else b""),
    st.lists(LINE, max_size=12),
    st.booleans(),
)


@given(TEXT, TEXT, st.sampled_from(["a.py", "x y/b.py", "\u00e9.py", 'q"uo\\te.py']))
@settings(max_examples=60)
def test_git_applies_a_diff(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("diff")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(before)
    (folder / "other.py").write_bytes(b"same\n")
    diff = unified([Change(name, before, after), Change("other.py", b"same\n", b"same\n")])
    assert (diff == b"") == (before == after)
    if diff:
        subprocess.run(["git", "apply", "-"], cwd=folder, input=diff, check=True)
    assert (folder / name).read_bytes() == after


def test_diff_of_a_file_that_is_made(tmp_path: Path) -> None:
    diff = unified([Change("pytest.ini", None, b"[pytest]\n")], "sub/")
    assert (
        diff
        == dedent(
            """\
        diff --git a/sub/pytest.ini b/sub/pytest.ini
        new file mode 100644
        --- /dev/null
        +++ b/sub/pytest.ini
        @@ -0,0 +1 @@
        +[pytest]
        """
        ).encode()
    )
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, check=True)
    assert (tmp_path / "sub/pytest.ini").read_bytes() == b"[pytest]\n"


def test_a_diff_pairs_lines_as_a_person_would() -> None:
    def functions_of(numbers: range) -> bytes:
        return b"".join(b"def f%d():\n    pass\n\n\n" % number for number in numbers)

    before = functions_of(range(200))
    after = before.replace(b"def f100():\n    pass\n\n\n", b"")
    changed = unified([Change("a", before, after)]).split(b"\n")[3:]
    assert [line for line in changed if line[:1] in b"+-" and line] == [
        b"-def f100():",
        b"-    pass",
        b"-",
        b"-",
    ]


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"old")
    file.chmod(0o755)
    before = file.stat().st_ino
    write(tmp_path, [Change("a.py", b"old", b"new")])
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o755
    assert file.stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]


def test_a_link_stays_and_what_it_leads_to_changes(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.py").write_bytes(b"old")
    (tmp_path / "a.py").symlink_to("real/a.py")
    write(tmp_path, [Change("a.py", b"old", b"new")])
    assert (tmp_path / "a.py").is_symlink()
    assert (tmp_path / "real/a.py").read_bytes() == b"new"


def test_a_link_that_leaves_the_tree_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "a.py").write_bytes(b"old")
    (root / "a.py").symlink_to("../a.py")
    (root / "b.py").write_bytes(b"old")
    with pytest.raises(Refused, match=r"a\.py leads out of .*: it is not written"):
        write(root, [Change("b.py", b"old", b"new"), Change("a.py", b"old", b"new")])
    assert (tmp_path / "a.py").read_bytes() == (root / "b.py").read_bytes() == b"old"


def test_a_folder_that_is_a_link_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.py").write_bytes(b"old")
    (tmp_path / "root/sub").symlink_to("../out")
    with pytest.raises(Refused, match="leads out of"):
        write(tmp_path / "root", [Change("sub/a.py", b"old", b"new")])
    with pytest.raises(Refused, match="leads out of"):
        write(tmp_path / "root", [Change("../out/a.py", b"old", b"new")])


def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"old")
    (tmp_path / "b.py").write_bytes(b"old")
    (tmp_path / "b.py").chmod(0o444)
    with pytest.raises(Refused, match=r"b\.py is read-only"):
        write(tmp_path, [Change("a.py", b"old", b"new"), Change("b.py", b"old", b"new")])
    assert (tmp_path / "a.py").read_bytes() == b"old"


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"newer")
    with pytest.raises(Refused, match=r"a\.py has changed since it was read"):
        write(tmp_path, [Change("a.py", b"old", b"new")])
    assert (tmp_path / "a.py").read_bytes() == b"newer"


def test_a_file_that_is_gone_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"a\.py cannot be written"):
        write(tmp_path, [Change("a.py", b"old", b"new")])
    (tmp_path / "a.py").mkdir()
    with pytest.raises(Refused, match=r"a\.py is no regular file"):
        write(tmp_path, [Change("a.py", b"old", b"new")])


def test_a_file_is_made_unless_there_is_one(tmp_path: Path) -> None:
    write(tmp_path, [Change("a.ini", None, b"x")])
    assert (tmp_path / "a.ini").read_bytes() == b"x"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.ini").stat().st_mode) == 0o666 & ~mask
    with pytest.raises(Refused, match="is there now"):
        write(tmp_path, [Change("a.ini", None, b"y")])
    assert [path.name for path in tmp_path.iterdir()] == ["a.ini"]


SESSION = {"loop_scope": '"session"'}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("fixture", 'fixture(loop_scope="session")'),
        ("pytest.fixture()", 'pytest.fixture(loop_scope="session")'),
        ("fixture( scope='x' )", "fixture( scope='x', loop_scope=\"session\" )"),
        ("fixture(a, *b, **c)", 'fixture(a, *b, **c, loop_scope="session")'),
        ("fixture(loop_scope=None, a=1)", 'fixture(loop_scope="session", a=1)'),
        (
            "fixture(\r\n\tscope=1,  # why\r\n)",
            'fixture(\r\n\tscope=1,  # why\r\n\tloop_scope="session",\r\n)',
        ),
        (
            "fixture(\n    a=1,\n    # b\n    b=2  # c\n)",
            'fixture(\n    a=1,\n    # b\n    b=2,  # c\n    loop_scope="session"\n)',
        ),
    ],
)
def test_a_keyword_is_added_in_the_style_of_the_call(before: str, after: str) -> None:
    assert calls.rewrite_call(before, given=SESSION) == after


def test_a_call_gets_another_name_and_its_keywords_too() -> None:
    before = "mark.asyncio( scope = 'x' , other=scope )"
    after = "m.a( loop_scope = 'x' , other=scope )"
    assert calls.rewrite_call(before, callee="m.a", renamed={"scope": "loop_scope"}) == after
    assert calls.rewrite_call("fixture", callee="pytest_asyncio.fixture") == (
        "pytest_asyncio.fixture"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mark(\n    'a',  # x\n    'gone',\n    'b',\n)", "mark(\n    'a',  # x\n    'b',\n)"),
        ("mark('a', 'gone')", "mark('a')"),
        ("mark('gone')", None),
    ],
)
def test_an_argument_is_taken_away(before: str, after: str | None) -> None:
    assert calls.without_arguments(before, ["gone"]) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mark.a", "[mark.a, m]"),
        ("[]", "[m]"),
        ("[a,]", "[a, m,]"),
        ("[\n    a,  # x\n    b,  # y\n]", "[\n    a,  # x\n    b,  # y\n    m,\n]"),
    ],
)
def test_an_item_is_added(before: str, after: str) -> None:
    assert calls.with_item(before, "m") == after


def test_items_are_taken_away() -> None:
    assert calls.without_items("('a', 'gone')", ["gone"]) == "('a',)"
    assert calls.without_items("['gone', 'a']", ["gone"]) == "['a']"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(gone): pass\n", "def f(): pass\n"),
        ("def f(self, gone, b): pass\n", "def f(self, b): pass\n"),
        ("def f(a, gone): pass\n", "def f(a): pass\n"),
        ("def f(a, gone,): pass\n", "def f(a,): pass\n"),
        ("def f(a, *, gone): pass\n", "def f(a): pass\n"),
        ("def f(*, gone, a): pass\n", "def f(*, a): pass\n"),
        ("def f(a, gone, *b, **c): pass\n", "def f(a, *b, **c): pass\n"),
        ("def f(\n    gone: int,\n): pass\n", "def f(): pass\n"),
        (
            "def f(\n    a,  # A\n    gone,  # G\n    # on b\n    b,\n): pass\n",
            "def f(\n    a,  # A\n    # on b\n    b,\n): pass\n",
        ),
        ("def f(\n    a,  # A\n    gone\n): pass\n", "def f(\n    a,  # A\n): pass\n"),
        ("def f(\n    a,\n    gone\n): pass\n", "def f(\n    a\n): pass\n"),
        (
            "def f(\n    gone,\n    # on b\n    b,\n): pass\n",
            "def f(\n    # on b\n    b,\n): pass\n",
        ),
        ("\tdef f(gone):\r\n\t\tpass", "\tdef f():\r\n\t\tpass"),
    ],
)
def test_a_parameter_is_dropped(before: str, after: str) -> None:
    statement = Statement(before)
    functions.drop_parameter(statement, "gone")
    assert statement.text == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(): pass\n", "def f(new): pass\n"),
        ("def f(self): pass\n", "def f(self, new): pass\n"),
        ("def f(new): pass\n", "def f(new): pass\n"),
        ("def f(a, b=1): pass\n", "def f(a, new, b=1): pass\n"),
        ("def f(b=1): pass\n", "def f(new, b=1): pass\n"),
        ("def f(*, a): pass\n", "def f(new, *, a): pass\n"),
        ("def f(a, *b, **c): pass\n", "def f(a, new, *b, **c): pass\n"),
        ("def f(a, /): pass\n", "def f(a, /, new): pass\n"),
        ("def f(\n    a,\n): pass\n", "def f(\n    a,\n    new,\n): pass\n"),
        ("def f(\n    a, b\n): pass\n", "def f(\n    a, b, new\n): pass\n"),
        (
            "def f(\n    a,\n    b,  # B\n): pass\n",
            "def f(\n    a,\n    b,  # B\n    new,\n): pass\n",
        ),
        (
            "def f(\n    a,\n    b=1,\n): pass\n",
            "def f(\n    a,\n    new,\n    b=1,\n): pass\n",
        ),
    ],
)
def test_a_parameter_is_added(before: str, after: str) -> None:
    statement = Statement(before)
    functions.add_parameter(statement, "new")
    assert statement.text == after


def test_a_function_awaits_what_it_ran() -> None:
    statement = Statement(
        "def f(loop) -> Generator[int, None, None]:\n"
        "    x = loop.run(g(loop)).y  # the first\n"
        "    loop.run(a or b)\n"
        "    assert loop.run(c) ** 2 == 1\n"
        "    yield [loop.run(z) for z in loop.run(zs)]\n"
    )
    functions.await_calls(statement, "loop", "run")
    assert functions.make_async(statement) == ("Generator", "AsyncGenerator")
    functions.replace_reads(statement, "loop", "here()")
    functions.drop_parameter(statement, "loop")
    assert statement.text == (
        "async def f() -> AsyncGenerator[int, None]:\n"
        "    x = (await g(here())).y  # the first\n"
        "    await (a or b)\n"
        "    assert (await c) ** 2 == 1\n"
        "    yield [await z for z in await zs]\n"
    )


def test_uses_of_a_name() -> None:
    text = """\
        def f(loop):
            x.loop(loop=loop)
            loop.a(1)

            def g(loop):
                return loop

            h = lambda: loop.b
            return (loop for _ in x)
        """
    uses = functions.uses_of(Statement(dedent(text)), "loop")
    assert len(uses.direct) == 2
    assert len(uses.nested) == 2
    assert [name for name, _ in uses.called] == ["a"]
    assert uses.attributes == ["a", "b"]
    assert not uses.rebound


@pytest.mark.parametrize(
    "line", ["loop = 1", "for loop in x: pass", "with x as loop: pass", "del loop", "(loop := 1)"]
)
def test_a_name_that_gets_another_value(line: str) -> None:
    assert functions.uses_of(Statement(f"def f(loop):\n    {line}\n"), "loop").rebound


def test_a_line_comes_after_the_docstring() -> None:
    statement = Statement('    def f():\n        """Doc."""\n        # why\n        return 1\n')
    functions.insert_first(statement, "x = 2")
    expected = '    def f():\n        """Doc."""\n        x = 2\n        # why\n        return 1\n'
    assert statement.text == expected
    with pytest.raises(Withheld):
        functions.insert_first(Statement("def f(): return 1\n"), "x = 2")


def test_what_libcst_does_not_print_back_is_withheld() -> None:
    with pytest.raises(Withheld):
        parse_expression("x(")
    with pytest.raises(Withheld):
        parse_expression("x" * 2_000)
    with pytest.raises(Withheld):
        # libcst 1.9.0 loses the first of these comments.
        Statement("x = 1\n  # lost\n  # kept\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import a, b\n", "import a\n"),
        ("import b as c, a\n", None),
        ("from x import (\n    a,  # A\n    b,\n)\n", "from x import (\n    a,  # A\n)\n"),
        ("from x import b\n", None),
        ("from x import b as d, a\n", "from x import a\n"),
        ("from x import (\n    a,  # A\n    b\n)\n", "from x import (\n    a  # A\n)\n"),
    ],
)
def test_names_are_taken_out_of_an_import(before: str, after: str | None) -> None:
    gone = {"b", "d"} if after is not None else {"a", "b", "c"}
    assert without_names(before, gone) == after


@pytest.mark.parametrize(
    ("text", "module", "result"),
    [
        ("import os\n", "asyncio", "import asyncio\nimport os\n"),
        (
            "import abc\nfrom x import y\n",
            "asyncio",
            "import abc\nimport asyncio\nfrom x import y\n",
        ),
        (
            "from os import x\n\nimport z\n",
            "asyncio",
            "import asyncio\nfrom os import x\n\nimport z\n",
        ),
        (
            "import pytest\n\nimport own\n",
            "asyncio",
            "import asyncio\n\nimport pytest\n\nimport own\n",
        ),
        ("import os\n\nimport own\n", "third", "import os\n\nimport third\n\nimport own\n"),
        ('"""Doc."""\n\nx = 1\n', "asyncio", '"""Doc."""\n\nimport asyncio\n\nx = 1\n'),
        ("from __future__ import a\n", "asyncio", "from __future__ import a\n\nimport asyncio\n"),
        ("x = 1\n", "asyncio", "import asyncio\n\nx = 1\n"),
        ("", "asyncio", "import asyncio\n"),
        (
            "# coding: utf-8\n# (c)\nimport os\n",
            "asyncio",
            "# coding: utf-8\n# (c)\nimport asyncio\nimport os\n",
        ),
    ],
)
def test_an_import_goes_where_isort_has_it(text: str, module: str, result: str) -> None:
    found = editor(text)
    code = Code(text)
    place = Placing(code, code.imports(), lambda name: name == "own")
    line, before, after = place.place(module, plain=True)
    found.insert(line, "\n" * before + f"import {module}\n" + "\n" * after)
    assert found.result == result


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from a import c\n", "from a import b, c\n"),
        ("from a import A, B, a\n", "from a import A, B, a, b\n"),
        ("from a import (\n    A,\n    c,\n)\n", "from a import (\n    A,\n    b,\n    c,\n)\n"),
        ("from a import (\n    A,\n)\n", "from a import (\n    A,\n    b,\n)\n"),
        (
            f"from a import {'a' * 30}, {'d' * 30}\n",
            f"from a import {'a' * 30}, b, {'d' * 30}\n",
        ),
        (
            f"from a import {'a' * 40}, {'d' * 30}\n",
            f"from a import (\n    {'a' * 40},\n    b,\n    {'d' * 30},\n)\n",
        ),
    ],
)
def test_a_name_goes_where_isort_has_it(before: str, after: str) -> None:
    assert with_names(before, ["b"], 88) == after


@pytest.mark.parametrize("before", ["from a import c; x = 1\n", "from a import *\n", "import a\n"])
def test_a_name_goes_into_no_other_statement(before: str) -> None:
    with pytest.raises(Withheld):
        with_names(before, ["b"], 88)


BODY = "    pass\n"


@pytest.mark.parametrize(
    ("signature", "result"),
    [
        ("def f(a, b):", None),
        (f"def f({'a' * 45}, {'b' * 35}):", f"def f(\n    {'a' * 45}, {'b' * 35}\n):"),
        (
            f"async def f({'a' * 50}, *, {'b' * 40}='x, y') -> C[D, E]:",
            f"async def f(\n    {'a' * 50},\n    *,\n    {'b' * 40}='x, y',\n) -> C[D, E]:",
        ),
        (f"def f({'a' * 50}, {'b' * 40}):  # why", None),
        (f"def {'f' * 90}():", None),
        (f"def f({'a' * 50}, {'b' * 40}='\\n'):", None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_signature_that_a_fix_makes_too_long_is_wrapped(
    signature: str, result: str | None, newline: str
) -> None:
    def lines(head: str) -> str:
        return f"{head}\n{BODY}".replace("\n", newline)

    assert wrapped(lines(signature), lines("def f():"), 88) == lines(result or signature)
    assert wrapped(lines(signature), lines(signature), 88) == lines(signature)


def test_an_import_takes_the_place_of_one_that_goes() -> None:
    found = editor("import os\n\nfrom own import x\n")
    found.remove_lines(1, 1)
    code = Code(found.source.text)
    kept = [one for one in code.imports() if not found.removes(one.first, one.last)]
    line, before, after = Placing(code, kept, lambda name: name == "own").place(
        "pytest", plain=True
    )
    found.insert(line, "\n" * before + "import pytest\n" + "\n" * after)
    assert found.result == "import pytest\n\nfrom own import x\n"
