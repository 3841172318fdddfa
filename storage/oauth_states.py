"""States that browsers brought back from Slack: each is good once."""

from __future__ import annotations

from datetime import datetime

from tortoise.exceptions import IntegrityError

from storage.drivers.transaction import transaction
from storage.side_models import OAuthState


async def use(*, state: str, now: datetime, expires_at: datetime) -> bool:
    """Use up a state until it expires; False if it was used up before."""
    try:
        await _use(state, now, expires_at)
    except IntegrityError:
        return False
    return True


@transaction
async def _use(state: str, now: datetime, expires_at: datetime) -> None:
    await OAuthState.filter(expires_at__lte=now).delete()
    await OAuthState.create(state=state, expires_at=expires_at)


@transaction
async def drop_expired(now: datetime) -> int:
    """Forget those that would not be good any more anyway; returns how many there were."""
    return await OAuthState.filter(expires_at__lte=now).delete()
