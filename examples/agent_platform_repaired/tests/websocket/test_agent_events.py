"""The events that a run sends to its user."""

from __future__ import annotations

import pytest

from agent_platform.events import AGENT_EVENTS
from agent_platform.hub import Connection
from agent_platform.runner import AgentRunner
from tests.helpers import event_types

pytestmark = pytest.mark.asyncio


async def test_run_sends_agent_events(connection: Connection, runner: AgentRunner) -> None:
    result = await runner.run(connection.context, "hello", tool="echo")
    events = await connection.drain()
    assert result.status == "completed"
    assert event_types(events) == list(AGENT_EVENTS)


async def test_all_events_of_a_run_are_sent(connection: Connection, runner: AgentRunner) -> None:
    await runner.run(connection.context, "hello", tool="echo")
    sent = event_types(await connection.drain())
    assert sent == [
        "agent_started",
        "agent_thinking",
        "tool_executing",
        "tool_completed",
        "agent_completed",
    ]


async def test_tool_call_is_reported(connection: Connection, runner: AgentRunner) -> None:
    await runner.run(connection.context, "hello", tool="search")
    sent = event_types(await connection.drain())
    assert "tool_executing" in sent
    assert "tool_completed" in sent


async def test_tool_is_reported_before_its_result(
    connection: Connection, runner: AgentRunner
) -> None:
    await runner.run(connection.context, "hello", tool="search")
    sent = event_types(await connection.drain())
    assert sent.index("tool_executing") < sent.index("tool_completed")


@pytest.mark.parametrize("prompt", ["hello", ""])
async def test_run_without_a_tool_reports_none(
    connection: Connection, runner: AgentRunner, prompt: str
) -> None:
    await runner.run(connection.context, prompt)
    sent = event_types(await connection.drain())
    assert "tool_executing" not in sent
    assert "tool_completed" not in sent


async def test_events_name_their_run(connection: Connection, runner: AgentRunner) -> None:
    result = await runner.run(connection.context, "hello", tool="echo")
    events = await connection.drain()
    assert events
    for event in events:
        assert event.run_id == result.run_id
