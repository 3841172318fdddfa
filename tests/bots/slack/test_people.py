"""What people are called is asked for once."""

from __future__ import annotations

import asyncio

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
