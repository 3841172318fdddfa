"""What a database is asked, as its driver sees it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asyncpg.connection import LoggedQuery
from tortoise.context import get_current_context

_BEGINS = ("begin", "start transaction")
_ENDS = ("commit", "rollback")
_OWN = "--"


class Asked(list[str]):
    """Each statement, in order, without those that begin and end transactions."""

    transactions = 0

    def hear(self, statement: str) -> None:
        """One more."""
        words = statement.lstrip().lower()
        if words.startswith(_OWN) or (words.startswith("insert") and self[-1:] == [statement]):
            return  # SQLite tells what a trigger and its index of words do, too
        if words.startswith(_BEGINS):
            self.transactions += 1
        elif not words.startswith(_ENDS):
            self.append(statement)


def _client() -> Any:  # type: ignore[explicit-any]  # noqa: ANN401  # of any database
    context = get_current_context()
    assert context is not None
    (client,) = context.connections.all()
    return client


async def in_databases_thread(act: Callable[[], object]) -> None:
    """Do this in the thread of an SQLite connection."""
    await _client()._connection._execute(act)


@asynccontextmanager
async def asked() -> AsyncGenerator[Asked]:
    """What the open database is asked meanwhile, on each connection that it has already."""
    heard = Asked()
    client = _client()
    if client.capabilities.dialect == "sqlite":
        thread: Any = client._connection  # type: ignore[explicit-any]  # as above
        await thread.set_trace_callback(heard.hear)
        yield heard
        await thread.set_trace_callback(None)
        return

    def hear(record: LoggedQuery) -> None:
        heard.hear(record.query)

    connections = [each._con for each in client._pool._holders if each._con]
    for connection in connections:
        connection.add_query_logger(hear)
    yield heard
    for connection in connections:
        connection.remove_query_logger(hear)


async def traced(hear: Callable[[str], None] | None) -> None:
    """Tell each statement of an SQLite connection in its thread, before it is made."""
    await _client()._connection.set_trace_callback(hear)
