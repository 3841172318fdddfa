"""Somebody installs the app into a workspace: through the pages, with the real SDK."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession
from slack_bolt.error import BoltError
from slack_sdk.oauth.installation_store import Installation

from bots.http import HttpPort
from bots.slack.install import App, StateStore, WorkspaceStore, flow, routes
from bots.slack.workspaces import Workspaces
from core import clock
from core.config.settings import Settings
from core.messaging.installations import Installations
from core.runtime import Runtime
from storage.side_models import OAuthState
from tests.peers.slack.peer import SlackPeer

SECRET = "the-secret-of-the-slack-app"  # noqa: S105 - a test's

pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated")  # slack_sdk's call


@dataclass(kw_only=True)
class Browser:
    """Follows links as a browser does, and keeps the cookie of the state."""

    http: ClientSession
    site: str
    cookie: str = ""

    async def get(self, url: str) -> tuple[int, str]:
        """Status and text of a page of the bot's; no redirect is followed."""
        headers = {"Cookie": self.cookie} if self.cookie else {}
        async with self.http.get(url, headers=headers, allow_redirects=False) as response:
            for name, morsel in response.cookies.items():
                self.cookie = f"{name}={morsel.value}"
            return response.status, await response.text()

    async def begin(self) -> str:
        """Open the install page; the link of its button."""
        status, page = await self.get(f"{self.site}/slack/install")
        assert status == 200
        found = re.search(r'href="(http[^"]*authorize[^"]*)"', page)
        assert found
        return html.unescape(found[1])

    async def consent(self, link: str, team: str) -> str:
        """Agree at Slack; the address to which it leads back, as in the app's settings."""
        url = f"{link}&team={team}&redirect_uri={self.site}/slack/oauth_redirect"
        async with self.http.get(url, allow_redirects=False) as response:
            return response.headers["Location"]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The bot's pages, Slack, and somebody at a browser."""

    slack: SlackPeer
    workspaces: Workspaces
    browser: Browser


@pytest.fixture(autouse=True)
def _variables_that_bolt_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of which may have any influence."""
    for name in ("CLIENT_ID", "CLIENT_SECRET", "SCOPES", "USER_SCOPES", "REDIRECT_URI"):
        monkeypatch.setenv(f"SLACK_{name}", "https://elsewhere.example")


@pytest.fixture
async def scene(filled_url: str) -> AsyncIterator[Scene]:
    """Two workspaces, neither of which has installed the app through the pages."""
    runtime = await Runtime.open(Settings(database_url=filled_url))
    installations = Installations("slack", clock.now)
    workspaces = Workspaces(installations)
    async with SlackPeer() as slack, asyncio.TaskGroup() as group, ClientSession() as http:
        slack.add_team("T0002", "Quay", is_installed=False)
        slack.add_user("U0CAT", "cat", team="T0002")
        app = App(
            client_id=slack.client_id,
            client_secret=slack.client_secret,
            scopes=("chat:write", "commands"),
            api_url=slack.api_url,
        )
        port = HttpPort(0, {}, routes(flow(app, workspaces, installations, clock.now)))
        task = group.create_task(port.run(runtime.intake, asyncio.Event()))
        browser = Browser(http=http, site=f"http://127.0.0.1:{port.port}")
        yield Scene(slack=slack, workspaces=workspaces, browser=browser)
        task.cancel()
    await runtime.close()


async def test_the_page_leads_to_slack_with_the_scopes_and_a_state(scene: Scene) -> None:
    link = urlsplit(await scene.browser.begin())
    query = parse_qs(link.query)
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{scene.slack.url}/oauth/v2/authorize"
    assert (query["client_id"], query["scope"]) == (
        [scene.slack.client_id],
        ["chat:write,commands"],
    )
    assert scene.browser.cookie.endswith(query["state"][0])
    assert "elsewhere" not in link.query


async def test_two_workspaces_install_and_each_has_its_token(scene: Scene) -> None:
    for team in ("T0001", "T0002"):
        back = await scene.browser.consent(await scene.browser.begin(), team)
        assert (await scene.browser.get(back))[0] == 200
    first, second = await scene.workspaces.everyone()
    assert (first.team, first.team_name, first.bot_user) == ("T0001", "Harbour", "U0BOT")
    assert (second.team, second.team_name, second.bot_id) == ("T0002", "Quay", "B0BOT0002")
    assert first.bot_token.startswith("xoxb-T0001")
    assert second.bot_token.startswith("xoxb-T0002")


async def test_a_link_back_is_good_once(scene: Scene) -> None:
    back = await scene.browser.consent(await scene.browser.begin(), "T0001")
    cookie = scene.browser.cookie
    await scene.browser.get(back)
    scene.browser.cookie = cookie
    status, page = await scene.browser.get(back)
    assert (status, "was used already" in page) == (401, True)


async def test_a_link_back_is_good_in_the_browser_that_began(scene: Scene) -> None:
    back = await scene.browser.consent(await scene.browser.begin(), "T0001")
    scene.browser.cookie = ""
    status, page = await scene.browser.get(back)
    assert (status, "another browser" in page) == (400, True)
    assert await scene.workspaces.everyone() == []


async def test_a_state_of_somebody_elses_making_is_refused(scene: Scene) -> None:
    scene.browser.cookie = "slack-app-oauth-state=made-up"
    url = f"{scene.browser.site}/slack/oauth_redirect?code=c&state=made-up"
    assert (await scene.browser.get(url))[0] == 401
    assert scene.slack.calls("oauth.v2.access") == []


async def test_whoever_does_not_agree_is_told_that_nothing_happened(scene: Scene) -> None:
    url = f"{scene.browser.site}/slack/oauth_redirect?error=access_denied"
    assert "nothing was installed" in (await scene.browser.get(url))[1]


async def test_what_slack_says_is_shown_as_text_only(scene: Scene) -> None:
    url = f"{scene.browser.site}/slack/oauth_redirect?error=<script>"
    assert "<script>" not in (await scene.browser.get(url))[1]


async def test_a_code_that_slack_refuses_installs_nothing(scene: Scene) -> None:
    back = await scene.browser.consent(await scene.browser.begin(), "T0001")
    status, page = await scene.browser.get(re.sub("code=[^&]*", "code=stale", back))
    assert (status, "did not accept the code" in page) == (401, True)
    assert await scene.workspaces.everyone() == []


async def test_slack_out_of_reach_is_a_plain_page(scene: Scene) -> None:
    back = await scene.browser.consent(await scene.browser.begin(), "T0001")
    scene.slack.fault("oauth.v2.access", "drop_before_commit")
    status, page = await scene.browser.get(back)
    assert (status, "Slack did not answer" in page) == (502, True)
    assert await scene.workspaces.everyone() == []


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The SDK's stores over a database of this test's own."""

    workspaces: Workspaces
    store: WorkspaceStore
    states: StateStore
    installations: Installations


@pytest.fixture
def stores(sqlite: object) -> Stores:
    """Empty."""
    installations = Installations("slack", clock.now)
    workspaces = Workspaces(installations)
    return Stores(
        workspaces=workspaces,
        store=WorkspaceStore(workspaces),
        states=StateStore(installations, SECRET, clock.now),
        installations=installations,
    )


def installation(**changes: str | bool | float | None) -> Installation:
    """As the SDK makes one of Slack's answer."""
    given: Mapping[str, str | bool | float | None] = {
        "app_id": "A1",
        "team_id": "T1",
        "team_name": "Harbour",
        "bot_token": "xoxb-1",
        "bot_id": "B1",
        "bot_user_id": "U1",
        "bot_scopes": "chat:write,commands",
        "user_id": "U2",
        "installed_at": 1_790_000_000.25,
        **changes,
    }
    return Installation(**given)  # type: ignore[arg-type]  # each by its own type


async def test_the_sdk_finds_what_it_saved(stores: Stores) -> None:
    await stores.store.async_save(installation())
    found = await stores.store.async_find_installation(enterprise_id=None, team_id="T1")
    bot = await stores.store.async_find_bot(enterprise_id=None, team_id="T1")
    assert found
    assert bot
    assert (found.bot_token, found.bot_scopes) == ("xoxb-1", ("chat:write", "commands"))
    assert found.installed_at == datetime(2026, 9, 21, 14, 13, 20, 250000, UTC).timestamp()
    assert (bot.bot_token, bot.team_id, bot.bot_user_id) == ("xoxb-1", "T1", "U1")


async def test_the_sdk_finds_nothing_of_another_workspace(stores: Stores) -> None:
    await stores.store.async_save(installation(enterprise_id="E1"))
    store = stores.store
    assert await store.async_find_installation(enterprise_id="E1", team_id="T2") is None
    assert await store.async_find_installation(enterprise_id="E2", team_id="T1") is None
    assert await store.async_find_bot(enterprise_id=None, team_id=None) is None


async def test_the_sdk_deletes_a_workspace(stores: Stores) -> None:
    await stores.store.async_save(installation())
    await stores.store.async_save(installation(team_id="T2"))
    await stores.store.async_delete_all(enterprise_id=None, team_id="T1")
    assert [grant.team for grant in await stores.workspaces.everyone()] == ["T2"]


@pytest.mark.parametrize(
    "changes",
    [
        {"is_enterprise_install": True, "team_id": None},
        {"bot_token": None},
        {"bot_refresh_token": "xoxe-1"},
    ],
)
async def test_what_cannot_be_served_is_not_installed(
    stores: Stores, changes: dict[str, str | bool | None]
) -> None:
    with pytest.raises(BoltError):
        await stores.store.async_save(installation(**changes))
    assert await stores.workspaces.everyone() == []


async def test_a_state_is_good_once(stores: Stores) -> None:
    state = await stores.states.async_issue()
    assert await stores.states.async_consume(state)
    assert not await stores.states.async_consume(state)


async def test_a_state_is_kept_nowhere_until_slack_has_led_back(scene: Scene) -> None:
    for _ in range(3):
        await scene.browser.begin()
    await scene.browser.get(f"{scene.browser.site}/slack/oauth_redirect?code=1&state=made-up")
    assert await OAuthState.all().count() == 0
    back = await scene.browser.consent(await scene.browser.begin(), "T0001")
    assert (await scene.browser.get(back))[0] == 200
    assert await OAuthState.all().count() == 1


@pytest.mark.parametrize("seconds", [601, -301])
async def test_a_state_is_good_for_ten_minutes(stores: Stores, seconds: int) -> None:
    """From whichever process that has the app's secret, with a clock a little off."""
    then = clock.now() - timedelta(seconds=seconds)
    other = StateStore(stores.installations, SECRET, lambda: then)
    assert not await stores.states.async_consume(await other.async_issue())


@pytest.mark.parametrize("change", ["other secret", "cut", "changed", "empty", "odd"])
async def test_a_state_that_was_not_signed_is_not_good(stores: Stores, change: str) -> None:
    state = await stores.states.async_issue()
    changed = {
        "other secret": await StateStore(
            stores.installations, SECRET[::-1], clock.now
        ).async_issue(),
        "cut": state[:-4],
        "changed": state[:20] + ("A" if state[20] != "A" else "B") + state[21:],
        "empty": "",
        "odd": "\u1234é" * 9,
    }
    assert not await stores.states.async_consume(changed[change])
    assert await stores.states.async_consume(state)


async def test_pages_that_there_is_no_room_for_ask_to_come_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.capacity._MOST", 0)
    status, page = await scene.browser.get(f"{scene.browser.site}/slack/install")
    assert (status, "try again" in page) == (503, True)
