"""Random suites moved to pytest-asyncio 1.x: what shared a loop before does so afterwards.

Every fixture and test of these suites asserts that whatever it gets runs on its own loop. Of each
suite the tests are kept that pass under 0.21 (or 0.23); those must pass once it is moved.
SCOPECHECK_RANDOM=500 tries that many, new ones each time; without it a fixed few are tried.
"""

from __future__ import annotations

import ast
import os
import random
import re
from typing import TYPE_CHECKING

import pytest
from on_disk import write

from scopecheck.config import Settings
from scopecheck.fix import files
from scopecheck.fix.diff import unified
from scopecheck.migrate import migrate, newest
from scopecheck.project import Project
from scopecheck.testing import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WANTED = os.environ.get("SCOPECHECK_RANDOM")
# The same for all of pytest-xdist's workers, and another one each time.
_START = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(10**9) if WANTED else 0
SEEDS = range(_START, _START + int(WANTED or 40))
SCOPES = ("function", "class", "module", "package", "session")
OLD = ("0.21.2", "0.21.2", "0.23.8")
MOST_TRIES = 25
_FAILED = re.compile(r"^(?:FAILED|ERROR) \S+?\.py::(?:\w+::)?(\w+)", re.MULTILINE)


class Maker:
    """Makes one suite."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)
        self.version = self.random.choice(OLD)
        self.auto = self.random.random() < 0.5
        self.names = 0
        self.files: dict[str, str] = {}

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def make(self) -> dict[str, str]:
        mode = "auto" if self.auto else "strict"
        if self.chance(0.8):
            self.files["pytest.ini"] = f"[pytest]\nasyncio_mode = {mode}\n"
        else:
            table = f"[tool.pytest.ini_options]\nasyncio_mode = '{mode}'\n"
            self.files["pyproject.toml"] = table
        known, widest = self.conftest("", [], 0, 0.5)
        for folder in self.random.sample(["one", "two"], self.random.randint(1, 2)):
            inner, wide = self.conftest(f"{folder}/", known, widest, 0.4)
            if self.chance(0.5):
                self.files[f"{folder}/__init__.py"] = ""
            for module in range(self.random.randint(1, 2)):
                path = f"{folder}/test_{folder}_{module}.py"
                self.files[path] = self.module(inner, wide)
        return self.files

    HEAD = "import asyncio\n\nimport pytest\nimport pytest_asyncio\n"

    def override(self, indent: str = "") -> tuple[str, int]:
        """An `event_loop` override and its scope."""
        scope = self.random.choice((0, 1, 2, 2, 3, 4, 4, 4))
        given = f'(scope="{SCOPES[scope]}")' if scope or self.chance(0.3) else ""
        body = self.random.choice(
            (
                "    loop = asyncio.new_event_loop()\n    yield loop\n    loop.close()\n",
                "    loop = asyncio.get_event_loop_policy().new_event_loop()\n    yield loop\n"
                "    loop.close()\n",
                "    return asyncio.new_event_loop()\n",
            )
        )
        owner = "self" if indent else ""
        text = f"@pytest.fixture{given}\ndef event_loop({owner}):\n{body}"
        return "".join(f"{indent}{line}\n" for line in text.splitlines()), scope

    def asked(self, known: list[tuple[str, int]], scope: int) -> list[str]:
        fitting = [name for name, other in known if other >= scope]
        return self.random.sample(fitting, min(len(fitting), self.random.randint(0, 2)))

    def fixture(self, known: list[tuple[str, int]], widest: int) -> tuple[str, str, int]:
        self.names += 1
        name = f"fx{self.names}"
        scope = self.random.randint(0, widest)
        asked = self.asked(known, scope)
        sync = self.chance(0.15)
        loop = "event_loop" if sync or self.chance(0.2) else ""
        parameters = ", ".join([*asked, *([loop] if loop else [])])
        arguments = []
        if scope or self.chance(0.2):
            arguments.append(f'scope="{SCOPES[scope]}"')
        if self.chance(0.1):
            arguments.append("autouse=True")
        given = f"({', '.join(arguments)})" if arguments or self.chance(0.2) else ""
        plain = sync or (self.auto and self.chance(0.6))
        decorator = "pytest.fixture" if plain else "pytest_asyncio.fixture"
        if sync:
            lines = [f"assert {one} is event_loop" for one in asked]
            lines += ["event_loop.run_until_complete(asyncio.sleep(0))"] * self.chance(0.6)
            lines.append(self.random.choice(("return event_loop", "yield event_loop")))
        else:
            running = "asyncio.get_running_loop()"
            lines = [f"assert {one} is {running}" for one in (*asked, *([loop] if loop else []))]
            lines.append(self.random.choice((f"return {running}", f"yield {running}")))
        body = "".join(f"    {line}\n" for line in lines)
        kind = "def" if sync else "async def"
        return f"@{decorator}{given}\n{kind} {name}({parameters}):\n{body}", name, scope

    def fixtures(
        self, known: list[tuple[str, int]], widest: int, most: int
    ) -> tuple[list[str], list[tuple[str, int]]]:
        texts, found = [], list(known)
        for _ in range(self.random.randint(0, most)):
            text, name, scope = self.fixture(found, widest)
            texts.append(text)
            found.append((name, scope))
        return texts, found

    def conftest(
        self, folder: str, known: list[tuple[str, int]], widest: int, overridden: float
    ) -> tuple[list[tuple[str, int]], int]:
        parts = [self.HEAD]
        if self.chance(overridden):
            text, widest = self.override()
            parts.append(text)
        texts, known = self.fixtures(known, widest, 3)
        if len(parts) + len(texts) > 1:
            self.files[f"{folder}conftest.py"] = "\n\n".join([*parts, *texts])
        return known, widest

    def test(self, known: list[tuple[str, int]], *, marked: bool, method: bool) -> str:
        self.names += 1
        asked = self.random.sample(known, min(len(known), self.random.randint(0, 3)))
        names = [name for name, _ in asked]
        names += ["event_loop"] * self.chance(0.2)
        parameters = ", ".join(["self"] * method + names)
        lines = [f"assert {name} is asyncio.get_running_loop()" for name in names] or ["pass"]
        text = f"async def test_{self.names}({parameters}):\n"
        text += "".join(f"    {line}\n" for line in lines)
        mark = "" if marked or self.auto else "@pytest.mark.asyncio\n"
        if self.chance(0.1):
            mark += '@pytest.mark.parametrize("n", [1, 2])\n'
            text = text.replace("):", ", n):" if parameters else "n):", 1)
        return mark + text

    def module(self, known: list[tuple[str, int]], widest: int) -> str:
        parts = [self.HEAD]
        marked = not self.auto and self.chance(0.4)
        if marked:
            parts[0] += "\npytestmark = pytest.mark.asyncio\n"
        if self.chance(0.25):
            text, widest = self.override()
            parts.append(text)
        texts, known = self.fixtures(known, widest, 2)
        parts += texts
        parts += [
            self.test(known, marked=marked, method=False) for _ in range(self.random.randint(1, 3))
        ]
        if self.chance(0.4):
            members = []
            if self.chance(0.4):
                text, _ = self.override("    ")
                members.append(text)
            for _ in range(self.random.randint(1, 2)):
                text = self.test(known, marked=marked, method=True)
                members.append("".join(f"    {line}\n" for line in text.splitlines()))
            parts.append("class TestSome:\n" + "\n".join(members))
        if not marked and not self.auto and self.chance(0.3):
            parts.append("def test_sync():\n    pass\n")
        return "\n\n".join(parts)


def passing(seed: int, tmp_path: Path) -> tuple[Path, dict[str, str], oracle.Outcome]:
    """A suite that passes: where it is, the version that it is for, and how it ran there."""
    for attempt in range(MOST_TRIES):
        maker = Maker(f"{seed} {attempt}")
        folder = tmp_path / str(attempt)
        texts = maker.make()
        versions = {"pytest-asyncio": maker.version}
        while any("async def test_" in text for text in texts.values()):
            write(folder, texts)
            try:
                outcome = oracle.run(folder, (), versions)
            except oracle.Unavailable as reason:
                pytest.skip(str(reason))
            if outcome.status == 0:
                return folder, versions, outcome
            failed = _FAILED.findall(outcome.output)
            if not failed:
                break
            texts = {name: without(text, failed) for name, text in texts.items()}
    pytest.fail(f"none of {MOST_TRIES} suites has an async test that passes")


def without(text: str, names: Iterable[str]) -> str:
    """A module without functions of these names, and without the classes that are left empty."""
    if not text.startswith("import"):
        return text
    gone: set[int] = set()
    for node in ast.parse(text).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        left = []
        for member in members:
            if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)) and member.name in names:
                first = min(line.lineno for line in (member, *member.decorator_list))
                gone.update(range(first, (member.end_lineno or 0) + 1))
            else:
                left.append(member)
        if not left:
            gone.add(node.lineno)
    lines = text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines, 1) if number not in gone)


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_suite_keeps_its_loops(seed: int, tmp_path: Path) -> None:
    folder, versions, before = passing(seed, tmp_path)
    plugins = {**versions, "pytest": oracle.pytest_version(versions)}
    migration = migrate(Project(folder, Settings(plugins=plugins), 1), [])
    assert not migration.left
    files.write(folder, migration.changes)
    after = oracle.run(folder, (), {"pytest-asyncio": newest()})
    assert after.agrees(before.summary), unified(migration.changes).decode() + after.output
    again = migrate(Project(folder, Settings(plugins=plugins), 1), [])
    assert unified(again.changes) == b""
