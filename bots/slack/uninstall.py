"""A workspace that does not want the app any more: its token is forgotten, once it is dead."""

from __future__ import annotations

import logging

from bots.slack.client import SlackClient
from bots.slack.failures import SlackRefused
from bots.slack.workspaces import Workspaces
from core.errors import ConfigMistake

log = logging.getLogger(__name__)


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
