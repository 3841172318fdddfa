"""A workspace is found by all of its ids, replaced by a new installation, and forgotten."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import installations
from storage.side_models import Installation

pytestmark = pytest.mark.usefixtures("database")


async def saved(
    now: datetime, team: str, token: str, *, enterprise: str = "", platform: str = "slack"
) -> None:
    """An installation with this token."""
    await installations.store(
        platform=platform, enterprise=enterprise, team=team, bot={"bot_token": token}, now=now
    )


async def token_of(team: str, *, enterprise: str = "", platform: str = "slack") -> object:
    """The token under which a workspace is found."""
    row = await installations.find(platform=platform, enterprise=enterprise, team=team)
    return row.bot["bot_token"] if row else None


async def test_a_workspace_is_found_with_its_own_token(now: datetime) -> None:
    await saved(now, "T1", "xoxb-1")
    await saved(now, "T2", "xoxb-2")
    assert [await token_of("T1"), await token_of("T2")] == ["xoxb-1", "xoxb-2"]


async def test_one_id_of_two_is_not_enough(now: datetime) -> None:
    await saved(now, "T1", "xoxb-1", enterprise="E1")
    assert await token_of("T1") is None
    assert await token_of("", enterprise="E1") is None
    assert await token_of("T1", enterprise="E1", platform="discord") is None


async def test_a_workspace_that_installs_again_has_its_new_token_only(now: datetime) -> None:
    await saved(now, "T1", "xoxb-1")
    await saved(now + timedelta(days=1), "T1", "xoxb-9")
    [row] = await installations.everyone("slack")
    assert (row.bot, row.installed_at) == ({"bot_token": "xoxb-9"}, now + timedelta(days=1))


async def test_other_words_are_not_written_over_a_new_installation(now: datetime) -> None:
    await saved(now, "T1", "xoxb-1")
    [seen] = await installations.everyone("slack")
    assert await installations.reword(seen, bot={"sealed": "xyz"})
    assert (await installations.everyone("slack"))[0].bot == {"sealed": "xyz"}
    await saved(now + timedelta(days=1), "T1", "xoxb-9")
    assert not await installations.reword(seen, bot={"sealed": "abc"})
    assert await token_of("T1") == "xoxb-9"


async def test_two_first_installations_at_once_leave_one(now: datetime) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(saved(now, "T1", f"xoxb-{number}"))
    assert await Installation.all().count() == 1


async def test_removing_a_workspace_leaves_the_others(now: datetime) -> None:
    await saved(now, "T1", "xoxb-1")
    await saved(now, "T2", "xoxb-2")
    await saved(now, "T1", "xoxb-3", platform="discord")
    assert await installations.remove(platform="slack", enterprise="", team="T1")
    assert await token_of("T1") is None
    assert await token_of("T2") == "xoxb-2"
    assert await token_of("T1", platform="discord") == "xoxb-3"


async def test_a_workspace_is_found_whichever_enterprise_it_belongs_to(now: datetime) -> None:
    await saved(now, "T1", "xoxb-1", enterprise="E1")
    row = await installations.of_team("slack", "T1")
    assert row
    assert (row.enterprise, row.bot) == ("E1", {"bot_token": "xoxb-1"})
    assert await installations.of_team("slack", "T2") is None


async def test_a_workspace_that_moves_into_an_enterprise_is_one_still(now: datetime) -> None:
    await saved(now, "T1", "xoxb-1")
    await saved(now, "T1", "xoxb-2", enterprise="E1")
    [row] = await installations.everyone("slack")
    assert (row.enterprise, row.bot) == ("E1", {"bot_token": "xoxb-2"})


async def test_a_workspace_is_removed_once(now: datetime) -> None:
    await saved(now, "T1", "xoxb-1")
    await installations.remove(platform="slack", enterprise="", team="T1")
    assert not await installations.remove(platform="slack", enterprise="", team="T1")


async def test_workspaces_are_listed_by_platform_and_age(now: datetime) -> None:
    await saved(now, "T2", "xoxb-2")
    await saved(now, "G1", "bot", platform="discord")
    await saved(now, "T1", "xoxb-1")
    assert [row.team for row in await installations.everyone("slack")] == ["T2", "T1"]
