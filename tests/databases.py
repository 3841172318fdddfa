"""Databases on a server that tests may use: empty, or copies of one that has the schema."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from urllib.parse import urlsplit

import asyncmy
import asyncpg

from storage.database import open_database

Rows = list[tuple[object, ...]]
Run = Callable[[str], Awaitable[Sequence[Sequence[object]]]]
HISTORY = "tortoise_migrations"
# What a test must leave as it was, and who may not be there any more, for the next test.
LAYOUT = {
    "postgres": (
        "SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull"
        " FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid WHERE relkind = 'r'"
        " AND relnamespace = 'public'::regnamespace AND attnum > 0 ORDER BY 1, attnum",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT name FROM tortoise_migrations ORDER BY 1",
    ),
    "mysql": (
        "SELECT table_name, ordinal_position, column_name, column_type, collation_name, is_nullable"
        " FROM information_schema.columns WHERE table_schema = database() ORDER BY 1, 2",
        "SELECT table_name, index_name, seq_in_index, column_name"
        " FROM information_schema.statistics WHERE table_schema = database() ORDER BY 1, 2, 3",
        "SELECT name FROM tortoise_migrations ORDER BY 1",
    ),
}
OTHERS = {
    "postgres": "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'",
    "mysql": "SELECT id FROM information_schema.processlist"
    " WHERE db = database() AND id <> connection_id()",
}
# What a claim rests on that was seen without a lock (decision 15): a message is added, or an answer
# becomes due, together with its conversation. Only what this transaction wrote is in progress and
# can be seen in it.
RULE = """
CREATE FUNCTION writes_its_conversation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (
        SELECT id FROM conversation
        WHERE id = NEW.conversation_id AND pg_xact_status(xmin::text::xid8) <> 'in progress'
    ) THEN
        RAISE EXCEPTION '% % without its conversation: see decision 15', TG_OP, TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$
"""
RULED = (
    RULE,
    "CREATE CONSTRAINT TRIGGER added AFTER INSERT ON inbox DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW WHEN (NEW.state = 'waiting') EXECUTE FUNCTION writes_its_conversation()",
    "CREATE CONSTRAINT TRIGGER due AFTER INSERT OR UPDATE OF state ON outbox DEFERRABLE"
    " INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'due')"
    " EXECUTE FUNCTION writes_its_conversation()",
)
DELETE = {"postgres": 'DELETE FROM "{}"', "mysql": "DELETE FROM `{}`"}


async def make(url: str) -> None:
    """Give a database the schema."""
    await (await open_database(url)).close()


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Run]:
    """Runs statements on a server, outside of Tortoise, and returns their rows."""
    if url.startswith("postgres"):
        connection = await asyncpg.connect(url)
        yield connection.fetch
        await connection.close()
        return
    async with (
        asyncmy.connect(**_login(url), autocommit=True) as other,
        other.cursor() as cursor,
    ):

        async def run(statement: str) -> Sequence[Sequence[object]]:
            await cursor.execute(statement)
            return list(await cursor.fetchall()) if cursor.description else []

        yield run


async def execute(server: str, *statements: str) -> None:
    """Run statements on a server."""
    async with session(server) as run:
        for statement in statements:
            await run(statement)


def _kind(url: str) -> str:
    return "postgres" if url.startswith("postgres") else "mysql"


def _login(url: str) -> dict[str, str | None]:
    parts = urlsplit(url)
    user, password = parts.username, parts.password or ""
    return {"host": parts.hostname, "user": user, "password": password, "db": parts.path[1:]}


class Server:
    """A server that is switched on; whoever leaves it leaves no database behind."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._kind = _kind(url)
        self._names: list[str] = []
        self._free: list[str] = []

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a database without tables."""
        name = self._new()
        asyncio.run(execute(self._url, f"CREATE DATABASE {name}"))
        yield self._at(name)
        self._drop(name)

    @contextmanager
    def filled(self) -> Iterator[str]:
        """The URL of a database with the schema: one that another test had, emptied, or a copy."""
        name = self._free.pop() if self._free else self._copy()
        yield self._at(name)
        if asyncio.run(self._empty(name, self._made)):
            self._free.append(name)
        else:
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
        if self._kind == "postgres":
            asyncio.run(execute(self._at(name), *RULED))
        return name

    def _copy(self) -> str:
        original, name = self._original, self._new()
        if self._kind == "postgres":
            asyncio.run(execute(self._url, f"CREATE DATABASE {name} TEMPLATE {original}"))
        else:
            asyncio.run(execute(self._url, f"CREATE DATABASE {name}", f"USE {name}", *self._dump))
        return name

    @cached_property
    def _dump(self) -> list[str]:
        """The statements that make the original's tables, and fill the one that is not empty."""
        return asyncio.run(self._dumped())

    async def _dumped(self) -> list[str]:
        async with session(self._at(self._original)) as run:
            tables = [str(row[0]) for row in await run("SHOW TABLES")]
            made = [str((await run(f"SHOW CREATE TABLE `{table}`"))[0][1]) for table in tables]
        return [*made, f"INSERT INTO {HISTORY} SELECT * FROM {self._original}.{HISTORY}"]  # noqa: S608  # of our own

    @cached_property
    def _made(self) -> dict[str, Rows]:
        """What a test must leave as it was, of each query."""
        return asyncio.run(self._look(self._original))

    async def _look(self, name: str) -> dict[str, Rows]:
        async with session(self._at(name)) as run:
            return {query: [tuple(row) for row in await run(query)] for query in LAYOUT[self._kind]}

    async def _empty(self, name: str, made: Mapping[str, Rows]) -> bool:
        """Empty all tables; False if a test has changed them, or left a connection."""
        async with session(self._at(name)) as run:
            for query, rows in made.items():
                if [tuple(row) for row in await run(query)] != rows:
                    return False
            if await run(OTHERS[self._kind]):
                return False
            for table in {row[0] for row in next(iter(made.values()))} - {HISTORY}:
                await run(DELETE[self._kind].format(table))
        return True

    def _new(self) -> str:
        self._names.append(f"moorings_{secrets.token_hex(6)}")
        return self._names[-1]

    def _at(self, name: str) -> str:
        return f"{self._url.rpartition('/')[0]}/{name}"

    def _drop(self, name: str) -> None:
        asyncio.run(execute(self._url, f"DROP DATABASE {name}"))
        self._names.remove(name)
