"""Statements that are hard to print back: a fix is withheld where libcst loses any of the text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst
import pytest

from scopecheck.config import Settings
from scopecheck.project import Project
from scopecheck.run import repair

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = {"pytest": "8.4", "pytest-asyncio": "1.1.0"}
REASON = "libcst does not print it back unchanged"
LINE = "    os.environ['NAME_{number}'] = 'x'\n"
HEAD = "import os\n\n\n"

# Lines of a function's body, below one that is rewritten.
BODIES = {
    "comments that are deeper": "    x = 1\n        # deeper\n      # less deep\n    y = 2\n",
    "comments at the left edge": "    x = 1\n# left\n    y = 2\n",
    "comments between blocks": "    if 1:\n        y = 1\n  # between\n    z = 2\n",
    "comments before else": "    if 1:\n        pass\n    # c\n    else: # d\n        pass # e\n",
    "comments at every depth": "    if 1:\n        x = 1\n            # a\n          # b\n"
    "    # c\n    y = 1\n",
    "comments in brackets": "    x = [ # a\n        1, # b\n  # c\n    ] # d\n",
    "a form feed between lines": "    x = 1\n\x0c\n    y = 2\n",
    "a form feed before code": "    x = 1\n\x0c    y = 2\n",
    "a form feed in code": "    x =\x0c1\n",
    "blank lines with spaces": "    x = 1\n      \n   \n    y = 2\n",
    "spaces at the end": "    x = 1   \n    y = 2\t\n",
    "a continued line": "    x = 1 + \\\n  2\n",
    "a continued head": "    if 1: \\\n        y = 1\n",
    "semicolons": "    x = 1; y = 2;\n",
    "a block on one line": "    while 0: pass # c\n",
    "tabs in a block": "    if 1:\n    \ty = 1\n",
    "a string of many lines": "    x = '''\n  a\n\tb   \n'''\n",
    "strings side by side": "    x = (bR'\\d' b'x'\n  b'y')\n",
    "an f-string": "    x = 1; y = f'{x!r:>{x}} {{}} {x=}'\n",
    "a lambda": "    x = lambda a, /, b=1, *c, d, **e: ( a )\n",
    "stars": "    print(*[] , ** {})\n    [1] [ 0 : 1 : ]\n",
    "a walrus": "    if (x := 1) and(x):pass\n",
    "a match": "    match 1:\n        case {'a': [1, *_], **z} if z: pass\n"
    "        case int(real=2) | None: pass\n",
    "a with in parentheses": "    with (open(os.devnull) as a, open(os.devnull) as b,): pass\n",
    "numbers": "    x = 0XfF_f + 1_0.e-1J\n",
    "operators": "    x = 1 not   in [] is\\\n not 2\n",
    "other letters": "    é = 'ü' # ß\n",
    "a decorated function": "    @ staticmethod\n    # c\n    def g ( ) : ...\n",
    "a class": "    class A ( object , ) :\n\n        pass\n\n    # after\n    A\n",
    "parentheses for nothing": "    ((x)) = ((1))\n    del ( x )\n",
    "a type comment": "    x = [] # type: list\n",
    "a loop's else": "    for x in (): x\n    else :\n        1\n",
    "a very long line": f"    x = {[*range(400)]}\n",
}
WITHHELD = {"a form feed before code"}
TOO_LONG = {"a very long line"}


def function(number: int, body: str) -> str:
    return f"def test_{number}():\n{LINE.format(number=number)}{body}\n\n"


def test_each_fix_is_made_or_withheld_as_libcst_prints_the_function(tmp_path: Path) -> None:
    texts = [HEAD + function(number, body) for number, body in enumerate(BODIES.values())]
    for number, text in enumerate(texts):
        (tmp_path / f"test_{number}.py").write_text(text, newline="")
    stated = Settings(plugins=VERSIONS, select=("SCP405",))
    done = repair([], project=Project(tmp_path, stated, 1), settings=stated, unsafe=True)
    changed = {change.path: change.after.decode() for change in done.changes}
    reasons = {line.partition(":")[0]: line.rpartition("): ")[2] for line in done.dropped}
    made, withheld = set(), {}
    for number, (name, body) in enumerate(BODIES.items()):
        path = f"test_{number}.py"
        if path in changed:
            made.add(name)
            # All but the signature, the one line and the import is as it was, byte for byte.
            line = f"    monkeypatch.setenv('NAME_{number}', 'x')\n"
            assert changed[path].endswith(f"def test_{number}(monkeypatch):\n{line}{body}\n\n")
        else:
            withheld[name] = reasons[path]
    assert withheld == dict.fromkeys(WITHHELD, REASON) | dict.fromkeys(TOO_LONG, "it is too long")
    assert len(made) == len(BODIES) - 2
    lost = {name for name, body in BODIES.items() if not prints_back(function(1, body))}
    assert lost == WITHHELD


def prints_back(text: str) -> bool:
    return cst.parse_module(text).code == text


@pytest.mark.parametrize("newline", ["\r", "\r\n"])
def test_lines_may_end_otherwise(tmp_path: Path, newline: str) -> None:
    texts = [
        (HEAD + function(number, body)).replace("\n", newline)
        for number, body in enumerate(BODIES.values())
    ]
    for number, text in enumerate(texts):
        (tmp_path / f"test_{number}.py").write_text(text, newline="")
    stated = Settings(plugins=VERSIONS, select=("SCP405",))
    done = repair([], project=Project(tmp_path, stated, 1), settings=stated, unsafe=True)
    changed = {change.path: change.after.decode() for change in done.changes}
    withheld = {line.partition(":")[0] for line in done.dropped}
    assert len(changed) + len(withheld) == len(BODIES)
    # libcst loses most lines that end with a carriage return alone.
    assert (len(changed) > len(withheld)) == (newline == "\r\n")
    for number, (name, body) in enumerate(BODIES.items()):
        path, shown = f"test_{number}.py", body.replace("\n", newline)
        if path in changed:
            assert changed[path].endswith(f"{shown}{newline}{newline}"), name
            assert not re.search(r"(?<!\r)\n" if newline == "\r\n" else r"\n", changed[path])
        else:
            assert any(line.startswith(f"{path}:") for line in done.dropped), name
