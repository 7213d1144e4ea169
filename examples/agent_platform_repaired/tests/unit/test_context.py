"""The context of a user, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_platform.sessions import UserContext
from agent_platform.settings import Settings


@pytest.fixture(name="guest")
def new_guest() -> UserContext:
    """A user without any role."""
    return UserContext("guest")


@pytest.fixture
def context_file(tmp_path: Path) -> Path:
    """The file that contexts are saved to."""
    path = tmp_path / "context.json"
    path.write_text("{}")
    return path


@pytest.fixture
def transcript(agent_settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The file that the conversation is written to."""
    path = tmp_path / f"{agent_settings.transcript_name or 'default'}.txt"
    path.touch()
    yield path
    path.unlink()


def test_guest_has_no_role(guest: UserContext) -> None:
    assert guest.roles == set()


def test_guests_share_no_memory(guest: UserContext) -> None:
    guest.remember("city", "Oslo")
    assert UserContext("guest").memory == {}


def test_saved_context_is_empty_at_first(context_file: Path) -> None:
    assert context_file.read_text() == "{}"


def test_transcript_is_empty_at_first(transcript: Path) -> None:
    assert transcript.read_text() == ""
