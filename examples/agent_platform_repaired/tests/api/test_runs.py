"""Runs while the tools cannot be reached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent_platform.runner import AgentRunner
from agent_platform.sessions import UserContext
from agent_platform.tools import ToolDispatcher

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def offline_tools(dispatcher: ToolDispatcher) -> Iterator[None]:
    """Cut the tools off for the tests of this module."""
    dispatcher.offline = True
    yield
    dispatcher.offline = False


async def test_answer_says_that_the_tool_is_offline(runner: AgentRunner) -> None:
    result = await runner.run(UserContext("alice"), "hello", tool="search")
    assert result.answer == "offline"
