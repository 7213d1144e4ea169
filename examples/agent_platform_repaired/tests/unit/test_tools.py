"""The tools of the process and their dispatcher."""

from __future__ import annotations

import pytest

from agent_platform.tools import ToolDispatcher, UnknownToolError


class TestOfflineTools:
    def setup_method(self) -> None:
        self.dispatcher = ToolDispatcher()
        self.dispatcher.offline = True

    def test_offline_tools_are_still_listed(self) -> None:
        assert self.dispatcher.names() == ["echo", "search"]


@pytest.mark.asyncio
async def test_unknown_tool_is_refused(dispatcher: ToolDispatcher) -> None:
    with pytest.raises(UnknownToolError):
        await dispatcher.dispatch("teleport", "home")


@pytest.mark.asyncio
async def test_registered_tool_is_dispatched(dispatcher: ToolDispatcher) -> None:
    dispatcher.register("shout", str.upper)
    assert await dispatcher.dispatch("shout", "hello") == "HELLO"


def test_default_tools(dispatcher: ToolDispatcher) -> None:
    assert dispatcher.names() == ["echo", "search"]


@pytest.mark.asyncio
async def test_echo_returns_its_argument(dispatcher: ToolDispatcher) -> None:
    assert await dispatcher.dispatch("echo", "hello") == "hello"


@pytest.mark.asyncio
async def test_refusal_names_the_tool(dispatcher: ToolDispatcher) -> None:
    with pytest.raises(UnknownToolError, match="teleport"):
        await dispatcher.dispatch("teleport", "home")
