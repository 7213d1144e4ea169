"""The session store by itself."""

from __future__ import annotations

import unittest

from agent_platform.sessions import SessionStore


class SessionStoreTest(unittest.IsolatedAsyncioTestCase):
    async def test_sessions_are_numbered(self) -> None:
        store = SessionStore()
        first = await store.open("alice")
        second = await store.open("alice")
        self.assertEqual([first.id, second.id], ["session-1", "session-2"])
