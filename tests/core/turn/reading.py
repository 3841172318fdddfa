"""A model that reads what has grown, and writes what it is told to; and who has it read."""

from __future__ import annotations

import json
from contextlib import suppress

from core.config.spec import AgentSpec
from core.llm import ModelRequest
from core.turn.compaction import carry_out
from core.turn.compactor import Compactor
from storage import compactions
from storage.errors import LeaseLost
from storage.models import Fact
from tests.core.given import ROOM, Stage
from tests.peers.model import ScriptedModel

ASKED = "(This comes from no person"
SUMMARY = "Ana counts words."


def is_compaction(request: ModelRequest) -> bool:
    """Whether this is no question of a person."""
    return ASKED in request.messages[-1].content


class Reader:
    """A model that notes what it is told to note, in a summary and in facts."""

    def __init__(self, *notes: str) -> None:
        """`notes` come first, one a compaction."""
        self.notes = list(notes)
        self.read: list[ModelRequest] = []
        self.answer = "word " * 180

    def __call__(self, request: ModelRequest) -> str:
        if not is_compaction(request):
            return self.answer
        self.read.append(request)
        return self.notes.pop(0) if self.notes else noted()


def noted(
    *given: tuple[str, list[int]], summary: str = SUMMARY, replaces: int | None = None
) -> str:
    """What a model writes: these facts, each with the numbers of its sources."""
    return json.dumps(
        {
            "summary": summary,
            "facts": [
                {"text": text, "sources": sources, "replaces": replaces} for text, sources in given
            ],
        }
    )


def staged(reader: Reader) -> Stage:
    """An agent with a small window that answers at length."""
    spec = AgentSpec(name="Ada", instructions="Be brief.", tools=(), window_tokens=2_000)
    return Stage(spec=spec, model=ScriptedModel(otherwise=reader))


async def talk(stage: Stage, *texts: str, room: str = ROOM, author: str = "ana") -> None:
    """Each is answered before the next is said."""
    worker = stage.worker()
    for text in texts:
        accepted = await stage.say(text, room=room, author=author)
        await worker.attend(accepted.conversation_id)


async def grown(stage: Stage, room: str = ROOM) -> Compactor:
    """Who compacts, once the history there has grown."""
    for number in range(100):
        if stage.resources().grown.take():
            break
        await talk(stage, f"Question {number}", room=room)
    where = await stage.conversation(room)
    stage.grown.add(where.id, where.last_seq)
    return Compactor(stage.resources())


async def learned(room: str = ROOM) -> list[str]:
    """The facts that hold there."""
    return [fact.text for fact in await Fact.filter(scope=room, superseded_by=None).order_by("id")]


async def left(stage: Stage) -> None:
    """Another process looks for what was left or put off."""
    resources = stage.resources(owner="another")
    for number in await compactions.waiting(resources.clock(), limit=9):
        row = await compactions.claim(number, owner="another", now=resources.clock(), seconds=15)
        assert row
        with suppress(LeaseLost):
            await carry_out(resources, row)
