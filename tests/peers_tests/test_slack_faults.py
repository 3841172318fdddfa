"""The Slack peer fails as it is told to: seen by the real slack-sdk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import async_default_handlers
from slack_sdk.web.async_client import AsyncWebClient

from tests.peers.slack.peer import SlackPeer
from tests.peers_tests.slack_bot import refused, web_client


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer() as peer:
        yield peer


@pytest.fixture
def client(slack: SlackPeer) -> AsyncWebClient:
    return web_client(slack)


def texts(slack: SlackPeer, channel: str = "C0GENERAL") -> list[str]:
    return [line.text for line in slack.transcript(channel)]


async def test_429_carries_retry_after_and_nothing_is_done(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=1, retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="C0GENERAL", text="hi")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    assert texts(slack) == []


async def test_a_drop_before_commit_leaves_nothing(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    slack.fault("chat.postMessage", "drop_before_commit", times=1)
    with pytest.raises(ClientError):
        await client.chat_postMessage(channel="C0GENERAL", text="hi")
    assert texts(slack) == []


async def test_a_drop_after_commit_leaves_the_message(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    slack.fault("chat.postMessage", "drop_after_commit", times=1)
    with pytest.raises(ClientError):
        await client.chat_postMessage(channel="C0GENERAL", text="hi")
    assert texts(slack) == ["hi"]
    [call] = slack.calls("chat.postMessage")
    assert (call.is_committed, call.status, call.fault) == (True, 0, "drop_after_commit")


async def test_the_sdks_default_retry_posts_twice_after_a_drop(slack: SlackPeer) -> None:
    client = AsyncWebClient(
        token=slack.bot_token, base_url=slack.api_url, retry_handlers=async_default_handlers()
    )
    slack.fault("chat.postMessage", "drop_after_commit", times=1)
    await client.chat_postMessage(channel="C0GENERAL", text="hi")
    assert texts(slack) == ["hi", "hi"]


async def test_an_error_can_come_after_the_effect(slack: SlackPeer, client: AsyncWebClient) -> None:
    slack.fault("chat.postMessage", "error_after_commit", times=1, error="fatal_error")
    call = client.chat_postMessage(channel="C0GENERAL", text="hi")
    assert await refused(call) == "fatal_error"
    assert texts(slack) == ["hi"]


async def test_a_500_is_a_500(slack: SlackPeer, client: AsyncWebClient) -> None:
    slack.fault("*", "status", times=1, status=503)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 503


async def test_a_delayed_answer_outlives_the_clients_patience(slack: SlackPeer) -> None:
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, timeout=1)
    slack.fault("chat.postMessage", "delay_after_commit", times=1, seconds=30)
    with pytest.raises(asyncio.TimeoutError):
        await client.chat_postMessage(channel="C0GENERAL", text="hi")
    assert texts(slack) == ["hi"]


async def test_faults_by_chance_are_the_same_for_the_same_seed() -> None:
    async def draw(seed: int) -> list[bool]:
        async with SlackPeer(seed=seed) as slack:
            slack.fault("auth.test", "ratelimited", probability=0.5)
            return [bool(slack.backend.faults.draw("auth.test")) for _ in range(32)]

    assert await draw(7) == await draw(7) != await draw(8)


async def test_rate_limits_are_slacks_when_asked_for() -> None:
    async with SlackPeer(limit_rates=True) as slack:
        client = web_client(slack)
        for _ in range(20):
            await client.conversations_list()
        assert await refused(client.conversations_list()) == "ratelimited"
        slack.advance(61)
        await client.conversations_list()
