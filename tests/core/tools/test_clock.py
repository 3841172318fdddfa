"""core/tools/clock.py: which date and time it is."""

from __future__ import annotations

import zoneinfo

import pytest

from core.errors import ToolError
from core.tools import ToolContext
from core.tools.clock import clock


async def test_the_clock_tells_utc_by_default(context: ToolContext) -> None:
    assert await clock(context) == "Monday, 09 March 2026, 13:05 (UTC, UTC+0000)"


async def test_the_clock_tells_the_time_of_a_zone(context: ToolContext) -> None:
    told = await clock(context, "Asia/Tokyo")
    assert told == "Monday, 09 March 2026, 22:05 (Asia/Tokyo, UTC+0900)"


@pytest.mark.parametrize(
    ("zone", "offset"), [("Asia/Tokyo", "+0900"), ("Europe/Berlin", "+0100"), ("UTC", "+0000")]
)
async def test_zones_are_known_on_a_machine_that_has_none(
    context: ToolContext, zone: str, offset: str
) -> None:
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    told = await clock(context, zone)
    zoneinfo.reset_tzpath()
    assert told.endswith(f"({zone}, UTC{offset})")


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "Europe", "x\x00", "x" * 5_000])
async def test_an_unknown_zone_is_told_to_the_model(zone: str, context: ToolContext) -> None:
    with pytest.raises(ToolError, match="IANA name such as Europe/Berlin"):
        await clock(context, zone)
