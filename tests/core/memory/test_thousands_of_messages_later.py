"""What was told at message 1 is found thousands of messages later (benchmarks: look_back)."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from core.config.spec import AgentSpec
from core.context.history import total
from core.llm.demo import DemoModel
from core.memory.indexing import index_next
from storage.database import Database
from storage.derived import Passage
from storage.models import Conversation, Message, MessageRole
from tests.core.given import ROOM, Stage
from tests.statements import asked

WINDOW = 2_000
TOLD, QUESTION = "The Kestrel launch is on 15 March.", "When is the launch of Kestrel?"
WORDS = [f"{start}{end}" for start in "bdfgklmnprst" for end in ("ola", "iva", "umen", "etar")]


@pytest.fixture
def stage(database: Database) -> Stage:
    """An agent with a small window, on each database that is switched on."""
    del database
    return Stage(
        spec=AgentSpec(name="Ada", instructions="Be brief.", tools=(), window_tokens=WINDOW)
    )


async def say(stage: Stage, text: str, room: str = ROOM) -> None:
    await stage.say(text, room=room)
    await stage.worker().attend((await stage.conversation(room)).id)


async def talk_until(stage: Stage, last: int) -> None:
    """Others have talked of other things: so many messages are there now."""
    chance, where = Random(last), await stage.conversation()  # noqa: S311  # no secret
    for start in range(where.last_seq + 1, last + 1, 10_000):
        await Message.bulk_create(
            (
                Message(
                    conversation_id=where.id,
                    seq=seq,
                    role=MessageRole.USER if seq % 2 else MessageRole.ASSISTANT,
                    author="ana" if seq % 2 else "Ada",
                    text=" ".join(chance.choices(WORDS, k=8)),
                    tokens=20,
                    turn_id=1_000_000 + seq // 2,
                    said_at=stage.clock() - timedelta(hours=1),
                )
                for seq in range(start, min(start + 10_000, last + 1))
            ),
            batch_size=500,
        )
    await Conversation.filter(id=where.id).update(last_seq=last)
    page = await index_next(0)
    while page:
        page = await index_next(page.last_id)


async def test_the_date_told_at_the_beginning_is_shown_in_another_thread_too(stage: Stage) -> None:
    await say(stage, TOLD)
    await talk_until(stage, 2_000)
    await say(stage, QUESTION)
    assert TOLD in stage.model.questions[-1]
    assert total(stage.model.requests[-1].messages) <= WINDOW
    await say(stage, QUESTION, room=f"{ROOM}/17.1")
    assert TOLD in stage.model.questions[-1]
    assert len(stage.model.requests[-1].messages) == 2


async def test_the_database_is_asked_as_often_as_after_a_hundred_messages(
    stage: Stage, database: Database
) -> None:
    if database.url.dialect == "mysql":
        pytest.skip("asyncmy cannot be listened to, so that nothing is counted on MariaDB")
    await say(stage, TOLD)
    counts = []
    for last in (200, 2_000):
        await talk_until(stage, last)
        await say(stage, QUESTION)
        async with asked() as statements:
            await say(stage, QUESTION)
        counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_the_offline_demo_answers_after_two_thousand_messages(stage: Stage) -> None:
    stage.answering = DemoModel(pause=0, clock=stage.clock)
    await say(stage, TOLD)
    await talk_until(stage, 2_000)
    await say(stage, QUESTION)
    assert stage.platform.transcript[-1] == (
        "Earlier today you told me: The Kestrel launch is on 15 March."
    )
    assert await Passage.all().count() == 2_002
