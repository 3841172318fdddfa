"""core/turn/quarantine.py: many turns beside each other, or one alone."""

from __future__ import annotations

import asyncio
from contextvars import Context
from datetime import datetime, timedelta

import pytest

from core.clock import monotonic
from core.errors import Postponed
from core.turn.quarantine import Quarantine
from storage.database import Database
from tests.patience import PATIENCE
from tests.storage import sql


@pytest.fixture
def quarantine() -> Quarantine:
    return Quarantine(calm_seconds=0)


class Place:
    """Somebody's turn: it has begun, and it ends when it is told to."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def beside(self, quarantine: Quarantine) -> None:
        """Beside others."""
        async with quarantine.beside():
            self.has_begun.set()
            await self.may_end.wait()

    async def alone(self, quarantine: Quarantine) -> None:
        """Alone."""
        async with quarantine.alone():
            self.has_begun.set()
            await self.may_end.wait()


async def test_many_are_beside_each_other(quarantine: Quarantine) -> None:
    places = [Place() for _ in range(3)]
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for place in places:
            group.create_task(place.beside(quarantine))
            await place.has_begun.wait()
        for place in places:
            place.may_end.set()


async def test_who_is_alone_waits_for_the_others_and_they_for_it(quarantine: Quarantine) -> None:
    early, alone, late = Place(), Place(), Place()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(early.beside(quarantine))
        await early.has_begun.wait()
        group.create_task(alone.alone(quarantine))
        await asyncio.sleep(0)
        group.create_task(late.beside(quarantine))
        await asyncio.sleep(0)
        assert not [each for each in (alone, late) if each.has_begun.is_set()]
        early.may_end.set()
        await alone.has_begun.wait()
        assert not late.has_begun.is_set()
        alone.may_end.set()
        await late.has_begun.wait()
        late.may_end.set()


async def test_only_one_at_a_time_waits_to_be_alone(quarantine: Quarantine) -> None:
    first, second = Place(), Place()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(first.alone(quarantine))
        await first.has_begun.wait()
        with pytest.raises(Postponed) as later:
            await second.alone(quarantine)
        assert later.value.retry_after
        assert 1 <= later.value.retry_after <= 3
        first.may_end.set()


async def test_who_gives_up_waiting_to_be_alone_keeps_nobody_out(quarantine: Quarantine) -> None:
    early, alone, late = Place(), Place(), Place()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(early.beside(quarantine))
        await early.has_begun.wait()
        waiting = group.create_task(alone.alone(quarantine))
        await asyncio.sleep(0)
        waiting.cancel()
        group.create_task(late.beside(quarantine))
        await late.has_begun.wait()
        early.may_end.set()
        late.may_end.set()


async def test_what_a_turn_asks_for_waits_for_nobody_and_is_never_alone(
    quarantine: Quarantine,
) -> None:
    """A tool asks another agent: its own turn would wait for it."""
    alone = Place()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        async with quarantine.beside():
            group.create_task(alone.alone(quarantine), context=Context())
            await asyncio.sleep(0)
            async with quarantine.beside():
                assert quarantine.is_within
            with pytest.raises(Postponed):
                await Place().alone(quarantine)
        await alone.has_begun.wait()
        alone.may_end.set()
    assert not quarantine.is_within


async def test_a_process_that_has_just_begun_tries_nobody_alone() -> None:
    with pytest.raises(Postponed) as later:
        await Place().alone(Quarantine(calm_seconds=60))
    assert later.value.retry_after
    assert 0 < later.value.retry_after <= 60


@pytest.mark.usefixtures("sqlite")
async def test_what_may_convict_a_turn_waits_until_no_process_has_ended_for_a_while(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever process has seen it."""
    mine, others = Quarantine(calm_seconds=5), Quarantine(calm_seconds=5)
    with pytest.raises(Postponed):  # it has just begun
        await mine.expect_calm(now)
    later = monotonic() + 6
    monkeypatch.setattr("core.turn.quarantine.monotonic", lambda: later)
    await mine.expect_calm(now)
    await others.disturbed(now)
    with pytest.raises(Postponed) as put_off:
        await mine.expect_calm(now + timedelta(seconds=4))
    assert put_off.value.retry_after == 1
    async with mine.alone():  # an earlier try, which convicts nobody
        pass
    await mine.expect_calm(now + timedelta(seconds=5))
    await others.disturbed(now + timedelta(seconds=9))  # its clock is ahead
    with pytest.raises(Postponed):
        await mine.expect_calm(now + timedelta(seconds=5))
    await others.disturbed(now + timedelta(days=1))  # its clock is wrong
    await mine.expect_calm(now + timedelta(seconds=5))


async def test_a_process_that_cannot_tell_others_waits_itself(
    sqlite: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine, later = Quarantine(calm_seconds=5), monotonic() + 6
    monkeypatch.setattr("core.turn.quarantine.monotonic", lambda: later)
    await sql.rows(sqlite, "DROP TABLE cursor")
    await quarantine.disturbed(now)
    with pytest.raises(Postponed) as put_off:
        await quarantine.expect_calm(now)
    assert put_off.value.retry_after == pytest.approx(5)
