"""Which token belongs to which workspace: from the environment, or from its installation."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from bots.slack.client import SlackClient
from bots.slack.failures import SlackRefused
from core.clock import monotonic
from core.errors import ConfigMistake
from core.messaging.installations import Installations, Workspace
from core.redaction import HELD

log = logging.getLogger(__name__)

_KEPT_SECONDS = 30.0  # after which a token that another process has replaced is not used any more
_MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(hide_input_in_errors=True))
class Grant:
    """What Slack gave for one workspace."""

    team: str
    bot_token: str = Field(repr=False)
    bot_id: str
    bot_user: str
    scopes: tuple[str, ...]
    installed_by: str
    installed_at: datetime
    enterprise: str = ""
    app_id: str = ""
    team_name: str = ""


_GRANT = TypeAdapter(Grant)


class Workspaces:
    """Tokens by workspace. None of them is ever used for another one."""

    def __init__(self, installations: Installations, own: Mapping[str, str] | None = None) -> None:
        """`own` has the tokens that the environment gives, by the workspace each belongs to."""
        self._installations = installations
        self._own = dict(own or {})
        self._kept: dict[str, tuple[str, float]] = {}

    async def token_of(self, team: str) -> str:
        """The bot token of this workspace, without asking Slack.

        Raises:
            SlackRefused: the app is not installed there.
        """
        if token := self._own.get(team) or self._still_kept(team):
            return token
        found = await self.find(team)
        if found is None:
            raise SlackRefused(f"calls for workspace {team}", "not_installed")
        self._keep(team, found.bot_token)
        return found.bot_token

    async def find(self, team: str) -> Grant | None:
        """What Slack gave for this workspace when it was installed."""
        workspace = await self._installations.of_team(team)
        return _grant(workspace) if workspace else None

    async def everyone(self) -> list[Grant]:
        """All workspaces that have installed the app, the oldest first."""
        found = await self._installations.everyone()
        return [_grant(workspace) for workspace in found]

    async def store(self, grant: Grant) -> None:
        """From now on this is the workspace's token."""
        self.doubt(grant.team)
        HELD.hold(grant.bot_token)
        bot = _GRANT.dump_python(grant, mode="json")
        await self._installations.store(
            Workspace(enterprise=grant.enterprise, team=grant.team, bot=bot)
        )
        log.info("workspace installed", extra={"team": grant.team})

    def doubt(self, team: str) -> None:
        """Look the workspace's token up anew at its next use."""
        self._kept.pop(team, None)

    async def remove(self, team: str) -> bool:
        """Forget the workspace's token; False if there was none."""
        self.doubt(team)
        workspace = await self._installations.of_team(team)
        if workspace is None:
            return False
        log.info("workspace uninstalled", extra={"team": team})
        return await self._installations.remove(workspace.enterprise, workspace.team)

    def _still_kept(self, team: str) -> str | None:
        token, until = self._kept.get(team, ("", 0.0))
        return token if monotonic() < until else None

    def _keep(self, team: str, token: str) -> None:
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[team] = (token, monotonic() + _KEPT_SECONDS)


def _grant(workspace: Workspace) -> Grant:
    grant = _GRANT.validate_python(workspace.bot)
    HELD.hold(grant.bot_token)
    return grant


async def uninstall(team: str, workspaces: Workspaces, client: SlackClient) -> bool:
    """Forget the workspace's token unless Slack still accepts it; False if it stays.

    The news may come late, when the app has been installed again already.

    Raises:
        Transient: Slack cannot be asked; the news has to be delivered again.
    """
    workspaces.doubt(team)
    try:
        await client.read(team, "auth.test", lambda web: web.auth_test())
    except SlackRefused:  # nothing is installed there
        return False
    except ConfigMistake:
        return await workspaces.remove(team)
    log.info("workspace has been installed again", extra={"team": team})
    return False
