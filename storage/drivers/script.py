"""A verb of a message's way as a script: constant statements, on a file in one hop to its thread.

A script yields statements and is sent what came of each. It touches nothing else: a conflict runs
it again from its beginning. `?` stands for each value and `"` quotes a name, in every dialect.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache, partial, wraps
from itertools import count
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError
from tortoise.fields.data import JSON_DUMPS

from storage.drivers.internals import Model, as_read, in_thread, listed, table_of
from storage.drivers.pool import held
from storage.drivers.session import Row, Session, driver_errors, integrity_errors, session_of
from storage.drivers.transaction import database_errors, retried, to_the_end

M = TypeVar("M", bound=Model)
P = ParamSpec("P")
R = TypeVar("R")


_MOST_VALUES = 1_000  # of statements that are asked as one; PostgreSQL takes 32,767
IF_NEW = " ON CONFLICT DO NOTHING"  # ends an INSERT whose key may be there already


class _Wants(Enum):
    ROWS = "rows"
    COUNT = "how many rows were changed"
    SOME = "as COUNT, of which there has to be one at least"
    ID = "the id of the row that was added"


class Statement(NamedTuple):
    """What to ask, and what of the answer is wanted."""

    text: str
    values: tuple[object, ...]
    wants: _Wants


class Made(NamedTuple):
    """A value: the id of the row that this one of the statements `together` adds, from 0."""

    by: int


Answer = list[Row] | int
Script = Generator[tuple[Statement, ...], list[Answer], R]


def rows(text: str, *values: object) -> Script[list[Row]]:
    """The rows of a SELECT."""
    (found,) = yield (Statement(text, values, _Wants.ROWS),)
    return cast("list[Row]", found)


def changed(text: str, *values: object) -> Script[int]:
    """How many rows an UPDATE found."""
    return (yield from together(changing(text, *values)))[0]


def together(*statements: Statement) -> Script[list[int]]:
    """What each of these made or changed: in order, or, where that saves questions, in one.

    In one, all see what was there before the first of them, and none may change what another one
    changes or locks. Very many values are not asked in one.
    """
    return cast("list[int]", (yield statements))


def changing(text: str, *values: object) -> Statement:
    """An UPDATE, or an INSERT whose rows are counted."""
    return Statement(text, values, _Wants.COUNT)


def needing(text: str, *values: object) -> Statement:
    """As `changing`; where it finds no row, nothing is done: the script raises NothingChanged."""
    return Statement(text, values, _Wants.SOME)


class NothingChanged(Exception):
    """A statement found no row that it needs, since somebody else was there before."""


def adding(model: type[Model], values: Mapping[str, object]) -> Statement:
    """The INSERT of one row; the columns that are not given are NULL in it."""
    return Statement(insert(model, tuple(values)), tuple(values.values()), _Wants.ID)


def select(model: type[Model], *more: str) -> str:
    """All that `whole` needs, from the model's table, and `more` after it; conditions follow."""
    columns = ", ".join((quoted(listed(model)), *more))
    return f"SELECT {columns} FROM {quoted([table_of(model)])}"  # noqa: S608  # names of ours


def marks(number: int) -> str:
    """So many values in a row."""
    return ", ".join("?" * number)


@lru_cache
def insert(model: type[Model], columns: tuple[str, ...], times: int = 1) -> str:
    """So many new rows with these columns; values are given one row after the other."""
    values = ", ".join([f"({marks(len(columns))})"] * times)
    return f"INSERT INTO {quoted([table_of(model)])} ({quoted(columns)}) VALUES {values}"  # noqa: S608  # as above


def whole(model: type[M], text: str, *values: object) -> Script[list[M]]:
    """The rows of a `select`, as Tortoise would read them."""
    found = yield from rows(text, *values)
    return [as_read(model, row) for row in found]


def made(model: type[M], values: Mapping[str, object], row_id: int) -> M:
    """The row that an `adding` made."""
    full = {**values, "id": row_id}
    return as_read(model, [full.get(name) for name in listed(model)])


def moment(stored: datetime | str) -> datetime:
    """What a column of moments holds, whichever driver read it: SQLite has texts, MySQL no zone."""
    known = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return known if known.tzinfo else known.replace(tzinfo=UTC)


def quoted(names: Iterable[str]) -> str:
    """Names in a row."""
    return ", ".join(f'"{name}"' for name in names)


def script(verb: Callable[P, Script[R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # a coroutine's first two parameters are always Any
    """Run the script as one transaction; all that `transaction` promises holds here, too."""
    return _run(verb, is_write=True)


def one_statement(verb: Callable[P, Script[R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # as above
    """Run a script of one statement: it is a transaction by itself, begun and ended on its way."""
    return _run(verb, is_write=False)


def at_once(verb: Callable[P, Script[R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # as above
    """As `script`, for one that yields once: PostgreSQL takes that as one statement.

    It is a transaction by itself, for which nobody has to say BEGIN and COMMIT.
    """
    return _run(verb, is_write=True, is_one=True)


def reading_script(verb: Callable[P, Script[R]]) -> Callable[P, Coroutine[Any, Any, R]]:  # type: ignore[explicit-any]  # as above
    """Run a script that only reads."""
    return _run(verb, is_write=False)


def inside(verb: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Script[R]]:  # type: ignore[explicit-any]  # as above
    """The script of a verb, to be played inside of another one."""
    return cast("Callable[P, Script[R]]", inspect.unwrap(verb))


def _run(  # type: ignore[explicit-any]  # as above
    verb: Callable[P, Script[R]], *, is_write: bool, is_one: bool = False
) -> Callable[P, Coroutine[Any, Any, R]]:
    @wraps(verb)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        once = partial(_once, partial(verb, *args, **kwargs), is_write=is_write, is_one=is_one)
        return await retried(once)

    return run


def dialect() -> str:
    """Which database it is: "sqlite", "postgres" or "mysql"."""
    return client().capabilities.dialect


def client() -> BaseDBAsyncClient:
    """Through which the verbs speak to the open database."""
    connections = get_connections()
    return connections.get(next(iter(connections.db_config)))


async def _once(begin: Callable[[], Script[R]], *, is_write: bool, is_one: bool) -> R:
    there = client()
    begins = is_write and not isinstance(there, TransactionalDBClient)
    if isinstance(there, SqliteClient):
        async with held(there) as connection:
            act = partial(_in_file, begin, begins=begins)
            return await to_the_end(in_thread(connection, act))
    work = _on_server(there, begin(), begins=begins, is_one=is_one)
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
    try:
        asked = next(script)
        while True:
            answers: list[Answer] = []
            for each in asked:
                answers.append(_answered(each, _resolved(each, answers), connection))
            asked = script.send(answers)
    except StopIteration as end:
        return cast("R", end.value)


def _answered(asked: Statement, values: list[object], connection: sqlite3.Connection) -> Answer:
    cursor = connection.execute(in_dialect(asked.text, "sqlite"), values)
    match asked.wants:
        case _Wants.ROWS:
            return cursor.fetchall()
        case _Wants.COUNT:
            return cursor.rowcount
        case _Wants.SOME:
            return _some(cursor.rowcount)
        case _Wants.ID:
            return cast("int", cursor.lastrowid)


def _some(count: int) -> int:
    if not count:
        raise NothingChanged
    return count


async def _on_server(
    client: BaseDBAsyncClient, script: Script[R], *, begins: bool, is_one: bool
) -> R:
    dialect, asked = client.capabilities.dialect, None
    if is_one and dialect == "postgres":
        asked = next(script)
        begins = begins and not _fit_into_one(asked)
    async with held(client) as connection:
        session = session_of(dialect, connection)
        ask = partial(_asked, script, session, dialect, asked)
        try:
            return await (_in_transaction(session, ask) if begins else ask())
        except integrity_errors() as error:
            raise IntegrityError(error) from error
        except driver_errors("asyncpg", "InvalidTextRepresentationError") as error:
            if _NONE in str(error):
                raise NothingChanged from error
            raise


async def _in_transaction(session: Session, ask: Callable[[], Awaitable[R]]) -> R:
    await session.begin()
    stands = False
    try:
        result = await ask()
        await session.commit()
        stands = True
    finally:
        if not stands:
            with suppress(*database_errors()):  # it has gone away, and the transaction with it
                await session.rollback()
    return result


async def _asked(
    script: Script[R], session: Session, dialect: str, asked: tuple[Statement, ...] | None
) -> R:
    answers: list[Answer]
    try:
        asked = asked or next(script)
        while True:
            if dialect == "postgres" and _fit_into_one(asked):
                answers = await _at_once(asked, session)
            else:
                answers = []
                for each in asked:
                    values = _resolved(each, answers)
                    answers.append(await _answer(each, values, session, dialect))
            asked = script.send(answers)
    except StopIteration as end:
        return cast("R", end.value)


def _fit_into_one(asked: tuple[Statement, ...]) -> bool:
    return len(asked) > 1 and sum(len(each.values) for each in asked) <= _MOST_VALUES


async def _answer(asked: Statement, values: list[object], session: Session, dialect: str) -> Answer:
    text = in_dialect(asked.text, dialect)
    match asked.wants:
        case _Wants.ROWS:
            return await session.rows(text, values)
        case _Wants.COUNT:
            return await session.count(text, values)
        case _Wants.SOME:
            return _some(await session.count(text, values))
        case _Wants.ID:
            return await session.add(text, values)


async def _at_once(asked: tuple[Statement, ...], session: Session) -> list[Answer]:
    """What each has changed or added, by one statement of PostgreSQL."""
    values = [value for each in asked for value in each.values]
    marks = tuple(value.by if isinstance(value, Made) else None for value in values)
    given = [value for value in values if not isinstance(value, Made)]
    text = _as_one(tuple((each.text, each.wants) for each in asked), marks)
    (row,) = await session.rows(text, as_stored(given))
    return list(row)


# Where a statement finds no row that it needs, this is no number: what was done with it is undone.
_NONE = "no row; Moorings finds out why and tries again"


def needed(number: str, condition: str) -> str:
    """This number, as PostgreSQL computes it; unless it is so, all is undone: NothingChanged."""
    return f"CAST(CASE WHEN {condition} THEN ({number})::text ELSE '{_NONE}' END AS bigint)"


_ANSWERS = {
    _Wants.ID: "id",
    _Wants.COUNT: "COUNT(*)",
    _Wants.SOME: needed("COUNT(*)", "COUNT(*) > 0"),
}


@lru_cache(maxsize=1000)
def _as_one(asked: tuple[tuple[str, _Wants], ...], made_by: tuple[int | None, ...]) -> str:
    """The statements as parts of one; the values that are given are numbered through all."""
    numbers, marks = count(1), iter(made_by)

    def mark(_: object) -> str:
        by = next(marks)
        return f"${next(numbers)}" if by is None else f"(SELECT id FROM part_{by})"  # noqa: S608  # names of ours

    parts = [
        f"part_{at} AS ({re.sub('[?]', mark, text)} RETURNING id)"
        for at, (text, _) in enumerate(asked)
    ]
    answers = [f"(SELECT {_ANSWERS[wants]} FROM part_{at})" for at, (_, wants) in enumerate(asked)]  # noqa: S608  # as above
    return f"WITH {', '.join(parts)} SELECT {', '.join(answers)}"


def _resolved(asked: Statement, before: list[Answer]) -> list[object]:
    """Its values, with the ids that those before it in the same yield have made."""
    return as_stored([before[each.by] if isinstance(each, Made) else each for each in asked.values])


def as_stored(values: Iterable[object]) -> list[object]:
    """Values as every driver takes them."""
    return [each if type(each) in _AS_IT_IS else _converted(each) for each in values]


_AS_IT_IS = {int, str, type(None), datetime, bool, float, bytes}


def _converted(value: object) -> object:
    if isinstance(value, dict | list):
        return JSON_DUMPS(value)
    return value.value if isinstance(value, Enum) else value


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
