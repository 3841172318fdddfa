"""Begun installations: a state is issued to a browser and comes back once, or never."""

from __future__ import annotations

from datetime import datetime

from storage.models import OAuthState
from storage.transaction import transaction


@transaction
async def issue(*, state: str, now: datetime, expires_at: datetime) -> None:
    """Remember a state until it comes back or expires; what has expired before is dropped."""
    await OAuthState.filter(expires_at__lte=now).delete()
    await OAuthState.create(state=state, expires_at=expires_at)


@transaction
async def consume(*, state: str, now: datetime) -> bool:
    """Use up a state; False if it was never issued, has expired, or was used up before."""
    return bool(await OAuthState.filter(state=state, expires_at__gt=now).delete())


@transaction
async def drop_expired(now: datetime) -> int:
    """Forget what never came back in time; returns how many there were."""
    return await OAuthState.filter(expires_at__lte=now).delete()
