"""The database of the platform: tables in memory behind a connection that lives on one loop."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

Row = dict[str, str]
Statement = Callable[[], Any]


class Database:
    """A connection: a task of the loop that opened it carries out the statements in turn."""

    def __init__(self) -> None:
        self._tables: dict[str, list[Row]] = {}
        self._loop = asyncio.get_running_loop()
        self._statements: asyncio.Queue[tuple[Statement, asyncio.Future[Any]]] = asyncio.Queue()
        self._transaction = asyncio.Lock()
        self._worker = asyncio.create_task(self._serve())

    @classmethod
    async def connect(cls) -> Database:
        """Open a connection on the running loop."""
        return cls()

    async def _serve(self) -> None:
        while True:
            statement, reply = await self._statements.get()
            if not reply.done():
                reply.set_result(statement())

    async def _execute(self, statement: Statement) -> Any:
        reply = self._loop.create_future()
        await self._statements.put((statement, reply))
        return await reply

    async def insert(self, table: str, row: Row) -> None:
        """Add a row to a table."""
        await self._execute(lambda: self._tables.setdefault(table, []).append(row))

    async def select(self, table: str, **where: str) -> list[Row]:
        """Return the rows of a table that have all the given values."""
        rows: list[Row] = await self._execute(lambda: list(self._tables.get(table, [])))
        return [row for row in rows if where.items() <= row.items()]

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Undo at its end everything that was written inside."""
        async with self._transaction:
            before = copy.deepcopy(self._tables)
            try:
                yield
            finally:
                self._tables = before

    async def close(self) -> None:
        """Stop the connection's task."""
        self._worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._worker


class RunHistory:
    """The runs of every user, kept in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, user_id: str, run_id: str, answer: str) -> None:
        """Keep a finished run."""
        await self._database.insert("runs", {"user": user_id, "run": run_id, "answer": answer})

    async def runs_of(self, user_id: str) -> list[str]:
        """Return the ids of a user's runs, oldest first."""
        return [row["run"] for row in await self._database.select("runs", user=user_id)]
