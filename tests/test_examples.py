"""The bundled suite: its faults are found, and its repaired state is clean and passes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scopecheck.config import Settings
from scopecheck.run import analyse

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples/agent_platform"
REPAIRED = ROOT / "examples/agent_platform_repaired"

# Path below tests/, line of the primary place, and rule: what scopecheck 0.1 must find.
FAULTS = {
    ("api/conftest.py", 17, "scope-mismatch"),
    ("api/conftest.py", 25, "getfixturevalue-scope-mismatch"),
    ("api/conftest.py", 30, "scope-mismatch"),
    ("api/conftest.py", 38, "duplicate-fixture"),
    ("api/test_runs.py", 17, "scope-mismatch"),
    ("api/test_sessions.py", 20, "swallowed-assertion"),
    ("api/test_sessions.py", 29, "vacuous-assertion"),
    ("conftest.py", 38, "unused-fixture"),
    ("conftest.py", 56, "loop-scope-too-narrow"),
    ("conftest.py", 62, "wide-async-fixture-loop"),
    ("e2e/conftest.py", 11, "override-narrows-scope"),
    ("e2e/conftest.py", 17, "scope-mismatch"),
    ("e2e/test_conversation.py", 13, "imported-fixture"),
    ("e2e/test_conversation.py", 18, "unknown-fixture"),
    ("e2e/test_conversation.py", 25, "unhandled-async-test"),
    ("unit/test_context.py", 21, "fixture-yields-twice"),
    ("unit/test_context.py", 31, "fixture-yields-twice"),
    ("unit/test_context.py", 47, "called-fixture"),
    ("unit/test_session_store.py", 11, "unhandled-async-test"),
    ("api/test_clients.py", 37, "shared-fixture-mutation"),
    ("websocket/test_isolation.py", 19, "module-state-mutation"),
    ("websocket/test_isolation.py", 26, "module-state-mutation"),
    ("websocket/test_isolation.py", 31, "shared-fixture-mutation"),
    ("conftest.py", 44, "shared-context"),
    ("websocket/test_isolation.py", 43, "shared-context"),
    ("unit/test_settings.py", 11, "unrestored-environ"),
    ("unit/test_tools.py", 27, "unrestored-patch"),
    ("unit/test_tools.py", 10, "never-collected"),
    ("unit/test_tools.py", 20, "duplicate-test"),
    ("unit/test_tools.py", 36, "unknown-fixture"),
    ("websocket/conftest.py", 23, "unhandled-async-fixture"),
    ("websocket/test_agent_events.py", 16, "events-not-asserted"),
    ("websocket/test_agent_events.py", 20, "incomplete-event-assertion"),
    ("websocket/test_agent_events.py", 22, "uncovered-event"),
    ("websocket/test_agent_events.py", 30, "unpaired-event"),
    ("websocket/test_agent_events.py", 53, "vacuous-loop"),
    ("websocket/test_remote_tools.py", 11, "imported-fixture"),
}


def pytest_run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_its_faults_are_found() -> None:
    analysis = analyse([EXAMPLE], root=EXAMPLE, settings=Settings(), jobs=1)
    found = {
        (f.fault.place.path.removeprefix("tests/"), f.fault.place.span.line, f.name)
        for f in analysis.findings
    }
    assert found == FAULTS


def test_pytest_fails_where_it_is_said_to() -> None:
    output = pytest_run(EXAMPLE).stdout
    assert "11 failed, 20 passed" in output
    assert "14 errors" in output


def test_the_repaired_state_is_clean() -> None:
    analysis = analyse([REPAIRED], root=REPAIRED, settings=Settings(), jobs=1)
    assert analysis.findings == ()


def test_the_repaired_state_passes() -> None:
    result = pytest_run(REPAIRED)
    assert result.returncode == 0, result.stdout
    assert "46 passed" in result.stdout
