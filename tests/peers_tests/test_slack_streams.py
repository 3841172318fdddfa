"""Streams and statuses in the Slack peer: seen by the real slack-sdk."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.peers.slack.peer import SlackPeer
from tests.peers_tests.slack_bot import refused, web_client

METADATA = {"event_type": "moorings", "event_payload": {"oid": "1"}}


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer() as peer:
        yield peer


@pytest.fixture
def client(slack: SlackPeer) -> AsyncWebClient:
    return web_client(slack)


async def test_a_stream_grows_and_takes_metadata_at_its_end(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts = slack.say("C0GENERAL", "U0ANNA", "question")
    stream = await client.chat_stream(
        channel="C0GENERAL",
        thread_ts=ts,
        recipient_team_id="T0001",
        recipient_user_id="U0ANNA",
        buffer_size=1,
    )
    await stream.append(markdown_text="The answer ")
    assert slack.transcript("C0GENERAL", ts)[1].is_streaming
    await stream.append(markdown_text="is 42.")
    await stream.stop(metadata=METADATA)
    line = slack.transcript("C0GENERAL", ts)[1]
    assert (line.text, line.is_streaming, line.is_edited) == ("The answer is 42.", False, False)
    replies = await client.conversations_replies(
        channel="C0GENERAL", ts=ts, include_all_metadata=True
    )
    assert replies["messages"][1]["metadata"] == METADATA


async def started(slack: SlackPeer, client: AsyncWebClient) -> str:
    thread = slack.say("C0GENERAL", "U0ANNA", "question")
    answer = await client.chat_startStream(
        channel="C0GENERAL",
        thread_ts=thread,
        markdown_text="a",
        recipient_team_id="T0001",
        recipient_user_id="U0ANNA",
    )
    return str(answer["ts"])


async def test_a_stream_goes_on_in_the_mode_in_which_it_began(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts, chunks = await started(slack, client), [{"type": "markdown_text", "text": "b"}]
    append = client.chat_appendStream(channel="C0GENERAL", ts=ts, chunks=chunks)
    assert await refused(append) == "streaming_mode_mismatch"


async def test_a_stream_dies_after_five_minutes(slack: SlackPeer, client: AsyncWebClient) -> None:
    ts = await started(slack, client)
    slack.advance(301)
    call = client.chat_appendStream(channel="C0GENERAL", ts=ts, markdown_text="b")
    assert await refused(call) == "message_not_in_streaming_state"


async def test_a_stopped_stream_takes_nothing_more(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts = await started(slack, client)
    await client.chat_stopStream(channel="C0GENERAL", ts=ts)
    call = client.chat_stopStream(channel="C0GENERAL", ts=ts)
    assert await refused(call) == "message_not_in_streaming_state"


async def test_an_open_stream_is_neither_edited_nor_deleted(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts = await started(slack, client)
    update = client.chat_update(channel="C0GENERAL", ts=ts, text="b")
    delete = client.chat_delete(channel="C0GENERAL", ts=ts)
    assert [await refused(update), await refused(delete)] == [
        "streaming_state_conflict",
        "cant_delete_message",
    ]


async def test_the_stop_button_ends_the_stream(slack: SlackPeer, client: AsyncWebClient) -> None:
    ts = await started(slack, client)
    thread = slack.transcript("C0GENERAL")[0].ts
    assert slack.press_stop("C0GENERAL", thread, "U0ANNA") == [ts]
    call = client.chat_appendStream(channel="C0GENERAL", ts=ts, markdown_text="b")
    assert await refused(call) == "stopped_by_user"


async def test_a_stream_in_a_channel_needs_its_recipient(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts = slack.say("C0GENERAL", "U0ANNA", "question")
    call = client.chat_startStream(channel="C0GENERAL", thread_ts=ts, markdown_text="a")
    assert await refused(call) == "missing_recipient_team_id"


async def test_a_status_is_seen_until_a_post_clears_it(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts = slack.say("C0GENERAL", "U0ANNA", "question")
    await client.assistant_threads_setStatus(
        channel_id="C0GENERAL", thread_ts=ts, status="is thinking…"
    )
    assert slack.transcript("C0GENERAL", ts)[-1].kind == "status"
    await client.chat_postMessage(channel="C0GENERAL", thread_ts=ts, text="42")
    assert [line.kind for line in slack.transcript("C0GENERAL", ts)] == ["message", "message"]


async def test_a_status_fades_after_two_minutes(slack: SlackPeer, client: AsyncWebClient) -> None:
    ts = slack.say("C0GENERAL", "U0ANNA", "question")
    await client.assistant_threads_setStatus(channel_id="C0GENERAL", thread_ts=ts, status="thinks")
    slack.advance(121)
    assert [line.kind for line in slack.transcript("C0GENERAL")] == ["message"]


async def test_title_and_prompts_are_kept_with_the_thread(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    channel = slack.direct("U0ANNA")
    ts = slack.say(channel, "U0ANNA", "hello")
    await client.assistant_threads_setTitle(channel_id=channel, thread_ts=ts, title="Hello")
    await client.assistant_threads_setSuggestedPrompts(
        channel_id=channel, thread_ts=ts, prompts=[{"title": "Help", "message": "help me"}]
    )
    state = slack.thread_state(channel, ts)
    assert (state["title"], state["prompts"][0]["title"]) == ("Hello", "Help")
