"""Conversations of users with agents, through every part of the platform."""

from __future__ import annotations

import pytest

from agent_platform.hub import Connection, WebSocketHub
from agent_platform.runner import AgentRunner
from agent_platform.sessions import SessionStore, UserContext
from agent_platform.settings import Settings
from agent_platform.tools import ToolDispatcher, ToolServer
from tests.helpers import event_types


@pytest.mark.asyncio
async def test_second_prompt_starts_a_second_run(
    connection: Connection, runner: AgentRunner
) -> None:
    await runner.run(connection.context, "hello")
    await runner.run(connection.context, "goodbye")
    assert event_types(await connection.drain()).count("agent_started") == 2


@pytest.mark.asyncio
async def test_session_survives_a_reconnect(hub: WebSocketHub, session_store: SessionStore) -> None:
    context = UserContext("alice")
    session = await session_store.open(context.user_id)
    await hub.disconnect(await hub.connect(context))
    assert await session_store.get(session.id) == session


def test_settings_name_the_large_model(agent_settings: Settings) -> None:
    assert agent_settings.model == "fake-large"


def test_production_keeps_transcripts(production_settings: Settings) -> None:
    assert production_settings.transcript_name == "production"


@pytest.mark.asyncio
async def test_manifest_is_offered(
    tool_manifest: tuple[str, ...], dispatcher: ToolDispatcher
) -> None:
    assert set(tool_manifest) <= set(dispatcher.names())


def test_remote_tool_answers(tool_server: ToolServer) -> None:
    assert tool_server.call("hello") == "HELLO"
