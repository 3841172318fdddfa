"""What comes is stored before it is acknowledged, and only so much at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from slack_bolt.async_app import AsyncBoltRequest

from bots.slack.sockets import SocketListener
from tests.bots.slack.bodies import said
from tests.bots.slack.bots import UNSTORED, Workspace
from tests.peers.endpoint import Reply
from tests.peers.slack.deliveries import Schedule

HERE, ANNA, BEN = "C0GENERAL", "U0ANNA", "U0BEN"
TEXTS = "SELECT text FROM inbox WHERE state = 'answered' ORDER BY position"
SUPPORT = """
[agents.assistant]
[[bindings]]
at = "slack/T0001/C0SUPPORT"
agent = "assistant"
listen = "all"
conversation = "channel"
"""


async def test_a_database_that_hangs_is_given_no_more_than_there_is_room_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bots.capacity._MOST", 5)
    slack = workspace.slack
    slack.backend.deliveries.schedule = Schedule(deadline=0.5, retries=(0.1,) * 1_000)

    def refused() -> int:
        return caplog.messages.count(UNSTORED)

    async with workspace.bot(SUPPORT) as bot:
        async with workspace.locked():
            for number in range(30):
                slack.say("C0SUPPORT", ANNA, f"number {number:02}")
            await slack.until(lambda: refused() >= 25)
            await slack.until(lambda: bot.in_hand == 5)  # the others are refused
        await slack.until(lambda: len(workspace.rows(TEXTS)) == 30)
    assert workspace.rows(TEXTS) == [(f"number {number:02}",) for number in range(30)]


async def test_what_slack_gave_up_while_it_could_not_be_stored_is_caught_up(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    slack.backend.deliveries.schedule = Schedule(deadline=0.2, retries=(0.0, 0.1, 0.1))
    async with workspace.bot(SUPPORT, database_url=workspace.impatient) as bot:
        await bot.caught_up()
        async with workspace.locked():
            slack.say("C0SUPPORT", ANNA, "is anybody there?")
            await slack.until_quiet()
        assert [each.state for each in slack.deliveries] == ["given_up"]
        answers = await workspace.answered("C0SUPPORT")
    assert answers == ["You said: is anybody there?"]


async def test_what_slack_gives_up_is_looked_for_in_its_own_workspace(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workspace.bot() as bot:
        await bot.caught_up()
        monkeypatch.setattr("bots.capacity._MOST", 0)
        listener = bot.ways_in.listener
        assert isinstance(listener, SocketListener)
        [kept] = listener._catch_up._kept.values()
        for attempt, team in (("0", "T0001"), ("2", "T0001"), ("3", "T0002"), ("3", "T0001")):
            assert not kept.behind.is_set(), (attempt, team)
            headers: dict[str, str | Sequence[str]] = {"x-slack-retry-num": attempt}
            body = {**said(), "authorizations": [{"team_id": team}]}
            request = AsyncBoltRequest(body=body, mode="socket_mode", headers=headers)
            response = await listener._connections[0]._dispatch(lambda it=request: it)  # type: ignore[misc]  # bound now
            assert response.status == 503
        assert kept.behind.is_set()


async def test_the_stop_button_stops_the_answer(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot():
        workspace.endpoint.script(Reply(text="on and on " * 2_000, size=5, pause=0.05))
        slack.say(HERE, ANNA, f"{slack.mention} tell me everything")
        await slack.until(lambda: any(line.buttons for line in slack.transcript(HERE)))
        [ts] = [line.ts for line in slack.transcript(HERE) if line.buttons]
        slack.click(HERE, ts, "stop_answer", BEN)
        await slack.until(lambda: workspace.rows("SELECT 1 FROM turn WHERE state = 'stopped'"))
        await slack.until_quiet()
    assert all(each.is_acked for each in slack.delivered("interactive"))


async def test_feedback_is_acknowledged_and_stored_with_the_turn_the_newest_of_each_person(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot():
        slack.say(HERE, ANNA, f"{slack.mention} hello")
        await workspace.answered(HERE)
        ts = workspace.answers(HERE)[0].ts
        [(key,)] = workspace.rows("SELECT key FROM outbox")
        for user, value in ((ANNA, "good"), (BEN, "bad"), (ANNA, "bad")):
            press = slack.click(HERE, ts, "feedback", user, f"{value}:{key}")
            await slack.until_quiet()
            assert press.is_acked, (user, value)
    assert workspace.rows("SELECT turn_id, person, is_good FROM feedback ORDER BY person") == [
        (1, "slack/T0001/U0ANNA", 0),
        (1, "slack/T0001/U0BEN", 0),
    ]


async def test_a_press_that_cannot_be_stored_is_not_acknowledged(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    async with workspace.bot(database_url=workspace.impatient):
        slack.say(HERE, ANNA, f"{slack.mention} hello")
        await workspace.answered(HERE)
        [(key,)] = workspace.rows("SELECT key FROM outbox")
        await slack.until_quiet()
        async with workspace.locked():
            slack.click(HERE, workspace.answers(HERE)[0].ts, "feedback", ANNA, f"good:{key}")
            await slack.until(lambda: UNSTORED in caplog.messages)
    slack.sockets.lapse()
    await slack.until_quiet()
    assert [each.state for each in slack.delivered("interactive")] == ["given_up"]
