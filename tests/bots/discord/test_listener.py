"""The gateway listener: messages are received, stored and answered once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from core.clock import monotonic
from core.messaging.quotes import MATERIAL
from tests.bots.discord.server import QUICK, NoInteractions, Server
from tests.patience import PATIENCE
from tests.peers.discord.wire import Json
from tests.peers.endpoint import Reply

INBOX = "SELECT count(*) FROM inbox"


async def test_a_mention_is_answered_as_a_reply(server: Server) -> None:
    discord = server.discord
    async with server.bot():
        asked = discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        assert await server.answered(discord.general) == ["You said: hello"]
    [answer] = server.answers(discord.general)
    assert answer.reply_to == asked
    assert server.rows("SELECT key, author, author_id FROM inbox") == [
        (f"discord/{discord.guild}/{discord.general}/{asked}", "Anna", discord.anna)
    ]


async def test_the_mention_of_its_own_role_is_one_of_the_bot(server: Server) -> None:
    discord = server.discord
    guild = discord.backend.world.guilds[discord.guild]
    [role] = [role for role in guild.roles.values() if role.bot]
    role.is_mentionable = True
    async with server.bot():
        discord.say(discord.general, discord.anna, f"<@&{role.id}> hello")
        assert await server.answered(discord.general) == ["You said: hello"]


async def test_without_a_mention_nobody_answers_in_a_channel(server: Server) -> None:
    discord = server.discord
    async with server.bot():
        discord.say(discord.general, discord.anna, f"hello <@{discord.ben}>")
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        [answer] = await server.answered(discord.general)
        assert answer.endswith("hello")
    assert server.rows(INBOX) == [(1,)]


async def test_a_channel_that_is_listened_to_needs_no_mention(server: Server) -> None:
    discord = server.discord
    async with server.bot(server.support_listens):
        discord.say(discord.support, discord.anna, "it is broken")
        assert await server.answered(discord.support) == ["-# support\nYou said: it is broken"]


async def test_a_direct_message_needs_no_mention(server: Server) -> None:
    discord = server.discord
    async with server.bot():
        discord.dm(discord.anna, "hello")
        assert await server.answered(discord.direct(discord.anna)) == ["You said: hello"]
    place = f"discord/@me/{discord.direct(discord.anna)}"
    assert server.rows("SELECT address FROM conversation") == [(place,)]


async def test_as_many_shards_as_discord_wants_are_open(server: Server) -> None:
    discord = server.discord
    discord.gateway.shards = 3
    async with server.bot(connection=replace(QUICK, dead_after=9), waits=False) as bot:
        await discord.until(lambda: bot.listener.is_listening)
        assert len(discord.sessions) == 3
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        discord.dm(discord.ben, "hello, too")
        await server.answered(discord.general)
        await server.answered(discord.direct(discord.ben))
    assert server.rows(INBOX) == [(2,)]


async def test_cursors_move_in_every_server_whatever_shard_it_is_on(server: Server) -> None:
    discord = server.discord
    discord.gateway.shards = 2
    channels: dict[int, str] = {}
    while len(channels) < 2:
        guild = discord.add_guild("Pier")
        channels.setdefault((int(guild) >> 22) % 2, discord.add_channel("x", guild=guild))
    async with server.bot(connection=replace(QUICK, dead_after=30), waits=False) as bot:
        await discord.until(lambda: bot.listener.is_listening)
        await bot.listener.caught_up()
        said = [discord.say(channel, discord.anna, "live") for channel in channels.values()]
        await discord.until(lambda: {*said} <= {str(at) for at in server.cursors().values()})


async def test_the_gateways_copy_of_an_answer_tells_that_it_is_there(server: Server) -> None:
    """Without it neither the history, which is denied, nor the nonce, forgotten, would."""
    discord = server.discord
    discord.deny(discord.general, "READ_MESSAGE_HISTORY")
    discord.backend.posts.nonce_seconds = 0.0
    async with server.bot():
        # the first call is refused, as a reply needs the history
        discord.fault("messages.create", "drop_after_commit", times=1, skip=1)
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        assert await server.answered(discord.general) == ["You said: hello"]
    mine = [line for line in discord.transcript(discord.general) if line.is_bot]
    assert len(mine) == 1


async def test_it_keeps_no_messages_and_no_members(server: Server) -> None:
    discord, stub = server.discord, NoInteractions()
    async with server.bot(interactions=stub):
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await server.answered(discord.general)
        [client] = stub.clients
        assert list(client.cached_messages) == []
        assert [member.id for guild in client.guilds for member in guild.members] == [
            int(discord.bot_user)
        ]


async def test_a_reply_to_an_agent_is_answered_by_that_agent(server: Server) -> None:
    discord = server.discord
    async with server.bot("[agents.assistant]\n[agents.support]"):
        discord.say(discord.general, discord.anna, f"{discord.mention} support is it down?")
        await server.answered(discord.general)
        [answer] = server.answers(discord.general)
        discord.say(discord.general, discord.anna, "since when?", reply_to=answer.id)
        said = await server.answered(discord.general, 2)
    assert said[-1] == "-# support\nYou said: since when?"


async def test_a_thread_that_discord_cannot_tell_of_keeps_nobody_else_waiting(
    server: Server,
) -> None:
    discord = server.discord
    thread = discord.add_thread(discord.support, "old", discord.anna)
    discord.archive(thread)
    async with server.bot(server.support_listens) as bot:
        await bot.listener.caught_up()
        discord.backend.world.channels[thread].is_archived = False  # and nobody tells the bot
        discord.fault("channels.get", "status", status=503)
        discord.say(thread, discord.anna, "in the thread")
        discord.say(discord.general, discord.ben, f"{discord.mention} elsewhere")
        await server.answered(discord.general)
        discord.clear_faults()
        await server.answered(thread)
    assert server.rows(INBOX) == [(2,)]


async def test_a_reply_to_the_bot_is_heard_even_if_it_does_not_ping(server: Server) -> None:
    discord = server.discord
    async with server.bot():
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await server.answered(discord.general)
        [answer] = server.answers(discord.general)
        discord.say(discord.general, discord.ben, "and me?", reply_to=answer.id, ping=False)
        assert (await server.answered(discord.general, 2))[-1] == "You said: Ben: and me?"


async def test_an_agent_is_reached_by_its_name(server: Server) -> None:
    discord = server.discord
    async with server.bot(server.support_listens):
        discord.say(discord.general, discord.anna, f"{discord.mention} support what now")
        await server.answered(discord.general)
        discord.say(discord.general, discord.anna, "support: and now?")
        assert await server.answered(discord.general, 2) == [
            "-# support\nYou said: what now",
            "-# support\nYou said: and now?",
        ]


async def test_a_thread_keeps_its_own_conversation(server: Server) -> None:
    discord = server.discord
    async with server.bot():
        asked = discord.say(discord.general, discord.anna, f"{discord.mention} begin")
        await server.answered(discord.general)
        thread = discord.open_thread(asked, "aside", discord.anna)
        discord.say(thread, discord.anna, f"{discord.mention} aside")
        [answer] = await server.answered(thread)
    assert answer == f"You said: [said in this thread before; {MATERIAL}:]\n> Anna: begin\n\naside"
    assert server.rows("SELECT address FROM conversation ORDER BY id") == [
        (f"discord/{discord.guild}/{discord.general}",),
        (f"discord/{discord.guild}/{discord.general}/{thread}",),
    ]


async def test_a_forum_is_the_channel_of_its_posts(server: Server) -> None:
    discord = server.discord
    forum = discord.add_forum("questions")
    agents = f"""
        [agents.assistant]
        [[bindings]]
        at = "discord/{discord.guild}/{forum}"
        agent = "assistant"
        listen = "all"
    """
    async with server.bot(agents):
        post = discord.forum_post(forum, discord.anna, "Help", "it is broken")
        assert await server.answered(post) == ["You said: it is broken"]
    place = f"discord/{discord.guild}/{forum}/{post}"
    assert server.rows("SELECT address FROM conversation") == [(place,)]


async def test_a_thread_that_came_out_of_the_archive_belongs_to_its_channel(
    server: Server,
) -> None:
    """discord.py does not know it, and nothing but its id is in the event."""
    discord = server.discord
    thread = discord.add_thread(discord.support, "old", discord.anna)
    discord.archive(thread)
    async with server.bot(server.support_listens):
        discord.backend.world.channels[thread].is_archived = False  # nobody tells the bot
        discord.say(thread, discord.anna, "still broken")
        assert await server.answered(thread) == ["-# support\nYou said: still broken"]
        discord.say(thread, discord.anna, "really")
        await server.answered(thread, 2)
    assert len(discord.calls("channels.get")) == 1
    place = f"discord/{discord.guild}/{discord.support}/{thread}"
    assert server.rows("SELECT address FROM conversation") == [(place,)]


async def test_nobody_but_people_is_answered(server: Server) -> None:
    """Neither itself, nor other apps, nor webhooks, nor what Discord says of a new thread."""
    discord = server.discord
    async with server.bot(server.support_listens):
        discord.say(discord.support, discord.anna, "one")
        await server.answered(discord.support)
        discord.say_as_other_bot(discord.support, f"{discord.mention} two")
        discord.say_as_webhook(discord.support, f"{discord.mention} three")
        discord.add_thread(discord.support, "four", discord.anna)
        asked = discord.say(discord.support, discord.anna, "five")
        discord.open_thread(asked, "six", discord.ben)
        await server.answered(discord.support, 2)
    assert server.rows("SELECT text FROM inbox ORDER BY id") == [("one",), ("five",)]


async def begun(server: Server) -> None:
    """An answer in #support that is being written, and goes on only when it is hurried."""
    server.endpoint.script(Reply(text="First.", pause=PATIENCE))
    server.discord.say(server.discord.support, server.discord.anna, "begin")
    await server.endpoint.arrived()


async def test_an_edit_of_a_waiting_message_changes_what_is_answered(server: Server) -> None:
    discord = server.discord
    async with server.bot(server.support_listens):
        await begun(server)
        waiting = discord.say(discord.support, discord.ben, "support: wrong")
        await discord.until(lambda: server.rows("SELECT 1 FROM inbox WHERE text = 'wrong'"))
        discord.edit(waiting, "support: right & proper")
        await discord.until(lambda: server.rows("SELECT 1 FROM inbox WHERE text LIKE 'right%'"))
        server.endpoint.hurried.set()
        assert await server.answered(discord.support, 2) == [
            "-# support\nFirst.",
            "-# support\nYou said: Ben: right & proper",
        ]


async def test_an_edit_of_a_message_begins_its_answer_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.turn._SETTLE_SECONDS", 0)
    discord = server.discord
    async with server.bot(server.support_listens):
        server.endpoint.script(Reply(text="Never ending. " * 2_000, size=5, pause=0.05))
        asked = discord.say(discord.support, discord.anna, "helo")
        await server.endpoint.arrived()
        discord.edit(asked, "hello & goodbye")
        assert await server.answered(discord.support) == ["-# support\nYou said: hello & goodbye"]


async def test_a_message_that_is_deleted_is_answered_no_more(server: Server) -> None:
    discord = server.discord
    async with server.bot(server.support_listens):
        server.endpoint.script(Reply(text="Never ending. " * 2_000, size=5, pause=0.05))
        asked = discord.say(discord.support, discord.anna, "helo")
        await discord.until(lambda: discord.transcript(discord.support)[1:])
        discord.delete(asked)
        [answer] = await server.answered(discord.support)
    assert answer.endswith("(stopped)")


async def test_a_link_that_unfolds_is_no_edit(server: Server) -> None:
    discord = server.discord
    async with server.bot(server.support_listens):
        await begun(server)
        waiting = discord.say(discord.support, discord.ben, "see https://x.io")
        await discord.until(lambda: server.rows("SELECT 1 FROM inbox WHERE text LIKE 'see%'"))
        await server.change("UPDATE inbox SET text = 'as it was' WHERE text LIKE 'see%'")
        discord.unfurl(waiting, "X")
        discord.say(discord.support, discord.ben, "that is all")
        await discord.until(lambda: server.rows(INBOX) == [(3,)])
        server.endpoint.hurried.set()
        await server.answered(discord.support, 2)
    assert "Ben: as it was" in server.said(discord.support)[-1]


@pytest.mark.parametrize("count", [1, 2])
async def test_deleted_messages_that_wait_are_not_answered(server: Server, count: int) -> None:
    discord = server.discord
    async with server.bot(server.support_listens):
        await begun(server)
        waiting = [discord.say(discord.support, discord.ben, "never mind") for _ in range(count)]
        await discord.until(lambda: server.rows(INBOX) == [(1 + count,)])
        discord.delete(*waiting)
        await discord.until(lambda: server.rows(f"{INBOX} WHERE state = 'withdrawn'") == [(count,)])
        server.endpoint.hurried.set()
        assert await server.answered(discord.support) == ["-# support\nFirst."]


async def test_events_that_come_twice_and_out_of_order_are_answered_once(server: Server) -> None:
    discord = server.discord
    discord.disturb(duplicate=1.0, lag=0.2)
    async with server.bot():
        for number in range(10):
            discord.dm(discord.anna if number % 2 else discord.ben, f"number {number}")
        await discord.until(lambda: server.rows(f"{INBOX} WHERE state = 'answered'") == [(10,)])
    assert server.rows(INBOX) == [(10,)]
    assert len({key for [key] in server.rows("SELECT key FROM outbox")}) == len(
        server.said(discord.direct(discord.anna)) + server.said(discord.direct(discord.ben))
    )


async def test_nothing_is_lost_while_the_database_is_busy(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord = server.discord
    async with server.bot(database_url=server.impatient):
        async with server.locked():
            discord.say(discord.general, discord.anna, f"{discord.mention} one")
            discord.dm(discord.ben, "two")
            await discord.until(lambda: "not stored yet" in caplog.messages)
        assert await server.answered(discord.general) == ["You said: one"]
        assert await server.answered(discord.direct(discord.ben)) == ["You said: two"]


async def test_what_there_is_no_room_for_is_caught_up_on_a_new_connection(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord = server.discord
    narrow = replace(QUICK, queue_size=3)
    async with server.bot(server.support_listens, connection=narrow, database_url=server.impatient):
        async with server.locked():
            for number in range(20):
                discord.say(discord.support, discord.anna, f"number {number}")
            await discord.until(lambda: not discord.sessions)
        await discord.until(lambda: server.rows(INBOX) == [(20,)])
        await discord.until(lambda: server.rows(f"{INBOX} WHERE state='answered'") == [(20,)])
    assert discord.identifies == 2
    assert (
        "more events come in than can be stored: reconnecting when they are stored"
        in caplog.messages
    )


async def test_two_bots_with_one_token_answer_once(server: Server) -> None:
    discord = server.discord
    async with server.bot() as bot, server.twin(bot):
        assert len(discord.sessions) == 2
        for number in range(5):
            discord.dm(discord.anna, f"number {number}")
        await discord.until(lambda: server.rows(f"{INBOX} WHERE state='answered'") == [(5,)])
    answers = server.answers(discord.direct(discord.anna))
    assert len({line.reply_to for line in answers}) == len(answers)
    assert "number 4" in answers[-1].text


async def test_without_the_intent_it_answers_whoever_names_it(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord = server.discord
    discord.message_content = False
    async with server.bot(server.support_listens):
        discord.say(discord.support, discord.anna, "cannot be read")
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        discord.dm(discord.ben, "hello")
        assert await server.answered(discord.general) == ["You said: hello"]
        assert await server.answered(discord.direct(discord.ben)) == ["You said: hello"]
    assert server.rows(INBOX) == [(2,)]
    [line] = [each for each in caplog.messages if "Message Content Intent" in each]
    assert "turn on Message Content Intent under Bot in the developer portal" in line


async def test_an_event_that_is_not_as_described_ends_no_more_than_the_connection(
    server: Server,
) -> None:
    discord = server.discord
    async with server.bot(connection=replace(QUICK, dead_after=30)):
        discord.emit("MESSAGE_CREATE", Json(channel_id=discord.general), guild=discord.guild)
        discord.say(discord.general, discord.anna, f"{discord.mention} right behind it")
        said = await server.answered(discord.general)
    assert said == ["You said: right behind it"]
    assert discord.identifies == 2


async def test_connections_that_are_cut_are_resumed(server: Server) -> None:
    discord = server.discord
    async with server.bot():
        await discord.kick("abort")
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        assert await server.answered(discord.general) == ["You said: hello"]
    assert (discord.identifies, discord.resumes) == (1, 1)


async def test_a_session_that_cannot_be_resumed_is_begun_anew(server: Server) -> None:
    discord = server.discord
    async with server.bot():
        discord.forget_sessions()
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await discord.kick("abort")
        assert await server.answered(discord.general) == ["You said: hello"]
    assert discord.identifies == 2


@pytest.fixture
def leap(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """With each call two minutes pass for whoever watches the connection; returns how many."""
    passed = 0

    def leap() -> int:
        nonlocal passed
        passed += 2
        return passed

    monkeypatch.setattr("bots.discord.listener.monotonic", lambda: monotonic() + 60 * passed)
    return leap


async def test_a_half_open_line_is_replaced(server: Server, leap: Callable[[], int]) -> None:
    discord = server.discord
    async with server.bot():
        discord.mute()
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await discord.until(lambda: leap() and discord.identifies > 1)
        assert await server.answered(discord.general) == ["You said: hello"]
    assert discord.identifies > 1


async def test_a_dead_address_to_resume_at_is_not_tried_for_ever(server: Server) -> None:
    discord = server.discord
    async with server.bot():
        discord.fault("gateway.resume", "status", status=503)
        await discord.kick("abort")
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        assert await server.answered(discord.general) == ["You said: hello"]


async def test_a_gateway_that_is_down_at_the_start_is_waited_for(
    server: Server, leap: Callable[[], int]
) -> None:
    discord = server.discord
    discord.fault("gateway.connect", "status", status=503, times=3)
    async with server.bot(waits=False) as bot:
        for attempt in range(3):
            await discord.until(lambda: len(discord.calls("gateway.connect")) > attempt)  # noqa: B023  # awaited at once
            leap()
        with pytest.raises(ConnectionError):
            await bot.listener.check()
        await server.listening(bot)
        await bot.listener.check()
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        assert await server.answered(discord.general) == ["You said: hello"]


async def test_a_token_that_is_revoked_is_said_in_one_line(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord = server.discord
    async with server.bot() as bot:
        discord.spoil_token()
        discord.forget_sessions()
        await discord.kick("abort")
        await discord.until(lambda: not bot.listener.is_listening)
        await discord.until(lambda: [r for r in caplog.records if r.levelno >= logging.ERROR])
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(said) == 1
    assert "set DISCORD_TOKEN to the new one" in said[0]


async def test_a_refused_token_is_tried_again_after_the_longest_pause(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.discord.listener._LONGEST_PAUSE", 0.05)
    async with server.bot(connection=replace(QUICK, pause=600.0)):
        server.discord.spoil_token()
        server.discord.forget_sessions()
        await server.discord.kick("abort")
        await server.discord.until(
            lambda: sum(record.levelno >= logging.ERROR for record in caplog.records) > 1
        )


async def test_after_stop_nothing_new_is_taken(server: Server) -> None:
    discord = server.discord
    async with server.bot() as bot:
        bot.stop.set()
        await discord.until(lambda: not discord.sessions)
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
    assert server.rows(INBOX) == [(0,)]


async def test_what_is_in_hand_is_stored_before_it_stops(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord = server.discord
    async with server.bot(database_url=server.impatient) as bot:
        async with server.locked():
            discord.say(discord.general, discord.anna, f"{discord.mention} hello")
            await discord.until(lambda: "not stored yet" in caplog.messages)
            bot.stop.set()
            await discord.until(lambda: not discord.sessions)
        await discord.until(lambda: server.rows(INBOX) == [(1,)])
