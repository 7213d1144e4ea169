"""SCP206 to SCP208 and SCP210: how sure they are, and that no other rule tells the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scopecheck.config import Settings
from scopecheck.run import analyse

if TYPE_CHECKING:
    from pathlib import Path

OVERRIDE = """
import asyncio
import pytest

@pytest.fixture(scope="module")
def event_loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()

@pytest.mark.asyncio
async def test_sleep():
    await asyncio.sleep(0)
"""
REQUEST = """
import pytest

@pytest.mark.asyncio
async def test_time(event_loop):
    assert event_loop.time()
"""
MARK = """
import pytest

@pytest.mark.asyncio(scope="module")
async def test_worker(): ...
"""
POLICY = """
import asyncio
import pytest

@pytest.fixture(scope="session")
def event_loop_policy():
    return asyncio.DefaultEventLoopPolicy()

@pytest.mark.asyncio
async def test_worker(): ...
"""
HOOK = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.asyncio(scope="session"), append=False)
"""


def found(root: Path, pin: str, files: dict[str, str]) -> list[tuple[str, str]]:
    """Code and certainty of every finding."""
    for name, text in {"requirements.txt": f"{pin}\n", **files}.items():
        (root / name).write_text(text, encoding="utf-8")
    analysis = analyse([root], root=root, settings=Settings(), jobs=1)
    return [(finding.code, finding.certainty) for finding in analysis.findings]


@pytest.mark.parametrize(
    ("text", "pin", "expected"),
    [
        (OVERRIDE, "pytest-asyncio", "SCP206 likely"),
        (OVERRIDE, "pytest-asyncio>=0.21", "SCP206 likely"),
        (OVERRIDE, "pytest-asyncio>=0.23", "SCP206 likely"),
        (OVERRIDE, "pytest-asyncio>=1.0", "SCP206 proved"),
        (OVERRIDE, "pytest-asyncio>=0.23,<1", "SCP206 proved"),
        (OVERRIDE, "pytest-asyncio<1", "SCP206 likely"),
        (OVERRIDE, "pytest-asyncio==0.26.0", "SCP206 proved"),
        (OVERRIDE, "pytest-asyncio<0.23", ""),
        (OVERRIDE, "pytest-asyncio==0.21.2", ""),
        (REQUEST, "pytest-asyncio", "SCP206 likely"),
        (REQUEST, "pytest-asyncio>=1.1", "SCP206 proved"),
        (REQUEST, "pytest-asyncio>=0.23,<1", "SCP206 proved"),
        (REQUEST, "pytest-asyncio<0.23", ""),
        (MARK, "pytest-asyncio", "SCP207 likely"),
        (MARK, "pytest-asyncio>=0.24", "SCP207 proved"),
        (MARK, "pytest-asyncio==0.23.8", ""),
        (MARK, "pytest-asyncio==0.21.2", ""),
        (POLICY, "pytest-asyncio", "SCP207 likely"),
        (POLICY, "pytest-asyncio>=1.4", "SCP207 proved"),
        (POLICY, "pytest-asyncio<1.4", ""),
    ],
)
def test_what_the_pins_allow_decides(tmp_path: Path, text: str, pin: str, expected: str) -> None:
    findings = found(tmp_path, pin, {"test_a.py": text})
    assert findings == ([tuple(expected.split())] if expected else [])


@pytest.mark.parametrize(("version", "certainty"), [("1.3.0", "proved"), ("1.4.0", "likely")])
def test_mark_of_a_hook_is_read_without_a_warning_from_1_4(
    tmp_path: Path, version: str, certainty: str
) -> None:
    files = {"conftest.py": HOOK, "test_a.py": MARK.replace('(scope="module")', "")}
    assert found(tmp_path, f"pytest-asyncio=={version}", files) == [("SCP207", certainty)]


@pytest.mark.parametrize(
    ("value", "certainty"),
    [("asyncio.create_task(asyncio.sleep(0))", "proved"), ("make()", "likely")],
)
def test_what_is_not_seen_to_belong_to_a_loop_is_likely(
    tmp_path: Path, value: str, certainty: str
) -> None:
    text = f"""
import asyncio
import pytest
from tools import make

@pytest.fixture
async def tool():
    yield {value}

@pytest.mark.asyncio
async def test_tool(tool):
    assert await tool
"""
    option = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = class\n"
    files = {"test_a.py": text, "pytest.ini": f"[pytest]\n{option}"}
    assert found(tmp_path, "pytest-asyncio==1.3.0", files) == [("SCP208", certainty)]


def test_explicit_request_of_the_backend_is_no_other_mismatch(tmp_path: Path) -> None:
    text = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="module")
async def lock(anyio_backend):
    return anyio_backend

@pytest.fixture(scope="module")
def name(anyio_backend):
    return anyio_backend

@pytest.mark.anyio
async def test_lock(lock, name): ...
"""
    findings = found(tmp_path, "anyio==4.16.0", {"test_a.py": text})
    assert findings == [("SCP210", "proved"), ("SCP210", "proved")]
