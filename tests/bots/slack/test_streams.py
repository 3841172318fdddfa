"""Answers in threads are streamed; whatever cuts a stream off, there is one whole answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from bots.slack import streams
from bots.slack.adapter import SlackAdapter
from bots.slack.blocks import STOP
from bots.slack.client import SlackClient
from bots.slack.messages import Persona
from bots.slack.streams import Streams
from core.clock import monotonic
from core.errors import Transient
from core.messaging.messages import Outgoing
from tests.bots.slack.bots import Workspace
from tests.bots.slack.outward import CHANNEL, adapter_of, client_of, outgoing
from tests.peers.endpoint import Reply
from tests.peers.slack.peer import SlackPeer

ANNA = "U0ANNA"
SHARED_BY = {CHANNEL: "thread", "C0SUPPORT": "channel", "C0PORT": "user"}
BOUND = "[agents.assistant]" + "".join(
    f"""
[[bindings]]
at = "slack/T0001/{channel}"
agent = "assistant"
conversation = "{shared_by}"
"""
    for channel, shared_by in SHARED_BY.items()
)


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer() as peer:
        yield peer


@pytest.fixture
async def client(slack: SlackPeer) -> AsyncIterator[SlackClient]:
    async with client_of(slack) as client:
        yield client


@pytest.fixture
def adapter(client: SlackClient) -> SlackAdapter:
    return adapter_of(client)


@pytest.fixture
def growing(slack: SlackPeer) -> Outgoing:
    """The beginning of an answer in a thread."""
    thread = slack.say(CHANNEL, ANNA, "question")
    return replace(outgoing("Hel", thread=thread, is_final=False), asked_by=ANNA)


def ended(growing: Outgoing, text: str = "Hello") -> Outgoing:
    """The whole answer."""
    return replace(growing, text=text, is_final=True, asked_by=None)


def answers(slack: SlackPeer) -> list[tuple[str, bool, tuple[str, ...]]]:
    """What people see of the bot: text, whether it streams, what can be pressed."""
    lines = [line for line in slack.transcript(CHANNEL) if line.is_bot]
    return [(line.text, line.is_streaming, line.buttons) for line in lines]


def calls(slack: SlackPeer) -> list[str]:
    """The methods of chat that were called, in order."""
    called = [each.method for each in slack.calls()]
    return [method.removeprefix("chat.") for method in called if method.startswith("chat.")]


async def test_an_answer_in_a_thread_grows_by_what_is_new_and_ends_with_the_whole(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing
) -> None:
    ts = await adapter.post(growing)
    assert answers(slack) == [("Hel", True, ("Stop",))]
    await adapter.edit(ts, replace(growing, text="Hello, wor"))
    assert answers(slack) == [("Hello, wor", True, ("Stop",))]
    await adapter.edit(ts, ended(growing, "Hello, world."))
    assert answers(slack) == [("Hello, world.", False, ("feedback",))]
    assert calls(slack) == ["startStream", "appendStream", "stopStream", "update"]
    [chunk] = slack.calls("chat.appendStream")[0].arguments["chunks"]
    assert (chunk["type"], chunk["text"]) == ("markdown_text", "lo, wor")


async def test_a_stream_is_shown_no_text_twice_and_none_too_soon(
    adapter: SlackAdapter, growing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    began_at = monotonic()
    monkeypatch.setattr(streams, "monotonic", lambda: began_at)
    grown = replace(growing, text="Hello")
    await adapter.post(growing)
    assert not adapter.may_preview(grown)
    monkeypatch.setattr(streams, "monotonic", lambda: began_at + 1)
    assert [adapter.may_preview(each) for each in (growing, grown)] == [False, True]


@pytest.mark.parametrize("change", [{"reply_to": None}, {"asked_by": None}])
async def test_without_a_thread_or_somebody_to_stream_to_it_grows_by_edits(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing, change: dict[str, None]
) -> None:
    elsewhere = replace(growing, **change)  # type: ignore[arg-type]  # None fits both
    ts = await adapter.post(elsewhere)
    await adapter.edit(ts, ended(elsewhere))
    assert calls(slack) == ["postMessage", "update"]


async def test_a_workspace_without_streams_is_answered_by_edits(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing
) -> None:
    slack.fault("chat.startStream", "error", error="feature_not_enabled")
    ts = await adapter.post(growing)
    await adapter.edit(ts, ended(growing))
    assert answers(slack) == [("Hello", False, ("feedback",))]


async def test_what_begins_anew_is_said_by_an_edit(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing
) -> None:
    ts = await adapter.post(growing)
    await adapter.edit(ts, replace(growing, text="Good morning"))
    assert answers(slack) == [("Good morning", False, ("Stop",))]
    assert calls(slack) == ["startStream", "stopStream", "update"]


async def test_an_append_that_may_have_arrived_is_not_made_again(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing
) -> None:
    ts = await adapter.post(growing)
    slack.fault("chat.appendStream", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.edit(ts, replace(growing, text="Hello"))
    await adapter.edit(ts, replace(growing, text="Hello, world"))
    assert answers(slack) == [("Hello, world", False, ("Stop",))]


async def test_a_stream_that_another_process_left_is_found_and_finished(
    slack: SlackPeer, client: SlackClient, growing: Outgoing
) -> None:
    slack.fault("chat.startStream", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter_of(client).post(growing)
    heir = adapter_of(client)
    ts = await heir.find(growing)
    assert ts
    assert await heir.edit(ts, ended(growing)) == ts
    assert answers(slack) == [("Hello", False, ("feedback",))]


async def test_a_preview_goes_on_in_a_stream_that_another_process_left(
    slack: SlackPeer, client: SlackClient, growing: Outgoing
) -> None:
    ts = await adapter_of(client).post(growing)
    await adapter_of(client).edit(ts, replace(growing, text="Hello"))
    assert answers(slack) == [("Hello", False, ("Stop",))]


async def test_a_stream_that_was_ended_without_its_last_edit_is_finished_by_the_next_process(
    slack: SlackPeer, client: SlackClient, growing: Outgoing
) -> None:
    dying = adapter_of(client)
    ts = await dying.post(growing)
    await dying._streams.end(ts, growing)
    assert answers(slack) == [("Hel", False, ("Stop",))]
    heir = adapter_of(client)
    assert await heir.find(growing) == ts
    assert await heir.edit(ts, ended(growing)) == ts
    assert answers(slack) == [("Hello", False, ("feedback",))]


async def test_a_stream_ends_before_slack_would_end_it_and_edits_go_on(
    slack: SlackPeer, client: SlackClient, growing: Outgoing
) -> None:
    def persona_of(name: str) -> Persona:
        return Persona(name=name)

    adapter = SlackAdapter(client, persona_of, streams=Streams(client, persona_of, longest=0))
    ts = await adapter.post(growing)
    await adapter.edit(ts, replace(growing, text="Hello"))
    await adapter.edit(ts, ended(growing, "Hello, world"))
    assert calls(slack) == ["startStream", "stopStream", "update", "update"]
    assert answers(slack) == [("Hello, world", False, ("feedback",))]


async def test_a_stream_that_slack_has_ended_is_no_loss(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing
) -> None:
    ts = await adapter.post(growing)
    slack.advance(400)
    await adapter.edit(ts, replace(growing, text="Hello"))
    await adapter.edit(ts, ended(growing, "Hello, world"))
    assert answers(slack) == [("Hello, world", False, ("feedback",))]


async def test_so_many_streams_as_can_be_ended_and_edits_for_the_rest(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing
) -> None:
    many = [replace(growing, key=f"k{number}") for number in range(15)]
    posted = [(await adapter.post(each), each) for each in many if adapter.may_preview(each)]
    for ts, each in posted:
        await adapter.edit(ts, ended(each))
    assert 5 < len(slack.calls("chat.startStream")) <= 10
    assert {answer[1:] for answer in answers(slack)} == {(False, ("feedback",))}


@pytest.mark.usefixtures("no_refill")
async def test_streams_that_begin_at_once_keep_room_to_be_ended(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing
) -> None:
    many = [replace(growing, key=f"k{number}") for number in range(14)]
    async with asyncio.TaskGroup() as group:
        posts = [group.create_task(adapter.post(each)) for each in many]
    for post, each in zip(posts, many, strict=True):
        if adapter._streams.is_open(each.key):
            await adapter.edit(post.result(), replace(each, text="Hello, world"))
            await adapter._streams.end(post.result(), each)
    assert 0 < len(slack.calls("chat.startStream")) <= 10


async def test_streams_that_were_ended_elsewhere_are_forgotten(
    adapter: SlackAdapter, growing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        await adapter._streams.begin(replace(growing, key=f"k{number}"))
    later = monotonic() + 500
    monkeypatch.setattr(streams, "monotonic", lambda: later)
    assert adapter._streams._count("T0001") == 0


async def test_nothing_pings_by_way_of_a_stream(
    slack: SlackPeer, adapter: SlackAdapter, growing: Outgoing
) -> None:
    ts = await adapter.post(replace(growing, text="<!chan"))
    await adapter.edit(ts, replace(growing, text="<!channel> and @everyone"))
    await adapter.edit(ts, ended(growing, "<!channel> and @everyone"))
    assert [line.pings for line in slack.transcript(CHANNEL) if line.is_bot] == [()]


@pytest.mark.usefixtures("grows_at_once")
async def test_slacks_own_stop_button_ends_stream_and_answer_whoever_shares_the_history(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    slack.add_channel("C0PORT")
    threads = {channel: slack.say(channel, ANNA, "what now?") for channel in SHARED_BY}
    workspace.endpoint.script(*[Reply(text="Never ending. " * 2_000, size=5, pause=0.05)] * 3)
    async with workspace.bot(BOUND):
        for channel, thread in threads.items():
            slack.say(channel, ANNA, f"{slack.mention} hello", thread)
        for channel, thread in threads.items():
            await slack.until(partial(has_grown, slack, channel))
            assert slack.press_stop(channel, thread, ANNA), SHARED_BY[channel]
            [answer] = await workspace.answered(channel)
            assert answer.startswith("Never"), SHARED_BY[channel]
            assert answer.endswith("(stopped)"), SHARED_BY[channel]
    assert len(slack.calls("chat.startStream")) == 3


def has_grown(slack: SlackPeer, channel: str) -> bool:
    appended = slack.calls("chat.appendStream")
    return channel in {each.arguments["channel"] for each in appended}


@pytest.mark.usefixtures("grows_at_once")
async def test_our_own_stop_button_in_a_stream_ends_it(workspace: Workspace) -> None:
    slack = workspace.slack
    thread = slack.say(CHANNEL, ANNA, "what do you think?")
    async with workspace.bot(BOUND):
        workspace.endpoint.script(Reply(text="Never ending. " * 2_000, size=5, pause=0.05))
        slack.say(CHANNEL, ANNA, f"{slack.mention} hello", thread)
        await slack.until(lambda: slack.calls("chat.appendStream"))
        [streamed] = [line for line in slack.transcript(CHANNEL) if line.is_streaming]
        slack.click(CHANNEL, streamed.ts, STOP, ANNA)
        [answer] = await workspace.answered(CHANNEL)
    assert answer.endswith("(stopped)")
