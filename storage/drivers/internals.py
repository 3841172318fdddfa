"""All that is used of Tortoise beyond its public API; beside it a test knows each of them."""

# pyright: reportPrivateUsage=false
# that is what this file is for

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache, cached_property, partial
from queue import SimpleQueue
from types import ModuleType
from typing import Protocol, TypeVar, cast

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import ConnectionHandler
from tortoise.context import TortoiseContext, _current_context
from tortoise.exceptions import OperationalError
from tortoise.indexes import Index
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_editor import (
    BasePostgresSchemaEditor,
    BaseSchemaEditor,
    MySQLSchemaEditor,
)
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model as TortoiseModel
from tortoise.models import ModelMeta

M = TypeVar("M", bound=TortoiseModel)
R = TypeVar("R")

# As MySQL numbers them: no such table, a second column or index of that name, none to be dropped.
_DONE_ALREADY = {1051, 1060, 1061, 1091}
_TABLE_IS_THERE = 1050
_SCHEMA = (
    "SELECT table_name AS name, column_name AS part FROM information_schema.columns"
    " WHERE table_schema = "
)
_COLUMNS = {
    "sqlite": "SELECT tables.name AS name, columns.name AS part"
    " FROM sqlite_master tables, pragma_table_info(tables.name) columns"
    " WHERE tables.type = 'table'",
    "postgres": f"{_SCHEMA}current_schema()",
    "mysql": f"{_SCHEMA}database()",
}
_EXACT = (  # MariaDB's and MySQL's name of it
    "SELECT collation_name AS name FROM information_schema.collations"
    " WHERE collation_name IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')"
)
_PADDED = (
    "SELECT table_name AS name FROM information_schema.tables"
    " WHERE table_schema = database() AND table_collation = 'utf8mb4_bin'"
)
# Without the large ones: a table of messages would be written anew, for minutes.
_COMPARED = {"agent", "allowance", "binding", "conversation", "cursor", "fact", "inbox"}


class _Plain(ModelMeta):
    """Looks for no comments: for each model Tortoise parses the whole file that it stands in.

    Its migrations leave that out by the same attribute.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, object]) -> ModelMeta:
        return super().__new__(cls, name, bases, {**attrs, "_no_comments": True})


class Model(TortoiseModel, metaclass=_Plain):
    """The base of every model."""

    class Meta(TortoiseModel.Meta):
        abstract = True


del Model.Meta  # else each model's own, which is made of it, would be abstract too


def enter(context: TortoiseContext | None) -> None:
    """Let this task, and those that it starts from now on, find their connections there.

    Without one, they find those of the context that is the process's own.
    """
    _current_context.set(context)


def is_entered(context: TortoiseContext) -> bool:
    """Whether this task finds its connections there, by `enter`."""
    return _current_context.get() is context


class Pool(Protocol):
    """What Tortoise asks of a driver's pool."""

    def acquire(self) -> Awaitable[object]:
        """A connection that nobody else uses."""
        ...

    def release(self, connection: object, /) -> Awaitable[object]:
        """Give it back."""
        ...


def pool_of(connection: BaseDBAsyncClient) -> object:
    """The pool that a server's client takes its connections from; None for a file's."""
    return getattr(connection, "_pool", None)


def put_pool(connection: BaseDBAsyncClient, wrapped: Callable[[Pool], Pool]) -> None:
    """Let a server's client take its connections from another pool, made of its own."""
    connection._pool = wrapped(cast("Pool", connection._pool))


def tell(connection: BaseDBAsyncClient, told: Mapping[str, object]) -> None:
    """Let a server's client tell its driver this, too, when it connects again."""
    cast("dict[str, object]", connection.extra).update(told)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # of each server's client


def thread_of(client: SqliteClient) -> Callable[[], object] | None:
    """What stops the thread of a file's connection."""
    connection = client._connection
    return connection.stop if connection is not None else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # a Future, not of what


class _Threaded(Protocol):
    """One of aiosqlite: a thread that does what lies in its queue."""

    _running: bool
    _tx: SimpleQueue[tuple[object, Callable[[], object]]]
    _conn: sqlite3.Connection


def in_thread(held: object, act: Callable[[sqlite3.Connection], R]) -> asyncio.Future[R]:
    """Begin to do this in the thread of a file's connection, as `connection_of`."""
    connection = cast("_Threaded", held)
    if not connection._running:
        raise OperationalError("the database is closed")
    done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
    connection._tx.put_nowait((done, partial(act, connection._conn)))
    return done


@asynccontextmanager
async def connection_of(client: BaseDBAsyncClient) -> AsyncGenerator[object]:
    """A connection of this client, for as long as this is entered."""
    async with client.acquire_connection() as connection:  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Tortoise does not say of what
        yield connection


async def tables_of(connection: BaseDBAsyncClient) -> dict[str, set[str]]:
    """The columns of each table that there is."""
    tables: dict[str, set[str]] = {}
    for row in await connection.execute_query_dict(_COLUMNS[connection.capabilities.dialect]):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Tortoise says list and dict, not of what
        tables.setdefault(str(row["name"]), set()).add(str(row["part"]))  # pyright: ignore[reportUnknownArgumentType]  # as above
    return tables


def models_in(*modules: ModuleType) -> list[type[Model]]:
    """The models that stand in these modules."""
    return [
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Model) and each is not Model
    ]


def table_of(model: type[TortoiseModel]) -> str:
    """The name of its table."""
    return model._meta.db_table


def columns_of(model: type[TortoiseModel]) -> set[str]:
    """The names of its table's columns."""
    return set(model._meta.fields_db_projection.values())


def listed(model: type[TortoiseModel]) -> tuple[str, ...]:
    """The names of its table's columns, always in the same order."""
    return tuple(model._meta.fields_db_projection.values())


def kinds_of(model: type[TortoiseModel]) -> dict[str, tuple[type, bool]]:
    """The Python type of each column as `listed`, and whether it may be NULL; JSON's is dict."""
    found: dict[str, tuple[type, bool]] = {}
    for name, column in model._meta.fields_db_projection.items():
        field = model._meta.fields_map[name]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Tortoise does not say of what
        kind = cast("object", field.field_type)  # JSON's is a union
        found[column] = (kind if isinstance(kind, type) else dict, field.null)
    return found


def as_read(model: type[M], values: Iterable[object]) -> M:
    """What Tortoise makes of a row that a driver gave, its columns as `listed`."""
    row = dict(zip(listed(model), values, strict=True))
    for name in _moments_of(model):
        if isinstance(text := row[name], str):  # Tortoise takes ten times as long to read it
            row[name] = datetime.fromisoformat(text)
    return model._init_from_db(**row)


@cache
def _moments_of(model: type[TortoiseModel]) -> tuple[str, ...]:
    return tuple(name for name, (kind, _) in kinds_of(model).items() if kind is datetime)


def keys_of(model: type[TortoiseModel]) -> list[tuple[str, ...]]:
    """The fields of its unique keys of several columns."""
    return [tuple(fields) for fields in model._meta.unique_together]


def indexes_of(model: type[TortoiseModel]) -> list[Index]:
    """Its indexes."""
    return [index for index in model._meta.indexes if isinstance(index, Index)]


class _State(State):
    """The models between two operations, of which a copy is made before each."""

    def clone(self) -> State:
        return _Copy({key: model.clone() for key, model in self.models.items()}, self.apps)


class _Copy(_State):
    """Makes classes of its models when an operation looks at them; most look at none."""

    def __init__(self, models: dict[tuple[str, str], ModelState], later: StateApps) -> None:
        self.models = models
        self._later = later

    @cached_property
    def apps(self) -> StateApps:  # type: ignore[override]  # a field of what it copies
        return self._later.clone(self.models)


class Executor(MigrationExecutor):
    """Tortoise's, forwards only, in an eighth of its time.

    The models are asked for no rows: without connections, they are not made ready for queries.
    """

    async def begin(self) -> None:
        """Make the table in which migrations are recorded, if there is none."""
        await self.recorder.ensure_schema(self._schema_editor(atomic=False))  # pyright: ignore[reportUnknownMemberType]  # Tortoise does not say of what

    async def make(self, models: Iterable[type[TortoiseModel]], migrations: Iterable[str]) -> None:
        """Make the tables as these migrations leave them, without making the ones between."""
        editor = self._schema_editor(atomic=True)  # else SQLite would commit after each table
        for model in models:
            await editor.create_model(model)
        for name in migrations:
            await self.recorder.record_applied("storage", name)

    async def _project_state(
        self, applied: set[MigrationKey], *, upto: MigrationKey | None = None
    ) -> State:
        apps = cast("dict[str, dict[str, str]]", self.loader.apps_config)  # pyright: ignore[reportUnknownMemberType]  # Tortoise says dict, not of what
        names = {app: about["default_connection"] for app, about in apps.items()}
        state = _State(models={}, apps=StateApps(names, ConnectionHandler()))
        for key in self._full_plan():
            if key in applied and (migration := self.loader.graph.nodes[key]):
                await migration.apply(state, dry_run=True)
        return state


class BytewiseExecutor(Executor):
    """Tortoise's for PostgreSQL, with an index that finds what lies below an address."""

    def _schema_editor(self, atomic: bool = True, collect_sql: bool = False) -> BaseSchemaEditor:  # noqa: FBT001, FBT002  # as Tortoise calls it
        return _BytewiseEditor(self.connection, atomic, collect_sql)


class _BytewiseEditor(BasePostgresSchemaEditor):
    """Orders addresses by their bytes: in a language's order, what begins alike may lie apart.

    See https://www.postgresql.org/docs/current/indexes-opclass.html.
    """

    def _format_index_fields(self, field_names: list[str]) -> str:
        fields = super()._format_index_fields(field_names)
        return f"{fields} varchar_pattern_ops" if field_names == ["address"] else fields


async def compare_exactly(connection: BaseDBAsyncClient) -> str:
    """Let MySQL compare names byte for byte, in tables of earlier versions too; the collation.

    With its usual ones 'Support' and 'support' would be one key, and 'a' and 'a ' with those for
    bytes that it had first.
    """
    [collation] = await _names(connection, _EXACT)
    for table in _COMPARED.intersection(await _names(connection, _PADDED)):
        await connection.execute_script(  # pyright: ignore[reportUnknownMemberType]  # Tortoise's decorator loses it
            f"ALTER TABLE `{table}` CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}"
        )
    return collation


async def _names(connection: BaseDBAsyncClient, statement: str) -> list[str]:
    rows = await connection.execute_query_dict(statement)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # as above
    return [str(row["name"]) for row in rows]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # as above


class ExactExecutor(Executor):
    """Tortoise's for MySQL; new tables whose names are compared have the collation it is given."""

    collation = "utf8mb4_bin"

    def _schema_editor(self, atomic: bool = True, collect_sql: bool = False) -> BaseSchemaEditor:  # noqa: FBT001, FBT002  # as Tortoise calls it
        editor = _ExactEditor(self.connection, atomic, collect_sql)
        editor.collation = self.collation
        return editor


def _is_one_of(error: OperationalError, *numbers: int) -> bool:
    """Whether MySQL has given it one of these numbers."""
    return not set(numbers).isdisjoint(getattr(error.args[0], "args", ()))


class _ExactEditor(MySQLSchemaEditor):
    """Does what is to be done, except for what a migration that was killed has done already."""

    collation = ""

    async def create_model(self, model: type[TortoiseModel]) -> None:
        if await self._has(model):
            return
        try:
            await super().create_model(model)
        except OperationalError as error:
            # The server goes on making it for a migration that was killed, whose lock is free.
            if not (_is_one_of(error, _TABLE_IS_THERE) and await self._has(model)):
                raise

    async def _has(self, model: type[TortoiseModel]) -> bool:
        there = await tables_of(self.client)
        return columns_of(model) <= there.get(table_of(model), set())

    async def _run_sql(self, sql: str) -> None:
        try:
            await super()._run_sql(sql)
        except OperationalError as error:
            if not _is_one_of(error, *_DONE_ALREADY):
                raise

    def _table_generate_extra(self, table: str) -> str:
        collation = self.collation if table in _COMPARED else "utf8mb4_bin"
        return f" CHARACTER SET utf8mb4 COLLATE {collation}"
