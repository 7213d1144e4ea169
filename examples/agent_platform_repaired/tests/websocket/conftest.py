"""Fixtures for the tests of the WebSocket side."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from agent_platform.hub import Connection, WebSocketHub
from agent_platform.sessions import UserContext


@pytest_asyncio.fixture
async def peer_connection(hub: WebSocketHub) -> AsyncIterator[Connection]:
    """A connection of bob, at the same hub."""
    connection = await hub.connect(UserContext("bob"))
    yield connection
    await hub.disconnect(connection)
