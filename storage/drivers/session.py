"""One connection to a server, of whichever driver: asked directly, closed at once, watched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol, cast

Errors = tuple[type[BaseException], ...]
Stop = Callable[[], None]
Row = Sequence[Any]  # type: ignore[explicit-any]  # as the driver gives it
Values = Sequence[object]


def driver_errors(module: str, *names: str) -> Errors:
    """These errors of a driver; none where it is not imported, for then it raises nothing.

    Each driver costs memory and time to start: only that of the database in use is imported.
    """
    driver = sys.modules.get(module)
    return tuple(cast("type[BaseException]", getattr(driver, name)) for name in names if driver)


def integrity_errors() -> Errors:
    """What the drivers raise for a key that is there already."""
    return (
        *driver_errors("asyncpg", "IntegrityConstraintViolationError"),
        *driver_errors("asyncmy.errors", "IntegrityError"),
    )


class Session(Protocol):
    """A connection that the pool has lent."""

    async def ask(self, statement: str) -> object:
        """The first value of the first row."""
        ...

    async def begin(self) -> object:
        """Begin a transaction."""
        ...

    async def commit(self) -> object:
        """End it; all stands."""
        ...

    async def rollback(self) -> object:
        """End it; nothing stands."""
        ...

    async def rows(self, statement: str, values: Values) -> list[Row]:
        """The rows of a SELECT."""
        ...

    async def count(self, statement: str, values: Values) -> int:
        """How many rows an UPDATE found."""
        ...

    async def add(self, statement: str, values: Values) -> int:
        """The id of the row that an INSERT made."""
        ...

    def close(self) -> None:
        """Close it without a word to the server; whoever waits for an answer gets an error."""
        ...

    def when_closed(self, act: Callable[[], None]) -> Stop:
        """Call `act` if it is closed, by whichever side, until the returned function is called."""
        ...


class _PostgresConnection(Protocol):
    async def execute(self, statement: str, /, *values: object) -> str: ...
    async def fetch(self, statement: str, /, *values: object) -> list[Row]: ...
    async def fetchval(self, statement: str, /, *values: object) -> object: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...
    def add_termination_listener(self, act: Callable[[object], None], /) -> None: ...
    def remove_termination_listener(self, act: Callable[[object], None], /) -> None: ...


class PostgresSession:
    """One of asyncpg."""

    def __init__(self, connection: _PostgresConnection) -> None:
        self._connection = connection

    async def ask(self, statement: str) -> object:
        """As `Session.ask`."""
        return await self._connection.fetchval(statement)

    async def begin(self) -> object:
        """As `Session.begin`."""
        return await self._connection.execute("BEGIN")

    async def commit(self) -> object:
        """As `Session.commit`."""
        return await self._connection.execute("COMMIT")

    async def rollback(self) -> object:
        """As `Session.rollback`."""
        return await self._connection.execute("ROLLBACK")

    async def rows(self, statement: str, values: Values) -> list[Row]:
        """As `Session.rows`."""
        return await self._connection.fetch(statement, *values)

    async def count(self, statement: str, values: Values) -> int:
        """As `Session.count`; the last word of a command's status says it."""
        return int((await self._connection.execute(statement, *values)).rsplit(" ", 1)[1])

    async def add(self, statement: str, values: Values) -> int:
        """As `Session.add`."""
        return cast("int", await self._connection.fetchval(f"{statement} RETURNING id", *values))

    def is_closed(self) -> bool:
        """Whether it cannot be asked any more."""
        with suppress(*_interface_error()):  # the pool has it back: it was closed
            return self._connection.is_closed()
        return True

    def close(self) -> None:
        """As `Session.close`."""
        with suppress(*_interface_error()):  # the pool has it back meanwhile
            self._connection.terminate()

    def when_closed(self, act: Callable[[], None]) -> Stop:
        """As `Session.when_closed`."""

        def closed(_: object) -> None:
            act()

        def stop() -> None:
            with suppress(*_interface_error()):  # it is closed
                self._connection.remove_termination_listener(closed)

        self._connection.add_termination_listener(closed)
        return stop


def _interface_error() -> Errors:
    return driver_errors("asyncpg", "InterfaceError")


class _MySqlCursor(Protocol):
    lastrowid: int

    async def execute(self, statement: str, values: Values | None = None) -> int: ...
    async def fetchone(self) -> tuple[object, ...]: ...
    async def fetchall(self) -> list[Row]: ...


class _Transport(Protocol):
    def abort(self) -> None: ...


class _Closing(Protocol):
    def add_done_callback(self, act: Callable[[object], None], /) -> None: ...
    def remove_done_callback(self, act: Callable[[object], None], /) -> object: ...


class _MySqlProtocol(Protocol):
    _closed_waiter: _Closing


class _MySqlConnection(Protocol):
    _transport: _Transport | None
    _proto: _MySqlProtocol

    def cursor(self) -> AbstractAsyncContextManager[_MySqlCursor]: ...
    async def begin(self) -> object: ...
    async def commit(self) -> object: ...
    async def rollback(self) -> object: ...


class MySqlSession:
    """A session on a connection of the asyncmy driver."""

    def __init__(self, connection: _MySqlConnection) -> None:
        self._connection = connection

    async def ask(self, statement: str) -> object:
        """As `Session.ask`."""
        async with self._connection.cursor() as cursor:
            await cursor.execute(statement)
            return (await cursor.fetchone())[0]

    async def begin(self) -> object:
        """As `Session.begin`."""
        return await self._connection.begin()

    async def commit(self) -> object:
        """As `Session.commit`."""
        return await self._connection.commit()

    async def rollback(self) -> object:
        """As `Session.rollback`."""
        return await self._connection.rollback()

    async def rows(self, statement: str, values: Values) -> list[Row]:
        """As `Session.rows`."""
        async with self._connection.cursor() as cursor:
            await cursor.execute(statement, values)
            return await cursor.fetchall()

    async def count(self, statement: str, values: Values) -> int:
        """As `Session.count`."""
        async with self._connection.cursor() as cursor:
            return await cursor.execute(statement, values)

    async def add(self, statement: str, values: Values) -> int:
        """As `Session.add`."""
        async with self._connection.cursor() as cursor:
            await cursor.execute(statement, values)
            return cursor.lastrowid

    def close(self) -> None:
        """As `Session.close`: its own `close` would wait until what is written has been sent."""
        if self._connection._transport:  # pyright: ignore[reportPrivateUsage]  # it has no public way to it
            self._connection._transport.abort()  # pyright: ignore[reportPrivateUsage]  # as above

    def when_closed(self, act: Callable[[], None]) -> Stop:
        """As `Session.when_closed`."""
        closing = self._connection._proto._closed_waiter  # pyright: ignore[reportPrivateUsage]  # as above

        def closed(_: object) -> None:
            act()

        closing.add_done_callback(closed)

        def stop() -> None:
            closing.remove_done_callback(closed)

        return stop


def session_of(dialect: str, connection: object) -> Session:
    """The session that a connection of this dialect's driver is."""
    if dialect == "mysql":
        return MySqlSession(cast("_MySqlConnection", connection))
    return PostgresSession(cast("_PostgresConnection", connection))
