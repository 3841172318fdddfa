"""What has to be done now and then: once for all processes, and never in anybody's way."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core import clock, kill_points
from core.clock import Clock
from core.config.settings import Settings
from core.upkeep.schedule import LOCK, Keep, Upkeep
from storage import cursors, free_space, oauth_states
from storage.database import Database
from storage.models import (
    Cursor,
    InboxMessage,
    InboxState,
    Message,
    MessageRole,
    OutboxMessage,
    OutboxState,
    Turn,
    TurnState,
)
from storage.side_models import OAuthState
from tests.core.given import Hands, broken, locked
from tests.patience import PATIENCE
from tests.storage import given, processes, sql
from tests.storage.given import filled_and_emptied

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Does upkeep, and says whether it did; at a place where a batch is pruned it dies, or waits.
LOOK = """
import asyncio, os, signal, sys
from datetime import timedelta
from core import clock
from core import kill_points
from core.upkeep.schedule import Keep, Upkeep
from storage.database import open_database

url, then = sys.argv[1:]

def arrive(place):
    print(place, flush=True)
    if then in ("dies", place):
        os.kill(os.getpid(), signal.SIGKILL)
    if then == "waits":
        sys.stdin.readline()

async def main():
    database = await open_database(url)
    keep = Keep(words=timedelta(days=30), catch_up=timedelta(days=1))
    kill_points.watch(arrive)
    sys.stdin.readline()
    print(await Upkeep(database, clock.now, keep).look(asyncio.Event()))
    await database.close()

asyncio.run(main())
"""


def upkeep(database: Database, now: Clock = clock.now, *, days: int | None = 30) -> Upkeep:
    """That of one process."""
    words = None if days is None else timedelta(days=days)
    return Upkeep(database, now, Keep(words=words, catch_up=DAY))


async def old_answers(count: int) -> None:
    """So many that ended 90 days ago, each with everything that it needs."""
    at = clock.now() - 90 * DAY
    where = await given.conversation(at)
    await Turn.bulk_create(
        Turn(
            conversation_id=where.id,
            number=number,
            state=TurnState.DONE,
            revision="r1",
            opened_at=at,
            ended_at=at,
        )
        for number in range(count)
    )
    turns = [(turn.id, turn.number) for turn in await Turn.all()]
    await Message.bulk_create(
        Message(
            conversation_id=where.id,
            seq=number,
            role=MessageRole.USER,
            author="ana",
            text="Hello",
            tokens=1,
            turn_id=turn_id,
            said_at=at,
        )
        for turn_id, number in turns
    )
    await InboxMessage.bulk_create(
        InboxMessage(
            key=f"k{number}",
            conversation_id=where.id,
            position=number,
            author_id="ana",
            author="ana",
            text="Hello",
            attachments=[],
            state=InboxState.ANSWERED,
            turn_id=turn_id,
            sent_at=at,
            received_at=at,
        )
        for turn_id, number in turns
    )
    await OutboxMessage.bulk_create(
        OutboxMessage(
            key=f"o{number}",
            conversation_id=where.id,
            turn_id=turn_id,
            part=1,
            state=OutboxState.DELIVERED,
            text="Hi",
        )
        for turn_id, number in turns
    )


async def whole_answers() -> int:
    """How many answers there are; none of them lacks anything, and nothing is left of others."""
    turns = {turn.id for turn in await Turn.all()}
    for model in (Message, InboxMessage, OutboxMessage):
        assert {row.turn_id for row in await model.all()} == turns
    return len(turns)


@pytest.fixture
def hands() -> Hands:
    return Hands()


async def look(database: Database, hands: Hands, *, days: int | None = 30) -> bool:
    """Whether upkeep was done."""
    return await upkeep(database, hands, days=days).look(asyncio.Event())


async def test_what_nobody_needs_is_cleared_away(
    sqlite: Database, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="core.upkeep.schedule")
    await old_answers(3)
    await oauth_states.use(state="s1", now=hands(), expires_at=hands() + HOUR)
    for name in ("discord/1", "discord/1/2"):
        await cursors.advance(name, 1, hands())
    hands.at = clock.now()
    assert await look(sqlite, hands)
    assert await whole_answers() == 0
    assert await OAuthState.all().count() == 0
    assert {cursor.name for cursor in await Cursor.all()} == {"discord/1", LOCK}
    [record] = caplog.records
    assert record.getMessage() == "upkeep done"
    assert vars(record).items() >= {"turns": 3, "cursors": 1, "oauth_states": 1}.items()


async def test_without_a_retention_everything_that_was_said_stays(
    sqlite: Database, hands: Hands
) -> None:
    await old_answers(3)
    hands.at = clock.now()
    assert await look(sqlite, hands, days=None)
    assert await whole_answers() == 3


async def test_cursors_stay_for_twice_as_long_as_is_read_back(
    sqlite: Database, hands: Hands
) -> None:
    for name in ("discord/1", "discord/1/2"):
        await cursors.advance(name, 1, hands())
    hands.forward((99 * DAY).total_seconds())
    keep = Keep(words=None, catch_up=50 * DAY)
    assert await Upkeep(sqlite, hands, keep).look(asyncio.Event())
    assert await Cursor.filter(name="discord/1/2").exists()
    hands.forward((2 * DAY).total_seconds())
    assert await Upkeep(sqlite, hands, keep).look(asyncio.Event())
    assert not await Cursor.filter(name="discord/1/2").exists()


async def test_it_is_done_once_an_hour(sqlite: Database, hands: Hands) -> None:
    assert await look(sqlite, hands)
    hands.forward(HOUR.total_seconds() - 1)
    assert not await look(sqlite, hands)
    hands.forward(1)
    assert await look(sqlite, hands)


async def test_a_clock_that_is_a_little_ahead_does_not_have_it_done_twice(
    sqlite: Database, hands: Hands
) -> None:
    assert await look(sqlite, hands)
    hands.forward(-30)
    assert not await look(sqlite, hands)


async def test_a_clock_that_was_years_ahead_does_not_stop_it(
    sqlite: Database, hands: Hands
) -> None:
    hands.forward((1000 * DAY).total_seconds())
    assert await look(sqlite, hands)
    hands.forward((-1000 * DAY).total_seconds())
    assert await look(sqlite, hands)


async def test_nobody_waits_for_whoever_does_it(database: Database, hands: Hands) -> None:
    async with database.only_one(LOCK), asyncio.timeout(PATIENCE):
        assert not await look(database, hands)
    assert await look(database, hands)


async def test_a_stop_cuts_it_short_and_the_next_look_does_the_rest(
    sqlite: Database, hands: Hands
) -> None:
    hands.at = clock.now()
    await old_answers(350)
    stop = asyncio.Event()
    kill_points.watch(lambda _: stop.set())
    try:
        assert not await upkeep(sqlite, hands).look(stop)
    finally:
        kill_points.watch(lambda _: None)
    assert 0 < await whole_answers() < 350
    assert await look(sqlite, hands)
    assert await whole_answers() == 0


async def test_of_many_processes_one_does_it(database: Database, url: str) -> None:
    await old_answers(250)
    others = [await processes.start(LOOK, url, "goes on") for _ in range(3)]
    for other in others:
        other.stdin.write(b"now\n")
    ended = [await other.ended() for other in others]
    assert [each.err for each in ended if each.err] == []
    assert sorted(each.out.split()[-1] for each in ended) == ["False", "False", "True"]
    assert await whole_answers() == 0


async def test_whoever_comes_meanwhile_leaves_at_once(database: Database, url: str) -> None:
    await old_answers(250)
    other = await processes.start(LOOK, url, "waits")
    other.stdin.write(b"now\n")
    assert await other.stdout.readline() == b"batch pruned\n"
    async with asyncio.timeout(PATIENCE):
        assert not await upkeep(database).look(asyncio.Event())
    assert await whole_answers() == 150
    assert (await other.ended()).out.split()[-1] == "True"
    assert await whole_answers() == 0


async def test_what_a_killed_process_left_is_done_at_the_next_look(
    database: Database, url: str
) -> None:
    await old_answers(250)
    other = await processes.start(LOOK, url, "dies")
    other.stdin.write(b"now\n")
    assert (await other.ended()).code == -9
    assert await whole_answers() == 150
    async with asyncio.timeout(PATIENCE):
        while not await upkeep(database).look(asyncio.Event()):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.05)  # until the server knows that its session is gone
    assert await whole_answers() == 0


async def test_a_process_killed_between_two_steps_of_giving_back_loses_nothing(
    sqlite: Database, filled_url: str
) -> None:
    await old_answers(3)
    await filled_and_emptied(sqlite, megabytes=3)
    other = await processes.start(LOOK, filled_url, "room given back")
    other.stdin.write(b"now\n")
    assert (await other.ended()).code == -9
    left = (await free_space.look()).free
    assert await sql.rows(sqlite, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert left > 0
    assert await upkeep(sqlite).look(asyncio.Event())
    assert (await free_space.look()).free == 0
    assert await sql.rows(sqlite, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


async def test_room_is_given_back_whatever_is_kept(
    sqlite: Database, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="core.upkeep")
    await old_answers(3)
    await filled_and_emptied(sqlite, megabytes=3)
    hands.at = clock.now()
    assert await look(sqlite, hands, days=None)
    [record] = caplog.records
    assert vars(record)["bytes"] > 3_000_000
    assert (await free_space.look()).free == 0
    assert await whole_answers() == 3


async def test_a_stop_ends_the_giving_back(sqlite: Database, hands: Hands) -> None:
    await filled_and_emptied(sqlite, megabytes=3)
    stop = asyncio.Event()
    kill_points.watch(lambda place: stop.set() if place == "room given back" else None)
    try:
        assert not await upkeep(sqlite, hands).look(stop)
    finally:
        kill_points.watch(lambda _: None)
    assert (await free_space.look()).free > 0


async def test_it_goes_on_when_the_database_works_again(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("core.upkeep.schedule._LOOK_SECONDS", 0.01)
    caplog.set_level("INFO", logger="core.upkeep.schedule")
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        with broken(sqlite.file):
            running = group.create_task(upkeep(sqlite).run(stop))
            await said(caplog, "upkeep is put off")
            assert not running.done()
        await said(caplog, "upkeep done")
        stop.set()


async def test_it_goes_on_when_others_let_the_database_go(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("core.upkeep.schedule._LOOK_SECONDS", 0.01)
    caplog.set_level("INFO", logger="core.upkeep.schedule")
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        with locked(sqlite.file):
            group.create_task(upkeep(sqlite).run(stop))
            await said(caplog, "upkeep is put off")
        await said(caplog, "upkeep done")
        stop.set()


async def said(caplog: pytest.LogCaptureFixture, sentence: str) -> None:
    """Wait until it is in the log."""
    while sentence not in caplog.messages:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.01)


async def test_a_stop_ends_the_wait_for_the_next_look(sqlite: Database) -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(upkeep(sqlite).run(stop))
        await asyncio.sleep(0)
        stop.set()


@pytest.mark.parametrize(
    ("given_settings", "keep"),
    [
        ({}, Keep(words=None, catch_up=DAY)),
        ({"retention_days": 90}, Keep(words=90 * DAY, catch_up=DAY)),
        ({"retention_days": 0.5, "catch_up_hours": 0}, Keep(words=DAY / 2, catch_up=0 * DAY)),
        ({"catch_up_hours": 1e300}, Keep(words=None, catch_up=36_500 * DAY)),
    ],
)
def test_what_is_kept_is_what_the_operator_says(
    given_settings: dict[str, float], keep: Keep
) -> None:
    assert Keep.of(Settings(**given_settings)) == keep  # type: ignore[arg-type]  # by name


async def test_a_century_can_be_looked_back(sqlite: Database, hands: Hands) -> None:
    keep = Keep.of(Settings(retention_days=36_500, catch_up_hours=1e300))
    assert await Upkeep(sqlite, hands, keep).look(asyncio.Event())


# Where the database's file is as long as a file may be, nearly.
SHORT = """
import logging, os, resource
logging.basicConfig(format="%(message)s %(why)s", level=logging.WARNING)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.path.getsize(FILE) * 1.1),) * 2)
"""


async def test_room_that_runs_short_is_logged(sqlite: Database) -> None:
    source = SHORT.replace("FILE", repr(str(sqlite.file))) + LOOK
    process = await processes.start(source, f"sqlite://{sqlite.file}", "")
    ended = await process.ended(b"\n")
    assert ended.out.endswith("True\n")
    assert "room runs short" in ended.err
    assert "that a file may have here: raise the limit" in ended.err
