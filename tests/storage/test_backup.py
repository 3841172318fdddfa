"""All rows as one moment had them, and an empty database that is filled with them, on each kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from core.clock import monotonic
from storage import agents, backup, installations
from storage.backup import Layout, Page
from storage.database import Database, open_database
from storage.drivers.internals import kinds_of
from storage.errors import DatabaseUnusable, NewerDatabase
from storage.models import Agent, Conversation, Message, Turn, Usage
from tests.patience import PATIENCE
from tests.storage import given, processes, sql

AT = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
HARD = "Ünïcödé 日本 🚢 'quoted' \"twice\" %s ? \\n \n\t ende"
VALUES: Mapping[type, object] = {
    bool: True,
    int: 2**31 - 1,
    str: "v" * 8,
    dict: {"text": HARD, "list": [1, 2.5, None, True], "deep": {"a": {}}},
    datetime: AT.isoformat(),
}
OPENS = """
import asyncio, sys
from storage.database import open_database
from storage.owners import Owner

async def main():
    database = await open_database(sys.argv[1])
    owner = Owner(database.file)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    owner.leave()
    await database.close()

asyncio.run(main())
"""

Rows = dict[str, list[list[object]]]


async def all_rows(database: Database) -> Rows:
    """Every row of every table, as a backup has it."""
    found: Rows = {}
    async for page in backup.pages(database):
        found.setdefault(page.table, []).extend(list(row) for row in page.rows)
    return found


async def given_pages(rows: Rows) -> AsyncIterator[Page]:
    """The rows as a reader of a backup gives them."""
    for table, columns in COLUMNS.items():
        layout = Layout(table, columns)
        read = [layout.read(row) for row in rows.get(table, [])]
        yield Page(table=table, columns=layout.columns, rows=read)


def row(table: str, number: int, *, is_full: bool) -> list[object]:
    """One with something, or with nothing wherever there may be nothing."""
    columns = kinds_of(backup._MODELS[table])
    return [
        number
        if name == "id"
        else None
        if may_be_null and not is_full
        else _different(VALUES[kind], number)
        for name, (kind, may_be_null) in columns.items()
    ]


def _different(value: object, number: int) -> object:
    """Keys have to differ; what may be any 64 bits is an int of 32, as most tables need."""
    match value:
        case str() if value == VALUES[str]:
            return f"{value}{number}"
        case int() if not isinstance(value, bool):
            return value - number
        case _:
            return value


COLUMNS = {table: tuple(kinds_of(model)) for table, model in backup._MODELS.items()}
EVERYTHING: Rows = {
    table: [row(table, 7, is_full=True), row(table, 12, is_full=False)] for table in COLUMNS
}
SEALED = {"sealed": "gAAAA-of-a-test"}
for each in EVERYTHING["installation"]:
    each[COLUMNS["installation"].index("bot")] = SEALED
EVERYTHING["message"][0][COLUMNS["message"].index("text")] = HARD
EVERYTHING["message"][0][COLUMNS["message"].index("role")] = "user"
EVERYTHING["turn"][0][COLUMNS["turn"].index("state")] = "done"
EVERYTHING["conversation"][0][COLUMNS["conversation"].index("owner")] = None


def test_every_table_is_in_a_backup_but_what_is_made_of_others() -> None:
    assert set(COLUMNS) == set(sql.declared()) - {"passage"}


async def test_what_was_filled_in_is_read_again(database: Database) -> None:
    await backup.fill(database, given_pages(EVERYTHING), AT)
    assert await all_rows(database) == EVERYTHING


async def test_what_was_filled_in_is_what_the_verbs_read(database: Database) -> None:
    await backup.fill(database, given_pages(EVERYTHING), AT)
    agent = await agents.by_id(7)
    assert (agent.config, agent.created_at, agent.named_at) == (VALUES[dict], AT, AT)
    assert (await Message.get(id=7)).text == HARD
    assert (await Usage.get(id=12)).nano_usd is None


async def test_what_is_added_afterwards_has_ids_of_its_own(database: Database) -> None:
    await backup.fill(database, given_pages(EVERYTHING), AT)
    where = await given.conversation(AT)
    assert where.id > 12
    assert where.agent_id > 12


async def test_what_is_written_meanwhile_is_not_in_it(database: Database) -> None:
    await given.conversation(AT)
    async with aclosing(backup.pages(database)) as pages:
        first = await anext(pages)
        await given.conversation(AT, room="second")
        rest = [page async for page in pages]
    assert first.table == "agent"
    assert sum(len(page.rows) for page in rest if page.table == "conversation") == 1
    assert await Conversation.all().count() == 2


async def test_a_table_of_many_rows_is_read_in_order(database: Database) -> None:
    await Agent.bulk_create(
        Agent(name=f"a{number}", revision="r", config={}, created_at=AT, updated_at=AT)
        for number in range(2_345)
    )
    async with aclosing(backup.pages(database)) as pages:
        found = [page async for page in pages if page.table == "agent"]
    assert [str(row[1]) for page in found for row in page.rows] == [f"a{n}" for n in range(2_345)]
    assert max(len(page.rows) for page in found) <= 1_000


async def test_long_rows_are_read_a_few_at_a_time(database: Database) -> None:
    where = await given.conversation(AT)
    await Message.bulk_create(
        Message(
            conversation_id=where.id,
            seq=number,
            role="user",
            author="ana",
            text="x" * 200_000,
            tokens=1,
            turn_id=1,
            said_at=AT,
        )
        for number in range(40)
    )
    async with aclosing(backup.pages(database)) as pages:
        found = [len(page.rows) async for page in pages if page.table == "message"]
    assert sum(found) == 40
    assert max(found[1:]) <= 3


async def test_columns_that_an_older_version_did_not_have_are_filled(database: Database) -> None:
    """Those that migrations have added, each with its default or NULL."""
    added = {"named_at", "readers", "interruptions", "lone_tries", "failures", "tried_at"}
    older: list[Page] = []
    async for page in given_pages(EVERYTHING):
        columns = [name for name in page.columns if name not in added]
        kept = [
            [value for name, value in zip(page.columns, row, strict=True) if name not in added]
            for row in page.rows
        ]
        older.append(Page(table=page.table, columns=tuple(columns), rows=kept))

    async def pages() -> AsyncIterator[Page]:
        for page in older:
            yield page

    await backup.fill(database, pages(), AT)
    assert (await Conversation.get(id=7)).readers == ""
    assert (await Turn.get(id=7)).interruptions == 0
    assert (await Agent.get(id=7)).named_at is None


async def test_leases_are_given_back(database: Database) -> None:
    where = await given.conversation(AT)
    await given.received(where, "m1", AT)
    lease = await given.leased(where, AT, owner="the bot of then")
    opened = await given.opened(lease, AT)
    rows = await all_rows(database)
    for table in COLUMNS:
        await sql.rows(database, f"DELETE FROM {sql.quoted(database, table)}")  # noqa: S608  # of ours
    await backup.fill(database, given_pages(rows), AT)
    taken = await given.claimed(where.id, AT + timedelta(seconds=1), owner="another")
    assert taken
    assert not taken.is_takeover
    assert taken.token > lease.token
    again = await given.opened(taken, AT)
    assert again.turn.id == opened.turn.id
    assert again.turn.interruptions == 0
    await given.answered(taken, again, AT)
    assert await Message.filter(conversation_id=where.id).count() == 2


async def test_a_database_that_is_not_empty_is_left_as_it_is(database: Database) -> None:
    await given.conversation(AT)
    before = await all_rows(database)
    with pytest.raises(DatabaseUnusable, match="is not empty"):
        await backup.fill(database, given_pages(EVERYTHING), AT)
    assert await all_rows(database) == before


class CutOff(Exception):
    """What a test raises where a backup ends too early."""


async def test_what_fails_in_the_middle_leaves_nothing(database: Database) -> None:
    async def cut_off() -> AsyncIterator[Page]:
        async for page in given_pages(EVERYTHING):
            yield page
            if page.table == "message":
                raise CutOff

    with pytest.raises(CutOff):
        await backup.fill(database, cut_off(), AT)
    assert not any((await all_rows(database)).values())
    await backup.fill(database, given_pages(EVERYTHING), AT)
    assert await all_rows(database) == EVERYTHING


async def test_rows_that_are_there_twice_leave_nothing(database: Database) -> None:
    twice = {"agent": [*EVERYTHING["agent"], EVERYTHING["agent"][0]]}
    with pytest.raises(DatabaseUnusable, match="nothing was restored"):
        await backup.fill(database, given_pages(twice), AT)
    assert not any((await all_rows(database)).values())


async def test_tokens_in_plain_text_stay_where_they_are(database: Database) -> None:
    plain: dict[str, object] = {"token": "xoxb-plain"}
    for team, bot in {"T1": plain, "T2": installations.sealed("gAAA")}.items():
        await installations.store(platform="slack", enterprise="", team=team, bot=bot, now=AT)
    async with aclosing(backup.pages(database)) as pages:
        [page] = [page async for page in pages if page.table == "installation"]
    assert [row[page.columns.index("team")] for row in page.rows] == ["T2"]
    assert page.left_out == 1


async def test_a_database_of_a_later_version_is_refused(database: Database) -> None:
    await sql.rows(
        database,
        "INSERT INTO tortoise_migrations (app, name, applied_at)"
        " VALUES ('storage', '9999_x', '2026-03-01')",
    )
    try:
        with pytest.raises(NewerDatabase, match="9999_x"):
            await all_rows(database)
    finally:
        await sql.rows(database, "DELETE FROM tortoise_migrations WHERE name = '9999_x'")


async def test_who_has_it_open_is_seen_until_they_leave(url: str) -> None:
    database = await open_database(url)
    assert not await backup.is_in_use(database)
    process = await processes.start(OPENS, url)
    async with asyncio.timeout(PATIENCE):
        assert await process.stdout.readline() == b"open\n"
    assert await backup.is_in_use(database)
    process.kill()
    await process.wait()
    assert not await backup.is_in_use(database)
    await database.close()


@pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)
async def test_a_server_has_time_to_notice_that_somebody_has_left(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_LEAVING_SECONDS", 0.3)
    one, other = await open_database(url), await open_database(url)
    began_at = monotonic()
    is_in_use, waited = await backup.is_in_use(one), monotonic() - began_at
    await other.close()
    await one.close()
    assert is_in_use
    assert waited > 0.29


@pytest.mark.parametrize(
    ("table", "columns"),
    [("agents", ["id"]), ("agent", ["id", "colour"]), ("agent", ["name"]), ("agent", [])],
)
def test_what_this_version_does_not_know_is_refused(table: str, columns: list[str]) -> None:
    with pytest.raises(ValueError, match="unknown"):
        Layout(table, columns)


@pytest.mark.parametrize(
    "row",
    [
        [1, "a", True],
        [1, 5, True],
        ["1", "a", "2026-03-01T12:00:00+00:00"],
        [True, "a", "2026-03-01T12:00:00+00:00"],
        [None, "a", "2026-03-01T12:00:00+00:00"],
        [1, "a", "yesterday"],
        [1, "a", 5],
        [1, "a"],
        [1, "a", "2026-03-01T12:00:00+00:00", 4],
    ],
)
def test_a_row_that_is_none_of_its_table_is_refused(row: Sequence[object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it is, its line is told
        Layout("agent", ["id", "name", "created_at"]).read(row)


def test_a_row_of_an_older_version_needs_no_newer_column() -> None:
    layout = Layout("agent", ["name", "id"])
    assert layout.read(["a", 1]) == ["a", 1]
    assert layout.columns == ("name", "id")
