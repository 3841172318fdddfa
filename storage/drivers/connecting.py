"""How a server is connected to: what its driver is told, and whether a pooler stands between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from importlib import import_module
from ssl import SSLError
from typing import Protocol, cast

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import DBConnectionError

from storage.drivers.internals import put_pool, tell
from storage.drivers.pool import LimitedPool, until
from storage.drivers.session import Errors, driver_errors
from storage.drivers.tls import Trust
from storage.drivers.url import DatabaseUrl

log = logging.getLogger(__name__)

_LIMITS: tuple[str, ...] = "statement_timeout", "idle_in_transaction_session_timeout"
REFUSES_TLS = "rejected SSL upgrade"  # asyncpg has no type of its own for it
_REJECTED = "28000"  # by the server's rules, which may let in by TLS alone, or without alone
_FOUND_ROWS = 2  # as the protocol of MySQL numbers it
# LIKE is to tell Team from team, as elsewhere. MySQL has no such limit, and takes what MariaDB
# reads for a comment.
_MARIADB = (
    "SET collation_connection = utf8mb4_bin, autocommit = 1"
    " /*M!100300 , SESSION idle_transaction_timeout = {} */"
)


class PoolerBetween(ConnectionError):
    """The server that answers is not the one that was connected to."""


class _MakesPooled(Protocol):
    def __call__(self, begin: str, *, is_whole: bool) -> type: ...


class _Connection(Protocol):
    """One of asyncpg."""

    def get_server_pid(self) -> int: ...
    async def execute(self, statement: str, /) -> str: ...


def told(url: DatabaseUrl) -> dict[str, object]:
    """What a driver has to be told besides where the server is.

    The server has to give up what we have given up, too: a process that is cut off in a
    transaction leaves rows locked until the server notices, which takes TCP two hours. Set by
    statements, since a pooler between may refuse start-up parameters.

    Raises:
        DatabaseUnusable: certificates cannot be used.
    """
    trust = url.tls.trust
    if url.dialect == "mysql":
        # An update counts the rows that it finds, as everywhere, not only those it changes.
        how: dict[str, object] = {"init_command": _MARIADB.format(url.seconds)}
        how["client_flag"] = _FOUND_ROWS
        return {**how, "ssl": url.tls.context()} if trust > Trust.PLAIN else how
    # Told "prefer" or "allow" it would read the environment, and files at home, for certificates.
    ssl = url.tls.context() if trust >= Trust.PREFER else False
    if url.pooled:
        return {"ssl": ssl, "reset": _leave, **_through_pooler(url)}
    return {"ssl": ssl, "init": _begin(url), "reset": _leave}


async def connect(connection: BaseDBAsyncClient, url: DatabaseUrl) -> bool:
    """Open a client's pool; no statement or transaction of it takes longer than `url.seconds`.

    Says whether a pooler stands between.

    Raises:
        TimeoutError: the server does not answer.
    """
    if url.seconds is None:
        raise TypeError("only a server is connected to")
    is_pooled = await open_pool(connection, url)
    dialect, seconds = url.dialect, url.seconds
    most = int(str(url.credentials["maxsize"]))
    put_pool(connection, lambda pool: LimitedPool(pool, dialect, seconds, most=most))
    return is_pooled


async def open_pool(connection: BaseDBAsyncClient, url: DatabaseUrl) -> bool:
    """As `connect`, and what is asked there may take as long as it likes."""
    is_pooled = bool(url.pooled)
    limit = None if url.seconds is None else asyncio.get_running_loop().time() + url.seconds
    async with until(limit):
        if await _finds_pooler(connection, url):
            log.info("pooler found", extra={"database": url.shown})
            is_pooled = True
            tell(connection, {"init": None, **_through_pooler(url)})
            await connection.create_connection(with_db=True)
    return is_pooled


async def _finds_pooler(connection: BaseDBAsyncClient, url: DatabaseUrl) -> bool:
    """Connect by TLS or without, as first told, or the other way if `url` lets the server choose.

    How it was found to be holds for all connections that are opened later, too. With a pooler
    that nobody spoke of there is none yet.
    """
    may_be: Errors = (DBConnectionError, OSError, *driver_errors("asyncpg", "PostgresError"))
    try:
        await connection.create_connection(with_db=True)
    except PoolerBetween:
        return True
    except may_be as error:
        if (is_plain := _other_way(url, error)) is None:
            raise
    else:
        return False
    tell(connection, {"ssl": False if is_plain else url.tls.context()})
    try:
        await connection.create_connection(with_db=True)
    except PoolerBetween:
        return True
    return False


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it was made of."""
    while error is not None:
        yield error
        inner = error.args[0] if error.args else None
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


def _other_way(url: DatabaseUrl, error: BaseException) -> bool | None:
    """Whether to connect without TLS after this error, or with it; None: neither."""
    links, trust = list(chain(error)), url.tls.trust
    if trust not in {Trust.ALLOW, Trust.PREFER}:
        return None
    if any(isinstance(each, SSLError) or REFUSES_TLS in str(each) for each in links):
        return True
    is_rejected = any(getattr(each, "sqlstate", None) == _REJECTED for each in links)
    return trust is Trust.PREFER if is_rejected else None


def _begin(url: DatabaseUrl) -> object:
    """Sets what a session keeps, unless a pooler has another server's process behind it."""
    values = ", ".join(
        f"set_config('{name}', {_quoted(value)}, false)" for name, value in _settings(url).items()
    )

    async def begin(connection: _Connection) -> None:
        pid = connection.get_server_pid()
        condition = "" if url.pooled is False else f" WHERE pg_backend_pid() = {pid}"
        if await connection.execute(f"SELECT {values}{condition}") == "SELECT 0":
            raise PoolerBetween("a pooler stands before the server")

    return begin


def _through_pooler(url: DatabaseUrl) -> dict[str, object]:
    pooled = cast("_MakesPooled", import_module("storage.drivers.pooled").pooled)
    settings = _settings(url).items()
    begin = "; ".join(f"SET LOCAL {name} = {_quoted(value)}" for name, value in settings)
    return {"statement_cache_size": 0, "connection_class": pooled(begin, is_whole=bool(url.schema))}


def _settings(url: DatabaseUrl) -> dict[str, str]:
    settings = dict.fromkeys(_LIMITS, f"{url.seconds}s")
    return {**settings, "search_path": url.schema} if url.schema else settings


def _quoted(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


async def _leave(_: object) -> None:
    """Nothing is left to be reset: every statement is one of a transaction, or sets nothing."""
