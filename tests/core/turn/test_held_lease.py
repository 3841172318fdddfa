"""A lease is renewed while it is held, and whoever holds it knows when it may be gone."""

from __future__ import annotations

import asyncio

import pytest

from core.clock import monotonic
from core.turn.held_lease import HeldLease, check_lease
from storage.database import Database
from storage.errors import DatabaseBusy, DatabaseUnusable, LeaseLost
from tests.core.given import Stage, broken, locked


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    stage.lease_seconds = 0.3
    await stage.say("Hello")
    return stage


async def test_a_lease_that_is_kept_does_not_lapse(stage: Stage) -> None:
    stage.lease_seconds = 1.5
    hold = await stage.hold()
    before = (await stage.conversation()).ready_at
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.7):
            await hold.keep()
    hold.check()
    assert (await stage.conversation()).ready_at != before


async def test_a_lease_that_is_not_kept_may_be_gone(stage: Stage) -> None:
    stage.lease_seconds = 0
    hold = await stage.hold()
    with pytest.raises(LeaseLost, match="lapsed"):
        hold.check()


async def test_a_lease_is_safe_up_to_its_last_moment_and_not_in_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.lease_seconds = 1.5
    hold = HeldLease(await stage.lease(), stage.clock, claimed_at=10)
    monkeypatch.setattr("core.turn.held_lease.monotonic", lambda: 11.4)
    hold.check()
    monkeypatch.setattr("core.turn.held_lease.monotonic", lambda: 11.5)
    with pytest.raises(LeaseLost, match="lapsed"):
        hold.check()


async def test_keeping_ends_when_somebody_else_has_it(stage: Stage) -> None:
    hold = await stage.hold()
    stage.clock.forward(60)
    await stage.lease()
    with pytest.raises(LeaseLost, match="another process"):
        await hold.keep()


async def test_a_busy_database_is_waited_for_as_long_as_the_lease_is_safe(
    stage: Stage, sqlite: Database
) -> None:
    hold = await stage.hold()
    with locked(sqlite.file), pytest.raises(LeaseLost, match="lapsed"):
        await hold.keep()


async def test_a_database_that_is_gone_is_told(stage: Stage, sqlite: Database) -> None:
    hold = await stage.hold()
    with broken(sqlite.file), pytest.raises(DatabaseUnusable):
        await hold.keep()


async def test_what_the_database_could_not_take_at_once_is_tried_again(stage: Stage) -> None:
    tried: list[bool] = []

    async def busy_at_first(is_again: bool) -> str:  # as it is called
        tried.append(is_again)
        if not is_again:
            raise DatabaseBusy("locked")
        return "done"

    stage.lease_seconds = 15
    assert await (await stage.hold()).insist(busy_at_first) == "done"
    assert tried == [False, True]


async def test_who_has_lost_the_lease_does_not_insist(stage: Stage) -> None:
    async def busy(_: bool) -> None:  # as it is called
        raise DatabaseBusy("locked")

    with pytest.raises(LeaseLost, match="lapsed"):
        await (await stage.hold()).insist(busy)


async def test_the_present_is_that_of_the_clock(stage: Stage) -> None:
    hold: HeldLease = await stage.hold()
    stage.clock.forward(3_600)
    assert hold.now().hour == stage.clock().hour


async def test_the_lease_counts_from_before_it_was_asked_for(stage: Stage) -> None:
    stage.lease_seconds = 15
    lease = await stage.lease()
    hold = HeldLease(lease, stage.clock, claimed_at=monotonic() - 15)
    with pytest.raises(LeaseLost, match="lapsed"):
        hold.check()


async def test_what_goes_out_is_looked_at_where_no_hold_is_at_hand(stage: Stage) -> None:
    stage.lease_seconds = 0
    hold = await stage.hold()
    check_lease()
    with hold.in_force(), pytest.raises(ExceptionGroup) as lost:
        async with asyncio.TaskGroup() as group:
            group.create_task(_checked())
    assert lost.group_contains(LeaseLost, match="lapsed")
    check_lease()


async def _checked() -> None:
    check_lease()
