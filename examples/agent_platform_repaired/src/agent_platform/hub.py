"""Delivers each event to the open connections of the user it is addressed to."""

from __future__ import annotations

import asyncio

from agent_platform.events import AgentEvent
from agent_platform.sessions import UserContext


class Connection:
    """The platform's end of one WebSocket."""

    def __init__(self, context: UserContext) -> None:
        self.context = context
        self._inbox: asyncio.Queue[AgentEvent] = asyncio.Queue()

    async def send(self, event: AgentEvent) -> None:
        """Put an event on the wire."""
        await self._inbox.put(event)

    async def drain(self) -> list[AgentEvent]:
        """Return the events that arrived since the last call, oldest first."""
        events: list[AgentEvent] = []
        while not self._inbox.empty():
            events.append(await self._inbox.get())
        return events


class WebSocketHub:
    """Every open connection of the process."""

    def __init__(self) -> None:
        self._connections: list[Connection] = []

    async def connect(self, context: UserContext) -> Connection:
        """Open a connection for a user."""
        connection = Connection(context)
        self._connections.append(connection)
        return connection

    async def disconnect(self, connection: Connection) -> None:
        """Close a connection; the events sent afterwards do not reach it."""
        if connection in self._connections:
            self._connections.remove(connection)

    async def publish(self, event: AgentEvent) -> None:
        """Send an event to each connection of the user it is addressed to."""
        for connection in self._connections:
            if connection.context.user_id == event.user_id:
                await connection.send(event)

    async def close(self) -> None:
        """Close every connection."""
        self._connections.clear()
