"""core/context/look_back.py: what a prompt does not show is looked for by the question's words."""

from __future__ import annotations

import asyncio

import pytest

from core.config.spec import AgentSpec
from core.context.history import total
from core.llm import Role
from storage import summaries
from tests.core.given import ROOM, Stage, tool
from tests.patience import PATIENCE
from tests.peers.model import Then, calling
from tests.statements import asked

HEADING = "(Said here earlier"
SMALL = AgentSpec(name="Ada", instructions="Be brief.", tools=(), window_tokens=2_000)


@pytest.fixture
def small(stage: Stage) -> Stage:
    """A stage whose agent is shown little."""
    return Stage(spec=SMALL)


async def talk(stage: Stage, text: str, *, room: str = ROOM, author: str = "ana") -> str:
    """One turn there; what its question looked like to the model."""
    await stage.say(text, room=room, author=author)
    await stage.worker().attend((await stage.conversation(room)).id)
    return stage.model.questions[-1]


async def chatter(stage: Stage) -> None:
    """More than the agent is shown."""
    for number in range(25):
        await talk(stage, f"Something about otters, number {number}." + " They swim." * 40)


async def test_what_was_cut_is_found_again(small: Stage) -> None:
    await talk(small, "The Falcon deadline is 15 March.")
    await chatter(small)
    shown = await talk(small, "When is the Falcon deadline?")
    assert shown.startswith(HEADING)
    assert "- ana: The Falcon deadline is 15 March." in shown
    assert shown.endswith(")\n\nWhen is the Falcon deadline?")
    request = small.model.requests[-1]
    assert total(request.messages) <= SMALL.window_tokens


async def test_it_is_not_kept(small: Stage) -> None:
    await talk(small, "The Falcon deadline is 15 March.")
    await chatter(small)
    await talk(small, "When is the Falcon deadline?")
    await talk(small, "Thanks.")
    earlier = [each.content for each in small.model.requests[-1].messages if each.role is Role.USER]
    assert "When is the Falcon deadline?" in earlier


async def test_what_is_shown_is_not_found_again(small: Stage) -> None:
    await chatter(small)
    await talk(small, "The Falcon deadline is 15 March.")
    assert HEADING not in await talk(small, "When is the Falcon deadline?")


async def test_another_thread_of_the_channel_is_looked_into(stage: Stage) -> None:
    await talk(stage, "The Falcon deadline is 15 March.", room=f"{ROOM}/17.1")
    assert "15 March" in await talk(stage, "Falcon deadline?", room=f"{ROOM}/18.2", author="ben")
    assert HEADING not in await talk(stage, "Falcon deadline?", room="slack/T1/C2/19.3")


async def test_nothing_before_a_reset_is_looked_for(small: Stage) -> None:
    await talk(small, "The Falcon deadline is 15 March.")
    await chatter(small)
    await summaries.reset((await small.conversation()).id, facts=[], now=small.clock())
    assert HEADING not in await talk(small, "When is the Falcon deadline?")


async def test_one_prompt_of_a_turn_begins_as_the_other(small: Stage) -> None:
    await talk(small, "The Falcon deadline is 15 March.")
    await chatter(small)
    small.tools = [tool("noon", lambda _: "It is noon.")]
    small.model.script(calling("noon"), "Noon.")
    await talk(small, "When is the Falcon deadline?")
    first, second = small.model.requests[-2:]
    assert first.messages == second.messages[: len(first.messages)]


async def test_where_all_is_shown_the_index_is_not_asked(stage: Stage) -> None:
    await talk(stage, "The Falcon deadline is 15 March.")
    async with asked() as statements:
        await talk(stage, "When is the Falcon deadline?")
    assert not any("MATCH" in each for each in statements)


async def test_an_agent_without_memory_leaves_nothing_to_be_found(stage: Stage) -> None:
    forgetful = Stage(spec=AgentSpec(name="Ada", instructions="", tools=(), memory=False))
    async with asked() as statements:
        await talk(forgetful, "The Falcon deadline is 15 March.")
    assert not any("passage" in each for each in statements)


async def test_an_edited_question_is_looked_for_by_its_new_words(
    small: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.turn._SETTLE_SECONDS", 0)
    await talk(small, "The Falcon deadline is 15 March.")
    await talk(small, "The Heron is grey.")
    await chatter(small)
    worker = small.worker()
    small.intake.wake_with(worker.wake, worker.edited)
    small.model.script((Then.PAUSE, "never"))
    accepted = await small.say("What colour is the Heron?")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(worker.attend(accepted.conversation_id))
        await small.model.paused.acquire()
        await small.intake.change(accepted.key, "When is the Falcon deadline?")
    before, after = small.model.questions[-2:]
    assert "The Heron is grey." in before
    assert "15 March" in after
