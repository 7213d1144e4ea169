"""Fixtures for every test of the platform."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agent_platform.api import issue_token
from agent_platform.database import Database
from agent_platform.hub import Connection, WebSocketHub
from agent_platform.runner import AgentRunner
from agent_platform.sessions import SessionStore, UserContext
from agent_platform.settings import Settings
from agent_platform.tools import ToolDispatcher, load_manifest

pytest_plugins = ["tests.services"]


@pytest.fixture(scope="session")
def agent_model() -> str:
    """The model that agents think with."""
    return "fake-small"


@pytest.fixture
def agent_settings(agent_model: str) -> Settings:
    """The settings of the platform."""
    return Settings(model=agent_model)


@pytest.fixture
def auth_headers() -> dict[str, str]:
    """The headers of a request by alice."""
    return {"Authorization": f"Bearer {issue_token('alice', 'reader')}"}


@pytest.fixture
def user_context() -> UserContext:
    """The user that the agents work for."""
    return UserContext("alice", roles={"reader"})


@pytest.fixture
def dispatcher() -> ToolDispatcher:
    """The tools that agents may use."""
    return ToolDispatcher()


@pytest_asyncio.fixture(scope="session")
async def tool_manifest() -> tuple[str, ...]:
    """The tools that every installation must offer."""
    return await load_manifest()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database() -> AsyncIterator[Database]:
    """One connection to the database for the whole run."""
    database = await Database.connect()
    yield database
    await database.close()


@pytest_asyncio.fixture
async def session_store() -> AsyncIterator[SessionStore]:
    """A store without sessions."""
    store = SessionStore()
    yield store
    await store.close_all()


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[WebSocketHub]:
    """A hub without connections."""
    hub = WebSocketHub()
    yield hub
    await hub.close()


@pytest_asyncio.fixture
async def connection(hub: WebSocketHub) -> AsyncIterator[Connection]:
    """A connection of alice."""
    connection = await hub.connect(UserContext("alice"))
    yield connection
    await hub.disconnect(connection)


@pytest.fixture
def runner(hub: WebSocketHub, dispatcher: ToolDispatcher) -> AgentRunner:
    """A runner that publishes to the hub."""
    return AgentRunner(hub, dispatcher)
