"""The buttons below answers, by whichever process and whenever they are pressed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import discord as sdk
import pytest

from bots.discord.responses import follow, take, tell
from tests.bots.discord.bots import NoInteractions, Server
from tests.bots.discord.commanding import Harbour
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.transcript import Line
from tests.peers.endpoint import Reply

GOOD, BAD, AGAIN, STOP = "good", "bad", "Again", "Stop"


@pytest.fixture
def harbour(server: Server) -> Harbour:
    return Harbour(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


@pytest.fixture
def discord(harbour: Harbour) -> DiscordPeer:
    return harbour.discord


async def answered(harbour: Harbour) -> Line:
    """The answer to a question of anna's."""
    async with harbour.commanded():
        harbour.discord.say(
            harbour.discord.general, harbour.discord.anna, f"{harbour.discord.mention} what is new?"
        )
        await harbour.answered(harbour.discord.general)
    return harbour.answers(harbour.discord.general)[-1]


def button(discord: DiscordPeer, answer: Line, action: str) -> str:
    """The custom id of a button that has no label."""
    rows = discord.backend.world.message_anywhere(answer.id).components
    ids = [str(each["custom_id"]) for row in rows for each in row["components"]]
    return next(each for each in ids if each.startswith(action))


async def growing(harbour: Harbour) -> Line:
    """An answer that is being written, in a bot that is running."""
    discord = harbour.discord

    def found() -> list[Line]:
        return [line for line in discord.transcript(discord.general) if STOP in line.buttons]

    await discord.until(found)
    return found()[0]


async def test_an_opinion_is_kept_after_a_restart_and_can_be_changed(
    harbour: Harbour, discord: DiscordPeer
) -> None:
    answer = await answered(harbour)
    discord.advance(30 * 24 * 3600)
    async with harbour.commanded():
        for action in (GOOD, BAD):
            press = await harbour.pressed(answer.id, button(discord, answer, action), discord.ben)
            assert await harbour.told(press) == "Thank you, noted."
    person = f"discord/{discord.guild}/{discord.ben}"
    assert harbour.rows("SELECT person, is_good FROM feedback") == [(person, 0)]


async def test_an_answer_is_asked_for_again_after_a_restart(
    harbour: Harbour, discord: DiscordPeer
) -> None:
    answer = await answered(harbour)
    async with harbour.commanded():
        press = await harbour.pressed(answer.id, AGAIN, discord.ben)
        await harbour.answered(discord.general, 2)
        assert await harbour.told(press) == "Asking again …"
    first, second = harbour.answers(discord.general)
    assert second.reply_to == first.reply_to
    assert second.text == "You said: Ben: what is new?"  # several have spoken here now
    key = f"discord/{discord.guild}/{discord.general}/cmd/{press.id}"
    assert harbour.rows("SELECT key, author FROM inbox ORDER BY id DESC LIMIT 1") == [(key, "Ben")]


async def test_an_answer_is_stopped(harbour: Harbour, discord: DiscordPeer) -> None:
    harbour.endpoint.script(Reply(text="on and on " * 200, size=5, pause=0.05))
    async with harbour.commanded():
        await harbour.command("agent ask", question="tell me everything")
        answer = await growing(harbour)
        press = await harbour.pressed(answer.id, STOP, discord.ben)
        await discord.until(lambda: harbour.rows("SELECT 1 FROM turn WHERE state = 'stopped'"))
    assert press.followups == []
    assert press.response == answer.id


async def test_an_answer_is_stopped_after_a_restart(harbour: Harbour, discord: DiscordPeer) -> None:
    harbour.endpoint.script(*[Reply(text="on and on " * 200, size=5, pause=0.05)] * 2)
    async with harbour.commanded():
        await harbour.command("agent ask", question="tell me everything")
        answer = await growing(harbour)
    async with harbour.commanded():
        await harbour.endpoint.arrived(2)
        await harbour.pressed(answer.id, STOP, discord.ben)
        await discord.until(lambda: harbour.rows("SELECT 1 FROM turn WHERE state = 'stopped'"))


async def test_what_has_ended_cannot_be_stopped(harbour: Harbour, discord: DiscordPeer) -> None:
    answer = await answered(harbour)
    rows = discord.backend.world.message_anywhere(answer.id).components
    stop = button(discord, answer, GOOD).replace(GOOD, "stop")
    rows[0]["components"][0]["custom_id"] = stop
    async with harbour.commanded():
        press = await harbour.pressed(answer.id, stop)
        assert await harbour.told(press) == "This answer is not being written any more."


@pytest.mark.parametrize("custom_id", ["something else", "good:unknown", "again:unknown", "good:"])
async def test_a_button_that_nobody_knows_says_so(
    harbour: Harbour, discord: DiscordPeer, custom_id: str
) -> None:
    answer = await answered(harbour)
    rows = discord.backend.world.message_anywhere(answer.id).components
    rows[0]["components"][0]["custom_id"] = custom_id
    async with harbour.commanded():
        press = await harbour.pressed(answer.id, custom_id)
        assert "no longer active" in await harbour.told(press)


async def test_a_press_that_two_processes_get_asks_once(
    harbour: Harbour, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await answered(harbour)
    caplog.clear()
    async with harbour.commanded(lines=2):
        await harbour.pressed(answer.id, AGAIN)
        await discord.until(lambda: len(discord.calls("interactions.callback")) == 2)
        await harbour.answered(discord.general, 2)
        assert [record for record in caplog.records if record.levelname != "INFO"] == []
    assert harbour.rows("SELECT count(*) FROM inbox") == [(2,)]


async def test_a_press_that_is_not_stored_says_so(harbour: Harbour) -> None:
    answer = await answered(harbour)
    async with harbour.commanded(database_url=harbour.impatient, works=False), harbour.locked():
        press = await harbour.pressed(answer.id, AGAIN)
        assert "could not store" in await harbour.told(press)
    assert harbour.rows("SELECT count(*) FROM inbox") == [(1,)]


class Loud(NoInteractions):
    """Answers presses in its own way."""

    def __init__(self, answer: Callable[[sdk.Interaction], Awaitable[object]]) -> None:
        super().__init__()
        self._answer = answer

    async def pressed(self, interaction: sdk.Interaction) -> None:
        await self._answer(interaction)


async def answered_by(
    harbour: Harbour, answer: Callable[[sdk.Interaction], Awaitable[object]]
) -> Line:
    """What is seen of an answer to a press."""
    peer = harbour.discord
    peer.grant_bot("MENTION_EVERYONE")
    peer.backend.interactions.ack_seconds = 60.0
    below = await answered(harbour)
    async with harbour.bot(interactions=Loud(answer)):
        press = await harbour.pressed(below.id, AGAIN)
        await harbour.told(press)
    line = peer.reply(press)
    assert line
    return line


async def test_an_answer_to_a_press_pings_nobody_of_itself(harbour: Harbour) -> None:
    loud = f"<@{harbour.discord.ben}> @everyone"
    line = await answered_by(
        harbour, lambda press: press.response.send_message(loud, ephemeral=True)
    )
    assert (line.text, line.pings) == (loud, ())


@pytest.mark.parametrize("is_late", [False, True])
async def test_what_is_told_pings_nobody_whatever_the_client_allows(
    harbour: Harbour, is_late: bool
) -> None:
    loud = f"<@{harbour.discord.ben}> @everyone"

    async def answer(press: sdk.Interaction) -> None:
        press.client.allowed_mentions = sdk.AllowedMentions.all()
        if is_late:
            await take(press)
            await follow(press, loud)
        else:
            await tell(press, loud)

    line = await answered_by(harbour, answer)
    assert (line.text, line.pings) == (loud, ())
