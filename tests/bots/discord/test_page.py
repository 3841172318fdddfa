"""The transcript in docs/discord.md is a real run."""

from __future__ import annotations

from pathlib import Path

from tests.bots.discord.server import Server
from tests.bots.discord.test_contents import POLL
from tests.peers.discord.wire import Json
from tests.peers.endpoint import Reply

PAGE = Path(__file__).parents[3] / "docs" / "discord.md"
ANSWERS = (
    "The crane is broken.",
    "The vote is on the quay: north or south. South has a crane that works.",
    "The crane is broken, and Ben takes the boat to the south quay at six.",
)


def transcript(server: Server, channel: str) -> str:
    """As people see it; a reply says to what."""
    discord = server.discord
    lines = [line for line in discord.transcript(channel) if line.kind == "message"]
    names = {discord.mention: "@Moorings", f"<@{discord.ben}>": "@Ben", "agentbot": "Moorings"}
    texts = {line.id: line.text or "[a poll: Which quay? North / South]" for line in lines}
    shown: list[str] = []
    for line in lines:
        shown += [f"{'':10}╭ {texts[line.reply_to]}"] if line.reply_to in texts else []
        shown.append(f"{line.author:<10}{texts[line.id]}")
    found = "\n".join(shown)
    for mention, name in names.items():
        found = found.replace(mention, name)
    return found


async def test_the_transcript_on_the_page_is_what_people_see(server: Server) -> None:
    discord, model = server.discord, server.endpoint
    model.script(*(Reply(text=answer) for answer in ANSWERS))
    here = discord.general
    async with server.bot("[agents.assistant]\n"):
        french = discord.say(here, discord.ben, "La grue est en panne.")
        discord.say(here, discord.anna, f"{discord.mention} translate this", reply_to=french)
        await server.answered(here)
        poll = discord.say(here, discord.ben, "", more=Json(poll=POLL))
        discord.say(here, discord.anna, f"{discord.mention} what do you think?", reply_to=poll)
        await server.answered(here, 2)
        in_channel = transcript(server, here)
        thread = discord.open_thread(french, "the crane", discord.ben)
        discord.say(thread, discord.anna, f"<@{discord.ben}> can you take the boat south?")
        discord.say(thread, discord.ben, "At six.")
        discord.say(thread, discord.anna, f"{discord.mention} summarise this thread")
        await server.answered(thread)
        in_thread = transcript(server, thread)
    seen = [str(each["messages"][-1]["content"]) for each in model.requests]
    assert "> La grue est en panne." in seen[0]
    assert "> [poll: Which quay? — North / South]" in seen[1]
    assert "> Ben: La grue est en panne.\n" in seen[2]
    assert "> Ben: At six." in seen[2]
    page = PAGE.read_text()
    assert in_channel in page, in_channel
    assert in_thread in page, in_thread
