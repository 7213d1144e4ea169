"""Remote tools behind an agent."""

from __future__ import annotations

import pytest

from agent_platform.hub import WebSocketHub
from agent_platform.runner import AgentRunner
from agent_platform.sessions import UserContext
from agent_platform.tools import ToolDispatcher, ToolServer

pytestmark = pytest.mark.asyncio


async def test_agent_answers_with_the_remote_tool(
    hub: WebSocketHub, tool_server: ToolServer
) -> None:
    dispatcher = ToolDispatcher()
    dispatcher.register("remote", tool_server.call)
    runner = AgentRunner(hub, dispatcher)
    result = await runner.run(UserContext("alice"), "hello", tool="remote")
    assert result.answer == "HELLO"
