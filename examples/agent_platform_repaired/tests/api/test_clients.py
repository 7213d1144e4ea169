"""What a caller of the API gets to see."""

from __future__ import annotations

import pytest

from agent_platform.api import ApiClient, may
from agent_platform.tools import ToolDispatcher


def test_me_names_the_caller(api_client: ApiClient) -> None:
    assert api_client.get("/me").body == {"user": "alice"}


def test_model_is_the_configured_one(api_client: ApiClient) -> None:
    assert api_client.get("/model").body == {"model": "fake-small"}


def test_reader_may_read(reader_token: str) -> None:
    assert may(reader_token, "read")


def test_admin_may_write(admin_token: str) -> None:
    assert may(admin_token, "write")


def test_admin_console_lists_the_tools(admin_console: list[str]) -> None:
    assert admin_console == ["echo", "search"]


@pytest.mark.usefixtures("admin_tools")
def test_admins_are_offered_restart(dispatcher: ToolDispatcher) -> None:
    assert "restart" in dispatcher.names()


def test_beta_tools_can_be_switched_on(feature_flags: dict[str, bool]) -> None:
    feature_flags["beta_tools"] = True
    assert feature_flags == {"beta_tools": True, "streaming": True}


def test_beta_tools_are_off_at_first(feature_flags: dict[str, bool]) -> None:
    assert feature_flags == {"beta_tools": False, "streaming": True}
