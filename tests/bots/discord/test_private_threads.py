"""A private thread keeps to itself what its channel and the channel's public threads share."""

from __future__ import annotations

import pytest

from bots.discord.callers import caller_of
from core.address import Readers
from tests.bots.discord.bots import NoInteractions, Server
from tests.bots.discord.commanding import AGENTS, Harbour
from tests.peers.discord.interactions import COMPONENT
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.wire import Json
from tests.peers.endpoint import Stall

CONVERSATIONS = "SELECT address, readers FROM conversation ORDER BY address"


@pytest.fixture
def harbour(server: Server) -> Harbour:
    server.discord.grant(server.discord.anna, "MANAGE_CHANNELS")
    return Harbour(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


@pytest.fixture
def discord(harbour: Harbour) -> DiscordPeer:
    return harbour.discord


def shared_by(discord: DiscordPeer, whom: str) -> str:
    """An agents file: who shares one history in #general."""
    return f"""
    [agents.assistant]
    [[bindings]]
    at = "discord/{discord.guild}/{discord.general}"
    agent = "assistant"
    listen = "all"
    conversation = "{whom}"
    """


def private_thread(discord: DiscordPeer, *, bot: bool = True) -> str:
    """In #general."""
    return discord.add_thread(discord.general, "salaries", discord.anna, is_private=True, bot=bot)


async def test_facts_of_a_private_thread_stand_there_only(
    harbour: Harbour, discord: DiscordPeer
) -> None:
    private = private_thread(discord)
    public = discord.add_thread(discord.general, "plans", discord.anna)
    async with harbour.commanded():
        await harbour.obeyed("remember", channel=private, fact="she gets 9999")
        await harbour.obeyed("remember", channel=public, fact="Ben owns it")
        inside = await harbour.obeyed("facts", channel=private)
        outside = await harbour.obeyed("facts", channel=discord.general)
        assert "knows no fact 1 here" in await harbour.obeyed("forget", number=1)
        assert "remembered here: 1" in await harbour.obeyed("status")
    assert ("9999" in inside, "Ben" in inside) == (True, False)
    assert ("9999" in outside, "Ben" in outside) == (False, True)


@pytest.mark.parametrize("whom", ["channel", "user"])
async def test_a_history_that_others_share_leaves_private_threads_out(
    harbour: Harbour, discord: DiscordPeer, whom: str
) -> None:
    private = private_thread(discord)
    async with harbour.commanded(shared_by(discord, whom)):
        discord.say(private, discord.anna, "she gets 9999")
        await harbour.answered(private)
        discord.say(discord.general, discord.anna, "what does she get?")
        await harbour.answered(discord.general)
        assert "9999" not in str(harbour.endpoint.requests[-1])
        discord.say(private, discord.anna, "what did I say?")
        await harbour.answered(private, 2)
        assert "9999" in str(harbour.endpoint.requests[-1])


async def test_a_channel_tells_nothing_of_answers_in_its_private_threads(
    harbour: Harbour, discord: DiscordPeer
) -> None:
    private = private_thread(discord)
    async with harbour.commanded(shared_by(discord, "channel")):
        first = discord.say(private, discord.anna, "she gets 9999")
        await harbour.answered(private)
        [answer] = harbour.answers(private)
        for named in ("", "1", answer.id):
            assert "no such answer" in await harbour.obeyed("why", answer=named)
        assert "Nothing was said here yet" in await harbour.obeyed("reset")
        harbour.endpoint.script(Stall())
        discord.say(private, discord.anna, "and he?", reply_to=first)
        await harbour.endpoint.arrived(2)
        assert "Being answered: 0" in await harbour.obeyed("status")
        assert "Nothing is being written" in await harbour.obeyed("stop")
        assert "Being answered: 1" in await harbour.obeyed("status", channel=private)
        assert await harbour.obeyed("stop", channel=private) == "Stopped."


@pytest.mark.parametrize("was_in", [False, True])
async def test_in_a_private_thread_without_the_bot_nothing_is_asked(
    harbour: Harbour, discord: DiscordPeer, *, was_in: bool
) -> None:
    private = private_thread(discord, bot=was_in)
    message = discord.say(private, discord.anna, "she gets 9999")
    async with harbour.commanded():
        if was_in:
            discord.leave_thread(private, discord.bot_user)
            await harbour.obeyed("list")  # what came before was heard
        told = await harbour.told(discord.context_menu("Ask an agent", message, discord.anna))
        assert "I may not write here" in told
        assert "I may not write" in await harbour.obeyed("ask", channel=private, question="she?")
    assert harbour.rows(CONVERSATIONS) == []
    assert harbour.endpoint.requests == []


async def test_what_is_caught_up_in_the_archive_stands_where_it_belongs(
    harbour: Harbour, discord: DiscordPeer
) -> None:
    private = private_thread(discord)
    public = discord.add_thread(discord.general, "plans", discord.anna)
    agents = shared_by(discord, "channel")
    async with harbour.commanded(agents):
        for thread in (private, public):
            discord.say(thread, discord.anna, "begin")
            await harbour.answered(thread)
    for thread in (private, public):
        discord.say(thread, discord.anna, "go on")
        discord.archive(thread)
    async with harbour.commanded(agents):
        for thread in (private, public):
            await harbour.answered(thread, 2)
    channel = f"discord/{discord.guild}/{discord.general}"
    assert harbour.rows(CONVERSATIONS) == [
        (channel, "everybody"),
        (f"{channel}/{private}", "thread"),
    ]


@pytest.mark.parametrize("by_command", [False, True])
async def test_who_can_read_is_known_of_every_kind_of_place(
    harbour: Harbour, discord: DiscordPeer, *, by_command: bool
) -> None:
    closed = discord.add_channel("closed")
    discord.make_private(closed, discord.anna)
    places = {
        discord.general: "everybody",
        discord.add_thread(discord.general, "plans", discord.anna): "everybody",
        private_thread(discord): "thread",
        closed: "channel",
        discord.add_thread(closed, "plans", discord.anna): "channel",
        discord.direct(discord.anna): "channel",
    }
    async with harbour.commanded(AGENTS):
        for place in places:
            if by_command:
                await harbour.command("agent ask", channel=place, question="hello?")
            else:
                discord.say(place, discord.anna, f"{discord.mention} hello")
            await harbour.answered(place)
    found = {str(path).rpartition("/")[2]: who for path, who in harbour.rows(CONVERSATIONS)}
    assert found == places


async def test_a_channel_that_the_bot_cannot_see_is_private(server: Server) -> None:
    discord, interactions = server.discord, NoInteractions()
    discord.deny(discord.general, "VIEW_CHANNEL")
    place = discord.backend.world.channels[discord.general]
    pressed = Json(custom_id="good:x", component_type=2)
    async with server.bot(interactions=interactions):
        discord.backend.interactions.send(COMPONENT, place, discord.anna, pressed)
        await discord.until(lambda: interactions.presses)
    caller = caller_of(interactions.presses[0])
    assert caller
    assert caller.place.readers is Readers.CHANNEL
