"""The HTTP side of the platform: tokens, what they allow, and a client that needs no server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_platform.settings import Settings

_ALLOWED = {"reader": {"read"}, "admin": {"read", "write"}}


def issue_token(user_id: str, role: str) -> str:
    """Return a token that says who a user is and what they are."""
    return f"{role}:{user_id}"


def may(token: str, action: str) -> bool:
    """Say whether the bearer of a token may do something."""
    role, _, _ = token.partition(":")
    return action in _ALLOWED.get(role, set())


@dataclass(frozen=True)
class Response:
    """A status and a body."""

    status: int
    body: Mapping[str, str]


class ApiClient:
    """Calls the platform's routes in the same process."""

    def __init__(self, settings: Settings, headers: Mapping[str, str]) -> None:
        self._settings = settings
        self._headers = dict(headers)

    def get(self, path: str) -> Response:
        """Ask for a path."""
        _, _, token = self._headers.get("Authorization", "").partition("Bearer ")
        if not may(token, "read"):
            return Response(401, {})
        if path == "/me":
            return Response(200, {"user": token.partition(":")[2]})
        if path == "/model":
            return Response(200, {"model": self._settings.model})
        return Response(404, {})
