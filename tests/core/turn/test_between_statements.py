"""Whatever comes between two statements of a turn: each step once, and one answer."""

from __future__ import annotations

import asyncio

import pytest

from core.llm import ModelRequest, Role
from core.messaging.intake import Accepted
from core.turn import turn as turns_room
from core.turn.worker import Worker
from storage import turns
from storage.models import (
    Conversation,
    InboxMessage,
    InboxState,
    Turn,
    TurnState,
    Usage,
)
from tests.core.given import Stage, tool
from tests.patience import PATIENCE
from tests.peers.model import ScriptedModel, calling
from tests.peers.platform import Platform
from tests.statements import traced

CLAIMED = 9  # statements: whoever is cancelled before leaves a lease that has to lapse
MOMENTS = range(CLAIMED + 1, 46, 3)
ENDED = {InboxState.ANSWERED, InboxState.WITHDRAWN}


class Talk:
    """One question, answered with a tool, in which something comes at the nth statement."""

    def __init__(self, number: int) -> None:
        self.stage = Stage(
            owner=f"process {number}",
            platform=Platform(seconds_between_edits=0),
            model=ScriptedModel(("Let me see ", calling("noon")), otherwise=_echo),
        )
        self.stage.tools = [tool("noon", lambda _: "12:00")]
        self.worker: Worker = self.stage.worker()
        self.stage.intake.wake_with(self.worker.wake, self.worker.edited)
        self._room = f"slack/T1/R{number}"
        self._texts = ["Helo"]
        self._left = 0
        self._coming: list[asyncio.Task[object]] = []

    async def take_place(self, what: tuple[str, ...], moment: int) -> Accepted:
        """Until all is answered, and everything that came was heard."""
        accepted = await self._say("Helo")
        async with asyncio.timeout(PATIENCE):
            await self._be_answered(accepted, what, moment)
            for _ in range(2):
                await self.worker.attend(accepted.conversation_id)
        return accepted

    @property
    def last_text(self) -> str:
        """What is asked in the end."""
        return self._texts[-1]

    async def _be_answered(self, accepted: Accepted, what: tuple[str, ...], moment: int) -> None:
        loop = asyncio.get_running_loop()
        self._left = moment
        serving = loop.create_task(self.worker.attend(accepted.conversation_id))

        def come() -> None:
            for each in what:
                self._coming.append(loop.create_task(self._come(each, accepted, serving)))

        def hear(_: str) -> None:
            self._left -= 1
            if self._left == 0:
                loop.call_soon_threadsafe(come)

        await traced(hear)
        await asyncio.wait([serving])
        await traced(None)
        await asyncio.sleep(0)
        for each in self._coming:
            await each

    async def _come(self, what: str, accepted: Accepted, serving: asyncio.Task[bool]) -> object:
        match what:
            case "edit":
                text = f"Hello {len(self._texts)}"
                await self.stage.intake.change(accepted.key, text)
                if (await InboxMessage.get(key=accepted.key)).text == text:  # not too late
                    self._texts.append(text)
            case "delete":
                await self.stage.intake.withdraw(accepted.key)
            case "stop":
                turn = await Turn.get(conversation_id=accepted.conversation_id)
                if await turns.ask_to_stop(turn.id, self.stage.clock()):
                    self.worker.interrupt(accepted.conversation_id)
            case "add":
                await self._say("More")
            case _:
                serving.cancel()
        return None

    async def _say(self, text: str) -> Accepted:
        return await self.stage.say(text, room=self._room, reply_to="q")


def _echo(request: ModelRequest) -> str:
    asked = [each.content for each in request.messages if each.role is Role.USER]
    return f"You said: {asked[-1]}"


@pytest.mark.parametrize(
    "what",
    [("edit", "edit"), ("edit", "add", "edit"), ("edit", "cancel"), ("edit", "stop"), ("delete",)],
    ids="+".join,
)
@pytest.mark.usefixtures("sqlite")
async def test_nothing_is_lost_doubled_or_left(
    what: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(turns_room, "_SETTLE_SECONDS", 0)
    for moment in MOMENTS:
        talk = Talk(moment)
        accepted = await talk.take_place(what, moment)
        await _check(talk, accepted.conversation_id)
        if not {"stop", "delete"}.intersection(what):
            assert talk.last_text in str(talk.stage.platform.transcript)
    assert [each for each in caplog.records if each.levelname in {"WARNING", "ERROR"}] == []


async def _check(talk: Talk, conversation_id: int) -> None:
    posts = talk.stage.platform.posts
    assert len({post.key for post in posts}) == len(posts)
    assert all(post.is_final for post in posts)
    where = await Conversation.get(id=conversation_id)
    assert (where.ready_at, where.owner) == (None, None)
    asked = await InboxMessage.filter(conversation_id=conversation_id)
    assert {each.state for each in asked} <= ENDED
    ended = await Turn.filter(conversation_id=conversation_id)
    assert {each.state for each in ended} <= {TurnState.DONE, TurnState.STOPPED}
    assert {(each.attempts, each.interruptions, each.lone_tries) for each in ended} == {(1, 0, 0)}
    paid = await Usage.filter(turn_id__in=[each.id for each in ended]).count()
    assert paid == len(talk.stage.model.requests)
