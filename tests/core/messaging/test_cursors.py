"""Cursors that stand still are folded into that of their workspace, where that changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.address import Address
from core.messaging.cursors import Cursors
from storage import cursors
from storage.database import Database
from storage.models import Cursor
from tests.core.given import Hands

pytestmark = pytest.mark.usefixtures("sqlite")
MONTH, DAY = timedelta(days=30), timedelta(days=1)


@pytest.fixture
def clock() -> Hands:
    return Hands()


async def having(clock: Hands, *names: str) -> None:
    """Cursors of these names, moved now."""
    for name in names:
        await cursors.advance(name, 7, clock())


async def names() -> list[str]:
    """Those that there are."""
    return [cursor.name for cursor in await Cursor.all().order_by("name")]


async def test_channels_and_threads_are_folded_into_their_workspace(clock: Hands) -> None:
    await having(clock, "slack/T1", "slack/T1/C1", "discord/1", "discord/1/2", "discord/1/3")
    clock.forward(MONTH.total_seconds())
    assert await Cursors(clock).fold(MONTH) == 3
    assert await names() == ["discord/1", "slack/T1"]


async def test_what_moved_lately_stays(clock: Hands) -> None:
    await having(clock, "slack/T1", "slack/T1/C1")
    clock.forward((MONTH - DAY).total_seconds())
    assert await Cursors(clock).fold(MONTH) == 0


async def test_a_workspace_without_a_cursor_keeps_those_below(clock: Hands) -> None:
    await having(clock, "slack/T1/C1")
    clock.forward(MONTH.total_seconds())
    assert await Cursors(clock).fold(MONTH) == 0


@pytest.mark.parametrize(
    "name",
    [
        "slack/T1/first",
        "discord/@me/9",
        "slack/T1",
        "slack/T1/C1/5.5",
        "terminal/main/x",
        "upkeep",
        "discord-commands/1",
        "menu/slack/T1",
    ],
)
async def test_what_tells_something_else_stays(clock: Hands, name: str) -> None:
    await having(clock, *{"slack/T1", "discord/@me", "terminal/main", name})
    clock.forward(MONTH.total_seconds())
    assert await Cursors(clock).fold(MONTH) == 0
    assert name in await names()


async def test_more_than_a_page_is_folded(clock: Hands) -> None:
    await having(clock, "discord/1", "discord/@me")
    await Cursor.bulk_create(
        Cursor(name=f"discord/{server}/{number}", position=str(number), moved_at=clock())
        for number in range(600)
        for server in ("1", "@me")
    )
    clock.forward(MONTH.total_seconds())
    assert await Cursors(clock).fold(MONTH) == 600
    address = Address(platform="discord", parts=("1",))
    assert await Cursors(clock).below(address) == {"discord/1": 599}


async def test_a_cursor_is_made_again_when_something_is_heard(
    clock: Hands, sqlite: Database
) -> None:
    await having(clock, "discord/1", "discord/1/2")
    clock.forward(MONTH.total_seconds())
    here = Cursors(clock)
    await here.fold(MONTH)
    channel = Address(platform="discord", parts=("1", "2"))
    await here.advance(channel, 9)
    assert await here.below(channel) == {"discord/1/2": 9}
