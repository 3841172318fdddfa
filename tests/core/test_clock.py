"""Time is UTC and aware of it."""

from __future__ import annotations

from datetime import UTC

from core import clock


def test_now_is_in_utc() -> None:
    assert clock.now().tzinfo is UTC


def test_monotonic_seconds_do_not_run_backwards() -> None:
    assert clock.monotonic() <= clock.monotonic()
