"""What one user does must not reach another."""

from __future__ import annotations

import pytest

from agent_platform.hub import Connection, WebSocketHub
from agent_platform.runner import AgentRunner
from agent_platform.sessions import UserContext

pytestmark = pytest.mark.asyncio


async def test_events_of_alice_are_hers(connection: Connection, runner: AgentRunner) -> None:
    await runner.run(connection.context, "hello")
    received = await connection.drain()
    assert {event.user_id for event in received} == {"alice"}


async def test_events_of_bob_are_his(hub: WebSocketHub, runner: AgentRunner) -> None:
    connection = await hub.connect(UserContext("bob"))
    await runner.run(connection.context, "hello")
    received = await connection.drain()
    assert {event.user_id for event in received} == {"bob"}


async def test_context_remembers_the_city(user_context: UserContext) -> None:
    user_context.memory["city"] = "Oslo"
    assert user_context.memory == {"city": "Oslo"}


async def test_new_user_has_no_memory(user_context: UserContext) -> None:
    assert user_context.memory == {}


async def test_other_users_receive_nothing(
    hub: WebSocketHub, runner: AgentRunner, user_context: UserContext
) -> None:
    alice = await hub.connect(user_context)
    bob = await hub.connect(UserContext("bob"))
    await runner.run(alice.context, "hello")
    assert await bob.drain() == []


async def test_peer_receives_nothing(
    connection: Connection, peer_connection: Connection, runner: AgentRunner
) -> None:
    await runner.run(connection.context, "hello")
    assert await peer_connection.drain() == []
