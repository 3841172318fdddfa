"""A private thread keeps to itself what its channel and the channel's public threads share."""

from __future__ import annotations

import pytest

from bots.discord.commands import caller_of
from core.address import Readers
from tests.bots.discord.command_server import AGENTS, CommandServer
from tests.bots.discord.server import NoInteractions, Server
from tests.peers.discord.interactions import COMPONENT
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.wire import Json
from tests.peers.endpoint import Reply, Stall

CONVERSATIONS = "SELECT address, readers FROM conversation ORDER BY address"


@pytest.fixture
def command_server(server: Server) -> CommandServer:
    server.discord.grant(server.discord.anna, "MANAGE_CHANNELS")
    return CommandServer(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


@pytest.fixture
def discord(command_server: CommandServer) -> DiscordPeer:
    return command_server.discord


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
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    private = private_thread(discord)
    public = discord.add_thread(discord.general, "plans", discord.anna)
    async with command_server.commanded():
        await command_server.agent_command("remember", channel=private, fact="she gets quetzal")
        await command_server.agent_command("remember", channel=public, fact="Ben owns it")
        inside = await command_server.agent_command("facts", channel=private)
        outside = await command_server.agent_command("facts", channel=discord.general)
        assert "knows no fact 1 here" in await command_server.agent_command("forget", number=1)
        assert "remembered here: 1" in await command_server.agent_command("status")
    assert ("quetzal" in inside, "Ben" in inside) == (True, False)
    assert ("quetzal" in outside, "Ben" in outside) == (False, True)


@pytest.mark.parametrize("whom", ["channel", "user"])
async def test_a_history_that_others_share_leaves_private_threads_out(
    command_server: CommandServer, discord: DiscordPeer, whom: str
) -> None:
    private = private_thread(discord)
    async with command_server.commanded(shared_by(discord, whom)):
        discord.say(private, discord.anna, "she gets quetzal")
        await command_server.answered(private)
        discord.say(discord.general, discord.anna, "what does she get?")
        await command_server.answered(discord.general)
        assert "quetzal" not in str(command_server.endpoint.requests[-1])
        discord.say(private, discord.anna, "what did I say?")
        await command_server.answered(private, 2)
        assert "quetzal" in str(command_server.endpoint.requests[-1])


async def test_what_is_carried_in_a_private_thread_stays_there(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    private = private_thread(discord)
    direct = discord.direct(discord.anna)
    command_server.endpoint.script(Reply(text="Fine."))
    async with command_server.commanded():
        bens = discord.say(private, discord.ben, "she gets quetzal")
        discord.say(private, discord.anna, f"{discord.mention} well?", reply_to=bens)
        await command_server.answered(private)
        [inside] = command_server.endpoint.requests
        discord.say(discord.general, discord.anna, f"{discord.mention} what does she get?")
        await command_server.answered(discord.general)
        discord.say(direct, discord.anna, "what does she get?")
        await command_server.answered(direct)
    assert str(inside).count("quetzal") == 2  # in the thread so far, and as what it replies to
    assert "quetzal" not in str(command_server.endpoint.requests[1:])


async def test_a_channel_tells_nothing_of_answers_in_its_private_threads(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    private = private_thread(discord)
    async with command_server.commanded(shared_by(discord, "channel")):
        first = discord.say(private, discord.anna, "she gets quetzal")
        await command_server.answered(private)
        [answer] = command_server.answers(private)
        for named in ("", "1", answer.id):
            assert "no such answer" in await command_server.agent_command("why", answer=named)
        assert "Nothing was said here yet" in await command_server.agent_command("reset")
        command_server.endpoint.script(Stall())
        discord.say(private, discord.anna, "and he?", reply_to=first)
        await command_server.endpoint.arrived(2)
        assert "Being answered: 0" in await command_server.agent_command("status")
        assert "Nothing is being written" in await command_server.agent_command("stop")
        assert "Being answered: 1" in await command_server.agent_command("status", channel=private)
        assert await command_server.agent_command("stop", channel=private) == "Stopped."


@pytest.mark.parametrize("was_in", [False, True])
async def test_in_a_private_thread_without_the_bot_nothing_is_asked(
    command_server: CommandServer, discord: DiscordPeer, *, was_in: bool
) -> None:
    private = private_thread(discord, bot=was_in)
    message = discord.say(private, discord.anna, "she gets quetzal")
    async with command_server.commanded():
        if was_in:
            discord.leave_thread(private, discord.bot_user)
            await command_server.agent_command("list")  # what came before was heard
        told = await command_server.told(
            discord.context_menu("Ask an agent", message, discord.anna)
        )
        assert "I may not write here" in told
        assert "I may not write" in await command_server.agent_command(
            "ask", channel=private, question="she?"
        )
    assert command_server.rows(CONVERSATIONS) == []
    assert command_server.endpoint.requests == []


async def test_what_is_caught_up_in_the_archive_stands_where_it_belongs(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    private = private_thread(discord)
    public = discord.add_thread(discord.general, "plans", discord.anna)
    agents = shared_by(discord, "channel")
    async with command_server.commanded(agents):
        for thread in (private, public):
            discord.say(thread, discord.anna, "begin")
            await command_server.answered(thread)
    for thread in (private, public):
        discord.say(thread, discord.anna, "go on")
        discord.archive(thread)
    async with command_server.commanded(agents):
        for thread in (private, public):
            await command_server.answered(thread, 2)
    channel = f"discord/{discord.guild}/{discord.general}"
    assert command_server.rows(CONVERSATIONS) == [
        (channel, "everybody"),
        (f"{channel}/{private}", "thread"),
    ]


@pytest.mark.parametrize("by_command", [False, True])
async def test_who_can_read_is_known_of_every_kind_of_place(
    command_server: CommandServer, discord: DiscordPeer, *, by_command: bool
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
    async with command_server.commanded(AGENTS):
        for place in places:
            if by_command:
                await command_server.command("agent ask", channel=place, question="hello?")
            else:
                discord.say(place, discord.anna, f"{discord.mention} hello")
            await command_server.answered(place)
    found = {str(path).rpartition("/")[2]: who for path, who in command_server.rows(CONVERSATIONS)}
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
