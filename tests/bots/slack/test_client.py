"""Calls to Slack are paced, made once where they write, and fail in our own words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import rates
from bots.slack.client import SlackClient
from bots.slack.failures import NotDone, SlackRefused
from core.clock import monotonic
from core.errors import ConfigMistake, Transient
from tests.bots.slack.outward import CHANNEL, client_of
from tests.peers.slack.clock import Clock
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.rates import Rates

TEAM = "T0001"
WRONG = "xoxb-wrong"


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer() as peer:
        yield peer


@pytest.fixture
async def client(slack: SlackPeer) -> AsyncIterator[SlackClient]:
    async with client_of(slack) as client:
        yield client


async def say(client: SlackClient, text: str = "hello", channel: str = CHANNEL) -> None:
    """Post something."""

    async def post(web: AsyncWebClient) -> AsyncSlackResponse:
        return await web.chat_postMessage(channel=channel, text=text)

    await client.write(TEAM, "chat.postMessage", post, channel=channel)


async def is_said(client: SlackClient, text: str) -> bool:
    """Post something, unless it is put off."""
    try:
        await say(client, text)
    except NotDone:
        return False
    return True


async def look(client: SlackClient) -> AsyncSlackResponse:
    """Read something."""
    return await client.read(
        TEAM, "conversations.history", lambda web: web.conversations_history(channel=CHANNEL)
    )


def said(slack: SlackPeer) -> list[str]:
    """What stands in the channel."""
    return [line.text for line in slack.transcript(CHANNEL)]


@pytest.mark.parametrize(
    "trouble",
    [
        "drop_before_commit",
        "drop_after_commit",
        "status",
        "status_after_commit",
        "error",
        "error_after_commit",
    ],
)
async def test_a_write_is_made_once_and_may_have_worked(
    slack: SlackPeer, client: SlackClient, trouble: str
) -> None:
    slack.fault("chat.postMessage", trouble, times=1)
    with pytest.raises(Transient) as caught:
        await say(client)
    assert type(caught.value) is Transient
    assert len(slack.calls("chat.postMessage")) == 1
    assert said(slack) == (["hello"] if trouble.endswith("after_commit") else [])


async def test_a_write_that_takes_too_long_may_have_worked(slack: SlackPeer) -> None:
    slack.fault("chat.postMessage", "delay_after_commit", seconds=5)
    async with client_of(slack, seconds=1) as client:
        with pytest.raises(Transient, match="did not answer"):
            await say(client)
    assert said(slack) == ["hello"]


@pytest.mark.parametrize("trouble", ["drop_before_commit", "status", "error", "ratelimited"])
async def test_a_read_is_made_again(slack: SlackPeer, client: SlackClient, trouble: str) -> None:
    slack.fault("conversations.history", trouble, times=1)
    assert (await look(client))["ok"]
    assert len(slack.calls("conversations.history")) == 2


async def test_a_read_that_fails_three_times_is_given_up(
    slack: SlackPeer, client: SlackClient
) -> None:
    slack.fault("conversations.history", "status")
    with pytest.raises(Transient, match="HTTP 500"):
        await look(client)
    assert len(slack.calls("conversations.history")) == 3


async def test_when_slack_asks_to_slow_down_nothing_was_done_and_the_wait_is_known(
    slack: SlackPeer, client: SlackClient
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=1, retry_after=30)
    with pytest.raises(NotDone) as caught:
        await say(client)
    assert caught.value.retry_after == 30


@pytest.mark.parametrize(("asked", "wait"), [("-7", 1), ("0", 1), ("inf", 5), ("nan", 5), ("", 5)])
async def test_a_wait_that_makes_no_sense_is_not_taken_at_its_word(
    slack: SlackPeer, client: SlackClient, asked: str, wait: float
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=1, retry_after=asked)
    with pytest.raises(NotDone) as caught:
        await say(client)
    assert caught.value.retry_after == wait


async def test_until_slack_may_be_asked_again_it_is_not(
    slack: SlackPeer, client: SlackClient
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=1, retry_after=30)
    assert not await is_said(client, "one")
    with pytest.raises(NotDone) as caught:
        await say(client)
    assert 29 < (caught.value.retry_after or 0) <= 30
    assert len(slack.calls("chat.postMessage")) == 1


async def test_one_channel_that_has_to_wait_does_not_stop_the_others(
    slack: SlackPeer, client: SlackClient
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=1, retry_after=30)
    with pytest.raises(NotDone):
        await say(client)
    await say(client, channel="C0SUPPORT")
    assert [line.text for line in slack.transcript("C0SUPPORT")] == ["hello"]


async def test_the_pace_stays_below_what_slack_takes(
    slack: SlackPeer, client: SlackClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second takes a tenth of one; what counts is when each is sent, not how soon it is there."""
    monkeypatch.setattr(rates, "_POST_SECONDS", rates._POST_SECONDS / 10)
    sent: list[float] = []

    async def post(number: int) -> None:
        async def call(web: AsyncWebClient) -> AsyncSlackResponse:
            sent.append(10 * monotonic())
            return await web.chat_postMessage(channel=CHANNEL, text=str(number))

        await client.write(TEAM, "chat.postMessage", call, channel=CHANNEL)

    async with asyncio.TaskGroup() as group:
        for number in range(7):
            group.create_task(post(number))
    assert sorted(said(slack)) == [str(number) for number in range(7)]
    moments = iter(sent)
    takes = Rates(Clock(lambda: next(moments)), is_enforced=True)
    assert [takes.wait("chat.postMessage", TEAM, CHANNEL) for _ in sent] == [0] * 7


@pytest.mark.parametrize(
    ("channel", "code"), [("C0NOWHERE", "channel_not_found"), ("C0OLD", "is_archived")]
)
async def test_what_will_not_work_later_is_refused(
    slack: SlackPeer, client: SlackClient, channel: str, code: str
) -> None:
    slack.add_channel("C0OLD", "old")
    slack.archive("C0OLD")
    with pytest.raises(SlackRefused, match=f"Slack refused chat.postMessage: {code}") as caught:
        await say(client, channel=channel)
    assert caught.value.code == code


@pytest.mark.parametrize("error", ["token_revoked", "account_inactive", "invalid_auth"])
async def test_a_token_that_is_not_accepted_is_for_the_operator(
    slack: SlackPeer, client: SlackClient, error: str
) -> None:
    slack.spoil_token(slack.bot_token, error)
    with pytest.raises(ConfigMistake, match=f"{error}.*SLACK_BOT_TOKEN"):
        await say(client)


async def test_a_missing_scope_is_named_with_the_fix(slack: SlackPeer, client: SlackClient) -> None:
    slack.remove_scope("chat:write")
    with pytest.raises(ConfigMistake, match=r"chat:write.*moorings manifest slack.*reinstall"):
        await say(client)


@pytest.mark.parametrize("trouble", ["status", "drop_after_commit", "ratelimited", "error"])
async def test_no_failure_tells_a_token_or_what_was_said(
    slack: SlackPeer, client: SlackClient, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "bots")
    slack.fault("chat.postMessage", trouble)
    with pytest.raises(Transient) as caught:
        await say(client, "my secret plan")
    told = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert slack.bot_token not in told
    assert "my secret plan" not in told


async def test_a_proxy_that_answers_in_plain_text_is_trouble(
    slack: SlackPeer, client: SlackClient
) -> None:
    slack.fault("conversations.history", "status", status=200)
    with pytest.raises(Transient, match="did not answer"):
        await look(client)


async def test_a_closed_client_opens_again(slack: SlackPeer, client: SlackClient) -> None:
    await say(client)
    await client.close()
    await say(client, "again")
    assert said(slack) == ["hello", "again"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://hooks.slack.com/actions/T1/1/x",
        "https://hooks.slack.com@127.0.0.1/actions",
        "https://hooks.slack.com.example.org/actions",
        "{api}/../response/1?x=y",
        "http://localhost:9/response/1",
    ],
)
async def test_a_person_is_answered_at_slack_and_nowhere_else(
    slack: SlackPeer, client: SlackClient, url: str
) -> None:
    with pytest.raises(SlackRefused, match="not_at_slack"):
        await client.tell(url.format(api=slack.url), "I am not in this channel.")


async def test_an_answer_that_slack_does_not_take_is_not_done(
    slack: SlackPeer, client: SlackClient
) -> None:
    with pytest.raises(NotDone, match="HTTP 404"):
        await client.tell(f"{slack.url}/response/unknown", "I am not in this channel.")
