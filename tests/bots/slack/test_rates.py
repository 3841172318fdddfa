"""Calls are paced for each workspace and channel, and what nobody needs any more is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from bots.slack.failures import NotDone
from bots.slack.rates import Rates

POST = "chat.postMessage"


async def test_a_channel_that_was_quiet_for_a_while_takes_up_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bots.slack.rates._MANY", 10)
    monkeypatch.setattr("bots.slack.rates._POST_SECONDS", 1e-6)
    rates = Rates()
    for number in range(500):
        await rates.wait("T1", POST, f"C{number}")
    assert len(rates._buckets) < 50


async def test_a_channel_that_is_busy_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bots.slack.rates._MANY", 10)
    rates = Rates()
    for _ in range(3):
        await rates.wait("T1", POST, "C0")
    for number in range(1, 30):
        await rates.wait("T1", POST, f"C{number}")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(rates.wait("T1", POST, "C0"), 0.01)


async def test_a_channel_takes_three_posts_at_once_and_then_one_a_second() -> None:
    bucket = Rates()._bucket(("T1", POST, "C1"))
    assert (bucket.max_rate, bucket.time_period / bucket.max_rate) == (3, 1)


async def test_whoever_waits_to_post_keeps_the_place_however_long_that_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bots.slack.rates._POST_SECONDS", 0.03)
    rates, posted = Rates(patience=0.000_001), list[int]()

    async def post(number: int) -> None:
        await rates.wait("T1", POST, "C1")
        posted.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(post(number))
    assert posted == list(range(30))


async def test_who_comes_before_a_late_loop_wakes_who_waits_is_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates, posted = Rates(), list[int]()

    async def post(number: int) -> None:
        await rates.wait("T1", POST, "C1")
        posted.append(number)

    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(post(number))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        late = loop.time() + 2
        monkeypatch.setattr(loop, "time", lambda: late)
        await post(4)
    assert posted == [0, 1, 2, 3, 4]


async def test_another_call_is_put_off_when_it_would_wait_too_long() -> None:
    rates = Rates(patience=0.001)
    for _ in range(10):
        await rates.wait("T1", "users.info")
    with pytest.raises(NotDone, match=r"too many calls of users\.info"):
        await rates.wait("T1", "users.info")


async def test_what_slack_asked_to_wait_with_is_forgotten_when_that_is_over() -> None:
    rates = Rates()
    for number in range(100):
        rates.block("T1", POST, f"C{number}", -1.0)
    assert len(rates._blocked_until) == 1
