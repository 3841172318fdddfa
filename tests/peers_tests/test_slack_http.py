"""The Slack peer in HTTP mode: signed requests to the real slack-bolt behind a web server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from slack_bolt.async_app import AsyncAck

from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer
from tests.peers_tests.slack_bot import Bot

QUICK = Schedule(deadline=3.0, retries=(0.0, 0.05, 0.05))
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer(schedule=QUICK) as peer:
        yield peer


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def bot_at_url(slack: SlackPeer) -> AsyncIterator[Bot]:
    bot = Bot.of(slack)
    async with served(bot.app.web_app("/slack/events")) as url:
        assert await slack.use_http(url)
        yield bot


def answering(answer: Answer) -> web.Application:
    app = web.Application()
    app.router.add_post("/slack/events", answer)
    return app


async def test_a_signed_event_is_taken(slack: SlackPeer) -> None:
    async with bot_at_url(slack) as bot:
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until_quiet()
    assert bot.texts() == ["hello"]
    assert slack.deliveries[0].is_acked


async def test_a_wrong_secret_is_turned_away_by_bolt(slack: SlackPeer) -> None:
    bot = Bot.of(slack)
    slack.signing_secret = slack.signing_secret[::-1]
    async with served(bot.app.web_app("/slack/events")) as url:
        assert not await slack.use_http(url)
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until_quiet()
    assert slack.deliveries[0].state == "given_up"
    assert slack.deliveries[0].attempts[0].reason == "http_error"


async def test_a_failed_event_is_retried_with_number_and_reason(slack: SlackPeer) -> None:
    seen: list[tuple[str | None, str | None]] = []

    async def fail_once(request: web.Request) -> web.Response:
        numbers = request.headers
        seen.append((numbers.get("X-Slack-Retry-Num"), numbers.get("X-Slack-Retry-Reason")))
        return web.Response(status=500 if len(seen) == 2 else 200)

    async with served(answering(fail_once)) as url:
        await slack.use_http(url)
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until_quiet()
    assert seen[1:] == [(None, None), ("1", "http_error")]


async def test_no_retry_ends_the_retries(slack: SlackPeer) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    async with served(answering(refuse)) as url:
        await slack.use_http(url)
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until_quiet()
    assert len(slack.deliveries[0].attempts) == 1


async def test_a_dead_url_is_a_failed_connection(slack: SlackPeer) -> None:
    async with bot_at_url(slack):
        pass
    slack.say("C0GENERAL", "U0ANNA", "hello")
    await slack.until_quiet()
    assert slack.deliveries[0].attempts[0].reason == "connection_failed"


async def test_a_command_is_answered_in_the_response(slack: SlackPeer) -> None:
    async with bot_at_url(slack) as bot:
        bot.on_command("/agent", "on it")
        slack.command("/agent", "list", "C0GENERAL", "U0ANNA")
        await slack.until_quiet()
    [line] = slack.transcript("C0GENERAL")
    assert (line.kind, line.text) == ("ephemeral", "on it")


async def test_a_button_arrives_as_a_form(slack: SlackPeer) -> None:
    pressed: list[str] = []

    async def stop(ack: AsyncAck, action: dict[str, str]) -> None:
        pressed.append(action["value"])
        await ack()

    button = {"type": "button", "action_id": "stop", "value": "turn-1"}
    label = {"type": "plain_text", "text": "Stop"}
    blocks = [{"type": "actions", "elements": [{**button, "text": label}]}]
    async with bot_at_url(slack) as bot:
        bot.on_action("stop", stop)
        posted = await bot.app.client.chat_postMessage(
            channel="C0GENERAL", text="working", blocks=blocks
        )
        slack.click("C0GENERAL", posted["ts"], "stop", "U0ANNA")
        await slack.until_quiet()
    assert pressed == ["turn-1"]
