"""Settings and the environment."""

from __future__ import annotations

import pytest

from agent_platform.settings import DEFAULT_MODEL, Settings


def test_model_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_PLATFORM_MODEL", "fake-large")
    assert Settings.from_environ().model == "fake-large"


def test_model_has_a_default() -> None:
    assert Settings.from_environ().model == DEFAULT_MODEL
