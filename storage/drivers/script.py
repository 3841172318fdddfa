"""A verb of a message's way as a script: constant statements, on a file in one hop to its thread.

A script yields statements and is sent what came of each. It touches nothing else: a conflict runs
it again from its beginning. `?` stands for each value and `"` quotes a name, in every dialect.
"""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import AsyncExitStack, nullcontext, suppress
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache, partial, wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError
from tortoise.fields.data import JSON_DUMPS

from storage.drivers.internals import Model, as_read, held, in_thread, listed, table_of
from storage.drivers.session import Row, Session, integrity_errors, session_of
from storage.drivers.transaction import database_errors, retried, to_the_end

M = TypeVar("M", bound=Model)
P = ParamSpec("P")
R = TypeVar("R")


IF_NEW = " ON CONFLICT DO NOTHING"  # ends an INSERT whose key may be there already


class _Wants(Enum):
    ROWS = "rows"
    COUNT = "how many rows were changed"
    ID = "the id of the row that was added"


class Statement(NamedTuple):
    """What to ask, and what of the answer is wanted."""

    text: str
    values: tuple[object, ...]
    wants: _Wants


Answer = list[Row] | int
Script = Generator[Statement, Answer, R]


def rows(text: str, *values: object) -> Script[list[Row]]:
    """The rows of a SELECT."""
    return cast("list[Row]", (yield Statement(text, values, _Wants.ROWS)))


def changed(text: str, *values: object) -> Script[int]:
    """How many rows an UPDATE found."""
    return cast("int", (yield Statement(text, values, _Wants.COUNT)))


def added(text: str, *values: object) -> Script[int]:
    """The id of the row that an INSERT of one row made."""
    return cast("int", (yield Statement(text, values, _Wants.ID)))


def select(model: type[Model], *more: str) -> str:
    """All that `whole` needs, from the model's table, and `more` after it; conditions follow."""
    columns = ", ".join((_quoted(listed(model)), *more))
    return f"SELECT {columns} FROM {_quoted([table_of(model)])}"  # noqa: S608  # names of ours


def marks(number: int) -> str:
    """So many values in a row."""
    return ", ".join("?" * number)


@lru_cache
def insert(model: type[Model], columns: tuple[str, ...], times: int = 1) -> str:
    """So many new rows with these columns; values are given one row after the other."""
    values = ", ".join([f"({marks(len(columns))})"] * times)
    return f"INSERT INTO {_quoted([table_of(model)])} ({_quoted(columns)}) VALUES {values}"  # noqa: S608  # as above


def whole(model: type[M], text: str, *values: object) -> Script[list[M]]:
    """The rows of a `select`, as Tortoise would read them."""
    found = yield from rows(text, *values)
    return [as_read(model, row) for row in found]


def new(model: type[M], values: Mapping[str, object]) -> Script[M]:
    """Add a row; the columns that are not given are NULL in it."""
    row_id = yield from added(insert(model, tuple(values)), *values.values())
    full = {**values, "id": row_id}
    return as_read(model, [full.get(name) for name in listed(model)])


def moment(stored: datetime | str) -> datetime:
    """What a column of moments holds, whichever driver read it: SQLite has texts, MySQL no zone."""
    known = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return known if known.tzinfo else known.replace(tzinfo=UTC)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def script(verb: Callable[P, Script[R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # a coroutine's first two parameters are always Any
    """Run the script as one transaction; all that `transaction` promises holds here, too."""
    return _run(verb, is_write=True)


def one_statement(verb: Callable[P, Script[R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # as above
    """Run a script of one statement: it is a transaction by itself, begun and ended on its way."""
    return _run(verb, is_write=False)


def reading_script(verb: Callable[P, Script[R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # as above
    """Run a script that only reads."""
    return _run(verb, is_write=False)


def inside(verb: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Script[R]]:  # type: ignore[explicit-any]  # as above
    """The script of a verb, to be played inside of another one."""
    return cast("Callable[P, Script[R]]", inspect.unwrap(verb))


def _run(  # type: ignore[explicit-any]  # as above
    verb: Callable[P, Script[R]], *, is_write: bool
) -> Callable[P, Coroutine[Any, Any, R]]:
    @wraps(verb)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return await retried(partial(_once, partial(verb, *args, **kwargs), is_write=is_write))

    return run


def dialect() -> str:
    """Which database it is: "sqlite", "postgres" or "mysql"."""
    return client().capabilities.dialect


def client() -> BaseDBAsyncClient:
    """Through which the verbs speak to the open database."""
    connections = get_connections()
    return connections.get(next(iter(connections.db_config)))


async def _once(begin: Callable[[], Script[R]], *, is_write: bool) -> R:
    there = client()
    begins = is_write and not isinstance(there, TransactionalDBClient)
    if isinstance(there, SqliteClient):
        async with held(there) as connection:
            act = partial(_in_file, begin, begins=begins)
            return await to_the_end(in_thread(connection, act))
    work = _on_server(there, begin, begins=begins)
    return await to_the_end(asyncio.get_running_loop().create_task(work))


def _in_file(begin: Callable[[], Script[R]], connection: sqlite3.Connection, *, begins: bool) -> R:
    try:
        with connection if begins else nullcontext():  # commits, or rolls back
            if begins:
                connection.execute("BEGIN IMMEDIATE")
            return _played(begin(), connection)
    except sqlite3.IntegrityError as error:
        raise IntegrityError(error) from error


def _played(script: Script[R], connection: sqlite3.Connection) -> R:
    answer: Answer | None = None
    while True:
        try:
            text, values, wants = script.send(cast("Answer", answer))
        except StopIteration as end:
            return cast("R", end.value)
        cursor = connection.execute(in_dialect(text, "sqlite"), as_stored(values))
        match wants:
            case _Wants.ROWS:
                answer = cursor.fetchall()
            case _Wants.COUNT:
                answer = cursor.rowcount
            case _Wants.ID:
                answer = cast("int", cursor.lastrowid)


async def _on_server(
    client: BaseDBAsyncClient, begin: Callable[[], Script[R]], *, begins: bool
) -> R:
    async with held(client) as connection, AsyncExitStack() as undone:
        session = session_of(client.capabilities.dialect, connection)
        if begins:
            await session.begin()
            undone.push_async_callback(_roll_back, session)
        try:
            result = await _asked(begin(), session, client.capabilities.dialect)
        except integrity_errors() as error:
            raise IntegrityError(error) from error
        if begins:
            await session.commit()
            undone.pop_all()
    return result


async def _roll_back(session: Session) -> None:
    with suppress(*database_errors()):  # it has gone away, and the transaction with it
        await session.rollback()


async def _asked(script: Script[R], session: Session, dialect: str) -> R:
    answer: Answer | None = None
    while True:
        try:
            text, values, wants = script.send(cast("Answer", answer))
        except StopIteration as end:
            return cast("R", end.value)
        statement, given = in_dialect(text, dialect), as_stored(values)
        match wants:
            case _Wants.ROWS:
                answer = await session.rows(statement, given)
            case _Wants.COUNT:
                answer = await session.count(statement, given)
            case _Wants.ID:
                answer = await session.add(statement, given)


def as_stored(values: tuple[object, ...]) -> list[object]:
    """Values as every driver takes them."""
    return [
        JSON_DUMPS(each)
        if isinstance(each, dict | list)
        else each.value
        if isinstance(each, Enum)
        else each
        for each in values
    ]


@lru_cache(maxsize=1000)
def in_dialect(text: str, dialect: str) -> str:
    """A statement as this database reads it."""
    if dialect == "sqlite":
        return text.replace(" FOR UPDATE", "").replace(" SKIP LOCKED", "")
    if dialect == "mysql":
        if text.endswith(IF_NEW):
            text = text.removesuffix(IF_NEW).replace("INSERT", "INSERT IGNORE", 1)
        return text.replace('"', "`").replace("?", "%s")
    first, *others = text.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, start=1))
