"""The tool `clock`: which date and time it is."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from core.errors import ToolError
from core.tools import ToolContext


async def clock(
    context: ToolContext,
    timezone: Annotated[
        str | None, Field(description="IANA time zone such as Europe/Berlin; UTC if left out.")
    ] = None,
) -> str:
    """The present date, time and weekday."""
    now = context.now.astimezone(_zone(timezone) if timezone else UTC)
    return f"{now:%A, %d %B %Y, %H:%M} ({timezone or 'UTC'}, UTC{now:%z})"


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ToolError(
            f"there is no time zone {name!r}: use an IANA name such as Europe/Berlin"
        ) from error
