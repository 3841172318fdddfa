"""All rows as one moment had them, and an empty database that is filled with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from tortoise.exceptions import IntegrityError

from storage import models, owners, side_models
from storage.database import Database
from storage.drivers.internals import Model, kinds_of, listed, models_in, table_of
from storage.drivers.own_connection import OwnConnection
from storage.drivers.script import Script, insert, moment, reading_script, rows, select
from storage.drivers.session import Row
from storage.errors import DatabaseUnusable, NewerDatabase
from storage.installations import tokens_of
from storage.lease import milliseconds
from storage.migration import known
from storage.passages import INDEXED

_FEWEST, _MOST = 10, 1000  # rows that are read at once …
_MUCH = 500_000  # … so that they have about so many characters
_LEAVING_SECONDS = 2.0  # that a server may take to notice that somebody has left
_LOOK_SECONDS = 0.1

_SNAPSHOT = {
    "sqlite": ("BEGIN",),
    "postgres": ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",),
    "mysql": (
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
}
_BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgres": "BEGIN", "mysql": "START TRANSACTION"}
# Nobody else writes meanwhile; MySQL's locks of tables end transactions.
_LOCK = 'LOCK TABLE "{}" IN SHARE ROW EXCLUSIVE MODE'
_NEXT_ID = (
    "SELECT setval(pg_get_serial_sequence('\"{0}\"', 'id'), max(id)) FROM \"{0}\""
    " HAVING max(id) > 0"
)
_GIVEN_BACK = (
    "UPDATE conversation SET token = token + 1, owner = NULL, ready_at = ? WHERE owner IS NOT NULL"
)
_NOT_INDEXED = 'DELETE FROM "cursor" WHERE name = ?'  # no passage is in a backup
_OTHERS = {
    "postgres": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name LIKE 'moorings%' AND pid <> pg_backend_pid()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database()"
    " AND id <> connection_id()",
}
_KINDS: Mapping[type, Callable[[object], object]] = {
    bool: bool,
    datetime: lambda stored: _moment(stored).isoformat(),
    dict: lambda stored: json.loads(stored) if isinstance(stored, str) else stored,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one table, each value as JSON knows it: moments are ISO 8601 in UTC.

    `left_out` are those that are not to leave the database: tokens in plain text.
    """

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    left_out: int = 0


def newest() -> str:
    """The schema that pages are of: its newest migration."""
    return known()[-1]


async def pages(database: Database) -> AsyncGenerator[Page]:
    """Every row of every table, as one moment had them; of each table one page at least.

    Raises:
        NewerDatabase: it has columns that this version does not know.
        DatabaseBusy, DatabaseUnusable: it gives no answer.
    """
    async with database.apart() as there:
        for statement in _SNAPSHOT[there.dialect]:
            await there.rows(statement)
        applied = {
            str(name) for (name,) in await there.rows("SELECT name FROM tortoise_migrations")
        }
        if unknown := sorted(applied.difference(known())):
            raise NewerDatabase(
                f"The database is of a later version of Moorings (it has {unknown[-1]}): "
                "back it up with that version."
            )
        for model in _MODELS.values():
            async with aclosing(_of_table(model, there)) as found:
                async for page in found:
                    yield page


async def _of_table(model: type[Model], there: OwnConnection) -> AsyncGenerator[Page]:
    columns, last, limit = listed(model), -1, _FEWEST
    given = [_KINDS.get(kind, _as_it_is) for kind, _ in kinds_of(model).values()]
    while True:
        stored = await there.rows(f"{select(model)} WHERE id > ? ORDER BY id LIMIT {limit}", last)
        portable = [
            [
                value if value is None else give(value)
                for give, value in zip(given, row, strict=True)
            ]
            for row in stored
        ]
        kept = [row for row in portable if _may_leave(model, dict(zip(columns, row, strict=True)))]
        left_out = len(portable) - len(kept)
        yield Page(table=table_of(model), columns=columns, rows=kept, left_out=left_out)
        if len(stored) < limit:
            return
        last = stored[-1][columns.index("id")]
        limit = max(1, min(_MOST, 2 * limit, limit * _MUCH // _characters(stored)))


def _may_leave(model: type[Model], row: Mapping[str, object]) -> bool:
    return model is not side_models.Installation or tokens_of(row["bot"]) is not None


def _characters(stored: Sequence[Row]) -> int:
    return 1 + sum(len(value) for row in stored for value in row if isinstance(value, str))


def _as_it_is(stored: object) -> object:
    return stored


def _moment(stored: object) -> datetime:
    if not isinstance(stored, str | datetime):
        raise ValueError("no moment")
    try:
        return moment(stored).astimezone(UTC)
    except OverflowError as error:  # at the ends of the calendar
        raise ValueError("no moment") from error


class Layout:
    """How the rows of a table stand in a backup: its columns, some of this version's."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        """Raises ValueError if this version has no such table, or no such columns in it."""
        model = _MODELS.get(table)
        is_known = model is not None and {"id"} <= set(columns) <= set(listed(model))
        if model is None or not is_known or len(set(columns)) != len(columns):
            raise ValueError("unknown table or columns")
        self.table, self.columns = table, tuple(columns)
        self._kinds = [kinds_of(model)[name] for name in columns]

    def read(self, row: Sequence[object]) -> list[object]:
        """The row as the database takes it; ValueError if it is none of this table."""
        pairs = zip(self._kinds, row, strict=True)
        return [_read(kind, value, may_be_null=null) for (kind, null), value in pairs]


def _check_size(value: object) -> None:
    """Raises ValueError where no database could hold it; halves of characters are one."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a number that is too large")
    if isinstance(value, str):
        value.encode()


def _read(kind: type, value: object, *, may_be_null: bool) -> object:
    if value is None:
        if may_be_null:
            return None
    elif kind is datetime:
        return _moment(value)
    elif isinstance(value, dict | list if kind is dict else kind) and (
        kind is bool or not isinstance(value, bool)
    ):
        _check_size(value)
        return value
    raise ValueError(f"a value that is no {kind.__name__}")


async def is_in_use(database: Database) -> bool:
    """Whether another process of Moorings has this database open.

    A server is asked who is connected. Only just opened, `database` has one connection to it,
    which is not counted; somebody who has left just now is waited for.
    """
    if database.file:
        return owners.live(database.file)
    statement, waited = _OTHERS[database.url.dialect], 0.0
    while await _first(statement):  # nobody could set an event
        if waited >= _LEAVING_SECONDS:
            return True
        await asyncio.sleep(_LOOK_SECONDS)
        waited += _LOOK_SECONDS
    return False


@reading_script
def _first(statement: str) -> Script[int]:
    [(count,)] = yield from rows(statement)
    return int(count)


async def fill(database: Database, found: AsyncIterable[Page], now: datetime) -> None:
    """Add all these rows to an empty database, or none of them.

    Leases are given back: what was being answered is taken up by whoever comes first.

    Raises:
        DatabaseUnusable: it is not empty, or cannot hold the rows; nothing was added.
        DatabaseBusy: it gives no answer; all was added, or nothing.
    """
    async with database.apart() as there:
        await there.rows(_BEGIN[there.dialect])
        await _check_empty(there)
        try:
            async for page in found:
                await _add(page, there)
        except IntegrityError as error:
            raise DatabaseUnusable(
                "The file has a row twice or lacks a column, or something else wrote meanwhile, so "
                "nothing was restored: stop what uses the database, and begin again."
            ) from error
        await there.rows(_GIVEN_BACK, milliseconds(now))
        await there.rows(_NOT_INDEXED, INDEXED)
        if there.dialect == "postgres":
            for table in _MODELS:
                await there.rows(_NEXT_ID.format(table))
        await there.rows("COMMIT")


async def _check_empty(there: OwnConnection) -> None:
    for table in _MODELS:
        if there.dialect == "postgres":
            await there.rows(_LOCK.format(table))
        # On MySQL this keeps others from adding rows until the end, as the lock does elsewhere.
        only = " FOR UPDATE" if there.dialect == "mysql" else ""
        if await there.rows(f'SELECT id FROM "{table}" LIMIT 1{only}'):  # noqa: S608  # a table of ours
            raise DatabaseUnusable(
                f"The database is not empty (there are rows in its table {table}): "
                "a backup is restored into an empty one; name another one in DATABASE_URL."
            )


async def _add(page: Page, there: OwnConnection) -> None:
    if page.rows:
        statement = insert(_MODELS[page.table], page.columns, len(page.rows))
        await there.rows(statement, *(value for row in page.rows for value in row))


_MODELS: Mapping[str, type[Model]] = {
    table_of(each): each for each in models_in(models, side_models)
}
