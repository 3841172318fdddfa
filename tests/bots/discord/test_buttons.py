"""The buttons below answers, by whichever process and whenever they are pressed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import discord as sdk
import pytest

from bots.discord.responses import defer, edit_response, respond
from tests.bots.discord.command_server import CommandServer
from tests.bots.discord.server import NoInteractions, Server
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.transcript import Line
from tests.peers.endpoint import Reply

GOOD, BAD, AGAIN, STOP = "good", "bad", "Again", "Stop"


@pytest.fixture
def command_server(server: Server) -> CommandServer:
    return CommandServer(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


@pytest.fixture
def discord(command_server: CommandServer) -> DiscordPeer:
    return command_server.discord


async def answered(command_server: CommandServer) -> Line:
    """The answer to a question of anna's, by a bot that runs no more."""
    async with command_server.commanded():
        return await asked(command_server)


async def asked(command_server: CommandServer) -> Line:
    """The answer to a question of anna's, by the bot that runs."""
    discord = command_server.discord
    discord.say(discord.general, discord.anna, f"{discord.mention} what is new?")
    await command_server.answered(discord.general)
    return command_server.answers(discord.general)[-1]


def button(discord: DiscordPeer, answer: Line, action: str) -> str:
    """The custom id of a button that has no label."""
    rows = discord.backend.world.message_anywhere(answer.id).components
    ids = [str(each["custom_id"]) for row in rows for each in row["components"]]
    return next(each for each in ids if each.startswith(action))


async def growing(command_server: CommandServer) -> Line:
    """An answer that is being written, in a bot that is running."""
    discord = command_server.discord

    def found() -> list[Line]:
        return [line for line in discord.transcript(discord.general) if STOP in line.buttons]

    await discord.until(found)
    return found()[0]


async def test_an_opinion_is_kept_after_a_restart_and_can_be_changed(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    answer = await answered(command_server)
    discord.advance(30 * 24 * 3600)
    async with command_server.commanded():
        for action in (GOOD, BAD):
            press = await command_server.pressed(
                answer.id, button(discord, answer, action), discord.ben
            )
            assert await command_server.told(press) == "Thank you, noted."
    person = f"discord/{discord.guild}/{discord.ben}"
    assert command_server.rows("SELECT person, is_good FROM feedback") == [(person, 0)]


async def test_an_answer_is_asked_for_again_after_a_restart(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    answer = await answered(command_server)
    async with command_server.commanded():
        press = await command_server.pressed(answer.id, AGAIN, discord.ben)
        await command_server.answered(discord.general, 2)
        assert await command_server.told(press) == "Asking again …"
    first, second = command_server.answers(discord.general)
    assert second.reply_to == first.reply_to
    assert second.text == "You said: Ben: what is new?"  # several have spoken here now
    key = f"discord/{discord.guild}/{discord.general}/cmd/{press.id}"
    assert command_server.rows("SELECT key, author FROM inbox ORDER BY id DESC LIMIT 1") == [
        (key, "Ben")
    ]


async def test_an_answer_is_stopped(command_server: CommandServer, discord: DiscordPeer) -> None:
    command_server.endpoint.script(Reply(text="on and on " * 2_000, size=5, pause=0.05))
    async with command_server.commanded():
        await command_server.command("agent ask", question="tell me everything")
        answer = await growing(command_server)
        press = await command_server.pressed(answer.id, STOP, discord.ben)
        await discord.until(
            lambda: command_server.rows("SELECT 1 FROM turn WHERE state = 'stopped'")
        )
    assert press.followups == []
    assert press.response == answer.id


async def test_an_answer_whose_growing_message_is_deleted_is_posted_when_it_has_ended(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    command_server.endpoint.script(Reply(text="on and on " * 90, size=5, pause=0.05))
    async with command_server.commanded():
        await command_server.command("agent ask", question="tell me everything")
        answer = await growing(command_server)
        discord.delete(answer.id)
        command_server.endpoint.hurried.set()
        [text] = await command_server.answered(discord.general)
    assert text.split() == ["on", "and", "on"] * 90


async def test_an_answer_is_stopped_after_a_restart(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    command_server.endpoint.script(*[Reply(text="on and on " * 2_000, size=5, pause=0.05)] * 2)
    async with command_server.commanded():
        await command_server.command("agent ask", question="tell me everything")
        answer = await growing(command_server)
    async with command_server.commanded():
        await command_server.endpoint.arrived(2)
        await command_server.pressed(answer.id, STOP, discord.ben)
        await discord.until(
            lambda: command_server.rows("SELECT 1 FROM turn WHERE state = 'stopped'")
        )


async def test_what_has_ended_cannot_be_stopped(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        answer = await asked(command_server)
        rows = discord.backend.world.message_anywhere(answer.id).components
        stop = button(discord, answer, GOOD).replace(GOOD, "stop")
        rows[0]["components"][0]["custom_id"] = stop
        press = await command_server.pressed(answer.id, stop)
        assert await command_server.told(press) == "This answer is not being written any more."


async def test_a_button_that_nobody_knows_says_so(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        answer = await asked(command_server)
        rows = discord.backend.world.message_anywhere(answer.id).components
        for unknown in ("something else", "good:unknown", "again:unknown", "good:"):
            rows[0]["components"][0]["custom_id"] = unknown
            press = await command_server.pressed(answer.id, unknown)
            assert "no longer active" in await command_server.told(press), unknown


async def test_a_press_that_two_processes_get_asks_once(
    command_server: CommandServer, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    async with command_server.commanded(connections=2):
        answer = await asked(command_server)
        caplog.clear()
        await command_server.pressed(answer.id, AGAIN)
        await discord.until(lambda: len(discord.calls("interactions.callback")) == 2)
        await command_server.answered(discord.general, 2)
        assert [record for record in caplog.records if record.levelname != "INFO"] == []
    assert command_server.rows("SELECT count(*) FROM inbox") == [(2,)]


async def test_a_press_that_is_not_stored_says_so(command_server: CommandServer) -> None:
    answer = await answered(command_server)
    async with (
        command_server.commanded(database_url=command_server.impatient, works=False),
        command_server.locked(),
    ):
        press = await command_server.pressed(answer.id, AGAIN)
        assert "could not store" in await command_server.told(press)
    assert command_server.rows("SELECT count(*) FROM inbox") == [(1,)]


class Loud(NoInteractions):
    """Answers presses in its own way."""

    def __init__(self, answer: Callable[[sdk.Interaction], Awaitable[object]]) -> None:
        super().__init__()
        self._answer = answer

    async def pressed(self, interaction: sdk.Interaction) -> None:
        await self._answer(interaction)


async def answered_by(
    command_server: CommandServer,
    answer: Callable[[sdk.Interaction], Awaitable[object]],
    presses: int = 1,
) -> list[Line | None]:
    """What is seen of the answers to so many presses."""
    peer = command_server.discord
    peer.grant_bot("MENTION_EVERYONE")
    async with command_server.bot(interactions=Loud(answer)):
        below = await asked(command_server)
        pressed = [await command_server.pressed(below.id, AGAIN) for _ in range(presses)]
        for press in pressed:
            await command_server.told(press)
    return [peer.reply(press) for press in pressed]


async def test_an_answer_to_a_press_pings_nobody_of_itself(command_server: CommandServer) -> None:
    loud = f"<@{command_server.discord.ben}> @everyone"
    [line] = await answered_by(
        command_server, lambda press: press.response.send_message(loud, ephemeral=True)
    )
    assert line
    assert (line.text, line.pings) == (loud, ())


async def test_what_is_told_pings_nobody_whatever_the_client_allows(
    command_server: CommandServer,
) -> None:
    """Whether it is told at once or late."""
    loud, ways = f"<@{command_server.discord.ben}> @everyone", iter(("late", "at once"))

    async def answer(press: sdk.Interaction) -> None:
        press.client.allowed_mentions = sdk.AllowedMentions.all()
        if next(ways) == "late":
            await defer(press)
            await edit_response(press, loud)
        else:
            await respond(press, loud)

    late, at_once = await answered_by(command_server, answer, presses=2)
    assert late
    assert at_once
    assert (late.text, late.pings, at_once.text, at_once.pings) == (loud, (), loud, ())
