"""What calling something of a library gives, as far as that depends on its arguments.

A client whose requests stay in memory, an engine by its pool and its driver, a session by its
engine; everything else is as the table has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.expressions import Attribute, Const, Joined, Name
from scopecheck.finding import Place
from scopecheck.suite.data_names import COLLECTIONS, is_data
from scopecheck.suite.loop_objects import driver, loop_object
from scopecheck.suite.loop_values import DATA, UNSEEN, Handed, filled, worst
from scopecheck.suite.values import External

if TYPE_CHECKING:
    from collections.abc import Callable

    from scopecheck.expressions import Call, Expression
    from scopecheck.suite.loop_objects import LoopObject
    from scopecheck.suite.loop_values import Frame, Kind, When
    from scopecheck.suite.values import Value

CLIENTS = frozenset({"httpx.AsyncClient", "httpx2.AsyncClient"})
_MOMENTS: dict[str, When] = {"made": "made", "used": "used", "contended": "contended"}
_KINDS: dict[str, Kind] = {"made": "bound", "used": "bound", "contended": "lazy", "never": "plain"}
_GIVES_ARGUMENT = {
    "asyncio.wait_for": 0,
    "contextlib.aclosing": 0,
    "contextlib.closing": 0,
    "contextlib.nullcontext": 0,
    "copy.copy": 0,
    "typing.cast": 1,
}


class LibraryObjects:
    """Objects of libraries.

    Args:
        value: what an expression hands out.
        callee: what an expression that is called stands for.
    """

    def __init__(
        self,
        value: Callable[[Expression, Frame], Handed],
        callee: Callable[[Expression, Frame], Value],
    ) -> None:
        self._value = value
        self._callee = callee

    def known(self, name: str, call: Call, frame: Frame) -> Handed:
        """What calling something by its dotted name gives."""
        known = loop_object(name)
        if known is not None:
            return self.made(known, call, frame)
        index = _GIVES_ARGUMENT.get(name)
        if index is not None and len(call.args) > index:
            return self._value(call.args[index], frame)
        if name in COLLECTIONS:
            return filled(self.worst_argument(call, frame))
        return DATA if is_data(name) else Handed("unknown", made_by=f"{name}()")

    def worst_argument(self, call: Call, frame: Frame) -> Handed:
        """What the arguments of a call mean to an event loop."""
        given = (*call.args, *(value for _, value in call.keywords))
        return worst(self._value(value, frame) for value in given)

    def made(self, known: LoopObject, call: Call, frame: Frame) -> Handed:
        """What calling something of the table gives."""
        when: str = known.binds
        if known.name in CLIENTS:
            when = self._client(call, frame)
        elif known.binds == "driver":
            when = self._engine(call, frame)
        elif known.binds in ("engine", "session"):
            given = call.args[0] if call.args else call.keyword("bind")
            engine = UNSEEN if given is None else self._value(given, frame)
            when = engine.when or ("never" if engine.kind == "plain" else "")
            # A transaction that is left open keeps a connection, whatever the pool.
            if known.binds == "session" and when == "never":
                when = ""
        kind = _KINDS.get(when, "unknown")
        place = Place(frame.space.path, call.span)
        return Handed(kind, f"`{_written(call)}`", place, _MOMENTS.get(when, ""), f"{known.name}()")

    def _client(self, call: Call, frame: Frame) -> str:
        """When an HTTP client becomes bound: not where its requests stay in memory."""
        if call.keyword("app") is not None:
            return "never"
        if any(key in ("**", "mounts") for key, _ in call.keywords):
            return ""
        transport = call.keyword("transport")
        if transport is None or transport == Const(None):
            return "used"
        given = self._value(transport, frame)
        return given.when or ("never" if given.kind == "plain" else "")

    def _engine(self, call: Call, frame: Frame) -> str:
        """When a database engine becomes bound: by its pool and its driver."""
        pool = call.keyword("poolclass")
        if pool is not None:
            given = self._callee(pool, frame)
            if not isinstance(given, External):
                return ""
            if given.name.endswith(".NullPool"):
                return "never"
        elif any(key == "**" for key, _ in call.keywords):
            return ""
        url = call.args[0] if call.args else call.keyword("url")
        scheme = "" if url is None else self._start(url, frame).partition("://")[0]
        return driver(scheme) or ""

    def _start(self, expression: Expression, frame: Frame) -> str:
        """How a text begins, as far as that is written down."""
        match expression:
            case Const(value=str(text)):
                return text
            case Joined(left=left):
                return self._start(left, frame)
            case Name(parts=(name,)):
                inner: Frame | None = frame
                while inner is not None:
                    bindings = inner.space.bindings.get(name, [])
                    if len(bindings) == 1:
                        value = bindings[0].value
                        if isinstance(value, (Const, Joined)):
                            return self._start(value, inner)
                    if bindings or name in inner.given:
                        return ""
                    inner = inner.outer
        return ""


def _written(call: Call) -> str:
    """A call as a reader will find it, its arguments left out."""
    func = call.func
    name = ".".join(func.parts) if isinstance(func, Name) else "..."
    if isinstance(func, Attribute):
        name = f"....{func.attr}"
    return f"{name}(...)" if call.args or call.keywords else f"{name}()"
