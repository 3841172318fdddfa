"""The Discord peer tells what happens as Discord does: seen by the real discord.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

import discord as sdk
import pytest

from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.wire import Json
from tests.peers_tests.discord_bot import INTENTS, Bot, connected, ending, refusal


@pytest.fixture
async def discord() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


async def test_a_message_is_told_with_who_said_it_and_where(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        message = discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await discord.until(lambda: bot.said)
    [heard] = bot.said
    assert (str(heard.id), heard.content) == (message, f"{discord.mention} hello")
    assert (heard.author.name, str(heard.channel.id)) == ("anna", discord.general)
    assert heard.guild
    assert str(heard.guild.id) == discord.guild
    assert [str(user.id) for user in heard.mentions] == [discord.bot_user]


async def test_the_servers_and_channels_are_known_when_it_is_ready(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        [guild] = bot.guilds
        assert {channel.name for channel in guild.text_channels} == {"general", "support"}
        assert guild.me.joined_at


async def test_a_direct_message_stands_in_no_server(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        discord.dm(discord.anna, "hello")
        await discord.until(lambda: bot.said)
    assert (bot.said[0].guild, bot.texts) == (None, ["hello"])


async def test_a_reply_names_what_it_answers(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        first = discord.say(discord.general, discord.anna, "one")
        discord.say(discord.general, discord.ben, "two", reply_to=first)
        await discord.until(lambda: len(bot.said) == 2)
    reference = bot.said[1].reference
    assert reference
    assert str(reference.message_id) == first


async def test_edits_and_deletions_are_told(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        first, second, third = [
            discord.say(discord.general, discord.anna, text) for text in ("helo", "two", "three")
        ]
        discord.edit(first, "hello")
        discord.delete(first)
        discord.delete(second, third)
        await discord.until(lambda: len(bot.deleted) == 3)
    assert [edit.message.content for edit in bot.edits] == ["hello"]
    assert bot.deleted == [int(first), int(second), int(third)]
    assert discord.transcript(discord.general) == []


async def test_what_the_bot_says_is_told_to_it_too(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        sent = await bot.channel(discord.general).send("hi", nonce="n1")
        await discord.until(lambda: bot.said)
    assert (bot.said[0].id, bot.said[0].nonce) == (sent.id, "n1")


async def test_a_channel_that_it_may_not_see_is_silent(discord: DiscordPeer) -> None:
    discord.deny(discord.support, "VIEW_CHANNEL")
    async with connected(discord) as bot:
        discord.say(discord.support, discord.anna, "a secret")
        discord.say(discord.general, discord.anna, "hello")
        await discord.until(lambda: bot.said)
        assert [channel.name for channel in bot.guilds[0].text_channels] == ["general"]
    assert bot.texts == ["hello"]


async def test_without_message_content_only_mentions_and_direct_messages_have_words(
    discord: DiscordPeer,
) -> None:
    discord.message_content = False
    intents = sdk.Intents(guilds=True, guild_messages=True, dm_messages=True)
    async with connected(discord, intents=intents) as bot:
        discord.say(discord.general, discord.anna, "just talking")
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        discord.dm(discord.anna, "in private")
        await discord.until(lambda: len(bot.said) == 3)
    assert bot.texts == ["", f"{discord.mention} hello", "in private"]


async def test_an_intent_that_is_not_switched_on_is_refused(discord: DiscordPeer) -> None:
    discord.message_content = False
    assert isinstance(await ending(discord, Bot(intents=INTENTS)), sdk.PrivilegedIntentsRequired)


async def test_a_token_that_was_reset_is_refused(discord: DiscordPeer) -> None:
    old = discord.token
    async with connected(discord) as bot:
        discord.spoil_token()
        assert await refusal(bot.channel(discord.general).send("hi")) == (401, 0)
    assert isinstance(await ending(discord, Bot(), token=old), sdk.LoginFailure)


async def test_a_line_that_was_cut_is_resumed_and_nothing_is_missed(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        await discord.kick("abort")
        discord.say(discord.general, discord.anna, "meanwhile")
        await discord.until(lambda: bot.said, within=60)
    assert bot.texts == ["meanwhile"]
    assert (discord.identifies, discord.resumes) == (1, 1)


async def test_a_session_that_was_forgotten_begins_anew_and_misses_what_was_said(
    discord: DiscordPeer,
) -> None:
    async with connected(discord) as bot:
        discord.forget_sessions()
        discord.say(discord.general, discord.anna, "missed")
        await discord.kick("abort")
        await discord.until(lambda: discord.identifies == 2 and discord.sessions, within=60)
        discord.say(discord.general, discord.anna, "heard")
        await discord.until(lambda: bot.said)
    assert bot.texts == ["heard"]


async def test_events_can_be_doubled(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        discord.disturb(duplicate=1.0)
        discord.say(discord.general, discord.anna, "hello")
        await discord.until(lambda: bot.texts == ["hello", "hello"])


async def test_a_server_that_the_bot_is_thrown_out_of_is_gone(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        pier = discord.add_guild("Pier")
        await discord.until(lambda: len(bot.guilds) == 2)
        discord.remove_guild(pier)
        await discord.until(lambda: bot.gone)
    assert bot.gone == [int(pier)]


async def test_who_comes_back_to_a_server_has_joined_it_now(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        before = bot.guilds[0].me.joined_at
        discord.advance(3600)
        discord.rejoin(discord.guild)
        await discord.until(lambda: bot.gone and bot.guilds)
        after = bot.guilds[0].me.joined_at
    assert before
    assert after
    assert (after - before).total_seconds() >= 3600


async def test_a_thread_is_told_and_what_is_said_in_it(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        message = discord.say(discord.general, discord.anna, "a plan")
        thread = discord.open_thread(message, "plan", discord.anna)
        discord.say(thread, discord.ben, "good")
        await discord.until(lambda: "good" in bot.texts)
        found = bot.get_channel(int(thread))
    assert thread == message
    assert isinstance(found, sdk.Thread)
    assert str(found.parent_id) == discord.general


async def test_a_private_channel_is_hidden_from_everybody_but_its_people(
    discord: DiscordPeer,
) -> None:
    discord.make_private(discord.general, discord.anna)
    async with connected(discord) as bot:
        [guild] = bot.guilds
        channel = guild.get_channel(int(discord.general))
        assert channel
        assert not channel.permissions_for(guild.default_role).view_channel
        assert channel.permissions_for(guild.me).view_channel
    world = discord.backend.world
    place = world.channels[discord.general]
    assert world.permissions(place, discord.anna)
    assert not world.permissions(place, discord.ben)


async def test_who_left_a_private_thread_hears_nothing_of_it(discord: DiscordPeer) -> None:
    thread = discord.add_thread(discord.general, "salaries", discord.anna, is_private=True)
    async with connected(discord) as bot:
        known = bot.guilds[0].get_thread(int(thread))
        assert known
        assert known.me
        discord.say(thread, discord.anna, "before")
        discord.leave_thread(thread, discord.bot_user)
        discord.say(thread, discord.anna, "after")
        discord.say(discord.general, discord.anna, "outside")
        await discord.until(lambda: "outside" in bot.texts)
    assert bot.texts == ["before", "outside"]


async def test_an_interaction_does_not_tell_who_may_see_the_channel(
    discord: DiscordPeer,
) -> None:
    discord.make_private(discord.general, discord.anna)
    thread = discord.add_thread(
        discord.general, "salaries", discord.anna, is_private=True, bot=False
    )
    async with connected(discord) as bot:
        place = discord.backend.world.channels[thread]
        discord.backend.interactions.send(
            3, place, discord.anna, Json(custom_id="x", component_type=2)
        )
        await discord.until(lambda: bot.pressed)
    [interaction] = bot.pressed
    assert isinstance(interaction.channel, sdk.Thread)
    assert interaction.channel.is_private()
    assert interaction.app_permissions.send_messages_in_threads
