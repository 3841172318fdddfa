"""Every workspace is served with its own token, and with no other."""

from __future__ import annotations

import secrets
from datetime import datetime

import pytest
from pydantic import TypeAdapter

from bots.slack.client import SlackClient
from bots.slack.failures import SlackRefused
from bots.slack.workspaces import Grant, Workspaces, uninstall
from core import clock
from core.errors import Transient
from core.messaging.installations import Installations, Workspace
from core.redaction import HELD
from tests.peers.slack.peer import SlackPeer

pytestmark = pytest.mark.usefixtures("sqlite")


def granted(team: str, token: str, now: datetime) -> Grant:
    """What Slack gave for this workspace."""
    return Grant(
        team=team,
        bot_token=token,
        bot_id="B1",
        bot_user="U1",
        scopes=("chat:write",),
        installed_by="U2",
        installed_at=now,
    )


@pytest.fixture
def installations() -> Installations:
    """The table of installations."""
    return Installations("slack", clock.now)


@pytest.fixture
def workspaces(installations: Installations) -> Workspaces:
    """Without any token from the environment."""
    return Workspaces(installations)


async def test_a_token_is_chosen_by_workspace(workspaces: Workspaces, now: datetime) -> None:
    await workspaces.store(granted("T1", "xoxb-1", now))
    await workspaces.store(granted("T2", "xoxb-2", now))
    assert await workspaces.token_of("T1") == "xoxb-1"
    assert await workspaces.token_of("T2") == "xoxb-2"


async def test_a_token_that_was_looked_up_stands_in_no_log(
    installations: Installations, now: datetime
) -> None:
    """Whatever it looks like, and whichever process stored it."""
    token = f"of-no-known-form-{secrets.token_hex(9)}"
    bot = TypeAdapter(Grant).dump_python(granted("T1", token, now), mode="json")
    await installations.store(Workspace(enterprise="", team="T1", bot=bot))
    assert HELD.hidden(token) == token
    assert await Workspaces(installations).token_of("T1") == token
    assert HELD.hidden(f'got "{token}"') == 'got "•••"'


@pytest.mark.parametrize("team", ["T9", "t1", ""])
async def test_a_workspace_without_an_installation_has_no_token(
    workspaces: Workspaces, now: datetime, team: str
) -> None:
    await workspaces.store(granted("T1", "xoxb-1", now))
    with pytest.raises(SlackRefused, match="not_installed"):
        await workspaces.token_of(team)


async def test_the_token_of_the_environment_serves_its_own_workspace_only(
    installations: Installations,
) -> None:
    workspaces = Workspaces(installations, own={"T1": "xoxb-1"})
    assert await workspaces.token_of("T1") == "xoxb-1"
    with pytest.raises(SlackRefused):
        await workspaces.token_of("T2")


async def test_a_token_is_looked_up_once_in_a_while(
    workspaces: Workspaces, installations: Installations, now: datetime
) -> None:
    await workspaces.store(granted("T1", "xoxb-1", now))
    await workspaces.token_of("T1")
    await installations.remove("", "T1")
    assert await workspaces.token_of("T1") == "xoxb-1"


async def test_another_process_notices_an_uninstallation_after_a_while(
    workspaces: Workspaces,
    installations: Installations,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bots.slack.workspaces._KEPT_SECONDS", 0.0)
    await workspaces.store(granted("T1", "xoxb-1", now))
    await workspaces.token_of("T1")
    await installations.remove("", "T1")
    with pytest.raises(SlackRefused):
        await workspaces.token_of("T1")


async def test_a_new_installation_counts_at_once(workspaces: Workspaces, now: datetime) -> None:
    await workspaces.store(granted("T1", "xoxb-1", now))
    await workspaces.token_of("T1")
    await workspaces.store(granted("T1", "xoxb-9", now))
    assert await workspaces.token_of("T1") == "xoxb-9"


async def test_what_slack_gave_comes_back_as_it_was(workspaces: Workspaces, now: datetime) -> None:
    await workspaces.store(granted("T1", "xoxb-1", now))
    assert await workspaces.find("T1") == granted("T1", "xoxb-1", now)
    assert await workspaces.everyone() == [granted("T1", "xoxb-1", now)]


async def test_a_token_is_never_shown(
    workspaces: Workspaces, installations: Installations, now: datetime
) -> None:
    await workspaces.store(granted("T1", "xoxb-1", now))
    assert "xoxb" not in repr(await workspaces.find("T1"))
    assert "xoxb" not in repr(await installations.everyone())


async def test_uninstalling_forgets_the_token_of_that_workspace(
    workspaces: Workspaces, now: datetime
) -> None:
    async with SlackPeer() as slack:
        slack.add_team("T0002", "Quay")
        client = SlackClient(workspaces.token_of, base_url=slack.api_url)
        await workspaces.store(granted("T0001", "xoxb-T0001-peer", now))
        await workspaces.store(granted("T0002", "xoxb-T0002-peer", now))
        slack.uninstall("T0002")
        assert await uninstall("T0002", workspaces, client)
        assert [grant.team for grant in await workspaces.everyone()] == ["T0001"]
        assert not await uninstall("T0002", workspaces, client)
        await client.close()


async def test_late_news_of_an_uninstallation_does_not_undo_a_new_one(
    workspaces: Workspaces, now: datetime
) -> None:
    async with SlackPeer() as slack:
        client = SlackClient(workspaces.token_of, base_url=slack.api_url)
        await workspaces.store(granted("T0001", "xoxb-T0001-peer", now))
        assert not await uninstall("T0001", workspaces, client)
        assert await workspaces.token_of("T0001") == "xoxb-T0001-peer"
        await client.close()


async def test_news_of_an_uninstallation_has_to_come_again_while_slack_cannot_be_asked(
    workspaces: Workspaces, now: datetime
) -> None:
    async with SlackPeer() as slack:
        client = SlackClient(workspaces.token_of, base_url=slack.api_url)
        await workspaces.store(granted("T0001", "xoxb-T0001-peer", now))
        slack.uninstall()
        slack.fault("auth.test", "status", status=503)
        with pytest.raises(Transient):
            await uninstall("T0001", workspaces, client)
        assert await workspaces.token_of("T0001") == "xoxb-T0001-peer"
        await client.close()
