"""Messages that came while the bot was away are answered once, the oldest first."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from core.runtime import Runtime
from storage.database import open_database
from tests.bots.discord.server import QUICK, Server
from tests.bots.slack.test_catch_up import NARROW
from tests.patience import PATIENCE
from tests.peers.discord.clock import minted_at
from tests.peers.discord.sessions import Session
from tests.peers.endpoint import Reply
from tests.storage import sql

ANSWERED = "SELECT count(*) FROM inbox WHERE state = 'answered'"
TEXTS = "SELECT key, text FROM inbox ORDER BY id"
EVERYWHERE = '[access]\nworkspaces = ["*"]\n'
HISTORY = "messages.list"
WAITING = "SELECT count(*) FROM inbox WHERE state = 'waiting'"
A_QUIET_MONTH = (
    "UPDATE cursor SET position = position - ((40 * 86400000) << 22) WHERE name LIKE 'discord/%'",
    "UPDATE cursor SET moved_at = datetime('now', '-40 days')",
    "UPDATE turn SET ended_at = datetime('now', '-40 days')",
)


@pytest.fixture
async def down(server: Server) -> Server:
    """A server with a bot that has run and was stopped: what a first run leaves."""
    insert = "INSERT INTO cursor (name, position, moved_at) VALUES (?, ?, datetime('now'))"
    async with server.locked() as other:
        other.executemany(insert, first_sight(server).items())
        other.execute("COMMIT")
    return server


def first_sight(server: Server) -> dict[str, str]:
    """How far everything was heard where nothing was said yet."""
    discord = server.discord
    return {
        f"discord/{discord.guild}": discord.guild,
        "discord/@me": discord.backend.clock.snowflake(),
    }


async def test_a_first_run_leaves_how_far_everything_was_heard(server: Server) -> None:
    before = first_sight(server)
    async with server.bot(server.support_listens) as bot:
        await bot.listener.caught_up()
    left = {str(name): str(position) for name, position in server.cursors().items()}
    assert left.keys() == before.keys()
    for name, latest in first_sight(server).items():
        assert minted_at(before[name]) <= minted_at(left[name]) <= minted_at(latest), name
    assert server.rows("SELECT id FROM inbox") == []


async def test_what_was_said_before_the_first_sight_of_a_server_was_recorded_is_no_old_question(
    server: Server,
) -> None:
    discord = server.discord
    begun = server.bot(server.support_listens, waits=False, database_url=server.impatient)
    async with begun as bot:
        async with server.locked():
            await server.listening(bot)
            discord.forget_sessions()
            await discord.kick("abort")
            discord.say(discord.support, discord.anna, "said meanwhile")
            await discord.until(lambda: discord.identifies == 2)
        [answer] = await server.answered(discord.support)
    assert answer.endswith("You said: said meanwhile")


async def test_fifty_messages_of_ten_minutes_are_answered_once_and_in_order(
    server: Server,
) -> None:
    """In a channel, a thread, a thread that is in the archive again, and direct messages."""
    discord = server.discord
    direct = discord.direct(discord.anna)
    async with server.bot(server.support_listens):
        thread = discord.add_thread(discord.support, "open", discord.anna)
        archived = discord.add_thread(discord.support, "old", discord.anna)
        for place in (thread, archived, direct):
            discord.say(place, discord.anna, "begin")
            await server.answered(place)
    discord.advance(600)
    places = (discord.support, thread, archived, direct)
    for number in range(50):
        author = discord.ben if number > 25 and number % 4 < 3 else discord.anna
        text, ago = f"number {number:02}", 600 - number * 12
        discord.say(places[number % 4], author, text, ago=ago)
    discord.archive(archived)
    async with server.bot(server.support_listens):
        await discord.until(lambda: server.rows(ANSWERED) == [(53,)])
        for place, last in zip(places, ("48", "49", "46", "47"), strict=True):
            await server.ended_with(place, last)
    for start, place in enumerate(places):
        numbers = [text[-2:] for text in server.said(place) if "number" in text]
        assert numbers == sorted(set(numbers))
        texts = [str(text) for key, text in server.rows(TEXTS) if f"/{place}/" in str(key)]
        assert texts[-1 * len(range(start, 50, 4)) :] == [
            f"number {number:02}" for number in range(start, 50, 4)
        ]
    answered = [line.reply_to for place in places for line in server.answers(place)]
    assert len(answered) == len(set(answered))


async def test_the_backlog_of_a_first_start_is_not_answered(server: Server) -> None:
    discord = server.discord
    discord.say(discord.support, discord.anna, "long before", ago=60)
    for _ in range(2):
        async with server.bot(server.support_listens) as bot:
            await bot.listener.caught_up()
    async with server.bot(server.support_listens):
        discord.say(discord.support, discord.anna, "now")
        assert await server.answered(discord.support) == ["-# support\nYou said: now"]
    assert not discord.calls(HISTORY)


async def test_the_backlog_of_a_new_server_is_not_answered(down: Server) -> None:
    discord = down.discord
    guild = discord.add_guild("Pier")
    channel = discord.add_channel("general", guild=guild)
    discord.say(channel, discord.anna, f"{discord.mention} before")
    async with down.bot(EVERYWHERE) as bot:
        await bot.listener.caught_up()
        discord.say(channel, discord.anna, f"{discord.mention} after")
        assert await down.answered(channel) == ["You said: after"]


async def test_what_was_said_while_the_bot_was_not_in_the_server_is_not_answered(
    down: Server,
) -> None:
    discord = down.discord
    await down.change("UPDATE cursor SET position = '1' WHERE name LIKE 'discord/%'")
    discord.rejoin(discord.guild)
    discord.say(discord.support, discord.anna, "while it was gone", ago=60)
    discord.advance(1)
    discord.say(discord.support, discord.anna, "welcome back")
    async with down.bot(down.support_listens) as bot:
        await bot.listener.caught_up()
        await down.answered(discord.support)
    assert down.rows("SELECT text FROM inbox") == [("welcome back",)]


async def test_a_question_older_than_the_limit_is_not_answered(down: Server) -> None:
    discord = down.discord
    await down.change("UPDATE cursor SET position = '1' WHERE name LIKE 'discord/%'")
    discord.say(discord.support, discord.anna, "too old", ago=400)
    discord.say(discord.support, discord.anna, "fresh", ago=200)
    async with down.bot(down.support_listens, catch_up_hours=300 / 3600):
        assert await down.answered(discord.support) == ["-# support\nYou said: fresh"]


async def test_no_hours_mean_that_nothing_is_caught_up(down: Server) -> None:
    discord = down.discord
    async with down.bot():
        discord.dm(discord.anna, "known from now on")
        await down.answered(discord.direct(discord.anna))
    before = len(discord.calls(HISTORY))
    discord.say(discord.support, discord.anna, "missed")
    async with down.bot(down.support_listens, catch_up_hours=0) as bot:
        await bot.listener.caught_up()
        discord.say(discord.support, discord.anna, "heard")
        assert await down.answered(discord.support) == ["-# support\nYou said: heard"]
    assert len(discord.calls(HISTORY)) == before


async def test_what_was_said_before_an_agent_listened_is_not_answered(server: Server) -> None:
    discord = server.discord
    async with server.bot() as bot:
        await bot.listener.caught_up()
        talk = discord.say(discord.support, discord.anna, "lunch at noon, ben?")
        await discord.until(lambda: talk in {str(at) for at in server.cursors().values()})
    discord.say(discord.support, discord.ben, "while it restarts")
    async with server.bot(server.support_listens):
        assert await server.answered(discord.support) == ["-# support\nYou said: while it restarts"]
    assert server.rows("SELECT text FROM inbox") == [("while it restarts",)]


async def test_a_direct_message_after_quiet_weeks_is_found(server: Server) -> None:
    discord = server.discord
    place = discord.direct(discord.anna)
    async with server.bot() as bot:
        await bot.listener.caught_up()
        discord.dm(discord.anna, "hello")
        await server.answered(place)
        await discord.until(lambda: f"discord/@me/{place}" in server.cursors())
    await server.change("UPDATE inbox SET sent_at = datetime('now', '-20 days')")
    discord.dm(discord.anna, "are you there?")
    async with server.bot():
        await server.answered(place, 2)


async def test_upkeep_after_a_quiet_month_changes_nothing_of_what_is_found(server: Server) -> None:
    """Neither that cursors are folded, nor that old answers are gone with their keys."""
    discord = server.discord
    direct = discord.direct(discord.anna)
    async with server.bot(server.support_listens) as bot:
        await bot.listener.caught_up()
        thread = discord.add_thread(discord.support, "open", discord.anna)
        places = (discord.support, thread, direct)
        for place in places:
            discord.say(place, discord.anna, "begin", ago=40 * 86_400)
            await server.answered(place)
        await discord.until(lambda: len(server.cursors()) == 5)
    for statement in A_QUIET_MONTH:
        await server.change(statement)
    runtime = await Runtime.open(server.settings(server.support_listens, retention_days=1))
    assert await runtime.upkeep().look(asyncio.Event())
    await runtime.close()
    kept = {f"discord/{discord.guild}", "discord/@me", f"discord/@me/{direct}"}
    assert set(server.cursors()) == kept
    assert server.rows("SELECT text FROM inbox") == []
    for place in places:
        discord.say(place, discord.anna, "missed", ago=60)
    async with server.bot(server.support_listens) as bot:
        for place in places:
            assert (await server.answered(place, 2))[-1].endswith("missed")
        await bot.listener.caught_up()
    assert [text for (text,) in server.rows("SELECT text FROM inbox")] == ["missed"] * 3


async def test_what_was_answered_is_not_answered_again(down: Server) -> None:
    discord = down.discord
    discord.say(discord.support, discord.anna, "missed")
    for _ in range(3):
        async with down.bot(down.support_listens) as bot:
            await bot.listener.caught_up()
            assert await down.answered(discord.support) == ["-# support\nYou said: missed"]
    assert len(discord.calls("messages.create")) == 1


async def test_the_log_says_how_much_was_caught_up(
    down: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bots.discord.catch_up")
    for text in ("one", "two"):
        down.discord.say(down.discord.support, down.discord.anna, text)
    async with down.bot(down.support_listens) as bot:
        await bot.listener.caught_up()
    assert [vars(each)["messages"] for each in caplog.records if each.msg == "caught up"] == [2]


async def test_where_nothing_was_said_nothing_is_read(down: Server) -> None:
    discord = down.discord
    async with down.bot(down.support_listens) as bot:
        discord.say(discord.support, discord.anna, "hello")
        await down.answered(discord.support)
        cursor = f"discord/{discord.guild}/{discord.support}"
        newest = down.answers(discord.support)[-1].id
        await discord.until(lambda: down.cursors().get(cursor) == newest)
        await bot.listener.caught_up()
    async with down.bot(down.support_listens) as bot:
        await bot.listener.caught_up()
    assert not discord.calls(HISTORY)


async def test_without_the_permission_to_read_it_says_where_once(
    down: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord = down.discord
    discord.deny(discord.support, "READ_MESSAGE_HISTORY")
    discord.say(discord.support, discord.anna, "missed")
    discord.say(discord.general, discord.anna, f"{discord.mention} missed, too")
    async with down.bot(down.support_listens):
        assert await down.answered(discord.general) == ["You said: missed, too"]
        discord.guild_outage(discord.guild)
        discord.say(discord.general, discord.anna, f"{discord.mention} and this")
        discord.guild_recovers(discord.guild)
        await down.answered(discord.general, 2)
    [warning] = [each for each in caplog.records if "Read Message History" in each.message]
    assert warning.__dict__["channel"] == "support"
    assert {call.path for call in discord.calls(HISTORY)} == {
        f"/channels/{discord.general}/messages"
    }


async def test_what_failed_to_be_read_is_read_again(down: Server) -> None:
    discord = down.discord
    discord.say(discord.support, discord.anna, "missed")
    discord.fault(HISTORY, "status", status=503, times=1)
    discord.fault(HISTORY, "ratelimited", retry_after=0.05, times=1)
    async with down.bot(down.support_listens):
        assert await down.answered(discord.support) == ["-# support\nYou said: missed"]


async def test_a_channel_that_is_not_read_yet_keeps_no_other_one_waiting(
    down: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.backlog._SECONDS", PATIENCE)
    discord = down.discord
    discord.say(discord.support, discord.anna, "missed")
    reading = discord.fault(HISTORY, "delay", seconds=PATIENCE, times=1)
    async with down.bot(down.support_listens):
        await discord.until(lambda: discord.calls(HISTORY))
        discord.say(discord.support, discord.ben, "later")
        discord.dm(discord.anna, "live")
        await down.answered(discord.direct(discord.anna))
        assert not down.answers(discord.support)
        reading.over.set()
        first, second = await down.answered(discord.support, 2)
        assert (first.endswith("missed"), second.endswith("later")) == (True, True)


@pytest.fixture
def two(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], str]:
    """The channels of a server, and a channel of a second one; all are waited for without end."""
    monkeypatch.setattr("bots.discord.catch_up._HISTORY_SECONDS", 10 * PATIENCE)
    discord = server.discord
    channels = [discord.general, discord.support]
    channels += [discord.add_channel(f"quay-{number}") for number in range(6)]
    return channels, discord.add_channel("general", guild=discord.add_guild("Pier"))


def out_of_reach(server: Server, channels: list[str]) -> None:
    """Nobody can read what is said there, and nobody hears why."""
    for each in channels:
        server.discord.fault(f"{HISTORY} /channels/{each}/messages", "delay", seconds=PATIENCE)


async def test_a_server_that_cannot_be_read_keeps_no_other_one_waiting(
    server: Server, two: tuple[list[str], str]
) -> None:
    discord = server.discord
    (channels, other), agents = two, f"{EVERYWHERE}[agents.assistant]\n"
    async with server.bot(agents) as bot:
        await bot.listener.caught_up()
    out_of_reach(server, channels)
    for each in [other, *channels]:
        discord.say(each, discord.anna, f"{discord.mention} missed")
    async with server.bot(agents):
        await server.answered(other)
        assert not server.answers(channels[0])
        discord.say(other, discord.anna, f"{discord.mention} live")
        await server.answered(other, 2)


async def test_a_server_that_cannot_be_read_later_keeps_no_other_one_waiting_either(
    server: Server, two: tuple[list[str], str]
) -> None:
    discord = server.discord
    (channels, other), agents = two, f"{EVERYWHERE}[agents.assistant]\n"
    async with server.bot(agents) as bot:
        await bot.listener.caught_up()
        out_of_reach(server, channels)
        discord.forget_sessions()
        for each in [other, *channels]:
            discord.say(each, discord.anna, f"{discord.mention} missed")
        await discord.kick("abort")
        await server.answered(other)
        assert not server.answers(channels[0])


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a server nor what was missed is given up."""
    monkeypatch.setattr("bots.discord.client._GUILD_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr("core.turn.backlog._SECONDS", 10 * PATIENCE)


@pytest.mark.parametrize("shards", [1, 2])
async def test_once_all_servers_have_come_no_other_one_is_waited_for(
    server: Server, patient: None, shards: int
) -> None:
    discord = server.discord
    discord.gateway.shards = shards
    quays = [discord.add_guild(f"Quay {number}") for number in range(3)]
    async with server.bot(EVERYWHERE, connection=replace(QUICK, dead_after=PATIENCE)) as bot:
        await bot.listener.caught_up()
    assert {f"discord/{quay}" for quay in quays} < set(server.cursors())


async def test_servers_of_a_shard_that_begins_late_are_waited_for(
    server: Server, patient: None
) -> None:
    discord = server.discord
    discord.gateway.shards = 2
    greet, late = discord.gateway.greet, list[Session]()
    discord.gateway.greet = lambda each: late.append(each) if each.shard[0] else greet(each)
    quays: dict[int, str] = {}
    while len(quays) < 2:
        guild = discord.add_guild("Quay")
        quays.setdefault((int(guild) >> 22) % 2, guild)
    connection = replace(QUICK, dead_after=PATIENCE)
    async with server.bot(EVERYWHERE, connection=connection, waits=False) as bot:
        await discord.until(lambda: late and f"discord/{quays[0]}" in server.cursors())
        catch_up = bot.listener._handlers.catch_up
        await discord.until(lambda: catch_up._open == 0)  # of the first shard all is read
        assert not catch_up.has_caught_up.is_set()
        greet(late.pop())
        await bot.listener.caught_up()
    assert f"discord/{quays[1]}" in server.cursors()


async def test_a_server_that_discord_cannot_serve_at_the_start_is_waited_for(
    server: Server, patient: None
) -> None:
    discord = server.discord
    quay = discord.add_guild("Quay")
    discord.guild_outage(quay)
    async with server.bot(EVERYWHERE) as bot:
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await discord.until(lambda: server.rows(WAITING) == [(1,)])
        assert not bot.listener._handlers.catch_up.has_caught_up.is_set()
        discord.guild_recovers(quay)
        assert await server.answered(discord.general) == ["You said: hello"]


async def test_a_server_that_discord_cannot_serve_is_waited_for_no_longer_than_a_moment(
    server: Server,
) -> None:
    server.discord.guild_outage(server.discord.add_guild("Quay"))
    async with server.bot(EVERYWHERE) as bot:
        await bot.listener.caught_up()


async def test_live_messages_do_not_wait_for_ever(
    down: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.backlog._SECONDS", 0.3)
    monkeypatch.setattr("core.turn.worker._POLL_SECONDS", 0.1)
    discord = down.discord
    discord.say(discord.support, discord.anna, "missed")
    reading = discord.fault(HISTORY, "delay", seconds=PATIENCE)
    async with down.bot(down.support_listens):
        discord.say(discord.support, discord.ben, "live")
        await down.answered(discord.support)
        reading.over.set()
        await down.answered(discord.support, 2)


async def test_cursors_stand_still_until_everything_is_caught_up(down: Server) -> None:
    """A bot that is killed meanwhile must find the gap again: live events do not close it."""
    discord = down.discord
    discord.say(discord.support, discord.anna, "missed")
    reading = discord.fault(HISTORY, "delay", seconds=PATIENCE)
    other = discord.add_channel("general", guild=discord.add_guild("Pier"))
    async with down.bot(f"{EVERYWHERE}{down.support_listens}"):
        discord.say(discord.general, discord.anna, f"{discord.mention} live")
        discord.say(other, discord.anna, "where nothing was missed")
        await discord.until(lambda: any(str(name).endswith(other) for name in down.cursors()))
        assert f"discord/{discord.guild}/{discord.general}" not in down.cursors()
        reading.over.set()
        await down.answered(discord.support)
        await discord.until(lambda: f"discord/{discord.guild}/{discord.support}" in down.cursors())


async def test_a_cursor_moves_when_something_came_and_not_with_every_breath(
    server: Server,
) -> None:
    async with server.bot(server.support_listens) as bot:
        await bot.listener.caught_up()
    discord, down = server.discord, server
    moved = "SELECT name, position, moved_at FROM cursor ORDER BY name"
    here = f"discord/{discord.guild}/{discord.general}"
    often = replace(QUICK, cursor_interval=0.01)
    async with down.bot(down.support_listens, connection=often) as bot:
        await bot.listener.caught_up()
        with closing(sqlite3.connect(down.database)) as other:
            version = other.execute("PRAGMA data_version").fetchone()
            before = down.rows(moved)
            await asyncio.sleep(10 * often.cursor_interval)
            assert down.rows(moved) == before
            assert other.execute("PRAGMA data_version").fetchone() == version
        said = discord.say(discord.general, discord.anna, "to nobody")
        await discord.until(lambda: down.cursors().get(here) == said)
    changed = {row[0] for row in down.rows(moved)} - {row[0] for row in before}
    assert changed == {here}


async def test_a_gap_between_two_sessions_is_caught_up(down: Server) -> None:
    discord = down.discord
    async with down.bot(down.support_listens) as bot:
        await bot.listener.caught_up()
        discord.forget_sessions()
        discord.say(discord.support, discord.anna, "missed")
        await discord.kick("abort")
        answers = await down.answered(discord.support)
    assert answers == ["-# support\nYou said: missed"]


async def test_what_a_server_said_during_an_outage_is_caught_up(down: Server) -> None:
    discord = down.discord
    async with down.bot(down.support_listens) as bot:
        await bot.listener.caught_up()
        discord.guild_outage(discord.guild)
        said = discord.backend.world.channels[discord.support]
        discord.backend.events.shows_hidden = True
        discord.deny(discord.support, "VIEW_CHANNEL")
        discord.say(discord.support, discord.anna, "missed")
        discord.allow(discord.support, "VIEW_CHANNEL")
        discord.guild_recovers(discord.guild)
        assert await down.answered(said.id) == ["-# support\nYou said: missed"]


async def test_what_a_person_wrote_before_the_first_message_heard_is_found_with_it(
    down: Server,
) -> None:
    """Nobody can list direct messages: they are known from the first one that is heard."""
    discord = down.discord
    discord.dm(discord.anna, "anybody there?")
    async with down.bot() as bot:
        await bot.listener.caught_up()
        discord.dm(discord.anna, "hello?")
        await discord.until(lambda: down.rows(ANSWERED) == [(2,)])
    assert len(discord.calls(HISTORY)) == 1


async def test_of_too_much_the_newest_is_answered(
    down: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord = down.discord
    discord.say(discord.support, discord.anna, f"{discord.mention} the oldest")
    for number in range(500):
        discord.say(discord.general, discord.ben, f"chatter {number}")
    discord.say(discord.general, discord.anna, f"{discord.mention} the newest")
    async with down.bot(connection=replace(QUICK, cursor_interval=5.0)):
        [answer] = await down.answered(discord.general)
        await down.answered(discord.support)
    assert answer.endswith("the newest")
    assert len(discord.calls(HISTORY)) == 8  # two for what agents are shown of their channels
    assert "more messages were missed than are caught up on" in caplog.messages


async def test_direct_messages_are_looked_for_where_the_first_shard_begins_anew(
    server: Server,
) -> None:
    async with server.bot() as bot:
        await bot.listener.caught_up()
        catch_up = bot.listener._handlers.catch_up
        catch_up.session_began(1, 2)
        assert catch_up._due.empty()
        catch_up.session_began(0, 2)
        assert not catch_up._due.empty()


@pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)
async def test_a_message_that_can_never_be_stored_keeps_no_other_one_waiting(
    server: Server, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    discord, narrow = server.discord, NARROW[url.partition(":")[0]]
    database = await open_database(url)
    await sql.rows(database, narrow)
    await database.close()
    async with server.bot(server.support_listens, database_url=url):
        for text in ("before", "much too long for what is left of it", "after"):
            discord.say(discord.support, discord.anna, text)
        await discord.until(lambda: any("after" in each for each in server.said(discord.support)))
    skipped = [each for each in caplog.records if each.message == "message cannot be stored"]
    assert len(skipped) == 1


async def left_waiting(server: Server, channel: str, *texts: str) -> None:
    """Messages that nobody had begun to answer when the bot was stopped."""
    discord = server.discord
    async with server.bot(server.support_listens, drain_seconds=0.1):
        server.endpoint.script(Reply(text="on and on " * 900, size=5, pause=0.05))
        discord.say(channel, discord.anna, f"{discord.mention} begin")
        await server.endpoint.arrived()
        for number, text in enumerate(texts):
            author = discord.anna if number % 2 else discord.ben
            discord.say(channel, author, f"{discord.mention} {text}")
        await discord.until(lambda: server.rows(WAITING) == [(len(texts),)])


async def test_what_waits_in_a_channel_that_is_gone_is_answered_no_more(server: Server) -> None:
    discord = server.discord
    await left_waiting(server, discord.general, "never mind")
    discord.delete_channel(discord.general)
    async with server.bot(server.support_listens):
        await discord.until(lambda: server.rows(WAITING) == [(0,)])
    states = server.rows("SELECT state FROM inbox ORDER BY position")
    assert states[-1] == ("withdrawn",)


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_a_question_is_answered_as_it_was_edited_while_nobody_went_on_with_its_answer(
    server: Server, *, is_deleted: bool
) -> None:
    discord = server.discord
    await left_waiting(server, discord.general, "and this")
    begun = next(line.id for line in discord.transcript(discord.general) if "begin" in line.text)
    if is_deleted:
        discord.delete(begun)
    else:
        discord.edit(begun, f"{discord.mention} begin anew")
    async with server.bot(server.support_listens):
        await server.ended_with(discord.general, "and this")
    stored = "" if is_deleted else "begin anew"
    assert server.rows("SELECT text FROM inbox ORDER BY id") == [(stored,), ("and this",)]


async def test_messages_that_wait_and_cannot_be_looked_at_hold_up_nothing(server: Server) -> None:
    discord = server.discord
    await left_waiting(server, discord.general, "one", "two", "three", "four", "five")
    discord.say(discord.support, discord.anna, "missed")
    discord.fault("messages.get", "status", status=503)
    async with server.bot(server.support_listens):
        await discord.until(lambda: ("missed",) in server.rows("SELECT text FROM inbox"))


async def test_what_waits_is_answered_as_it_was_edited_or_not_at_all_while_nobody_listened(
    server: Server,
) -> None:
    discord = server.discord
    async with server.bot(server.support_listens, drain_seconds=0.1):
        server.endpoint.script(Reply(text="on and on " * 900, size=5, pause=0.05))
        discord.say(discord.support, discord.anna, "begin")
        await server.endpoint.arrived()
        edited = discord.say(discord.support, discord.ben, "wrong")
        gone = discord.say(discord.support, discord.anna, "never mind")
        discord.say(discord.support, discord.ben, "and this")
        await discord.until(lambda: server.rows(WAITING) == [(3,)])
    discord.edit(edited, "right")
    discord.delete(gone)
    asked = len(server.endpoint.requests)
    async with server.bot(server.support_listens):
        await discord.until(lambda: server.rows(WAITING) == [(0,)])
        await server.endpoint.arrived(asked + 2)
    texts = [text for (text,) in server.rows("SELECT text FROM inbox ORDER BY position")]
    assert texts == ["begin", "right", "", "and this"]
