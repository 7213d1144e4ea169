"""What the tests say about events."""

from __future__ import annotations

from collections.abc import Iterable

from agent_platform.events import AgentEvent


def event_types(events: Iterable[AgentEvent]) -> list[str]:
    """Return the types of the events, in the order in which they came."""
    return [event.type for event in events]
