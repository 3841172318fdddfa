"""What is used of Tortoise and asyncmy beyond their public API is what it was when looked at."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.metadata import version

import aiosqlite
import pytest
from tortoise.backends.base_postgres.client import BasePostgresClient
from tortoise.backends.mysql.client import MySQLClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.schema_editor import BasePostgresSchemaEditor, MySQLSchemaEditor
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import ModelMeta

from storage.drivers.internals import columns_of, indexes_of, keys_of, listed, table_of
from storage.models import Conversation

CHANGED = (
    f"tortoise-orm {version('tortoise-orm')} has changed inside: look what takes the place of {{}} "
    "in storage/drivers/internals.py, or keep the version before"
)


@pytest.mark.parametrize(
    ("owner", "name", "arguments"),
    [
        (MigrationExecutor, "_schema_editor", ("self", "atomic", "collect_sql")),
        (MigrationExecutor, "_project_state", ("self", "applied", "upto")),
        (State, "clone", ("self",)),
        (StateApps, "clone", ("self", "model_states")),
        (BasePostgresSchemaEditor, "_format_index_fields", ("self", "field_names")),
        (MySQLSchemaEditor, "create_model", ("self", "model")),
        (MySQLSchemaEditor, "_run_sql", ("self", "sql")),
        (MySQLSchemaEditor, "_table_generate_extra", ("self", "table")),
    ],
)
def test_what_is_overridden_is_still_called_like_this(
    owner: type, name: str, arguments: tuple[str, ...]
) -> None:
    found = getattr(owner, name, None)
    assert found, CHANGED.format(f"{owner.__name__}.{name}")
    has = tuple(inspect.signature(found).parameters)
    assert has == arguments, CHANGED.format(f"the arguments of {owner.__name__}.{name}")


@pytest.mark.parametrize(
    ("client", "name"),
    [(BasePostgresClient, "_pool"), (MySQLClient, "_pool"), (SqliteClient, "_connection")],
)
def test_a_client_still_keeps_its_connections_there(client: type, name: str) -> None:
    assert f"self.{name}" in inspect.getsource(client), CHANGED.format(f"{client.__name__}.{name}")


def test_a_model_still_says_what_its_table_is() -> None:
    about = (table_of(Conversation), columns_of(Conversation), indexes_of(Conversation))
    assert all(about), CHANGED.format("Model._meta")
    assert isinstance(keys_of(Conversation), list), CHANGED.format("Model._meta.unique_together")


def test_a_model_still_leaves_out_comments_by_this_attribute() -> None:
    assert '"_no_comments"' in inspect.getsource(ModelMeta), CHANGED.format("_no_comments")


async def test_a_connection_of_asyncmy_still_has_its_transport() -> None:
    connection = import_module("asyncmy.connection")
    has = set(dir(connection.Connection)) | set(vars(connection.Connection()))
    changed = (
        f"asyncmy {version('asyncmy')} has changed inside: see storage/drivers/session.py, {{}}"
    )
    for name in ("_transport", "_proto"):
        assert name in has, changed.format(f"Connection.{name}")


def test_work_is_still_handed_to_the_thread_of_a_file_like_this() -> None:
    source = inspect.getsource(aiosqlite.Connection)
    for name in ("_tx.put_nowait((future, function))", "self._running", "def _conn"):
        assert name in source, f"aiosqlite has changed inside: {name}"


@pytest.mark.usefixtures("sqlite")
async def test_a_model_is_still_made_of_a_row_like_this() -> None:
    values = dict.fromkeys(listed(Conversation), None)
    assert Conversation._init_from_db(**values).id is None, CHANGED.format("_init_from_db")
