"""Which agent people have chosen, where."""

from __future__ import annotations

from datetime import datetime

import pytest

from storage import bindings

pytestmark = pytest.mark.usefixtures("database")


async def _bound(at: str, agent: str, now: datetime) -> None:
    await bindings.bind(
        at=at, agent=agent, listen="mentions", conversation="thread", made_by="ana", now=now
    )


async def test_a_binding_is_found_among_the_paths_asked_for(now: datetime) -> None:
    for at in ("slack/T1", "slack/T1/C1", "slack/T1/C2"):
        await _bound(at, f"agent of {at}", now)
    found = await bindings.among(("slack/T1/C1", "slack/T1", "slack"))
    assert {row.at: row.agent for row in found} == {
        "slack/T1": "agent of slack/T1",
        "slack/T1/C1": "agent of slack/T1/C1",
    }


async def test_a_place_bound_again_has_the_newer_agent(now: datetime) -> None:
    await _bound("slack/T1", "support", now)
    await _bound("slack/T1", "sales", now)
    assert [row.agent for row in await bindings.among(("slack/T1",))] == ["sales"]


async def test_bindings_below_a_path_are_listed_by_address(now: datetime) -> None:
    for at in ("slack/T1/C2", "slack/T1/C1", "slack/T10", "slack/T1"):
        await _bound(at, "support", now)
    found = await bindings.below("slack/T1")
    assert [row.at for row in found] == ["slack/T1", "slack/T1/C1", "slack/T1/C2"]
