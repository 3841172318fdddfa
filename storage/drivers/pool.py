"""The connections to a server, none of which is waited for without end."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from typing import Protocol, cast

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient

from storage.drivers.internals import Pool, connection_of, pool_of
from storage.drivers.session import PostgresSession, Session, session_of

log = logging.getLogger(__name__)

_LEAST_SECONDS = 1.0  # for a statement or transaction that begins when all should have ended
_STAY_SECONDS = 60.0  # that a connection is at hand, before the driver may have it renewed
# Of PostgreSQL. More verbs at once are not done sooner: they wait for each other, and a processor.
_MOST_VERBS = 3
_LONG_SECONDS = 0.2  # after which a verb counts no more: it waits for a lock, or a network
_AGAIN_SECONDS = 1.0  # from one cancellation of what is past its limit to the next


@asynccontextmanager
async def until(when: float | None) -> AsyncGenerator[asyncio.Timeout]:
    """Give up what is waited for here at that moment, by the clock of the event loop.

    As `asyncio.timeout_at`, but what goes on after that is cancelled again and again: Python 3.11's
    `wait_for` loses a cancellation that comes as it ends. asyncmy connects by it, and would then
    wait without end for the server's first word.

    Raises:
        TimeoutError: it was given up.
    """
    async with asyncio.timeout_at(when) as limit:
        again = _Again(limit, _this_task())
        try:
            yield limit
        finally:
            again.stop()


def _this_task() -> asyncio.Task[object]:
    return cast("asyncio.Task[object]", asyncio.current_task())  # every coroutine runs in one


class _Again:
    """Cancels a task each second that goes on past its limit, be that to clean up."""

    def __init__(self, limit: asyncio.Timeout, task: asyncio.Task[object]) -> None:
        self._limit = limit
        self._task = task
        self._times = 0
        self._timer = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._look)

    def _look(self) -> None:
        if self._limit.expired():
            self._times += 1
            self._task.cancel()
        self._timer = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._look)

    def stop(self) -> None:
        """It has come to its end, by which none of these is known to anybody else."""
        self._timer.cancel()
        for _ in range(self._times):
            self._task.uncancel()


class AtHand:
    """Connections of PostgreSQL that verbs have left for the next ones.

    asyncpg takes a connection back in a task of its own, which costs as much as a statement.
    """

    def __init__(self, most: int) -> None:
        """At most so many are left."""
        self._most = most
        self._left: list[object] = []
        self._until: dict[object, float] = {}  # of each that the driver has lent
        self._idle: asyncio.TimerHandle | None = None

    def lent(self, connection: object) -> None:
        """The driver has lent it just now."""
        self._until[connection] = asyncio.get_running_loop().time() + _STAY_SECONDS

    def put(self, connection: object) -> bool:
        """Leave it; False if it is to be given back: it has long been away, or enough are left."""
        loop = asyncio.get_running_loop()
        if len(self._left) >= self._most or self._until.get(connection, 0) <= loop.time():
            return False
        self._left.append(connection)
        if self._idle:
            self._idle.cancel()
        self._idle = loop.call_later(_STAY_SECONDS, self._let_go)
        return True

    def take(self) -> object | None:
        """One that is still open; what the server has closed, the driver has back by that."""
        while self._left:
            connection = self._left.pop()
            if not _session(connection).is_closed():
                return connection
            self.forget(connection)
        return None

    def forget(self, connection: object) -> None:
        """The driver has it back."""
        self._until.pop(connection, None)

    def _let_go(self) -> None:
        """Nobody asks for anything: by closing them, the driver has them back."""
        while connection := self.take():
            _session(connection).close()
            self.forget(connection)


def _session(connection: object) -> PostgresSession:
    return cast("PostgresSession", session_of("postgres", connection))


class _Permit:
    """One of a few that was acquired: given back at the end, or as soon as that takes long."""

    def __init__(self, permits: asyncio.Semaphore) -> None:
        self._permits = permits
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LONG_SECONDS, self.__exit__)

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
            self._permits.release()


class LimitedPool:
    """A driver's pool, whose connections are closed when they are not given back in time.

    Whoever waits for an answer then finds the connection closed, as if the server had gone away,
    and cleans up as after that. A statement that is cancelled instead leaves its connection in a
    state that the drivers clear up by asking the server: on a dead network that waits, too.
    """

    def __init__(self, pool: Pool, dialect: str, seconds: float, *, most: int) -> None:
        """`most` is how many connections it has; one of them is kept for statements."""
        self.lasting = asyncio.Semaphore(most - 1)
        is_postgres = dialect == "postgres"
        self._verbs = asyncio.Semaphore(_MOST_VERBS if is_postgres else most)
        self._at_hand = AtHand(_MOST_VERBS if is_postgres else 0)
        self._is_closing = False
        self.dialect = dialect
        self.seconds: float | None = seconds
        self._pool = pool
        self._deadlines: dict[object, asyncio.TimerHandle] = {}
        self._waits: set[asyncio.Timeout] = set()
        self._wanting = 0  # that wait for the driver to lend one
        self._last = math.inf  # when all has to have ended, by the clock of the event loop

    async def acquire(self) -> object:
        """A connection for one statement or one transaction.

        Raises:
            TimeoutError: none came free, or a new one could not be opened, in time.
        """
        connection = self._at_hand.take() or await self._acquired()
        if (when := self._when()) is not None:
            self._end_at(when, connection)
        return connection

    async def _acquired(self) -> object:
        """One of the driver's, for somebody who has not been cancelled meanwhile: see `until`."""
        task = _this_task()
        before = task.cancelling()
        self._wanting += 1
        try:
            async with self.in_time():
                connection = await self._pool.acquire()
                if task.cancelling() > before:
                    await self._pool.release(connection)
                    raise asyncio.CancelledError
        finally:
            self._wanting -= 1
        self._at_hand.lent(connection)
        return connection

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[object]:
        """As `acquire`, for one verb of a few at once; if it ends well, the next finds it at hand.

        Raises:
            TimeoutError: as `acquire`, or others were not done in time.
        """
        async with self.in_time() if self._verbs.locked() else nullcontext():
            await self._verbs.acquire()
        with _Permit(self._verbs):
            connection, stays = await self.acquire(), False
            try:
                yield connection
                stays = self._stays(connection)
            finally:
                if not stays:
                    await self.release(connection)

    async def release(self, connection: object) -> None:
        """Take it back."""
        self._at_hand.forget(connection)
        with ExitStack() as stack:
            stack.callback(self.keep, connection)
            try:
                await self._pool.release(connection)
            except asyncio.CancelledError:
                stack.pop_all()  # the driver goes on giving it back: that has the same limit
                raise

    def _stays(self, connection: object) -> bool:
        """Keep it at hand, unless somebody waits for the driver to have it back."""
        if self._is_closing or self._wanting or not self._at_hand.put(connection):
            return False
        self.keep(connection)
        return True

    def close(self) -> object:
        """As the driver's, which waits for what it has lent: nothing is begun any more."""
        close = cast("_Closes", self._pool).close
        return self._closed(close) if self.dialect == "postgres" else close()

    async def _closed(self, close: Callable[[], Awaitable[None]]) -> None:
        self._is_closing = True
        while connection := self._at_hand.take():
            await self._pool.release(connection)
        await close()

    def keep(self, connection: object) -> None:
        """Let whoever has this one keep it for as long as it likes."""
        if deadline := self._deadlines.pop(connection, None):
            deadline.cancel()

    @asynccontextmanager
    async def in_time(self) -> AsyncGenerator[None]:
        """Give up what is waited for here when it takes longer than anything may.

        Raises:
            TimeoutError: it did.
        """
        async with until(self._when()) as wait:
            self._waits.add(wait)
            try:
                yield
            finally:
                self._waits.discard(wait)

    def hurry(self, seconds: float) -> None:
        """Let all end so many seconds from now; what begins later, or near that, has one second."""
        self._last = asyncio.get_running_loop().time() + seconds
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(min(wait.when() or math.inf, self._last))
        for connection, deadline in list(self._deadlines.items()):
            self._end_at(min(deadline.when(), self._last), connection)

    def _when(self) -> float | None:
        """The moment when what begins now has to end."""
        if self.seconds is None:
            return None
        now = asyncio.get_running_loop().time()
        return min(now + self.seconds, max(now + _LEAST_SECONDS, self._last))

    def _end_at(self, when: float, connection: object) -> None:
        self.keep(connection)
        loop = asyncio.get_running_loop()
        self._deadlines[connection] = loop.call_at(when, self._end, connection)

    def _end(self, connection: object) -> None:
        del self._deadlines[connection]
        log.warning("database gives no answer", extra={"seconds": self.seconds})
        session_of(self.dialect, connection).close()

    def __getattr__(self, name: str) -> object:
        """All else is the driver's."""
        return getattr(self._pool, name)


class _Closes(Protocol):
    def close(self) -> Awaitable[None]: ...


def held(client: BaseDBAsyncClient) -> AbstractAsyncContextManager[object]:
    """A connection for one verb: that of its transaction, of a file, or one of a pool."""
    pool = None if isinstance(client, TransactionalDBClient) else _limited(client)
    return pool.lent() if pool else connection_of(client)


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


def hurry(connection: BaseDBAsyncClient, seconds: float) -> None:
    """As `LimitedPool.hurry`; what waits for a file's lock has its own, short limit."""
    if pool := _limited(connection):
        pool.hurry(seconds)


@asynccontextmanager
async def in_time(connection: BaseDBAsyncClient) -> AsyncGenerator[None]:
    """As `LimitedPool.in_time`, for what asks a session that lasts."""
    pool = _limited(connection)
    async with pool.in_time() if pool else nullcontext():
        yield


@asynccontextmanager
async def lasting(connection: BaseDBAsyncClient) -> AsyncGenerator[Session]:
    """A session for as long as it is needed; each question to it has its own limit.

    There is always a connection left for what is done meanwhile.

    Raises:
        TimeoutError: there is none, or no answer.
    """
    pool = _limited(connection)
    if pool is None:
        raise TypeError("only a server has sessions")
    async with pool.lasting:
        held = await pool.acquire()
        pool.keep(held)
        try:
            yield session_of(pool.dialect, held)
        finally:
            await pool.release(held)


def is_spare(connection: BaseDBAsyncClient) -> bool:
    """Whether `lasting` would not have to wait until another session has ended."""
    pool = _limited(connection)
    return pool is not None and not pool.lasting.locked()


def _limited(connection: BaseDBAsyncClient) -> LimitedPool | None:
    pool = pool_of(connection)
    return pool if isinstance(pool, LimitedPool) else None
