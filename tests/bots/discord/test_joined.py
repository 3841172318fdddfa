"""A thread once joined goes on without a mention, until somebody else is spoken to."""

from __future__ import annotations

import pytest

from tests.bots.discord.command_server import CommandServer
from tests.bots.discord.server import Server

AGENTS = "[agents.assistant]\n[agents.support]\n"
TEXTS = "SELECT text FROM inbox ORDER BY position"
ANSWERED = "SELECT count(*) FROM inbox WHERE state = 'answered'"


def bound(
    server: Server, listen: str, conversation: str = "thread", channel: str = "", more: str = ""
) -> str:
    return f"""
    [[bindings]]
    at = "discord/{server.discord.guild}/{channel or server.discord.general}"
    agent = "assistant"
    listen = "{listen}"
    conversation = "{conversation}"
    {more}
    """


@pytest.fixture
def command_server(server: Server) -> CommandServer:
    return CommandServer(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


async def joined(server: Server, channel: str = "") -> str:
    """A thread of other people, in which the bot was asked and has answered."""
    discord = server.discord
    plan = discord.say(channel or discord.general, discord.ben, "a plan")
    thread = discord.open_thread(plan, "plan", discord.ben)
    discord.say(thread, discord.anna, f"{discord.mention} hello")
    await server.answered(thread)
    return thread


async def heard_after(server: Server, thread: str, *texts: str) -> list[str]:
    """What was heard there of these, and of a last message that is heard for sure."""
    discord = server.discord
    for text in texts:
        discord.say(thread, discord.anna, text)
    discord.say(thread, discord.anna, f"{discord.mention} the end")
    await discord.until(lambda: "the end" in stored(server, thread))
    return stored(server, thread)


def stored(server: Server, thread: str) -> list[str]:
    """What was heard there."""
    rows = server.rows("SELECT key, text FROM inbox ORDER BY position")
    return [str(text) for key, text in rows if thread in str(key).split("/")]


async def test_a_follow_up_needs_no_mention(server: Server) -> None:
    discord = server.discord
    shares = {each: discord.add_channel(each) for each in ("thread", "channel", "user")}
    bindings = (bound(server, "mention", each, channel) for each, channel in shares.items())
    async with server.bot("".join([AGENTS, *bindings])):
        for conversation, channel in shares.items():
            thread = await joined(server, channel)
            discord.say(channel, discord.anna, "elsewhere")
            discord.say(thread, discord.anna, "and who mends it?")
            said = await server.answered(thread, 2)
            assert said[1].endswith("You said: and who mends it?"), conversation
    assert server.rows(TEXTS) == [("hello",), ("and who mends it?",)] * 3


async def test_a_thread_that_the_question_opened_goes_on(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS + bound(server, "mention")):
        thread = discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await discord.until(lambda: thread in discord.backend.world.channels)
        await server.answered(thread)
        discord.say(thread, discord.ben, "and then?")
        await server.answered(thread, 2)
    assert server.rows(TEXTS) == [("hello",), ("and then?",)]


async def test_a_post_of_a_forum_goes_on(server: Server) -> None:
    discord = server.discord
    forum = discord.add_forum("ideas")
    async with server.bot(AGENTS):
        post = discord.forum_post(forum, discord.anna, "an idea", f"{discord.mention} look")
        await server.answered(post)
        discord.say(post, discord.anna, "and then?")
        await server.answered(post, 2)
    assert server.rows(TEXTS) == [("look",), ("and then?",)]


async def test_mention_only_is_strict(server: Server) -> None:
    async with server.bot(AGENTS + bound(server, "mention-only")):
        thread = await joined(server)
        assert await heard_after(server, thread, "and then?") == ["hello", "the end"]


async def test_a_message_for_somebody_else_ends_it_until_the_agent_is_called(
    server: Server,
) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        thread = await joined(server)
        heard = await heard_after(server, thread, f"<@{discord.ben}> can you?", "I will")
        assert heard == ["hello", "the end"]
        discord.say(thread, discord.ben, "go on")
        await discord.until(lambda: ("go on",) in server.rows(TEXTS))


async def test_a_reply_to_somebody_else_ends_it(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        for number, ping in enumerate((True, False)):
            thread = await joined(server)
            own = discord.say(thread, discord.ben, "and then?")
            discord.say(thread, discord.ben, "I mean", reply_to=own)
            await discord.until(lambda: server.rows(ANSWERED) == [(3 + 4 * number,)])  # noqa: B023  # awaited at once
            discord.say(thread, discord.anna, "no", reply_to=own, ping=ping)
            heard = await heard_after(server, thread, "thanks")
            assert heard == ["hello", "and then?", "I mean", "the end"], f"{ping=}"
            await discord.until(lambda: server.rows(ANSWERED) == [(4 + 4 * number,)])  # noqa: B023  # awaited at once


async def test_who_was_asked_last_goes_on(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        thread = await joined(server)
        discord.say(thread, discord.anna, "support: two")
        await server.answered(thread, 2)
        discord.say(thread, discord.anna, "three")
        said = await server.answered(thread, 3)
    assert [text.splitlines()[0] for text in said[1:]] == ["-# support", "-# support"]


async def test_it_leaves_a_thread_when_it_is_told_so_until_it_is_called(server: Server) -> None:
    discord = server.discord
    channels = {"mention": discord.general, "all": discord.support}
    bindings = (bound(server, each, "channel", channel) for each, channel in channels.items())
    async with server.bot("".join([AGENTS, *bindings])):
        for listen, channel in channels.items():
            thread = await joined(server, channel)
            word = discord.say(thread, discord.ben, f"{discord.mention} leave")
            heard = await heard_after(server, thread, "and then?")
            assert heard[-1] == "the end", listen
            assert "and then?" not in heard, listen
            discord.say(thread, discord.anna, "go on")
            await discord.until(lambda: "go on" in stored(server, thread))  # noqa: B023  # awaited at once
            await discord.until(lambda: discord.answers(word) != [])  # noqa: B023  # awaited at once
            [told] = discord.answers(word)
            assert told.text == "I answer in this thread only when somebody calls me again."


async def test_whoever_does_not_call_it_or_stands_in_no_thread_says_a_word_like_any_other(
    server: Server,
) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        discord.say(discord.general, discord.anna, f"{discord.mention} leave")
        thread = await joined(server)
        heard = await heard_after(server, thread, "leave", "and then?")
    assert heard == ["hello", "leave", "and then?", "the end"]
    assert server.rows(TEXTS)[0] == ("leave",)


async def test_an_app_does_not_let_it_leave(server: Server) -> None:
    discord = server.discord
    channels = {"bots = false": discord.general, "bots = true": discord.support}
    bindings = (
        bound(server, "mention", "channel", channel, bots) for bots, channel in channels.items()
    )
    async with server.bot("".join([AGENTS, *bindings])):
        for bots, channel in channels.items():
            thread = await joined(server, channel)
            discord.say_as_other_bot(thread, f"{discord.mention} leave")
            heard = await heard_after(server, thread, "and then?")
            assert "and then?" in heard, bots
            assert ("leave" in heard) == (bots == "bots = true"), bots


async def test_it_leaves_by_command(command_server: CommandServer) -> None:
    discord = command_server.discord
    async with command_server.commanded():
        thread = await joined(command_server)
        given = discord.command("agent leave", {}, thread, discord.anna)
        await discord.until(lambda: discord.reply(given) is not None)
        assert await heard_after(command_server, thread, "and then?") == ["hello", "the end"]


async def test_follow_ups_that_were_missed_are_judged_as_if_they_had_been_heard(
    server: Server,
) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        thread = await joined(server)
        await discord.until(lambda: server.cursors() != {})
    for text in ("and then?", f"{discord.mention} leave", "among us"):
        discord.say(thread, discord.anna, text)
    discord.say(thread, discord.anna, f"{discord.mention} back")
    discord.say(thread, discord.anna, "on")
    async with server.bot(AGENTS):
        await discord.until(lambda: ("on",) in server.rows(TEXTS))
    assert server.rows(TEXTS) == [("hello",), ("and then?",), ("back",), ("on",)]
