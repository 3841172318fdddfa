"""Calls are paced for each workspace and channel, and what nobody needs any more is forgotten."""

from __future__ import annotations

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
    rates = Rates(patience=0.001)
    for _ in range(3):
        await rates.wait("T1", POST, "C0")
    for number in range(1, 30):
        await rates.wait("T1", POST, f"C{number}")
    with pytest.raises(NotDone):
        await rates.wait("T1", POST, "C0")


async def test_what_slack_asked_to_wait_with_is_forgotten_when_that_is_over() -> None:
    rates = Rates()
    for number in range(100):
        rates.block("T1", POST, f"C{number}", -1.0)
    assert len(rates._blocked_until) == 1
