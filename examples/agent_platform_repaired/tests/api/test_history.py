"""What the database keeps of the runs."""

from __future__ import annotations

import pytest

from agent_platform.database import RunHistory

pytestmark = pytest.mark.asyncio


async def test_finished_run_is_recorded(history: RunHistory) -> None:
    await history.record("alice", "run-1", "hello")
    assert await history.runs_of("alice") == ["run-1"]


async def test_users_do_not_see_the_runs_of_others(history: RunHistory) -> None:
    await history.record("bob", "run-3", "hello")
    assert await history.runs_of("alice") == []
