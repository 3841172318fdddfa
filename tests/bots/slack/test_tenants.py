"""Two workspaces share one bot, and see nothing of each other."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from bots.http import HttpPort
from bots.slack.workspaces import Workspaces
from core.address import Address
from core.commands.agent import Commands
from core.messaging.installations import Installations
from core.messaging.messages import Author
from core.runtime import Runtime
from storage.models import InboxMessage
from tests.bots.slack.bodies import said
from tests.bots.slack.bots import Workspace, granted
from tests.peers.endpoint import Endpoint, recall
from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.wire import Json

HARBOUR, QUAY = "T0001", "T00012"  # one id begins with the other
IN_HARBOUR, IN_QUAY = "C0GENERAL", "C0QUAY"
AGENT = "assistant"
_FINISHED = {"Good", "feedback"}  # below what will not change any more


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A running bot over HTTP that both workspaces have installed."""

    slack: SlackPeer
    model: Endpoint
    runtime: Runtime
    workspaces: Workspaces

    @property
    def commands(self) -> Commands:
        """What slash commands and the Home tab ask."""
        return Commands(self.runtime.directory, self.runtime.agents_file, self.runtime.clock)

    async def ask(self, channel: str, user: str, text: str) -> str:
        """Mention the bot in a channel; its finished answer in the thread."""
        world = self.slack.backend.world
        bot = world.teams[world.channels[channel].team].bot_user
        thread = self.slack.say(channel, user, f"<@{bot}> {text}")
        await self.slack.until(lambda: self._answers(channel, thread))
        return self._answers(channel, thread)[0]

    async def remember(self, team: str, channel: str, user: str, fact: str) -> None:
        """As `/agent remember`."""
        await self.commands.remember(
            Address(platform="slack", parts=(team, channel)),
            AGENT,
            fact,
            author=Author(id=user, name=user),
            key=f"slack/{team}/cmd/{fact}",
        )

    def _answers(self, channel: str, thread: str) -> list[str]:
        lines = self.slack.transcript(channel, thread)
        return [line.text for line in lines if line.is_bot and _FINISHED & {*line.buttons}]


@pytest.fixture
async def scene(tmp_path: Path, migrated: Path) -> AsyncIterator[Scene]:
    """Anna is in Harbour, Cat in Quay."""
    shutil.copy(migrated, tmp_path / "moorings.db")
    schedule = Schedule(retries=(0.0, 0.1, 0.1))
    async with SlackPeer(schedule=schedule) as slack, Endpoint(recall) as model:
        slack.add_team(QUAY, "Quay")
        slack.add_user("U0CAT", "cat", team=QUAY)
        slack.add_channel(IN_QUAY, "quay", team=QUAY)
        place = Workspace(slack=slack, endpoint=model, folder=tmp_path)
        async with place.bot(
            '[access]\nworkspaces = ["*"]',
            slack_bot_token=None,
            slack_app_token=None,
            slack_signing_secret=SecretStr(slack.signing_secret),
            slack_client_id=slack.client_id,
            slack_client_secret=SecretStr(slack.client_secret),
            port=1,  # has to be set; the one that is used is any that is free
        ) as bot:
            workspaces = Workspaces(Installations("slack", bot.runtime.clock))
            for team in (HARBOUR, QUAY):
                await workspaces.store(granted(slack, team, bot.runtime))
            port = HttpPort(0, {}, bot.ways_in.routes)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(port.run(bot.runtime.intake, bot.stop))
                assert await slack.use_http(f"http://127.0.0.1:{port.port}/slack/events")
                yield Scene(slack=slack, model=model, runtime=bot.runtime, workspaces=workspaces)
                task.cancel()


async def test_each_workspace_is_answered_with_its_own_token(scene: Scene) -> None:
    assert await scene.ask(IN_HARBOUR, "U0ANNA", "good morning") == "You said: good morning"
    assert await scene.ask(IN_QUAY, "U0CAT", "good evening") == "You said: good evening"
    await scene.slack.until_quiet()
    assert all(delivery.is_acked for delivery in scene.slack.deliveries)


async def test_a_conversation_is_shown_to_nobody_in_the_other_workspace(scene: Scene) -> None:
    await scene.ask(IN_HARBOUR, "U0ANNA", "the berth code is quetzal")
    answer = await scene.ask(IN_QUAY, "U0CAT", "What is the berth code?")
    assert answer == "You said: What is the berth code?"
    assert "quetzal" not in json.dumps(scene.model.requests[-1])


async def test_a_fact_is_known_in_its_own_workspace_only(scene: Scene) -> None:
    await scene.remember(HARBOUR, IN_HARBOUR, "U0ANNA", "the berth code is quetzal")
    await scene.ask(IN_QUAY, "U0CAT", "What is the berth code?")
    assert "quetzal" not in json.dumps(scene.model.requests[-1])
    await scene.ask(IN_HARBOUR, "U0ANNA", "What is the berth code?")
    assert "quetzal" in json.dumps(scene.model.requests[-1])


async def test_a_home_tab_shows_what_was_told_in_its_own_workspace(scene: Scene) -> None:
    await scene.remember(HARBOUR, IN_HARBOUR, "U0ANNA", "the berth code is quetzal")
    await scene.remember(QUAY, IN_QUAY, "U0CAT", "the crane is broken")
    for user in ("U0ANNA", "U0CAT"):
        scene.slack.open_home(user)
        await scene.slack.until(lambda user=user: scene.slack.home(user))  # type: ignore[misc]  # a default binds
    assert "quetzal" in scene.slack.home("U0ANNA")
    assert "crane" in scene.slack.home("U0CAT")
    assert "quetzal" not in scene.slack.home("U0CAT")
    assert IN_HARBOUR not in scene.slack.home("U0CAT")


async def test_the_same_person_in_two_workspaces_has_two_sets_of_facts(scene: Scene) -> None:
    await scene.remember(HARBOUR, IN_HARBOUR, "U0ANNA", "the berth code is quetzal")
    await scene.remember(QUAY, IN_QUAY, "U0ANNA", "the crane is broken")
    told = [
        [own.text for own in await scene.commands.own_facts(workspace, "U0ANNA")]
        for workspace in (
            Address(platform="slack", parts=(HARBOUR,)),
            Address(platform="slack", parts=(QUAY,)),
        )
    ]
    assert told == [["the berth code is quetzal"], ["the crane is broken"]]


async def test_nobody_forgets_a_fact_of_the_other_workspace(scene: Scene) -> None:
    await scene.remember(HARBOUR, IN_HARBOUR, "U0ANNA", "the berth code is quetzal")
    harbour = Address(platform="slack", parts=(HARBOUR,))
    [own] = await scene.commands.own_facts(harbour, "U0ANNA")
    quay = Address(platform="slack", parts=(QUAY,))
    assert not await scene.commands.forget_own(quay, "U0ANNA", own.id)
    assert await scene.commands.own_facts(harbour, "U0ANNA") == [own]


async def test_who_answers_is_bound_in_one_workspace_only(scene: Scene) -> None:
    at = Address(platform="slack", parts=(HARBOUR, IN_HARBOUR))
    await scene.commands.use(at, AGENT, "anna")
    quay = Address(platform="slack", parts=(QUAY,))
    assert await scene.commands.bindings(quay) == []


async def test_a_workspace_that_uninstalls_loses_its_token_and_the_other_goes_on(
    scene: Scene,
) -> None:
    scene.slack.uninstall(QUAY)
    await scene.slack.until_quiet()
    assert [grant.team for grant in await scene.workspaces.everyone()] == [HARBOUR]
    assert all(delivery.is_acked for delivery in scene.slack.deliveries)
    assert await scene.ask(IN_HARBOUR, "U0ANNA", "still there") == "You said: still there"


@pytest.fixture
def looked_for_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workspaces that were installed meanwhile."""
    monkeypatch.setattr("bots.slack.catch_up._BEAT_SECONDS", 0.02)


async def test_what_is_said_in_a_channel_that_two_workspaces_share_is_answered_once(
    looked_for_soon: None, scene: Scene
) -> None:
    slack = scene.slack
    await slack.until(lambda: len(slack.calls("users.conversations")) >= 2)
    for team in (QUAY, HARBOUR):
        bot_user = slack.backend.world.teams[team].bot_user
        payload = said(f"<@{bot_user}> hello", channel=IN_HARBOUR)
        payload |= {"is_ext_shared_channel": True, "team_id": team}
        payload |= {"authorizations": [{"team_id": team, "user_id": bot_user, "is_bot": True}]}
        slack.backend.deliveries.send("events_api", Json(payload))
    await slack.until_quiet()
    assert all(each.is_acked for each in slack.deliveries)
    assert await InboxMessage.all().count() == 1


async def test_it_is_not_answered_again_when_a_workspace_comes_or_goes(
    looked_for_soon: None, scene: Scene
) -> None:
    slack = scene.slack

    async def tell(*teams: str) -> None:
        for team in teams:
            bot_user = slack.backend.world.teams[team].bot_user
            payload = said(f"<@{bot_user}> hello", channel=IN_HARBOUR)
            payload |= {"is_ext_shared_channel": True, "team_id": team}
            payload |= {"authorizations": [{"team_id": team, "user_id": bot_user, "is_bot": True}]}
            slack.backend.deliveries.send("events_api", Json(payload))
            await slack.until_quiet()

    await slack.until(lambda: len(slack.calls("users.conversations")) >= 2)
    await tell(QUAY)
    slack.uninstall(HARBOUR)
    await slack.until_quiet()
    slack.add_team("T00011", "Jetty")
    await scene.workspaces.store(granted(slack, "T00011", scene.runtime))
    await slack.until(lambda: len(slack.calls("users.conversations")) >= 3)
    await tell(QUAY, "T00011")
    [stored] = await InboxMessage.all()
    assert stored.key.startswith(f"slack/{HARBOUR}/")
