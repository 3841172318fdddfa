"""The queue of events is bounded, and catching up finds what it has no room for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bots.discord.parse import Deleted
from tests.bots.discord.server import QUICK, Bot, Server
from tests.patience import PATIENCE
from tests.peers.discord import payloads
from tests.peers.discord.wire import Json

INBOX = "SELECT count(*) FROM inbox"
STORED = "SELECT text FROM inbox ORDER BY position"


def unknown_thread(server: Server) -> str:
    """A thread of which nothing but its id is in events, because nobody tells the bot of it."""
    discord = server.discord
    thread = discord.add_thread(discord.support, "old", discord.anna)
    discord.archive(thread)
    return thread


def wake(server: Server, thread: str) -> None:
    """Somebody takes it out of the archive."""
    server.discord.backend.world.channels[thread].is_archived = False


def aside(bot: Bot) -> int:
    """How many events wait until it is known where they belong."""
    ingest = bot.listener._handlers.ingest
    return sum(len(each) for each in ingest._delayed.values())


def say_garbled(server: Server, place: str) -> None:
    """A message whose text is none."""
    discord, world = server.discord, server.discord.backend.world
    said = discord.say(discord.general, discord.anna, "hello")
    payload = payloads.delivered(world, world.channels[discord.general].messages[said], nonce="")
    discord.emit("MESSAGE_CREATE", Json(payload, channel_id=place, content=7))


@pytest.mark.parametrize("is_known", [True, False])
async def test_what_is_not_as_documented_is_left_out_and_holds_nothing_up(
    server: Server, caplog: pytest.LogCaptureFixture, *, is_known: bool
) -> None:
    discord = server.discord
    place = discord.support if is_known else unknown_thread(server)
    async with server.bot(server.support_listens):
        wake(server, place)
        say_garbled(server, place)
        discord.say(place, discord.anna, "this one")
        await server.answered(place)
    assert caplog.messages.count("event not understood") == 1
    assert server.rows(STORED) == [("this one",)]


async def test_what_waits_aside_stands_when_a_place_or_a_message_is_not_understood(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord, thread = server.discord, unknown_thread(server)
    async with server.bot(server.support_listens) as bot:
        wake(server, thread)
        discord.fault("channels.get", "status", status=200)
        deleted = discord.say(thread, discord.anna, "never mind")
        await discord.until(lambda: aside(bot) == 1)
        discord.delete(deleted)
        say_garbled(server, thread)
        discord.say(thread, discord.anna, "this one")
        await discord.until(lambda: aside(bot) == 4)
        discord.clear_faults()
        await server.answered(thread)
    assert caplog.messages.count("event not understood") == 1
    left = "SELECT text FROM inbox WHERE state <> 'withdrawn'"
    assert server.rows(left) == [("this one",)]


async def test_a_place_that_is_not_understood_for_long_is_caught_up_when_it_is(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What waits for such places would fill the queue of all."""
    monkeypatch.setattr("bots.discord.ingest._MOST_MISREAD", 3)
    discord, thread = server.discord, unknown_thread(server)
    async with server.bot(server.support_listens) as bot:
        wake(server, thread)
        discord.fault("channels.get", "status", status=200)
        discord.say(thread, discord.anna, "hello")
        await discord.until(lambda: "channel not understood" in caplog.messages)
        await discord.until(lambda: not bot.listener._handlers.ingest._delayed)
        assert caplog.messages.count("channel unknown for now") == 4
        discord.clear_faults()
        discord.say(thread, discord.anna, "this one")
        await discord.until(lambda: len(server.rows(STORED)) == 2)
    assert server.rows(STORED) == [("hello",), ("this one",)]


async def test_what_is_left_out_of_a_thread_that_discord_cannot_tell_of_is_caught_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.discord.ingest._MOST_DELAYED", 3)
    discord, thread = server.discord, unknown_thread(server)
    async with server.bot(server.support_listens) as bot:
        wake(server, thread)
        discord.fault("channels.get", "status", status=503)
        for number in range(10):
            discord.say(thread, discord.anna, f"number {number}")
        await discord.until(lambda: aside(bot) == 3)
        discord.say(discord.support, discord.ben, "after them")
        await discord.until(lambda: server.rows(INBOX) == [(1,)])
        asked = len(discord.calls("channels.get"))
        await discord.until(lambda: len(discord.calls("channels.get")) > asked + 1)
        assert aside(bot) == 3
        discord.clear_faults()
        await discord.until(lambda: server.rows(INBOX) == [(11,)])
    assert server.rows(STORED)[:10] == [(f"number {number}",) for number in range(10)]


async def test_what_could_not_be_stored_is_not_tried_again_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bots.discord.ingest._RETRY_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr("bots.discord.listener._DRAIN_SECONDS", 0.1)  # in vain
    discord = server.discord
    begun = server.bot(server.support_listens, database_url=server.impatient)
    async with begun, server.locked():
        discord.say(discord.support, discord.anna, "hello")
        await discord.until(lambda: "not stored yet" in caplog.messages)
        discord.forget_sessions()
        await discord.kick("abort")
        await discord.until(lambda: discord.identifies == 2)  # time enough to try again
        assert caplog.messages.count("not stored yet") == 1


async def test_what_is_deleted_while_it_waits_aside_is_not_answered(server: Server) -> None:
    discord, thread = server.discord, unknown_thread(server)
    async with server.bot(server.support_listens) as bot:
        wake(server, thread)
        discord.fault("channels.get", "status", status=503)
        deleted = discord.say(thread, discord.anna, "never mind")
        await discord.until(lambda: aside(bot) == 1)
        discord.delete(deleted)
        discord.say(thread, discord.anna, "this one")
        await discord.until(lambda: aside(bot) == 3)
        discord.clear_faults()
        await server.answered(thread)
    left = "SELECT text FROM inbox WHERE state <> 'withdrawn'"
    assert server.rows(left) == [("this one",)]


@pytest.mark.parametrize("bots", ["", "bots = true"])
async def test_an_app_that_mentions_it_in_an_unknown_thread_is_heard_where_apps_are(
    server: Server, bots: str
) -> None:
    discord, thread = server.discord, unknown_thread(server)
    async with server.bot(server.support_listens + bots):
        wake(server, thread)
        discord.say_as_other_bot(thread, "to nobody")
        discord.say_as_other_bot(thread, f"{discord.mention} deploy failed")
        discord.say(thread, discord.anna, "this one")
        await discord.until(lambda: ("this one",) in server.rows(STORED))
    heard = [("deploy failed",)] if bots else []
    assert server.rows(STORED) == [*heard, ("this one",)]


async def test_what_people_say_among_apps_in_an_unknown_thread_is_not_lost(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.discord.ingest._MOST_DELAYED", 2)
    discord, thread = server.discord, unknown_thread(server)
    async with server.bot(server.support_listens) as bot:
        wake(server, thread)
        discord.fault("channels.get", "status", status=503)
        discord.say(thread, discord.anna, "the first")
        await discord.until(lambda: aside(bot) == 1)
        discord.say_as_other_bot(thread, "beep")
        discord.say(thread, discord.anna, "the last")
        await discord.until(lambda: bot.listener._handlers.ingest._overflowed)
        asked = len(discord.calls("channels.get"))
        await discord.until(
            lambda: not aside(bot) or len(discord.calls("channels.get")) > asked + 1
        )
        discord.clear_faults()
        await discord.until(lambda: len(server.rows(STORED)) == 2)
    assert server.rows(STORED) == [("the first",), ("the last",)]


async def test_what_a_deletion_leaves_out_of_what_waits_aside_is_caught_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.discord.ingest._MOST_DELAYED", 2)
    discord, thread = server.discord, unknown_thread(server)
    async with server.bot(server.support_listens) as bot:
        wake(server, thread)
        discord.fault("channels.get", "status", status=503)
        discord.say(thread, discord.anna, "the first")
        gone = discord.say(thread, discord.anna, "never mind")
        await discord.until(lambda: aside(bot) == 2)
        discord.delete(gone)
        [waiting] = bot.listener._handlers.ingest._delayed.values()
        await discord.until(lambda: isinstance(waiting[-1], Deleted))
        discord.clear_faults()
        await discord.until(lambda: ("the first",) in server.rows(STORED))


async def test_what_waits_aside_counts_as_waiting(server: Server) -> None:
    narrow, discord = replace(QUICK, queue_size=8), server.discord
    threads = [unknown_thread(server) for _ in range(3)]
    async with server.bot(server.support_listens, connection=narrow) as bot:
        discord.fault("channels.get", "status", status=503)
        for thread in threads:
            wake(server, thread)
        for number in range(8):
            discord.say(threads[number % 3], discord.anna, f"number {number}")
            await discord.until(lambda: aside(bot) == number + 1)  # noqa: B023  # awaited at once
        discord.say(threads[0], discord.anna, "one too many")
        await discord.until(lambda: discord.identifies == 2)
        assert aside(bot) == 8
        discord.clear_faults()
        await discord.until(lambda: server.rows(INBOX) == [(9,)])
