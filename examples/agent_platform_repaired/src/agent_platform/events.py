"""The events that an agent run sends to its user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AGENT_EVENTS = (
    "agent_started",
    "agent_thinking",
    "tool_executing",
    "tool_completed",
    "agent_completed",
)
"""The events of a run that uses a tool, in the order in which they are sent."""


@dataclass(frozen=True)
class AgentEvent:
    """One thing that happened in a run, addressed to the user who started it."""

    type: str
    run_id: str
    user_id: str
    payload: Mapping[str, str] = field(default_factory=dict)
