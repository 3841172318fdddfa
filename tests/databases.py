"""Databases on a server that tests may use: empty, or copies of one that has the schema."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import urlsplit

import asyncmy
import asyncpg

from storage.database import open_database


async def make(url: str) -> None:
    """Give a database the schema."""
    await (await open_database(url)).close()


async def execute(server: str, *statements: str) -> None:
    """Run statements on a server, outside of Tortoise."""
    if server.startswith("postgres"):
        connection = await asyncpg.connect(server)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()
        return
    async with (
        asyncmy.connect(**_login(server), autocommit=True) as session,
        session.cursor() as cursor,
    ):
        for statement in statements:
            await cursor.execute(statement)


def _login(url: str) -> dict[str, str | None]:
    parts = urlsplit(url)
    return {"host": parts.hostname, "user": parts.username, "password": parts.password or ""}


class Server:
    """A server that is switched on; whoever leaves it leaves no database behind."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._names: list[str] = []

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a database without tables."""
        name = self._new()
        asyncio.run(execute(self._url, f"CREATE DATABASE {name}"))
        yield self._at(name)
        self._drop(name)

    @contextmanager
    def filled(self) -> Iterator[str]:
        """The URL of a database with the schema, which copying makes in a tenth of the time."""
        original, name = self._original, self._new()
        if self._url.startswith("postgres"):
            asyncio.run(execute(self._url, f"CREATE DATABASE {name} TEMPLATE {original}"))
        else:
            asyncio.run(execute(self._url, f"CREATE DATABASE {name}", f"USE {name}", *self._dump))
        yield self._at(name)
        self._drop(name)

    def close(self) -> None:
        """Drop what is still there."""
        for name in [*self._names]:
            self._drop(name)

    @cached_property
    def _original(self) -> str:
        """A database that was migrated, and is only copied."""
        name = self._new()
        asyncio.run(execute(self._url, f"CREATE DATABASE {name}"))
        asyncio.run(make(self._at(name)))
        return name

    @cached_property
    def _dump(self) -> list[str]:
        """The statements that make the original's tables, and fill the one that is not empty."""
        return asyncio.run(self._dumped())

    async def _dumped(self) -> list[str]:
        original = self._at(self._original)
        async with (
            asyncmy.connect(**_login(original), db=urlsplit(original).path[1:]) as session,
            session.cursor() as cursor,
        ):
            await cursor.execute("SHOW TABLES")
            tables = [str(row[0]) for row in await cursor.fetchall()]
            statements = []
            for table in tables:
                await cursor.execute(f"SHOW CREATE TABLE `{table}`")
                statements.append(str((await cursor.fetchone())[1]))
        filled = "tortoise_migrations"
        return [*statements, f"INSERT INTO {filled} SELECT * FROM {self._original}.{filled}"]  # noqa: S608  # of our own

    def _new(self) -> str:
        self._names.append(f"moorings_{secrets.token_hex(6)}")
        return self._names[-1]

    def _at(self, name: str) -> str:
        return f"{self._url.rpartition('/')[0]}/{name}"

    def _drop(self, name: str) -> None:
        asyncio.run(execute(self._url, f"DROP DATABASE {name}"))
        self._names.remove(name)
