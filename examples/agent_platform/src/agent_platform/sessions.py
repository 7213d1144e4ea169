"""Who is talking to the platform: the context of a user, and the sessions that are open."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field


@dataclass
class UserContext:
    """What an agent knows of the user it works for."""

    user_id: str
    roles: set[str] = field(default_factory=set)
    memory: dict[str, str] = field(default_factory=dict)

    def remember(self, key: str, value: str) -> None:
        """Keep a fact for the user's later runs."""
        self.memory[key] = value


@dataclass
class Session:
    """One log-in of one user."""

    id: str
    user_id: str
    expires_at: float


class SessionStore:
    """The sessions that are open, by id."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._ids = itertools.count(1)
        self._lock = asyncio.Lock()

    async def open(self, user_id: str, *, ttl: float = 60.0) -> Session:
        """Open a session that lasts for `ttl` seconds."""
        async with self._lock:
            session = Session(f"session-{next(self._ids)}", user_id, expires_at=ttl)
            self._sessions[session.id] = session
            return session

    async def get(self, session_id: str) -> Session | None:
        """Return the session, or None if it was closed or never opened."""
        async with self._lock:
            return self._sessions.get(session_id)

    async def touch(self, session_id: str, *, ttl: float = 60.0) -> Session:
        """Let the session last for another `ttl` seconds."""
        async with self._lock:
            session = self._sessions[session_id]
            session.expires_at += ttl
            return session

    async def all(self) -> list[Session]:
        """Return every open session, oldest first."""
        async with self._lock:
            return list(self._sessions.values())

    async def close(self, session_id: str) -> None:
        """Close one session."""
        async with self._lock:
            self._sessions.pop(session_id, None)

    async def close_all(self) -> None:
        """Close every session."""
        async with self._lock:
            self._sessions.clear()
