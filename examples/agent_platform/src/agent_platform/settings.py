"""The settings of the platform, and the environment variables they come from."""

from __future__ import annotations

import os
from dataclasses import dataclass

DEFAULT_MODEL = "fake-small"


@dataclass(frozen=True)
class Settings:
    """How the platform is to run."""

    model: str = DEFAULT_MODEL
    transcript_name: str | None = None

    @classmethod
    def from_environ(cls) -> Settings:
        """Read the settings from the environment of the process."""
        return cls(
            model=os.environ.get("AGENT_PLATFORM_MODEL", DEFAULT_MODEL),
            transcript_name=os.environ.get("AGENT_PLATFORM_TRANSCRIPT"),
        )
