"""Bolt's app acknowledges what is stored, or is for nobody, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from json import dumps
from pathlib import Path

import pytest
from hypothesis import given
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bots.slack.app import SlackApp, bolt
from bots.slack.listeners import Listeners
from bots.slack.sockets import SocketListener
from core.messaging.storing import NotStored
from storage.errors import DatabaseBusy, Unstorable
from tests.bots.slack.bodies import COMMAND, PRESS, SHORTCUT, Json, json, nearly_known, said
from tests.bots.slack.bots import Bot, Workspace
from tests.peers.endpoint import Endpoint
from tests.peers.slack.peer import SlackPeer

NOWHERE = "http://127.0.0.1:9/api/"
UNHEARD: list[Json] = [
    {},
    {"type": "event_callback", "event": {"type": "of_tomorrow"}},
    {"type": "view_submission", "view": {"type": "modal", "callback_id": "x"}},
    {"type": "block_actions", "actions": [{"action_id": "x"}]},
    {"type": "shortcut", "callback_id": "x"},
]
ODD: list[Json] = [
    {"type": "event_callback", "event": None},
    {"type": "event_callback", "event": {"type": "message", "channel": 7}},
    {"type": "event_callback", "authorizations": [None], "event": {"type": "message"}},
    {"type": "block_actions", "actions": []},
    {"type": "interactive_message", "callback_id": "x"},
    {"type": "workflow_step_edit", "callback_id": "x"},
    {"type": "view_submission", "view": {"callback_id": "x"}},
    {"command": 7},
]


class Failing(Listeners):
    """Whatever is heard fails like this."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def listen(self, app: AsyncApp) -> None:
        app.event("message")(self.failing)
        app.command("/agent")(self.failing)
        app.block_action("feedback")(self.failing)
        app.message_shortcut("ask_agent")(self.failing)

    async def failing(self) -> None:
        """As a listener."""
        raise self._error


def app_with(listeners: Listeners) -> SlackApp:
    """Nobody is told what came."""
    return SlackApp(bolt(NOWHERE), listeners, came=lambda _: None, gave_up=lambda _: None)


async def answered(app: SlackApp, raw: object, attempt: str = "0") -> int:
    """The status of the answer to this body."""
    headers: dict[str, str | Sequence[str]] = {
        "content-type": "application/json",
        "x-slack-retry-num": attempt,
    }
    text = dumps(raw)
    return (await app.dispatch(lambda: AsyncBoltRequest(body=text, headers=headers))).status


@pytest.mark.parametrize("raw", [said(), COMMAND, PRESS, SHORTCUT])
@pytest.mark.parametrize("error", [NotStored("busy"), DatabaseBusy("busy")])
async def test_a_listener_that_fails_to_store_is_not_acknowledged(
    raw: Json, error: Exception
) -> None:
    app = app_with(Failing(error))
    assert await answered(app, raw) == 503


@pytest.mark.parametrize(
    ("raw", "status"), [(said(), 200), (COMMAND, 503), (PRESS, 503), (SHORTCUT, 503)]
)
async def test_what_can_never_be_stored_is_not_sent_again_and_whoever_did_it_is_told(
    raw: Json, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    came, given_up = list[str](), list[str]()
    app = SlackApp(
        bolt(NOWHERE), Failing(Unstorable("too long")), came=came.append, gave_up=given_up.append
    )
    assert await answered(app, raw) == status
    [told] = [each for each in caplog.records if each.name == "bots.slack.app"]
    if status == 200:
        assert told.getMessage() == "can never be stored, so acknowledged all the same"
        assert (told.levelname, came, given_up) == ("WARNING", ["T0001"], [])


@pytest.mark.parametrize("raw", [said(), COMMAND])
async def test_a_fault_in_a_listener_is_neither_acknowledged_nor_hidden(raw: Json) -> None:
    app = app_with(Failing(LookupError("ours")))
    with pytest.raises(LookupError, match="ours"):
        await answered(app, raw)


async def test_a_listener_that_is_cancelled_is_not_acknowledged() -> None:
    class Hanging(Failing):
        async def failing(self) -> None:
            await asyncio.get_running_loop().create_future()

    app = app_with(Hanging(LookupError()))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await answered(app, said())


@pytest.mark.parametrize("raw", [*UNHEARD, *ODD])
async def test_what_nobody_listens_to_is_acknowledged(raw: Json) -> None:
    app = app_with(Failing(LookupError()))
    assert await answered(app, raw) == 200


async def test_what_is_no_body_at_all_is_acknowledged() -> None:
    app = app_with(Failing(LookupError()))
    for content in ("[1]", "no json", "{", '"text"', "[" * 100_000, "payload=7"):
        response = await app.dispatch(lambda: AsyncBoltRequest(body=content))  # noqa: B023  # called before the next one is drawn
        assert response.status == 200


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[SlackPeer, Bot]]:
    async with SlackPeer() as slack, Endpoint() as endpoint:
        workspace = Workspace(slack=slack, endpoint=endpoint, folder=folder)
        async with workspace.bot() as bot:
            yield slack, bot


def app_of(bot: Bot) -> SlackApp:
    listener = bot.ways_in.listener
    assert isinstance(listener, SocketListener)
    dispatch = listener._connections[0]._dispatch
    app: object = getattr(dispatch, "__self__", None)
    assert isinstance(app, SlackApp)
    return app


def test_nothing_that_comes_makes_a_listener_fail(tmp_path: Path, migrated: Path) -> None:
    """Through Bolt, the real listeners and the database."""
    shutil.copy(migrated, tmp_path / "moorings.db")
    with asyncio.Runner() as runner:
        opened = running(tmp_path)
        _, bot = runner.run(opened.__aenter__())
        app = app_of(bot)

        @given(nearly_known() | json)
        def comes(raw: object) -> None:
            assert runner.run(answered(app, raw)) == 200

        comes()
        runner.run(opened.__aexit__(None, None, None))


async def test_bolt_asks_slack_nothing_and_reads_no_environment(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("BOT_TOKEN", "SIGNING_SECRET", "VERIFICATION_TOKEN", "CLIENT_ID", "CLIENT_SECRET")
    for name in names:
        monkeypatch.setenv(f"SLACK_{name}", "elsewhere")
    slack = workspace.slack
    caplog.set_level(logging.WARNING)
    async with workspace.bot() as bot:
        await bot.caught_up()
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} one")
        await workspace.answered("C0GENERAL")
        before = len(slack.calls("auth.test"))
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} two")
        await workspace.answered("C0GENERAL", 2)
        assert len(slack.calls("auth.test")) == before
    assert not [record for record in caplog.records if "bolt" in record.name]


async def test_a_check_of_the_certificate_is_acknowledged() -> None:
    app = app_with(Failing(LookupError()))
    form = "token=x&ssl_check=1"
    assert (await app.dispatch(lambda: AsyncBoltRequest(body=form))).status == 200


def test_a_challenge_is_answered() -> None:
    app = app_with(Failing(LookupError()))
    raw = '{"type":"url_verification","challenge":"abc","token":"x"}'
    response = asyncio.run(app.dispatch(lambda: AsyncBoltRequest(body=raw)))
    assert (response.status, response.body) == (200, '{"challenge": "abc"}')
