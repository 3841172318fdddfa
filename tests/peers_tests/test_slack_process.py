"""The Slack peer as a process of its own, which outlives the bot."""

from __future__ import annotations

import pytest
from aiohttp import ClientError
from slack_sdk.web.async_client import AsyncWebClient

from tests.peers.slack.process import SlackProcess


async def test_it_is_driven_over_http_and_seen_by_the_sdk() -> None:
    async with SlackProcess("--seed", "7") as slack:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        ts = await slack.say("C0GENERAL", "U0ANNA", "hello")
        await client.chat_postMessage(channel="C0GENERAL", text="hi", thread_ts=ts)
        lines = await slack.transcript("C0GENERAL", ts)
        assert [(line.author, line.text) for line in lines] == [
            ("anna", "hello"),
            ("agentbot", "hi"),
        ]
        assert [call["method"] for call in await slack.calls()] == ["chat.postMessage"]


async def test_faults_are_ordered_over_http() -> None:
    async with SlackProcess() as slack:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        await slack.fault("chat.postMessage", "drop_after_commit", times=1)
        with pytest.raises(ClientError):
            await client.chat_postMessage(channel="C0GENERAL", text="hi")
        assert [line.text for line in await slack.transcript("C0GENERAL")] == ["hi"]


async def test_a_wrong_verb_is_explained() -> None:
    async with SlackProcess() as slack:
        with pytest.raises(AssertionError, match="no verb nonsense"):
            await slack.do("nonsense")


async def test_what_was_raised_while_the_bot_was_dead_is_reported() -> None:
    async with SlackProcess("--retry-seconds", "0") as slack:
        await slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.command("/agent", "list", "C0GENERAL", "U0ANNA")
        await slack.do("until_quiet")
        states = [item["state"] for item in (await slack.do("deliveries"))["result"]]
        assert states == ["given_up", "given_up"]
