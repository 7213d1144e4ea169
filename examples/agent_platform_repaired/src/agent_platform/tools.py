"""The tools an agent may use: those of this process, and those of a server beside it."""

from __future__ import annotations

from collections.abc import Callable

Tool = Callable[[str], str]


def echo(argument: str) -> str:
    """Return the argument."""
    return argument


def search(argument: str) -> str:
    """Return what the search engine says."""
    return f"3 results for {argument!r}"


class UnknownToolError(LookupError):
    """An agent asked for a tool that is not registered."""


class ToolDispatcher:
    """The tools of this process, by name."""

    def __init__(self) -> None:
        self.offline = False
        self._tools: dict[str, Tool] = {"echo": echo, "search": search}

    def names(self) -> list[str]:
        """Return the names of the tools, sorted."""
        return sorted(self._tools)

    def register(self, name: str, tool: Tool) -> None:
        """Add a tool, or replace the one of that name."""
        self._tools[name] = tool

    def unregister(self, name: str) -> None:
        """Take a tool away."""
        self._tools.pop(name, None)

    async def dispatch(self, name: str, argument: str) -> str:
        """Run a tool and return its result."""
        if name not in self._tools:
            raise UnknownToolError(name)
        if self.offline:
            return "offline"
        return self._tools[name](argument)


_dispatcher = ToolDispatcher()


def get_dispatcher() -> ToolDispatcher:
    """Return the one dispatcher of the process."""
    return _dispatcher


async def load_manifest() -> tuple[str, ...]:
    """Return the names of the tools that every installation must offer."""
    return ("echo", "search")


_ports_in_use: set[int] = set()


class ToolServer:
    """A server of tools that listens on a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def start(self) -> None:
        """Listen on the port; only one server can."""
        if self.port in _ports_in_use:
            raise OSError(f"address already in use: 127.0.0.1:{self.port}")
        _ports_in_use.add(self.port)

    def stop(self) -> None:
        """Give the port back."""
        _ports_in_use.discard(self.port)

    def call(self, argument: str) -> str:
        """Have the server's tool work on the argument."""
        if self.port not in _ports_in_use:
            raise ConnectionRefusedError(f"nothing listens on 127.0.0.1:{self.port}")
        return argument.upper()
