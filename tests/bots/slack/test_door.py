"""Buttons: stop, feedback and forget are stored before they are acknowledged."""

from __future__ import annotations

from tests.bots.slack.bots import Workspace
from tests.peers.endpoint import Reply

HERE, ANNA, BEN = "C0GENERAL", "U0ANNA", "U0BEN"


async def test_the_stop_button_stops_the_answer(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot():
        workspace.endpoint.script(Reply(text="on and on " * 200, size=5, pause=0.05))
        slack.say(HERE, ANNA, f"{slack.mention} tell me everything")
        await slack.until(lambda: any(line.buttons for line in slack.transcript(HERE)))
        [ts] = [line.ts for line in slack.transcript(HERE) if line.buttons]
        slack.click(HERE, ts, "stop_answer", BEN)
        await slack.until(lambda: workspace.rows("SELECT 1 FROM turn WHERE state = 'stopped'"))
        await slack.until_quiet()
    assert all(each.is_acked for each in slack.delivered("interactive"))


async def test_feedback_is_stored_with_the_turn_the_newest_of_each_person(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot():
        slack.say(HERE, ANNA, f"{slack.mention} hello")
        await workspace.answered(HERE)
        ts = workspace.answers(HERE)[0].ts
        [(key,)] = workspace.rows("SELECT key FROM outbox")
        for user, value in ((ANNA, "good"), (BEN, "bad"), (ANNA, "bad")):
            slack.click(HERE, ts, "feedback", user, f"{value}:{key}")
            await slack.until_quiet()
    assert workspace.rows("SELECT turn_id, person, is_good FROM feedback ORDER BY person") == [
        (1, "slack/T0001/U0ANNA", 0),
        (1, "slack/T0001/U0BEN", 0),
    ]


async def test_a_press_that_cannot_be_stored_is_not_acknowledged(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(database_url=workspace.impatient):
        slack.say(HERE, ANNA, f"{slack.mention} hello")
        await workspace.answered(HERE)
        [(key,)] = workspace.rows("SELECT key FROM outbox")
        await slack.until_quiet()
        async with workspace.locked():
            slack.click(HERE, workspace.answers(HERE)[0].ts, "feedback", ANNA, f"good:{key}")
            await slack.until_quiet()
    assert [each.state for each in slack.delivered("interactive")] == ["given_up"]
