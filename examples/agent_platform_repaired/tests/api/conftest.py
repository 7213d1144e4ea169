"""Fixtures for the tests of the HTTP side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from agent_platform.api import ApiClient, issue_token
from agent_platform.database import Database, RunHistory
from agent_platform.settings import Settings
from agent_platform.tools import ToolDispatcher, echo


@pytest.fixture
def api_client(agent_settings: Settings, auth_headers: dict[str, str]) -> ApiClient:
    """A client that is logged in."""
    return ApiClient(agent_settings, auth_headers)


@pytest.fixture
def admin_console(dispatcher: ToolDispatcher) -> list[str]:
    """What the admin console shows: the tools."""
    return dispatcher.names()


@pytest.fixture
def admin_tools(dispatcher: ToolDispatcher) -> Iterator[None]:
    """Offer the tools that only admins see."""
    dispatcher.register("restart", echo)
    yield
    dispatcher.unregister("restart")


@pytest.fixture(name="admin_token")
def new_admin_token() -> str:
    """The token of an admin."""
    return issue_token("root", "admin")


@pytest.fixture(name="reader_token")
def new_reader_token() -> str:
    """The token of a user who may only read."""
    return issue_token("alice", "reader")


@pytest.fixture
def feature_flags() -> dict[str, bool]:
    """The flags that a new installation has."""
    return {"beta_tools": False, "streaming": True}


@pytest_asyncio.fixture
async def history(database: Database) -> AsyncIterator[RunHistory]:
    """The history of runs, without any: what a test records is undone."""
    async with database.transaction():
        yield RunHistory(database)
