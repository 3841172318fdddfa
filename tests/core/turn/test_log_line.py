"""One line a turn in the log, for whoever runs the bot: numbers and names, and no words."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import ModelRefused
from core.llm import Finished, TokenUsage
from core.turn import turn as turns_room
from storage import inbox
from storage.models import Turn
from tests.core.given import ROOM, Stage, tool
from tests.patience import PATIENCE
from tests.peers.model import Then, calling

_FIELDS = (
    *("turn", "state", "agent", "address", "model", "seconds"),
    *("input_tokens", "output_tokens", "failure"),
)


async def told(stage: Stage, caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    """The fields of the one line about a turn."""
    caplog.set_level("INFO", "core.turn.turn")
    await stage.worker().attend((await stage.say("The word is quetzal")).conversation_id)
    [record] = [each for each in caplog.records if each.getMessage() == "turn ended"]
    assert record.levelname == "INFO"
    assert "quetzal" not in str(vars(record))
    return {name: vars(record)[name] for name in _FIELDS if name in vars(record)}


async def test_an_answer_is_one_line(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.tools = [tool("noon", lambda _: "It is noon.")]
    stage.model.script(calling("noon"), "Noon.")
    fields = await told(stage, caplog)
    seconds = fields.pop("seconds")
    assert isinstance(seconds, float)
    assert 0 <= seconds < 1  # by the clock of the stage, which stands still
    assert fields == {
        "turn": (await Turn.get()).id,
        "state": "done",
        "agent": "Ada",
        "address": ROOM,
        "model": "scripted",
        "input_tokens": 200,
        "output_tokens": 20,
    }


async def test_every_model_that_was_asked_is_named_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.tools = [tool("noon", lambda _: "It is noon.")]
    usage = TokenUsage(input=7, output=3)
    called = Finished(text="", model="first", tool_calls=(calling("noon"),), usage=usage)
    stage.model.script(called, Finished(text="Noon.", model="second", usage=usage))
    fields = await told(stage, caplog)
    assert (fields["model"], fields["input_tokens"], fields["output_tokens"]) == (
        "first,second",
        14,
        6,
    )


async def test_a_failure_says_of_which_kind(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.model.script(ModelRefused("no such model", told="I may not."))
    fields = await told(stage, caplog)
    assert (fields["state"], fields["failure"]) == ("failed", "refused")
    assert (fields["model"], fields["input_tokens"]) == ("", 0)


async def test_a_call_whose_answer_was_begun_again_counts_once(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its question was edited when the answer was finished, and not yet stored."""
    monkeypatch.setattr(turns_room, "_SETTLE_SECONDS", 0)
    stage.model.script((Then.PAUSE, "Half."))
    caplog.set_level("INFO", "core.turn.turn")
    accepted = await stage.say("Helo")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(stage.worker().attend(accepted.conversation_id))
        await stage.model.paused.acquire()
        await inbox.change(accepted.key, "Hello")
        stage.model.resume()
    [record] = [each for each in caplog.records if each.getMessage() == "turn ended"]
    assert vars(record)["input_tokens"] == 200
