"""The way in by HTTP: signed, to the same dispatcher; 503 where nothing is stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import product
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from bots.http import HttpPort
from bots.slack.http import PATHS, HttpListener
from tests.bots.slack.bots import Bot, Workspace
from tests.peers.slack.deliveries import Attempt, Delivery, Schedule
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.webhooks import Webhooks

PATIENT = Schedule(retries=(0.5,) * 12)
ANSWERED = "SELECT count(*) FROM inbox WHERE state = 'answered'"
LISTENING = """
[agents.assistant]
[[bindings]]
at = "slack/T0001/C0SUPPORT"
agent = "assistant"
listen = "all"
conversation = "channel"
"""
SIGNED = {"slack_app_token": None, "slack_signing_secret": SecretStr("peer-signing-secret")}


class Nowhere:
    """Nothing that Slack sends arrives."""

    async def attempt(
        self, delivery: Delivery, number: int, reason: str, deadline: float
    ) -> Attempt:
        return Attempt(number=number, envelope_id="", is_acked=False, reason="connection_failed")


@asynccontextmanager
async def served(workspace: Workspace, **changes: object) -> AsyncIterator[tuple[Bot, str]]:
    """A bot in HTTP mode, and the URL of its port."""
    async with workspace.bot(**{**SIGNED, "port": 1, **changes}) as bot:  # type: ignore[arg-type]  # named by each test
        port = HttpPort(0, {}, bot.ways_in.routes)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(port.run(bot.runtime.intake, asyncio.Event()))
            url = f"http://127.0.0.1:{port.port}"
            assert await workspace.slack.use_http(f"{url}{PATHS[0]}")
            try:
                yield bot, url
            finally:
                task.cancel()


async def test_events_are_answered(workspace: Workspace) -> None:
    slack = workspace.slack
    async with served(workspace):
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
        assert await workspace.answered("C0GENERAL") == ["You said: hello"]
        await slack.until_quiet()
    assert all(delivery.is_acked for delivery in slack.deliveries)


async def test_what_slack_gave_up_while_it_could_not_reach_the_bot_is_caught_up(
    workspace: Workspace,
) -> None:
    """What comes at the last try says that others may have had theirs."""
    slack = workspace.slack
    deliveries = slack.backend.deliveries
    async with served(workspace) as (bot, _):
        listener = bot.ways_in.listener
        assert isinstance(listener, HttpListener)
        await listener.caught_up()
        live = deliveries.carrier
        deliveries.schedule = Schedule(retries=(0.0, 0.0, 0.5))
        deliveries.carrier = Nowhere()
        slack.say(slack.direct("U0ANNA"), "U0ANNA", "lost")
        await slack.until_quiet()
        slack.say(slack.direct("U0BEN"), "U0BEN", "late")
        await slack.until(lambda: len(slack.deliveries[-1].attempts) == 3)
        deliveries.carrier = live
        await slack.until(lambda: workspace.rows(ANSWERED) == [(2,)])


async def test_commands_and_buttons_come_as_forms(workspace: Workspace) -> None:
    slack = workspace.slack
    async with served(workspace):
        slack.command("/agent", "ask hello", "C0GENERAL", "U0ANNA")
        await workspace.answered("C0GENERAL")
        slack.click("C0GENERAL", workspace.answers("C0GENERAL")[0].ts, "feedback", "U0BEN")
        await slack.until(lambda: workspace.rows("SELECT 1 FROM feedback"))
    assert workspace.whispers("C0GENERAL") == ["Asking *assistant* …"]


async def test_no_link_in_what_a_command_answers_loads_itself(workspace: Workspace) -> None:
    slack = workspace.slack
    async with served(workspace):
        told = slack.command("/agent", "remember see https://e.example", "C0GENERAL", "U0ANNA")
        await slack.until(lambda: told.is_acked)
    assert "https://e.example" in told.reply["text"]
    assert (told.reply["unfurl_links"], told.reply["unfurl_media"]) == (False, False)


async def test_what_cannot_be_stored_is_tried_again_by_slack(workspace: Workspace) -> None:
    slack = workspace.slack
    async with served(workspace, database_url=workspace.impatient):
        async with workspace.locked():
            ts = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
            await slack.until(lambda: any(each.attempts for each in slack.deliveries))
        assert await workspace.answered("C0GENERAL") == ["You said: hello"]
        await slack.until_quiet()
    attempts = [each.attempts for each in slack.deliveries if each.event.get("ts") == ts]
    assert any(each[0].reason == "http_error" for each in attempts)
    assert workspace.said("C0GENERAL") == ["You said: hello"]


async def test_requests_that_there_is_no_room_for_are_refused_at_once_and_tried_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.capacity._MOST", 5)
    slack = workspace.slack
    slack.backend.deliveries.schedule = PATIENT
    async with served(workspace, agents=LISTENING) as (_, url):
        async with workspace.locked():
            for number in range(12):
                slack.say("C0SUPPORT", "U0ANNA", f"number {number:02}")
            await slack.until(lambda: sum(refusals(slack)) >= 7)
            assert await got(f"{url}/healthz") == 200
        await slack.until(lambda: workspace.rows(ANSWERED) == [(12,)])


def refusals(slack: SlackPeer) -> list[int]:
    """How often each delivery was answered with an error."""
    reasons = [[attempt.reason for attempt in each.attempts] for each in slack.deliveries]
    return [each.count("http_error") for each in reasons]


async def test_a_request_whose_body_does_not_come_is_not_waited_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.slack.http._CONTENT_SECONDS", 0.05)
    async with served(workspace) as (_, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(f"POST {PATHS[0]} HTTP/1.1\r\nHost: bot\r\nContent-Length: 9\r\n\r\n".encode())
        assert b" 401 " in await reader.readline()
        writer.close()


async def got(url: str) -> int:
    async with ClientSession() as http, http.get(url) as response:
        return response.status


async def posted(url: str, body: str | bytes, headers: Mapping[str, str]) -> int:
    async with (
        ClientSession() as http,
        http.post(url, data=body, headers=dict(headers)) as response,
    ):
        return response.status


UNSIGNED = [
    {},
    {"X-Slack-Request-Timestamp": "soon", "X-Slack-Signature": "v0=1"},
    {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=1"},
    {"X-Slack-Request-Timestamp": "9999999999", "X-Slack-Signature": "v0=é"},
]


async def test_what_slack_did_not_sign_in_the_last_five_minutes_is_turned_away(
    workspace: Workspace,
) -> None:
    async with served(workspace) as (_, url):
        workspace.slack.advance(-400)
        for headers in (*UNSIGNED, signed(workspace, "{}")):
            for body in ("{}", b"\xff\xfe"):
                assert await posted(f"{url}{PATHS[0]}", body, headers) == 401, headers


async def test_a_body_that_is_longer_than_anything_slack_sends_is_turned_away(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.slack.http._MOST_BYTES", 10_000)
    longest = "{}".ljust(10_000)
    async with served(workspace) as (_, url):
        for body, status in ((longest, 200), (f"{longest} ", 401)):
            assert await posted(f"{url}{PATHS[0]}", body, signed(workspace, body)) == status


def signed(workspace: Workspace, body: str, kind: str = "application/json") -> dict[str, str]:
    webhooks = workspace.slack.backend.deliveries.carrier
    assert isinstance(webhooks, Webhooks)
    return {"Content-Type": kind, **webhooks.signature(body)}


RATE_LIMITED = json.dumps({"type": "app_rate_limited", "team_id": "T0001"})
ODD_FORMS = [{"ssl_check": "1"}, {"payload": "{"}, {"command": "/agent"}]


async def test_unknown_and_malformed_requests_are_acknowledged(workspace: Workspace) -> None:
    async with served(workspace) as (_, url):
        for path, body in product(PATHS, ("", "no json", "[1]", "null", RATE_LIMITED)):
            status = await posted(f"{url}{path}", body, signed(workspace, body))
            assert status == 200, (path, body)
        for form in map(urlencode, ODD_FORMS):
            headers = signed(workspace, form, "application/x-www-form-urlencoded")
            assert await posted(f"{url}{PATHS[1]}", form, headers) == 200, form
