"""The workspaces of one platform that have installed the bot, for its code in `bots`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock
from storage import installations, oauth_states
from storage import models as rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """One installation. `bot` is what the platform gave, tokens included: its repr has none."""

    enterprise: str
    team: str
    bot: Mapping[str, object]

    def __repr__(self) -> str:
        return f"Workspace({self.enterprise or '-'}/{self.team or '-'})"


class Installations:
    """Finds and keeps the tokens of workspaces; a workspace is never shown another's."""

    def __init__(self, platform: str, clock: Clock) -> None:
        self._platform = platform
        self._clock = clock

    async def store(self, workspace: Workspace) -> None:
        """Store it in place of an earlier installation of the same workspace."""
        await installations.store(
            platform=self._platform,
            enterprise=workspace.enterprise,
            team=workspace.team,
            bot=dict(workspace.bot),
            now=self._clock(),
        )

    async def find(self, enterprise: str, team: str) -> Workspace | None:
        """The workspace of exactly these ids."""
        row = await installations.find(platform=self._platform, enterprise=enterprise, team=team)
        return _workspace(row) if row else None

    async def of_team(self, team: str) -> Workspace | None:
        """The workspace of this id, whichever enterprise it belongs to."""
        row = await installations.of_team(self._platform, team) if team else None
        return _workspace(row) if row else None

    async def everyone(self) -> list[Workspace]:
        """All of them, the oldest first."""
        return [_workspace(row) for row in await installations.everyone(self._platform)]

    async def remove(self, enterprise: str, team: str) -> bool:
        """Forget a workspace and its tokens; False if there was none."""
        return await installations.remove(platform=self._platform, enterprise=enterprise, team=team)

    async def begin(self, seconds: float) -> str:
        """A state for a browser that begins an installation, good for so long and for one use."""
        state, now = secrets.token_urlsafe(32), self._clock()
        await oauth_states.issue(state=state, now=now, expires_at=now + timedelta(seconds=seconds))
        return state

    async def resume(self, state: str) -> bool:
        """Use up the state that a browser brought back; False if it may not go on."""
        return await oauth_states.consume(state=state, now=self._clock())


def _workspace(row: rows.Installation) -> Workspace:
    return Workspace(enterprise=row.enterprise, team=row.team, bot=row.bot)
