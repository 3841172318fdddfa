"""The client of the way out: logged in, bounded in time, and in our own errors."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import suppress

import discord
import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bots.discord.failures import DiscordRefused
from bots.discord.internals import point_at
from bots.discord.rest import Rest
from core.clock import monotonic
from core.errors import ConfigMistake, Transient
from tests.bots.discord.adapter_helpers import hurried, rest_of
from tests.peers.discord.peer import DiscordPeer

SECRETS = ("the text", "Bot ", "Ordered by a test")


@pytest.fixture
async def peer() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


async def send(rest: Rest, channel: str) -> discord.Message:
    """One call that has an effect."""
    async with rest.call("a message") as client:
        return await client.get_partial_messageable(int(channel)).send("the text")


async def look(rest: Rest, channel: str) -> DiscordRefused | None:
    """One call for what is not there; how it is refused."""
    try:
        async with rest.call("a look") as client:
            await client.get_partial_messageable(int(channel)).fetch_message(1)
    except DiscordRefused as refused:
        return refused
    return None


async def test_it_knows_whose_token_it_has_and_never_connects(peer: DiscordPeer) -> None:
    async with rest_of(peer) as rest:
        assert (rest.user, rest.application) == (int(peer.bot_user), int(peer.application_id))
    assert peer.identifies == 0


def test_another_api_is_for_the_whole_process_until_it_is_taken_back() -> None:
    own = (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY)
    point_at("http://127.0.0.1:1/api/v10/")
    assert Route("GET", "/users/@me").url == "http://127.0.0.1:1/api/v10/users/@me"
    assert str(DiscordWebSocket.DEFAULT_GATEWAY) == "ws://127.0.0.1:1"
    point_at(None)
    assert own == (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY)


async def test_a_refused_token_is_the_operators_to_mend(peer: DiscordPeer) -> None:
    with pytest.raises(ConfigMistake, match="DISCORD_TOKEN") as caught:
        await Rest.open("not.the.token", peer.api_url)
    assert "not.the.token" not in str(caught.value)


@pytest.mark.parametrize("trouble", ["drop_before_commit", "banned", "delay"])
async def test_a_login_that_breaks_off_can_be_tried_again(peer: DiscordPeer, trouble: str) -> None:
    peer.fault("users.me", trouble, seconds=3)
    with pytest.raises(Transient):
        await Rest.open(peer.token, peer.api_url, seconds=0.3)
    peer.clear_faults()
    async with rest_of(peer) as rest:
        assert rest.user


async def test_a_discord_that_nobody_hears_can_be_tried_again() -> None:
    with pytest.raises(Transient):
        await Rest.open("any", "http://127.0.0.1:1/api/v10")
    point_at(None)


@pytest.mark.parametrize(
    ("trouble", "details"),
    [
        ("drop_before_commit", {}),
        ("drop_after_commit", {}),
        ("delay_after_commit", {"seconds": 3}),
        ("status", {"status": 503}),
        ("status", {"status": 403}),  # a proxy's, with no word of Discord in it
        ("error", {"status": 400, "code": 30046}),
    ],
)
async def test_what_may_pass_is_transient(
    peer: DiscordPeer, trouble: str, details: dict[str, float]
) -> None:
    async with rest_of(peer) as rest:
        peer.fault("messages.create", trouble, **details)
        with hurried(rest), pytest.raises(Transient) as caught:
            await send(rest, peer.general)
    assert not any(secret in str(caught.value) for secret in SECRETS)


async def test_a_limit_of_cloudflare_is_waited_out_elsewhere(peer: DiscordPeer) -> None:
    async with rest_of(peer) as rest:
        peer.fault("messages.create", "banned")
        with pytest.raises(Transient) as caught:
            await send(rest, peer.general)
    assert caught.value.retry_after
    assert len(peer.calls("messages.create")) == 1


@pytest.mark.parametrize(("asked", "wait"), [(-7, 1), (0, 1), (math.inf, 10), (math.nan, 10)])
async def test_a_wait_that_makes_no_sense_is_not_taken_at_its_word(
    peer: DiscordPeer, asked: float, wait: float
) -> None:
    async with rest_of(peer) as rest:
        peer.fault("messages.create", "banned", retry_after=asked)
        with pytest.raises(Transient) as caught:
            await send(rest, peer.general)
    assert caught.value.retry_after == wait


async def test_a_limit_that_is_too_long_to_wait_for_is_waited_out_elsewhere(
    peer: DiscordPeer,
) -> None:
    async with rest_of(peer) as rest:
        peer.fault("messages.create", "ratelimited", retry_after=31)
        with pytest.raises(Transient) as caught:
            await send(rest, peer.general)
    assert caught.value.retry_after == 31


@pytest.mark.parametrize(("status", "code"), [(403, 50013), (404, 10003), (400, 50035)])
async def test_what_discord_refuses_is_refused_with_its_number(
    peer: DiscordPeer, status: int, code: int
) -> None:
    async with rest_of(peer) as rest:
        peer.fault("messages.create", "error", status=status, code=code)
        with pytest.raises(DiscordRefused, match=str(code)) as caught:
            await send(rest, peer.general)
    assert caught.value.code == code
    assert not any(secret in str(caught.value) for secret in SECRETS)


async def test_a_token_that_was_reset_later_is_the_operators_to_mend(peer: DiscordPeer) -> None:
    async with rest_of(peer) as rest:
        peer.spoil_token()
        with pytest.raises(ConfigMistake, match="DISCORD_TOKEN"):
            await send(rest, peer.general)


@pytest.mark.parametrize("told", [True, False])
async def test_a_call_cut_off_in_the_global_limit_keeps_others_waiting_until_its_end(
    peer: DiscordPeer, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """Whether Discord tells in a header that the limit is of all, or in the answer alone."""
    limit = 1.0 if told else 0.5
    if not told:
        monkeypatch.setattr("bots.discord.internals.LONGEST_LIMIT", limit)
        monkeypatch.setattr("bots.discord.internals._TOO_MANY", 0)
    async with rest_of(peer) as rest:
        peer.fault("messages.create", "ratelimited_globally", times=1, retry_after=1)
        began = monotonic()
        with hurried(rest, 0.2):
            with pytest.raises(Transient):
                await send(rest, peer.general)
            while not peer.transcript(peer.general):
                with suppress(Transient):
                    await send(rest, peer.general)
        assert monotonic() - began >= limit


async def test_a_failed_call_does_not_lift_the_global_limit_of_all(peer: DiscordPeer) -> None:
    async with rest_of(peer) as rest, asyncio.TaskGroup() as group:
        peer.fault("messages.get", "delay", times=1, seconds=0.3)
        peer.fault("messages.create", "ratelimited_globally", times=1, retry_after=1)
        failing = group.create_task(look(rest, peer.general))
        await peer.until(lambda: peer.calls("messages.get"))
        began = monotonic()
        group.create_task(send(rest, peer.general))
        await peer.until(lambda: peer.calls("messages.create"))
        assert isinstance(await failing, DiscordRefused)
        assert isinstance(await look(rest, peer.general), DiscordRefused)
        assert monotonic() - began >= 1


async def test_what_discord_py_warns_of_is_heard(
    peer: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    async with rest_of(peer) as rest:
        peer.fault("messages.create", "ratelimited", times=1, retry_after=0.01)
        await send(rest, peer.general)
    [heard] = [each for each in caplog.records if each.name.startswith("discord")]
    assert heard.levelname == "WARNING"
