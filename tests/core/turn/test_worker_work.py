"""While an answer is being written, the platform shows that; it never costs the answer."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import DeliveryRefused, Transient
from core.messaging.messages import Outgoing
from tests.core.given import Stage
from tests.core.turn.test_edits import LOOK
from tests.patience import PATIENCE
from tests.peers.model import Then
from tests.peers.platform import Platform
from tests.statements import asked


class Busy(Platform):
    """A platform that shows who is at work."""

    def __init__(self) -> None:
        super().__init__(seconds_between_edits=0)
        self.shown: list[Outgoing] = []
        self.error: Exception | None = None
        self.takes = 0.0
        self.shown_for = 60.0
        self.is_asked = asyncio.Event()

    @property
    def working_seconds(self) -> float:
        """As ShowsWork says."""
        return self.shown_for

    async def working(self, outgoing: Outgoing) -> None:
        """As ShowsWork says."""
        self.shown.append(outgoing)
        self.is_asked.set()
        await asyncio.sleep(self.takes)
        if self.error:
            raise self.error


@pytest.fixture
def busy() -> Busy:
    return Busy()


@pytest.fixture
def stage(stage: Stage, busy: Busy) -> Stage:
    stage.adapters = {"slack": busy}
    return stage


async def test_it_is_shown_before_the_first_word(stage: Stage, busy: Busy) -> None:
    stage.model.script((Then.PAUSE, "An answer"))
    accepted = await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(stage.worker().attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        [shown] = busy.shown
        assert (shown.text, shown.reply_to, shown.agent) == ("", "q/1", "Ada")
        assert busy.posts == []
        stage.model.resume()


@pytest.mark.parametrize("error", [Transient("later"), DeliveryRefused("never")])
async def test_where_it_cannot_be_shown_the_answer_comes_all_the_same(
    stage: Stage, busy: Busy, error: Exception
) -> None:
    busy.error = error
    await stage.worker().attend((await stage.say("Hello")).conversation_id)
    assert busy.transcript == ["You said: Hello"]


async def test_a_platform_that_takes_long_to_show_it_is_not_waited_for(
    stage: Stage, busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.turn._STATUS_SECONDS", 0.01)
    busy.takes = 60
    async with asyncio.timeout(PATIENCE):
        await stage.worker().attend((await stage.say("Hello")).conversation_id)
    assert busy.transcript == ["You said: Hello"]


async def test_stopped_while_it_is_being_shown_the_model_is_not_asked(
    stage: Stage, busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.turn._STATUS_SECONDS", PATIENCE)
    busy.takes = 2 * PATIENCE
    worker, accepted = stage.worker(), await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await busy.is_asked.wait()
        assert worker.interrupt(accepted.conversation_id)
    assert busy.transcript == ["(stopped)"]
    assert not stage.model.requests


@pytest.mark.usefixtures("often")
async def test_it_is_shown_again_while_the_model_is_silent(stage: Stage, busy: Busy) -> None:
    busy.shown_for = 0.02
    stage.model.script((Then.PAUSE, "An answer"))
    accepted = await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(stage.worker().attend(accepted.conversation_id))
        while len(busy.shown) < 3:
            busy.is_asked.clear()
            await busy.is_asked.wait()
        stage.model.resume()
    assert busy.transcript == ["An answer"]


@pytest.mark.usefixtures("often")
async def test_nothing_is_shown_of_work_once_the_answer_is_there(stage: Stage, busy: Busy) -> None:
    busy.shown_for = 0
    stage.model.script(("An", Then.PAUSE, " answer"))
    accepted = await stage.say("Hello")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(stage.worker().attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        async with asked() as statements:
            while not any(each.startswith(LOOK) for each in statements):  # noqa: ASYNC110  # it looks by itself
                await asyncio.sleep(0.01)
        assert len(busy.shown) == 1
        stage.model.resume()
