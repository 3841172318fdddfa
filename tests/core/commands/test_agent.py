"""What people can ask of Moorings itself."""

from __future__ import annotations

import asyncio
import json

import pytest

from core.address import Address
from core.commands.agent import Commands
from core.config.agents_file import AgentsFile
from core.config.binding import Binding
from core.config.spec import AgentSpec
from core.errors import ModelRefused, UserMistake
from core.llm import ModelRequest
from core.turn.compactor import Compactor
from storage.learning import IN_FRONT
from tests.core.given import ROOM, Stage
from tests.peers.model import ScriptedModel

HERE = Address.parse(ROOM)
FILE = AgentsFile(
    default_agent="Ada",
    agents={},
    bindings=(Binding(at=Address.parse("slack/T1/C9"), agent="Zoe"),),
    commands={},
)


@pytest.fixture
async def commands(stage: Stage) -> Commands:
    await stage.directory.register(AgentSpec(name="Zoe"))
    return Commands(stage.directory, FILE, stage.clock)


async def answered(stage: Stage, text: str, *, room: str = ROOM) -> None:
    """Somebody says this and gets an answer."""
    accepted = await stage.say(text, room=room)
    await stage.worker().attend(accepted.conversation_id)


async def test_all_agents_are_listed(commands: Commands) -> None:
    assert await commands.agents() == ["Ada", "Zoe"]


async def test_whoever_is_put_to_use_answers_there(commands: Commands) -> None:
    assert await commands.agent_at(HERE) == "Ada"
    await commands.use(HERE, "Zoe", "ana")
    assert await commands.agent_at(HERE) == "Zoe"


async def test_an_unknown_agent_cannot_be_put_to_use(commands: Commands) -> None:
    with pytest.raises(UserMistake, match="no agent 'Zo'"):
        await commands.use(HERE, "Zo", "ana")


async def test_the_agents_file_cannot_be_overruled_from_chat(commands: Commands) -> None:
    with pytest.raises(UserMistake, match="binds slack/T1/C9 to 'Zoe', and it wins"):
        await commands.use(Address.parse("slack/T1/C9"), "Ada", "ana")


async def test_saying_what_the_agents_file_says_is_no_mistake(commands: Commands) -> None:
    at = Address.parse("slack/T1/C9")
    await commands.use(at, "Zoe", "ana")
    assert await commands.agent_at(at) == "Zoe"


async def test_the_history_is_told_oldest_first(stage: Stage, commands: Commands) -> None:
    await answered(stage, "First")
    await answered(stage, "Second")
    said = await commands.history(HERE, "Ada", limit=3)
    assert [(each.author, each.text, each.is_agent) for each in said] == [
        ("Ada", "You said: First", True),
        ("ana", "Second", False),
        ("Ada", "You said: Second", True),
    ]


async def test_a_notice_is_part_of_the_history_that_people_see(
    stage: Stage, commands: Commands
) -> None:
    stage.model.script(ModelRefused("no", told="I may not."))
    await answered(stage, "First")
    assert (await commands.history(HERE, "Ada", limit=1))[0].text == "I may not."


async def test_where_nothing_was_said_there_is_no_history(commands: Commands) -> None:
    assert await commands.history(HERE, "Ada", limit=3) == []


async def test_facts_are_told_with_their_source(stage: Stage, commands: Commands) -> None:
    fact = await stage.remember("Bob owns it")
    [remembered] = await commands.facts(HERE, "Ada")
    assert (remembered.id, remembered.text, remembered.said_by) == (fact.id, "Bob owns it", "ana")
    assert remembered.at == fact.said_at


async def test_a_thread_knows_the_facts_of_its_channel(stage: Stage, commands: Commands) -> None:
    await stage.remember("Bob owns it")
    assert len(await commands.facts(Address.parse(f"{ROOM}/7.5"), "Ada")) == 1


async def test_after_a_reset_the_model_sees_facts_and_no_history(
    stage: Stage, commands: Commands
) -> None:
    await answered(stage, "First")
    await stage.remember("Bob owns it")
    assert await commands.reset(HERE, "Ada")
    await answered(stage, "Second")
    (_, front), question = stage.model.prompts[-1]
    assert "Bob owns it" in front
    assert question[1] == "Second"
    assert len(await commands.history(HERE, "Ada", limit=9)) == 4


async def test_after_a_reset_a_prompt_begins_with_as_many_facts_as_ever(
    stage: Stage, commands: Commands
) -> None:
    await answered(stage, "First")
    for number in range(IN_FRONT + 5):
        await stage.remember(f"Number {number}")
    assert await commands.reset(HERE, "Ada")
    cut = await stage.newest_cut()
    assert cut
    assert len(cut.facts) == IN_FRONT


async def test_after_a_reset_nobody_looks_back_before_it(stage: Stage, commands: Commands) -> None:
    await answered(stage, "First")
    why = await commands.why(HERE)
    assert why
    await commands.reset(HERE, "Ada")
    assert await commands.why(HERE) is None
    assert await commands.why(HERE, turn_id=why.turn) == why
    await answered(stage, "Second")
    newest = await commands.why(HERE)
    assert newest
    assert newest.turn > why.turn


async def test_there_is_nothing_to_reset_where_nothing_was_said(commands: Commands) -> None:
    assert not await commands.reset(HERE, "Ada")


async def test_a_question_without_an_answer_is_unfinished(stage: Stage, commands: Commands) -> None:
    assert await commands.unfinished(HERE, "Ada") is None
    accepted = await stage.say("First")
    assert await commands.unfinished(HERE, "Ada") == accepted.conversation_id
    await stage.worker().attend(accepted.conversation_id)
    assert await commands.unfinished(HERE, "Ada") is None


async def test_open_questions_are_told_in_order(stage: Stage, commands: Commands) -> None:
    accepted = await stage.say("First")
    await stage.say("Second")
    said = await commands.open_questions(accepted.conversation_id)
    assert [(each.author, each.text, each.is_agent) for each in said] == [
        ("ana", "First", False),
        ("ana", "Second", False),
    ]


async def test_conversations_are_listed_with_the_newest_message_first(
    stage: Stage, commands: Commands
) -> None:
    await stage.say("Waits", room="slack/T1/C3")
    await answered(stage, "First")
    await answered(stage, "Second", room="slack/T1/C2")
    talks = await commands.talks()
    assert [(talk.agent, talk.address, talk.messages) for talk in talks] == [
        ("Ada", "slack/T1/C2", 2),
        ("Ada", "slack/T1/C1", 2),
        ("Ada", "slack/T1/C3", 0),
    ]
    assert talks[-1].last_at is None


async def test_a_learned_fact_says_from_what_it_was_learned(
    stage: Stage, commands: Commands
) -> None:
    """And what held before it."""
    stage.model = ScriptedModel(otherwise=_notes)
    for room, date in ((ROOM, "15 March"), (f"{ROOM}/7", "2 April")):
        for _ in range(6):
            await answered(stage, f"It is {date}", room=room)
        stage.clock.forward(3_700)
        await Compactor(stage.resources()).look_for_quiet(asyncio.Event())
    [fact] = await commands.facts(HERE, "Ada")
    assert (fact.text, fact.said_by) == ("The deadline is 2 April.", "ana")
    assert (fact.learned_from, fact.before) == ("It is 2 April", "The deadline is 15 March.")


def _notes(request: ModelRequest) -> str:
    asked = request.messages[-1].content
    if "comes from no person" not in asked:
        return "Yes."
    date = "2 April" if "2 April" in asked else "15 March"
    replaces = 1 if "1. The deadline" in asked else None
    fact = {"text": f"The deadline is {date}.", "sources": [1], "replaces": replaces}
    return json.dumps({"facts": [fact]})
