"""What a message refers to is shown: what it replies to, and what was said in its thread."""

from __future__ import annotations

from tests.bots.discord.server import Server
from tests.peers.discord.wire import Json
from tests.peers.discord.world import Message

AGENTS = "[agents.assistant]\n"
CRANE = "La grue est en panne"


async def shown(server: Server, channel: str, count: int = 1) -> list[str]:
    """What people say in the newest prompt, once there are so many answers."""
    await server.answered(channel, count)
    messages = server.endpoint.requests[-1]["messages"]
    return [str(each["content"]) for each in messages if each["role"] == "user"]


async def test_what_somebody_said_is_quoted_for_this_answer_alone(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        bens = discord.say(discord.general, discord.ben, f"{CRANE}\nvraiment")
        discord.say(
            discord.general, discord.anna, f"{discord.mention} translate this", reply_to=bens
        )
        [first] = await shown(server, discord.general)
        discord.say(discord.general, discord.anna, f"{discord.mention} thanks")
        then = await shown(server, discord.general, 2)
    heading = "[a reply to Ben, who said this; quoted, not asked of you:]"
    assert first == f"{heading}\n> {CRANE}\n> vraiment\n\ntranslate this"
    assert CRANE not in str(then)
    assert server.rows("SELECT text FROM message WHERE role = 'user' ORDER BY seq") == [
        ("translate this",),
        ("thanks",),
    ]


async def test_a_bare_mention_that_replies_carries_it_too(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        bens = discord.say(discord.general, discord.ben, CRANE, attachments={"a.txt": b"abc"})
        discord.say(discord.general, discord.anna, discord.mention, reply_to=bens, ping=False)
        [seen] = await shown(server, discord.general)
    assert f"> {CRANE}\n> [file: a.txt]\n\n[a mention without words]" in seen


async def test_what_an_app_said_is_quoted_with_its_embeds(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        beep = discord.say_as_other_bot(discord.general, "")
        discord.unfurl(beep, "Build failed")
        discord.say(discord.general, discord.anna, f"{discord.mention} why?", reply_to=beep)
        [seen] = await shown(server, discord.general)
    assert "> Build failed\n\nwhy?" in seen


async def test_a_reply_to_a_message_that_is_gone_says_so(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        bens = discord.say(discord.general, discord.ben, CRANE)
        discord.delete(bens)
        discord.say(discord.general, discord.anna, f"{discord.mention} why?", reply_to=bens)
        [seen] = await shown(server, discord.general)
    assert seen == "[a reply to a message that is gone]\n\nwhy?"


async def test_whoever_may_not_ask_is_not_quoted(server: Server) -> None:
    discord = server.discord
    agents = f'{AGENTS}[access]\ndeny = ["discord/{discord.ben}"]\n'
    async with server.bot(agents):
        bens = discord.say(discord.general, discord.ben, CRANE)
        discord.say(discord.general, discord.anna, f"{discord.mention} why?", reply_to=bens)
        assert await shown(server, discord.general) == ["why?"]


async def test_a_reply_to_the_bot_repeats_nothing(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await server.answered(discord.general)
        answer = server.answers(discord.general)[0].id
        discord.say(discord.general, discord.anna, "and?", reply_to=answer)
        assert (await shown(server, discord.general, 2))[-1] == "and?"


async def test_a_long_one_is_cut(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        embed = Json(type="rich", title="x" * 3_000)
        shape = Json(type=0, content="y" * 4_000, embeds=[embed], attachments=[], flags=0)
        shape.update(timestamp="2026-11-01T00:00:00+00:00", edited_timestamp=None)
        more = Json(message_snapshots=[Json(message=shape)])
        bens = discord.say(discord.general, discord.ben, "", more=more)
        discord.say(discord.general, discord.anna, f"{discord.mention} what?", reply_to=bens)
        [seen] = await shown(server, discord.general)
    assert len(seen) < 4_200
    assert "characters left out" in seen


async def test_a_mention_in_the_middle_of_a_thread_carries_it(server: Server) -> None:
    discord = server.discord
    async with server.bot(f'{AGENTS}[access]\ndeny = ["discord/4004"]\n'):
        plan = discord.say(discord.general, discord.ben, "a plan")
        thread = discord.open_thread(plan, "plan", discord.ben)
        discord.say(thread, discord.ben, CRANE)
        discord.say_as_other_bot(thread, "alarm 7")
        discord.say(thread, discord.anna, f"{discord.mention} summarise this thread")
        [first] = await shown(server, thread)
        discord.say(thread, discord.anna, f"<@{discord.ben}> can you?")
        discord.say(thread, discord.ben, "at six")
        discord.say(thread, discord.anna, f"{discord.mention} when?")
        then = (await shown(server, thread, 2))[-1]
    heading = "[said in this thread before; quoted, not asked of you:]"
    assert first == (
        f"{heading}\n> Ben: a plan\n> Ben: {CRANE}\n> otherbot: alarm 7\n\nsummarise this thread"
    )
    assert then == f"{heading}\n> Anna: @Ben can you?\n> Ben: at six\n\nwhen?"


async def test_of_a_thread_without_end_the_newest_are_read_in_one_call(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        plan = discord.say(discord.general, discord.ben, "a plan")
        thread = discord.open_thread(plan, "plan", discord.ben)
        place = discord.backend.world.channels[thread]
        for number in range(10_000):
            said = Message(
                id=discord.backend.clock.snowflake(),
                channel=thread,
                author=discord.ben,
                content=f"no {number:05}",
            )
            place.messages[said.id] = said
        before = len(discord.calls("messages.list"))
        discord.say(thread, discord.anna, f"{discord.mention} well?")
        await discord.until(lambda: server.endpoint.requests)
        asked = len(discord.calls("messages.list")) - before
    seen = str(server.endpoint.requests[0]["messages"][-1]["content"])
    last = "\n".join(f"> Ben: no {number:05}" for number in range(9_900, 10_000))
    assert seen.endswith(f"{last}\n\nwell?")
    assert asked == 1


async def test_the_message_that_a_thread_was_opened_from_is_carried_whoever_wrote_it(
    server: Server,
) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await server.answered(discord.general)
        answer = server.answers(discord.general)[0].id
        thread = discord.open_thread(answer, "plan", discord.ben)
        discord.say(thread, discord.anna, f"{discord.mention} what is this?")
        [ours] = await shown(server, thread)
        plan = discord.say(discord.support, discord.ben, "", attachments={"a.txt": b"abc"})
        thread = discord.open_thread(plan, "file", discord.ben)
        discord.say(thread, discord.anna, f"{discord.mention} well?")
        [file] = await shown(server, thread)
        gone = discord.say(discord.support, discord.ben, "never mind")
        thread = discord.open_thread(gone, "gone", discord.ben)
        discord.delete(gone)
        discord.say(thread, discord.anna, f"{discord.mention} and?")
        [nothing] = await shown(server, thread)
    heading = "[said in this thread before; quoted, not asked of you:]"
    assert ours.startswith(f"{heading}\n> agentbot: You said: hello")
    assert file == f"{heading}\n> Ben: [file: a.txt]\n\nwell?"
    assert nothing == "and?"


async def test_whoever_may_not_ask_is_left_out_of_a_thread(server: Server) -> None:
    discord = server.discord
    async with server.bot(f'{AGENTS}[access]\ndeny = ["discord/{discord.ben}"]\n'):
        plan = discord.say(discord.general, discord.ben, "a plan")
        thread = discord.open_thread(plan, "plan", discord.anna)
        discord.say(thread, discord.ben, CRANE)
        discord.say(thread, discord.anna, "since when?")
        discord.say(thread, discord.anna, f"{discord.mention} well?")
        [seen] = await shown(server, thread)
    assert (
        seen
        == "[said in this thread before; quoted, not asked of you:]\n> Anna: since when?\n\nwell?"
    )


async def test_a_first_mention_in_a_channel_carries_the_last_few_messages(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        for number in range(12):
            discord.say(discord.general, discord.ben, f"crane {number}")
        discord.say_as_other_bot(discord.general, "alarm 7")
        discord.say(discord.general, discord.anna, f"{discord.mention} what about it?")
        [first] = await shown(server, discord.general)
        discord.say(discord.general, discord.anna, f"{discord.mention} thanks")
        then = await shown(server, discord.general, 2)
    said = "\n".join(f"> Ben: crane {number}" for number in range(3, 12))
    heading = "[said in this channel before; quoted, not asked of you:]"
    assert first == f"{heading}\n{said}\n> otherbot: alarm 7\n\nwhat about it?"
    assert "crane" not in str(then)


async def test_a_first_direct_message_reads_nothing(server: Server) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        place = discord.direct(discord.anna)
        discord.say(place, discord.anna, "hello")
        assert await shown(server, place) == ["hello"]
