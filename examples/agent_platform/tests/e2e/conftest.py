"""Fixtures for the tests that use the platform from end to end."""

from __future__ import annotations

import pytest

from agent_platform.settings import Settings


@pytest.fixture
def agent_model() -> str:
    """The large model: these tests are close to production."""
    return "fake-large"


@pytest.fixture(scope="session")
def production_settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as the production environment has them."""
    monkeypatch.setenv("AGENT_PLATFORM_MODEL", "fake-large")
    monkeypatch.setenv("AGENT_PLATFORM_TRANSCRIPT", "production")
    return Settings.from_environ()
