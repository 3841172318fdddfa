"""core/turn/company.py: many turns beside each other, or one alone."""

from __future__ import annotations

import asyncio
from contextvars import Context

import pytest

from core.errors import Postponed
from core.turn.company import Company
from tests.patience import PATIENCE


@pytest.fixture
def company() -> Company:
    return Company(calm_seconds=0)


class Place:
    """Somebody's turn: it has begun, and it ends when it is told to."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def beside(self, company: Company) -> None:
        """Beside others."""
        async with company.beside():
            self.has_begun.set()
            await self.may_end.wait()

    async def alone(self, company: Company) -> None:
        """Alone."""
        async with company.alone():
            self.has_begun.set()
            await self.may_end.wait()


async def test_many_are_beside_each_other(company: Company) -> None:
    places = [Place() for _ in range(3)]
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for place in places:
            group.create_task(place.beside(company))
            await place.has_begun.wait()
        for place in places:
            place.may_end.set()


async def test_who_is_alone_waits_for_the_others_and_they_for_it(company: Company) -> None:
    early, alone, late = Place(), Place(), Place()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(early.beside(company))
        await early.has_begun.wait()
        group.create_task(alone.alone(company))
        await asyncio.sleep(0)
        group.create_task(late.beside(company))
        await asyncio.sleep(0)
        assert not [each for each in (alone, late) if each.has_begun.is_set()]
        early.may_end.set()
        await alone.has_begun.wait()
        assert not late.has_begun.is_set()
        alone.may_end.set()
        await late.has_begun.wait()
        late.may_end.set()


async def test_only_one_at_a_time_waits_to_be_alone(company: Company) -> None:
    first, second = Place(), Place()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(first.alone(company))
        await first.has_begun.wait()
        with pytest.raises(Postponed) as later:
            await second.alone(company)
        assert later.value.retry_after
        assert 1 <= later.value.retry_after <= 3
        first.may_end.set()


async def test_who_gives_up_waiting_to_be_alone_keeps_nobody_out(company: Company) -> None:
    early, alone, late = Place(), Place(), Place()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(early.beside(company))
        await early.has_begun.wait()
        waiting = group.create_task(alone.alone(company))
        await asyncio.sleep(0)
        waiting.cancel()
        group.create_task(late.beside(company))
        await late.has_begun.wait()
        early.may_end.set()
        late.may_end.set()


async def test_what_a_turn_asks_for_waits_for_nobody_and_is_never_alone(company: Company) -> None:
    """A tool asks another agent: its own turn would wait for it."""
    alone = Place()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        async with company.beside():
            group.create_task(alone.alone(company), context=Context())
            await asyncio.sleep(0)
            async with company.beside():
                assert company.is_within
            with pytest.raises(Postponed):
                await Place().alone(company)
        await alone.has_begun.wait()
        alone.may_end.set()
    assert not company.is_within


async def test_a_process_that_has_just_begun_tries_nobody_alone() -> None:
    with pytest.raises(Postponed) as later:
        await Place().alone(Company(calm_seconds=60))
    assert later.value.retry_after
    assert 0 < later.value.retry_after <= 60
