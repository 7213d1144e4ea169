"""Fixtures for the services that run beside the platform."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent_platform.tools import ToolServer


@pytest.fixture(scope="session")
def tool_server() -> Iterator[ToolServer]:
    """The server of remote tools, started once because it takes a while."""
    server = ToolServer(port=8765)
    server.start()
    yield server
    server.stop()
