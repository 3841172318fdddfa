"""Bindings made in chat are known by heart, whoever makes them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from core.address import Address
from core.config.binding import Listen
from core.messaging import bindings as core_bindings
from core.messaging.bindings import Bindings
from storage import bindings
from storage.database import Database
from storage.models import Binding
from tests.statements import asked

AT = "slack/T1/C1"


class Seconds:
    """What has gone by for whoever knows bindings."""

    passed = 100.0

    def __call__(self) -> float:
        return self.passed


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    seconds = Seconds()
    monkeypatch.setattr(core_bindings, "monotonic", seconds)
    return seconds


@pytest.fixture
def here(database: Database, seconds: Seconds, now: datetime) -> Bindings:
    """This process."""
    return Bindings(lambda: now)


async def bind_elsewhere(agent: str, now: datetime) -> None:
    await bindings.bind(at=AT, agent=agent, listen="all", conversation="", made_by="ana", now=now)


async def bound(here: Bindings) -> str | None:
    found = (await here.among((AT, "slack/T1"))).get(AT)
    return found.agent if found else None


async def test_what_is_bound_here_is_known_at_once(here: Bindings) -> None:
    assert await bound(here) is None
    for agent in ("sales", "support"):
        await here.bind(Address.parse(AT), agent, Listen.ALL, None, "ana")
        assert await bound(here) == agent


async def test_what_another_process_binds_is_known_within_a_second(
    here: Bindings, seconds: Seconds, now: datetime
) -> None:
    await bind_elsewhere("sales", now)
    assert await bound(here) == "sales"
    await bind_elsewhere("support", now)  # in the same millisecond, by its clock
    assert await bound(here) == "sales"
    seconds.passed += 1
    assert await bound(here) == "support"


async def test_what_a_version_before_this_one_binds_is_known_within_a_second(
    here: Bindings, seconds: Seconds, now: datetime
) -> None:
    await bind_elsewhere("sales", now)
    assert await bound(here) == "sales"
    later = now + timedelta(seconds=5)
    await Binding.filter(at=AT).update(agent="support", made_at=later)
    seconds.passed += 1
    assert await bound(here) == "support"
    await Binding.filter(at=AT).delete()
    seconds.passed += 1
    assert await bound(here) is None


@pytest.mark.usefixtures("sqlite")
async def test_a_second_of_messages_asks_the_database_once(seconds: Seconds, now: datetime) -> None:
    here = Bindings(lambda: now)
    await bind_elsewhere("sales", now)
    await bound(here)
    seconds.passed += 1
    async with asked() as statements:
        for _ in range(20):
            await bound(here)
    assert len(statements) == 1


async def test_of_more_bindings_than_are_kept_the_right_one_is_found(
    here: Bindings, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_bindings, "_MOST", 1)
    await bindings.bind(
        at="slack/T2", agent="other", listen="all", conversation="", made_by="ben", now=now
    )
    await bind_elsewhere("sales", now)
    assert await bound(here) == "sales"
