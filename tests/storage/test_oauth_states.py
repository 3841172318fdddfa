"""A state is good once, for a while."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import oauth_states
from storage.side_models import OAuthState

pytestmark = pytest.mark.usefixtures("database")
SOON = timedelta(minutes=10)


async def test_a_state_can_be_used_once(now: datetime) -> None:
    assert await oauth_states.use(state="s1", now=now, expires_at=now + SOON)
    assert not await oauth_states.use(state="s1", now=now, expires_at=now + SOON)
    assert await oauth_states.use(state="S1", now=now, expires_at=now + SOON)


async def test_of_many_who_bring_a_state_at_once_one_goes_on(now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        tries = [
            group.create_task(oauth_states.use(state="s1", now=now, expires_at=now + SOON))
            for _ in range(8)
        ]
    assert sorted(each.result() for each in tries) == [False] * 7 + [True]


async def test_what_has_expired_is_dropped_with_the_next_one(now: datetime) -> None:
    await oauth_states.use(state="s1", now=now, expires_at=now + SOON)
    await oauth_states.use(state="s2", now=now + SOON, expires_at=now + 2 * SOON)
    assert [row.state for row in await OAuthState.all()] == ["s2"]


async def test_what_has_expired_is_dropped_by_upkeep(now: datetime) -> None:
    for state, expires_at in (("s1", now), ("s2", now + SOON)):
        await oauth_states.use(state=state, now=now - SOON, expires_at=expires_at)
    assert await oauth_states.drop_expired(now) == 1
    assert [row.state for row in await OAuthState.all()] == ["s2"]
