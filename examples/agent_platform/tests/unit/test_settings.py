"""Settings and the environment."""

from __future__ import annotations

import os

from agent_platform.settings import DEFAULT_MODEL, Settings


def test_model_is_read_from_the_environment() -> None:
    os.environ["AGENT_PLATFORM_MODEL"] = "fake-large"
    assert Settings.from_environ().model == "fake-large"


def test_model_has_a_default() -> None:
    assert Settings.from_environ().model == DEFAULT_MODEL
