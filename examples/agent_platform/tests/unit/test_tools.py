"""The tools of the process and their dispatcher."""

from __future__ import annotations

import pytest

from agent_platform.tools import ToolDispatcher, UnknownToolError, get_dispatcher


class TestOfflineTools:
    def __init__(self) -> None:
        self.dispatcher = ToolDispatcher()
        self.dispatcher.offline = True

    def test_offline_tools_are_still_listed(self) -> None:
        assert self.dispatcher.names() == ["echo", "search"]


@pytest.mark.asyncio
async def test_unknown_tool_is_refused(dispatcher: ToolDispatcher) -> None:
    with pytest.raises(UnknownToolError):
        await dispatcher.dispatch("teleport", "home")


@pytest.mark.asyncio
async def test_registered_tool_is_dispatched() -> None:
    get_dispatcher().register("shout", str.upper)
    assert await get_dispatcher().dispatch("shout", "hello") == "HELLO"


def test_default_tools(dispatcher: ToolDispatcher) -> None:
    assert dispatcher.names() == ["echo", "search"]


@pytest.mark.asyncio
async def test_echo_returns_its_argument(dispacher: ToolDispatcher) -> None:
    assert await dispacher.dispatch("echo", "hello") == "hello"


@pytest.mark.asyncio
async def test_unknown_tool_is_refused(dispatcher: ToolDispatcher) -> None:
    with pytest.raises(UnknownToolError, match="teleport"):
        await dispatcher.dispatch("teleport", "home")
