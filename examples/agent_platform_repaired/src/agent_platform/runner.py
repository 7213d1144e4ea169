"""Runs an agent on a prompt and publishes the events of the run."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from agent_platform.events import AgentEvent
from agent_platform.hub import WebSocketHub
from agent_platform.sessions import UserContext
from agent_platform.tools import ToolDispatcher


@dataclass(frozen=True)
class RunResult:
    """What a run came to."""

    run_id: str
    status: str
    answer: str


class AgentRunner:
    """Runs agents, one prompt at a time."""

    def __init__(self, hub: WebSocketHub, dispatcher: ToolDispatcher) -> None:
        self._hub = hub
        self._dispatcher = dispatcher
        self._ids = itertools.count(1)

    async def run(self, context: UserContext, prompt: str, *, tool: str | None = None) -> RunResult:
        """Answer the prompt, with the help of a tool if one is named."""
        run_id = f"run-{next(self._ids)}"
        user_id = context.user_id
        await self._hub.publish(AgentEvent("agent_started", run_id, user_id))
        await self._hub.publish(AgentEvent("agent_thinking", run_id, user_id, {"prompt": prompt}))
        answer = f"You said: {prompt}"
        if tool is not None:
            await self._hub.publish(AgentEvent("tool_executing", run_id, user_id, {"tool": tool}))
            answer = await self._dispatcher.dispatch(tool, prompt)
            await self._hub.publish(AgentEvent("tool_completed", run_id, user_id, {"tool": tool}))
        await self._hub.publish(AgentEvent("agent_completed", run_id, user_id, {"answer": answer}))
        return RunResult(run_id, "completed", answer)
