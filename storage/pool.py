"""The connections to a server, none of which is waited for without end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Protocol

from tortoise.backends.base.client import BaseDBAsyncClient

from storage.session import Session, session_of

log = logging.getLogger(__name__)


class Pool(Protocol):
    """What Tortoise asks of a driver's pool."""

    def acquire(self) -> Awaitable[object]:
        """A connection that nobody else uses."""
        ...

    def release(self, connection: object, /) -> Awaitable[object]:
        """Give it back."""
        ...


class LimitedPool:
    """A driver's pool, whose connections are closed when they are not given back in time.

    Whoever waits for an answer then finds the connection closed, as if the server had gone away,
    and cleans up as after that. A statement that is cancelled instead leaves its connection in a
    state that the drivers clear up by asking the server: on a dead network that waits, too.
    """

    def __init__(self, pool: Pool, dialect: str, seconds: float) -> None:
        self.dialect = dialect
        self.seconds: float | None = seconds
        self._pool = pool
        self._deadlines: dict[object, asyncio.TimerHandle] = {}

    async def acquire(self) -> object:
        """A connection for one statement or one transaction.

        Raises:
            TimeoutError: none came free, or a new one could not be opened, in time.
        """
        async with asyncio.timeout(self.seconds):
            connection = await self._pool.acquire()
        if self.seconds is not None:
            loop = asyncio.get_running_loop()
            self._deadlines[connection] = loop.call_later(self.seconds, self._end, connection)
        return connection

    async def release(self, connection: object) -> None:
        """Take it back."""
        with ExitStack() as stack:
            stack.callback(self.keep, connection)
            try:
                await self._pool.release(connection)
            except asyncio.CancelledError:
                stack.pop_all()  # the driver goes on giving it back: that has the same limit
                raise

    def keep(self, connection: object) -> None:
        """Let whoever has this one keep it for as long as it likes."""
        if deadline := self._deadlines.pop(connection, None):
            deadline.cancel()

    def _end(self, connection: object) -> None:
        del self._deadlines[connection]
        log.warning("database gives no answer", extra={"seconds": self.seconds})
        session_of(self.dialect, connection).close()

    def __getattr__(self, name: str) -> object:
        """All else is the driver's."""
        return getattr(self._pool, name)


async def connect(connection: BaseDBAsyncClient, seconds: float) -> None:
    """Open a client's pool; no statement or transaction of it takes longer than `seconds`.

    Raises:
        TimeoutError: the server does not answer.
    """
    async with asyncio.timeout(seconds):
        await connection.create_connection(with_db=True)
    dialect = connection.capabilities.dialect
    connection._pool = LimitedPool(connection._pool, dialect, seconds)  # pyright: ignore[reportPrivateUsage]  # Tortoise has no public way to it


@contextmanager
def unlimited(connection: BaseDBAsyncClient) -> Generator[None]:
    """Let everything that is begun meanwhile take as long as it needs."""
    pool = _limited(connection)
    if pool is None:
        yield
        return
    seconds, pool.seconds = pool.seconds, None
    try:
        yield
    finally:
        pool.seconds = seconds


@asynccontextmanager
async def lasting(connection: BaseDBAsyncClient) -> AsyncGenerator[Session]:
    """A session for as long as it is needed; each question to it has its own limit.

    Raises:
        TimeoutError: there is none, or no answer.
    """
    pool = _limited(connection)
    if pool is None:
        raise TypeError("only a server has sessions")
    held = await pool.acquire()
    pool.keep(held)
    try:
        yield session_of(pool.dialect, held)
    finally:
        await pool.release(held)


def _limited(connection: BaseDBAsyncClient) -> LimitedPool | None:
    pool = getattr(connection, "_pool", None)
    return pool if isinstance(pool, LimitedPool) else None
