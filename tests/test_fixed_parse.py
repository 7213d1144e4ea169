"""What fixes write is Python for every version that scopecheck supports.

The grammar of the oldest one is asked of this interpreter. `SCOPECHECK_PYTHONS`, a list like
`PATH`, names others; those on the path are asked as well.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from scopecheck import rulebook, testing
from scopecheck.testing import fixes, oracle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLDEST = (3, 10)
SUPPORTED = range(10, 15)
# Hands back the version, and of the texts on its input those that it cannot compile.
COMPILE = """
import json, sys, warnings
warnings.simplefilter("ignore")
failed = []
for text in json.load(sys.stdin):
    try:
        compile(text, "<fixed>", "exec", dont_inherit=True)
    except SyntaxError:
        failed.append(text)
json.dump([sys.version_info[1], failed], sys.stdout)
"""


@cache
def results(scratch: Path) -> tuple[tuple[str, str], ...]:
    """Each file of a page's section that a fix rewrites: before and after."""
    return tuple(_results(scratch))


def _results(scratch: Path) -> Iterator[tuple[str, str]]:
    for page in sorted(rulebook.pages_folder().glob("*.md")):
        for number, example in enumerate(rulebook.read_examples(page)):
            if not example.diffs:
                continue
            folder = scratch / f"{page.stem}-{number}"
            testing.write_example(example, folder)
            for change in fixes.repaired(example, folder).changes:
                if change.path.endswith(".py"):
                    assert change.before is not None
                    yield change.before.decode(), change.after.decode()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fixed")


def others() -> list[str]:
    """Interpreters that may be another version than this one."""
    named = os.environ.get(oracle.INTERPRETERS, "").split(os.pathsep)
    found = [shutil.which(f"python3.{minor}") for minor in SUPPORTED]
    return [python for python in (*named, *found) if python]


def test_of_the_oldest_grammar(scratch: Path) -> None:
    assert len(results(scratch)) > 50
    for before, after in results(scratch):
        try:
            ast.parse(before, feature_version=OLDEST)
        except SyntaxError:
            continue  # The page shows newer syntax.
        ast.parse(after, feature_version=OLDEST)


def test_of_every_interpreter_here(scratch: Path) -> None:
    texts = [text for pair in results(scratch) for text in pair]
    versions = set()
    for python in [sys.executable, *others()]:
        done = subprocess.run(
            [python, "-c", COMPILE],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            continue  # A name on the path that stands for no interpreter.
        minor, failed = json.loads(done.stdout)
        versions.add(minor)
        before = {one for one, _ in results(scratch) if one in failed}
        after = {other for one, other in results(scratch) if other in failed and one not in before}
        assert not after, f"3.{minor}"
    assert sys.version_info[1] in versions
