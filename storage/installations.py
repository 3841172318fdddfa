"""Workspaces that have installed the bot, each with the tokens that its platform gave for it."""

from __future__ import annotations

from datetime import datetime

from tortoise.exceptions import IntegrityError

from storage.drivers.transaction import reading, transaction
from storage.side_models import Installation


def sealed(tokens: str) -> dict[str, object]:
    """What to store of an installation whose tokens are encrypted."""
    return {"sealed": tokens}


def tokens_of(bot: object) -> str | None:
    """The encrypted tokens of what was stored; None where they are not encrypted."""
    match bot:
        case {"sealed": str() as tokens, **others} if not others:  # pyright: ignore[reportUnknownVariableType]  # of a dict of whatever
            return tokens
        case _:
            return None


async def store(
    *, platform: str, enterprise: str, team: str, bot: dict[str, object], now: datetime
) -> None:
    """Store an installation in place of an earlier one of this workspace.

    `enterprise` is empty outside of one; a workspace that has moved into one has one row still.
    """
    try:
        await _store(platform, enterprise, team, bot, now)
    except IntegrityError:  # another process stored the first one of this workspace meanwhile
        await _store(platform, enterprise, team, bot, now)


@transaction
async def _store(
    platform: str, enterprise: str, team: str, bot: dict[str, object], now: datetime
) -> None:
    await Installation.filter(platform=platform, team=team).exclude(enterprise=enterprise).delete()
    await Installation.update_or_create(  # pyright: ignore[reportUnknownMemberType]  # Tortoise says dict, not of what
        platform=platform,
        enterprise=enterprise,
        team=team,
        defaults={"bot": bot, "installed_at": now},
    )


@transaction
async def reword(installation: Installation, *, bot: dict[str, object]) -> bool:
    """Write in other words what was stored; False if another installation has taken its place."""
    rows = Installation.filter(id=installation.id, installed_at=installation.installed_at)
    return bool(await rows.update(bot=bot))


@reading
async def find(*, platform: str, enterprise: str, team: str) -> Installation | None:
    """The installation of exactly this workspace, if there is one."""
    return await Installation.get_or_none(platform=platform, enterprise=enterprise, team=team)


@reading
async def of_team(platform: str, team: str) -> Installation | None:
    """The installation of this workspace, whichever enterprise it belongs to."""
    return await Installation.get_or_none(platform=platform, team=team)


@reading
async def everyone(platform: str) -> list[Installation]:
    """Every workspace on this platform, the one that installed first first."""
    return await Installation.filter(platform=platform).order_by("id")


@transaction
async def remove(*, platform: str, enterprise: str, team: str) -> bool:
    """Forget a workspace and its tokens; False if it was not installed."""
    rows = Installation.filter(platform=platform, enterprise=enterprise, team=team)
    return bool(await rows.delete())
