"""Opening, extending and closing sessions."""

from __future__ import annotations

import pytest

from agent_platform.sessions import SessionStore

pytestmark = pytest.mark.asyncio


async def test_touch_extends_the_session(session_store: SessionStore) -> None:
    session = await session_store.open("alice")
    before = session.expires_at
    extended = await session_store.touch(session.id)
    assert extended.expires_at > before


async def test_close_all_leaves_no_session(session_store: SessionStore) -> None:
    await session_store.open("alice")
    await session_store.open("bob")
    await session_store.close_all()
    assert await session_store.all() == []
