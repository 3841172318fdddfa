"""What people are called is asked for once."""

from __future__ import annotations

import asyncio

import pytest

from bots.slack.people import People
from bots.slack.reader import Reader
from tests.bots.slack.outward import client_of
from tests.peers.slack.peer import SlackPeer


async def test_who_asks_for_a_name_meanwhile_waits_for_the_same_answer() -> None:
    async with SlackPeer() as slack, client_of(slack) as client:
        people = People(Reader(client))
        async with asyncio.TaskGroup() as group:
            asking = [
                group.create_task(people.names(slack.team, ["U0ANNA", "U0BEN"])) for _ in range(9)
            ]
        assert [each.result() for each in asking] == [{"U0ANNA": "anna", "U0BEN": "ben"}] * 9
        assert len(slack.calls("users.info")) == 2


async def test_a_name_that_slack_does_not_tell_is_not_asked_for_again_at_once() -> None:
    async with SlackPeer() as slack, client_of(slack) as client:
        people = People(Reader(client))
        for _ in range(3):
            assert await people.names(slack.team, ["U0ANNA", "U0GONE"]) == {"U0ANNA": "anna"}
        assert len(slack.calls("users.info")) == 2


async def test_a_name_that_slack_does_not_tell_in_time_is_waited_for_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bots.slack.people._PATIENCE", 0.1)
    async with SlackPeer() as slack, client_of(slack) as client:
        people = People(Reader(client))
        slack.fault("users.info", "delay", seconds=1, times=1)
        for _ in range(3):
            assert await people.names(slack.team, ["U0ANNA"]) == {}
        assert len(slack.calls("users.info")) <= 1
