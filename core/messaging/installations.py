"""The workspaces of one platform that have installed the bot, for its code in `bots`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr

from core.clock import Clock
from core.messaging.sealing import Broken, seal_of, unreadable
from storage import installations, oauth_states
from storage import side_models as rows


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

    def __init__(self, platform: str, clock: Clock, secret: SecretStr | None = None) -> None:
        """With a secret, what the platform gave is sealed in the database."""
        self._platform = platform
        self._clock = clock
        self._seal = seal_of(secret.get_secret_value() if secret else None)

    async def store(self, workspace: Workspace) -> None:
        """Store it in place of an earlier installation of the same workspace."""
        await installations.store(
            platform=self._platform,
            enterprise=workspace.enterprise,
            team=workspace.team,
            bot=self._sealed(workspace.bot),
            now=self._clock(),
        )

    async def seal_all(self) -> int:
        """Seal with the newest key whatever is not yet; returns how many that were.

        Raises:
            ConfigMistake: one of them was sealed with a key that is not there.
        """
        count = 0
        for row in await installations.everyone(self._platform):
            workspace, seal = self._workspace(row), self._seal
            if seal and not seal.is_newest(installations.tokens_of(row.bot) or "", self._clock()):
                count += await installations.reword(row, bot=self._sealed(workspace.bot))
        return count

    async def find(self, enterprise: str, team: str) -> Workspace | None:
        """The workspace of exactly these ids."""
        row = await installations.find(platform=self._platform, enterprise=enterprise, team=team)
        return self._workspace(row) if row else None

    async def of_team(self, team: str) -> Workspace | None:
        """The workspace of this id, whichever enterprise it belongs to."""
        row = await installations.of_team(self._platform, team) if team else None
        return self._workspace(row) if row else None

    async def everyone(self) -> list[Workspace]:
        """All of them, the oldest first."""
        return [self._workspace(row) for row in await installations.everyone(self._platform)]

    async def remove(self, enterprise: str, team: str) -> bool:
        """Forget a workspace and its tokens; False if there was none."""
        return await installations.remove(platform=self._platform, enterprise=enterprise, team=team)

    async def use_state(self, state: str, seconds: float) -> bool:
        """Whether this state of a browser comes back for the first time in so many seconds."""
        now = self._clock()
        digest = hashlib.sha256(state.encode()).hexdigest()
        return await oauth_states.use(
            state=digest, now=now, expires_at=now + timedelta(seconds=seconds)
        )

    def _sealed(self, bot: Mapping[str, object]) -> dict[str, object]:
        if self._seal is None:
            return dict(bot)
        return installations.sealed(self._seal.seal(json.dumps(dict(bot)).encode(), self._clock()))

    def _workspace(self, row: rows.Installation) -> Workspace:
        return Workspace(enterprise=row.enterprise, team=row.team, bot=self._opened(row))

    def _opened(self, row: rows.Installation) -> Mapping[str, object]:
        """What was stored before there was a key is not sealed."""
        sealed = installations.tokens_of(row.bot)
        if sealed is None:
            return row.bot
        what = f"The installation of workspace {row.team}"
        if self._seal is None:
            raise unreadable(what, has_key=False)
        try:
            opened: dict[str, object] = json.loads(self._seal.open(sealed, self._clock()))
        except Broken as error:
            raise unreadable(what, has_key=True) from error
        return opened
