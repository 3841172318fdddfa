"""The Discord peer takes calls as Discord does, and fails as it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import discord as sdk
import pytest
from aiohttp import ClientError

from tests.peers.discord.interactions import Interaction
from tests.peers.discord.peer import DiscordPeer
from tests.peers_tests.discord_bot import Bot, connected, logged_in, refusal

LOUD = "<@{0}> @everyone"


@pytest.fixture
async def discord() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


@pytest.fixture
async def bot(discord: DiscordPeer) -> AsyncIterator[Bot]:
    async with logged_in(discord) as bot:
        yield bot


async def test_a_message_is_shown_as_it_was_sent_and_edited(discord: DiscordPeer, bot: Bot) -> None:
    sent = await bot.channel(discord.general).send("helo")
    assert not discord.line(str(sent.id)).is_edited
    await sent.edit(content="hello")
    line = discord.line(str(sent.id))
    assert (line.text, line.user, line.is_edited) == ("hello", discord.bot_user, True)
    await sent.delete()
    assert discord.transcript(discord.general) == []


async def test_a_nonce_that_is_enforced_is_one_message_while_it_is_remembered(
    discord: DiscordPeer, bot: Bot
) -> None:
    """discord.py has every nonce enforced."""
    place = bot.channel(discord.general)
    first, again = [await place.send(text, nonce="n1") for text in ("one", "two")]
    assert (again.id, again.content) == (first.id, "one")
    discord.advance(181)
    assert (await place.send("three", nonce="n1")).id != first.id
    assert [line.text for line in discord.transcript(discord.general)] == ["one", "three"]


async def test_a_history_is_read_in_pages_and_from_either_end(
    discord: DiscordPeer, bot: Bot
) -> None:
    ids = [int(discord.say(discord.general, discord.anna, str(n))) for n in range(130)]
    place = bot.channel(discord.general)
    assert [each.id async for each in place.history(limit=None, oldest_first=True)] == ids
    newest = [each.id async for each in place.history(limit=3)]
    assert newest == ids[:-4:-1]
    after = place.history(limit=2, after=sdk.Object(ids[9]), oldest_first=True)
    assert [each.id async for each in after] == ids[10:12]


async def test_who_may_not_read_a_history_is_shown_an_empty_one(
    discord: DiscordPeer, bot: Bot
) -> None:
    message = discord.say(discord.general, discord.anna, "hello")
    discord.deny(discord.general, "READ_MESSAGE_HISTORY")
    place = bot.channel(discord.general)
    assert [each async for each in place.history()] == []
    assert await refusal(place.fetch_message(int(message))) == (403, 50013)
    reply = place.send("hi", reference=place.get_partial_message(int(message)))
    assert await refusal(reply) == (400, 160002)


async def test_what_is_not_allowed_is_refused(discord: DiscordPeer, bot: Bot) -> None:
    message = discord.say(discord.general, discord.anna, "hello")
    place = bot.channel(discord.general)
    assert await refusal(place.get_partial_message(int(message)).edit(content="x")) == (403, 50005)
    assert await refusal(place.send("x" * 2_001)) == (400, 50035)
    assert await refusal(place.send(" ")) == (400, 50006)
    assert await refusal(place.fetch_message(1)) == (404, 10008)
    discord.deny(discord.general, "SEND_MESSAGES")
    assert await refusal(place.send("x")) == (403, 50013)
    discord.deny(discord.general, "VIEW_CHANNEL")
    assert await refusal(place.send("x")) == (403, 50001)
    assert await refusal(bot.channel("1").send("x")) == (404, 10003)
    discord.refuse_direct(discord.anna)
    assert await refusal(bot.channel(discord.direct(discord.anna)).send("x")) == (403, 50007)


async def test_who_is_pinged_depends_on_what_is_allowed(discord: DiscordPeer, bot: Bot) -> None:
    discord.grant_bot("MENTION_EVERYONE")
    loud, place = LOUD.format(discord.ben), bot.channel(discord.general)
    nobody, users = sdk.AllowedMentions.none(), sdk.AllowedMentions(everyone=False)
    sent = [
        await place.send(loud),
        await place.send(loud, allowed_mentions=nobody),
        await place.send(loud, allowed_mentions=users),
        await place.send(f"`{loud}`"),
    ]
    pings = [discord.line(str(each.id)).pings for each in sent]
    assert pings == [("everyone", discord.ben), (), (discord.ben,), ()]


async def test_only_who_may_can_ping_everyone(discord: DiscordPeer, bot: Bot) -> None:
    discord.revoke_bot("MENTION_EVERYONE")
    sent = await bot.channel(discord.general).send("@everyone")
    assert discord.line(str(sent.id)).pings == ()


@pytest.mark.parametrize(("trouble", "texts"), [("status", []), ("status_after_commit", ["hi"])])
async def test_an_error_comes_before_the_effect_or_after_it(
    discord: DiscordPeer, bot: Bot, trouble: str, texts: list[str]
) -> None:
    discord.fault("messages.create", trouble, times=1, status=409)
    assert (await refusal(bot.channel(discord.general).send("hi")))[0] == 409
    assert [line.text for line in discord.transcript(discord.general)] == texts


@pytest.mark.parametrize(
    ("trouble", "texts"), [("drop_before_commit", []), ("drop_after_commit", ["hi"])]
)
async def test_a_line_is_cut_before_the_effect_or_after_it(
    discord: DiscordPeer, bot: Bot, trouble: str, texts: list[str]
) -> None:
    discord.fault("messages.create", trouble)
    with pytest.raises(ClientError):
        await bot.channel(discord.general).send("hi")
    assert [line.text for line in discord.transcript(discord.general)] == texts
    assert {call.status for call in discord.calls("messages.create")} == {0}


async def test_a_limit_is_waited_out_by_the_sdk(discord: DiscordPeer, bot: Bot) -> None:
    discord.fault("messages.create", "ratelimited", times=1, retry_after=0.05)
    await bot.channel(discord.general).send("hi")
    assert [call.status for call in discord.calls("messages.create")] == [429, 200]
    assert [line.text for line in discord.transcript(discord.general)] == ["hi"]


async def test_a_fault_strikes_as_often_as_it_is_told_and_can_be_taken_back(
    discord: DiscordPeer, bot: Bot
) -> None:
    place = bot.channel(discord.general)
    discord.fault("messages.create", "error", status=400, code=1, skip=1)
    await place.send("one")
    assert await refusal(place.send("two")) == (400, 1)
    assert await refusal(place.send("three")) == (400, 1)
    discord.clear_faults()
    await place.send("four")
    assert [line.text for line in discord.transcript(discord.general)] == ["one", "four"]
    with pytest.raises(LookupError, match="no label"):
        discord.fault("message.create", "status")


async def press(discord: DiscordPeer, bot: Bot) -> tuple[Interaction, sdk.Interaction]:
    """A press of a button by ben: as the peer has it, and as the bot is told."""
    view = sdk.ui.View(timeout=None)
    view.add_item(sdk.ui.Button(label="Go", custom_id="go"))
    sent = await bot.channel(discord.general).send("ready?", view=view)
    pressed = discord.press(str(sent.id), "Go", discord.ben)
    await discord.until(lambda: bot.pressed)
    return pressed, bot.pressed[0]


async def test_a_press_is_answered_once(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        pressed, told = await press(discord, bot)
        await told.response.send_message("on it", ephemeral=True)
        path = f"/interactions/{told.id}/{told.token}/callback"
        again = bot.http.request(sdk.http.Route("POST", path), json={"type": 6})
        assert await refusal(again) == (400, 40060)
    line = discord.reply(pressed)
    assert line
    assert (line.text, line.for_user) == ("on it", discord.ben)
    assert not discord.has_failed(pressed)


async def test_a_press_that_is_answered_too_late_has_failed(discord: DiscordPeer) -> None:
    async with connected(discord) as bot:
        pressed, told = await press(discord, bot)
        discord.advance(3.1)
        assert discord.has_failed(pressed)
        assert await refusal(told.response.send_message("late")) == (404, 10062)


async def test_an_answer_that_was_put_off_can_be_given_for_fifteen_minutes(
    discord: DiscordPeer,
) -> None:
    async with connected(discord) as bot:
        pressed, told = await press(discord, bot)
        await told.response.defer(thinking=True)
        thinking = discord.reply(pressed)
        assert thinking
        assert thinking.is_thinking
        await told.edit_original_response(content="done")
        line = discord.reply(pressed)
        assert line
        assert (line.text, line.is_thinking, line.is_edited) == ("done", False, False)
        discord.advance(901)
        assert await refusal(told.edit_original_response(content="late")) == (401, 50027)
