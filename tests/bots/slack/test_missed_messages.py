"""What was missed in a channel is found with as few calls as Slack's limits ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bots.slack import fields, parse
from bots.slack.missed_messages import Missed
from bots.slack.reader import Bot, Reader
from tests.bots.slack.outward import client_of
from tests.peers.slack.peer import SlackPeer

CHANNEL = "C0GENERAL"
DAY = 86_400.0


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer() as peer:
        yield peer


@pytest.fixture
async def missed(slack: SlackPeer) -> AsyncIterator[Missed]:
    async with client_of(slack) as client:
        yield Missed(Bot(team=slack.team, user=slack.bot_user), Reader(client))


def threads(slack: SlackPeer, count: int) -> list[str]:
    """Each with a reply, all of yesterday, the oldest first."""
    roots = [
        slack.say(CHANNEL, "U0ANNA", f"question {number}", ago=DAY + count - number)
        for number in range(count)
    ]
    for root in roots:
        slack.say(CHANNEL, "U0BEN", "answer", root, ago=DAY)
    return roots


async def found(
    missed: Missed, slack: SlackPeer, known: list[str], *, looks_back: bool = False
) -> list[str]:
    """What was said in the last hour."""
    start = int((slack.backend.clock.now() - 3_600) * 1_000_000)
    said = await missed.said(CHANNEL, known, start, looks_back=looks_back)
    return [
        fields.text_at(raw, "text")
        for raw in said
        if parse.position(fields.text_at(raw, "ts")) > start
    ]


async def test_hundreds_of_threads_are_looked_at_in_a_few_calls(
    slack: SlackPeer, missed: Missed
) -> None:
    roots = threads(slack, 450)
    for number in (7, 200, 449):
        slack.say(CHANNEL, "U0ANNA", f"missed in {number}", roots[number])
    slack.say(CHANNEL, "U0BEN", "missed beside them")
    assert sorted(await found(missed, slack, roots)) == [
        "missed beside them",
        "missed in 200",
        "missed in 449",
        "missed in 7",
    ]
    assert len(slack.calls("conversations.history")) == 1 + 3
    assert len(slack.calls("conversations.replies")) == 3


async def test_threads_that_nobody_knows_are_found_in_a_page_of_what_was_said_before(
    slack: SlackPeer, missed: Missed
) -> None:
    roots = threads(slack, 250)
    for number in (7, 100, 249):
        slack.say(CHANNEL, "U0ANNA", f"missed in {number}", roots[number])
    assert await found(missed, slack, []) == []
    seen = await found(missed, slack, [], looks_back=True)
    assert sorted(seen) == ["missed in 100", "missed in 249"]
    assert len(slack.calls("conversations.history")) == 2 + 1
    seen = await found(missed, slack, [roots[0], roots[10]], looks_back=True)
    assert sorted(seen) == ["missed in 100", "missed in 249", "missed in 7"]
    assert len(slack.calls("conversations.history")) == 3 + 3


async def test_the_log_says_that_more_was_missed_than_is_read(
    slack: SlackPeer,
    missed: Missed,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("bots.slack.reader._MOST_PAGES", 1)
    for number in range(200):
        slack.say(CHANNEL, "U0ANNA", f"missed {number}")
    assert len(await found(missed, slack, [])) == 200
    assert "there is more than is read" not in caplog.messages
    slack.say(CHANNEL, "U0ANNA", "missed, too")
    assert len(await found(missed, slack, [])) == 200
    assert "there is more than is read" in caplog.messages


async def test_what_lies_between_two_threads_costs_no_call(
    slack: SlackPeer, missed: Missed
) -> None:
    [old] = threads(slack, 1)
    for number in range(250):
        slack.say(CHANNEL, "U0BEN", "just talking", ago=DAY / 2 + number)
    young = slack.say(CHANNEL, "U0ANNA", "question", ago=DAY / 3)
    slack.say(CHANNEL, "U0ANNA", "missed", old)
    slack.say(CHANNEL, "U0ANNA", "missed, too", young)
    assert sorted(await found(missed, slack, [young, old])) == ["missed", "missed, too"]
    assert len(slack.calls("conversations.history")) == 1 + 2


async def test_a_thread_whose_first_message_is_gone_is_asked_for(
    slack: SlackPeer, missed: Missed
) -> None:
    gone, there = threads(slack, 2)
    slack.say(CHANNEL, "U0ANNA", "missed", there)
    del slack.backend.world.channels[CHANNEL].messages[gone]
    assert await found(missed, slack, [gone, there]) == ["missed"]
    asked = [each.arguments["ts"] for each in slack.calls("conversations.replies")]
    assert sorted(asked) == [gone, there]
