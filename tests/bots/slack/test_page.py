"""The transcript in docs/slack.md is a real run."""

from __future__ import annotations

from pathlib import Path

from tests.bots.slack.bots import Workspace
from tests.peers.endpoint import Reply

PAGE = Path(__file__).parents[3] / "docs" / "slack.md"
HERE, ANNA, BEN = "C0GENERAL", "U0ANNA", "U0BEN"
ANSWERS = (
    "Ben says that the crane on quay 7 is broken again. The night shift repairs cranes.",
    "Quay 9 is free until six.",
    "Cy reports a second one: the crane on quay 8 leaks oil. Use neither.",
    "The cranes on quay 7 and 8 are out of order. Ben moves the Aurora to quay 9 at six.",
)


def transcript(workspace: Workspace) -> str:
    """As people see it; what stands in a thread is indented."""
    shown: list[str] = []
    for line in workspace.slack.transcript(HERE):
        if line.kind == "message":
            margin = " " * 4 if line.thread else ""
            text = line.text.replace("\n", f"\n{margin}{'':10}> ")
            shown.append(f"{margin}{line.author:<10}{text}")
    return "\n".join(shown).replace("@agentbot", "@Moorings")


async def test_the_transcript_on_the_page_is_what_people_see(workspace: Workspace) -> None:
    slack, model = workspace.slack, workspace.endpoint
    model.script(*(Reply(text=answer) for answer in ANSWERS))
    async with workspace.bot("[agents.assistant]\n") as bot:
        await bot.caught_up()
        slack.say(HERE, BEN, "The crane on quay 7 is broken again.")
        thread = slack.say(HERE, ANNA, f"{slack.mention} who looks at it?")
        await workspace.answered(HERE)
        slack.say(HERE, ANNA, "And until then?", thread)
        await workspace.answered(HERE, 2)
        forwarded = {"is_share": True, "author_name": "Cy", "text": "Quay 8 leaks oil, too."}
        slack.send(HERE, ANNA, "And this?", thread=thread, attachments=[forwarded])
        await workspace.answered(HERE, 3)
        slack.say(HERE, ANNA, f"<@{BEN}> can you move the Aurora?", thread)
        await slack.until_quiet()  # else what Ben says may be heard first
        slack.say(HERE, BEN, "To quay 9, at six.", thread)
        await slack.until_quiet()
        slack.say(HERE, ANNA, f"{slack.mention} summarise this thread", thread)
        await workspace.answered(HERE, 4)
        shown = transcript(workspace)
    seen = [str(each["messages"][-1]["content"]) for each in model.requests]
    assert "> ben: The crane on quay 7" in seen[0]
    assert "> Quay 8 leaks oil, too." in seen[2]
    assert "> ben: To quay 9, at six." in seen[3]
    assert shown in PAGE.read_text(), shown
