"""What every Adapter keeps to."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from bots.terminal.adapter import PipeAdapter, ScreenAdapter
from bots.terminal.screen import Screen
from core.address import Address
from core.messaging.adapter import Adapter
from core.messaging.messages import Outgoing
from core.turn.python_caller import CallerAdapter
from tests.bots.discord import adapter_helpers as discord_helpers
from tests.bots.slack.outward import CHANNEL, adapter_of, client_of, outgoing
from tests.peers.discord.peer import DiscordPeer
from tests.peers.platform import Platform
from tests.peers.slack.peer import SlackPeer

OUTGOING = Outgoing(
    key="k1",
    address=Address.parse("terminal/main"),
    agent="Ada",
    text="One",
    reply_to="q1",
    is_final=True,
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An adapter, a first message for it, and what a person sees of it by now."""

    adapter: Adapter
    outgoing: Outgoing
    seen: Callable[[], Awaitable[str]]


@pytest.fixture
def platform() -> Subject:
    platform = Platform()

    async def seen() -> str:
        return "\n".join(platform.transcript)

    return Subject(adapter=platform, outgoing=OUTGOING, seen=seen)


@pytest.fixture
def caller() -> Subject:
    caller = CallerAdapter("q1")

    async def seen() -> str:
        caller.finish(None)
        return "".join([delta async for delta in caller.deltas()])

    return Subject(adapter=caller, outgoing=replace(OUTGOING, is_final=False), seen=seen)


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Subject:
    async def seen() -> str:
        return capsys.readouterr().out

    return Subject(adapter=ScreenAdapter(Screen()), outgoing=OUTGOING, seen=seen)


@pytest.fixture
def pipe() -> Iterator[Subject]:
    out, into = os.pipe()

    async def stream_of(_: Outgoing) -> int:
        return into

    async def seen() -> str:
        return os.read(out, 10_000).decode()

    yield Subject(adapter=PipeAdapter(stream_of, leave=lambda: None), outgoing=OUTGOING, seen=seen)
    os.close(out)
    os.close(into)


@pytest.fixture
async def slack() -> AsyncIterator[Subject]:
    async with SlackPeer() as peer, client_of(peer) as client:
        thread = peer.say(CHANNEL, "U0ANNA", "question")

        async def seen() -> str:
            return "\n".join(line.text for line in peer.transcript(CHANNEL))

        first = outgoing("One", thread=thread)
        yield Subject(adapter=adapter_of(client), outgoing=first, seen=seen)


@pytest.fixture
async def discord() -> AsyncIterator[Subject]:
    async with DiscordPeer() as peer, discord_helpers.rest_of(peer) as rest:
        question = peer.say(peer.general, peer.anna, "question")

        async def seen() -> str:
            return "\n".join(line.text for line in peer.transcript(peer.general))

        first = discord_helpers.outgoing(peer, "One", question=question)
        yield Subject(adapter=discord_helpers.adapter_of(rest), outgoing=first, seen=seen)


@pytest.fixture(params=["platform", "caller", "screen", "pipe", "slack", "discord"])
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.getfixturevalue(request.param)
    return found


async def test_what_is_posted_is_seen(subject: Subject) -> None:
    assert await subject.adapter.post(subject.outgoing)
    assert "One" in await subject.seen()


async def test_an_edit_takes_the_place_of_the_message(subject: Subject) -> None:
    message_id = await subject.adapter.post(subject.outgoing)
    edited = await subject.adapter.edit(message_id, replace(subject.outgoing, text="One two"))
    assert edited == message_id


async def test_the_same_edit_can_be_made_twice(subject: Subject) -> None:
    message_id = await subject.adapter.post(subject.outgoing)
    later = replace(subject.outgoing, text="One two")
    once = await subject.adapter.edit(message_id, later)
    assert await subject.adapter.edit(once, later) == once
    assert (await subject.seen()).count("two") <= 1


async def test_what_was_posted_is_found_again(subject: Subject) -> None:
    message_id = await subject.adapter.post(subject.outgoing)
    assert await subject.adapter.find(subject.outgoing) == message_id


async def test_a_message_is_found_by_its_key_and_not_by_its_text(subject: Subject) -> None:
    message_id = await subject.adapter.post(subject.outgoing)
    assert await subject.adapter.find(replace(subject.outgoing, text="Other")) == message_id
    other = replace(subject.outgoing, key="k2")
    assert await subject.adapter.find(other) != message_id


def test_limits_leave_room_for_an_answer_and_are_no_flood(subject: Subject) -> None:
    limits = subject.adapter.limits
    assert limits.text_length >= 1_000
    assert limits.seconds_between_edits is None or limits.seconds_between_edits >= 0
