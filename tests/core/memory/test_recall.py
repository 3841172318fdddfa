"""core/memory: what was said is found again, by words, within its place and since a reset."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from core.address import Address
from core.llm.tokens import estimate
from core.memory.indexing import index_next
from core.memory.recall import Limits, recalled
from core.memory.search import Where
from core.memory.terms import Scope
from storage import agents, conversations, facts, retention, summaries
from storage.database import Database
from storage.derived import Passage
from storage.models import Conversation, Message, MessageRole, Turn, TurnState
from storage.retention import Bounds
from tests.statements import asked
from tests.storage import sql

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHANNEL = "slack/T1/C1"


@pytest.fixture(autouse=True)
def _in_a_database(database: Database) -> None:
    """All of it on each database that is switched on."""


class Talks:
    """What was said to one agent."""

    def __init__(self) -> None:
        self.said = 0

    async def say(
        self,
        *texts: str,
        at: str = CHANNEL,
        readers: str = "",
        answer: str = "",
        author: str = "Ana",
    ) -> int:
        """One turn there, indexed; the id of its conversation."""
        agent = await agents.record(name="Ada", revision="r", config={}, now=NOW)
        where = await conversations.find_or_open(
            agent_id=agent.id, address=at, queue="q", author="Ana", now=NOW, readers=readers
        )
        self.said += 1
        moment = NOW + timedelta(days=self.said)
        turn = await Turn.create(
            conversation_id=where.id,
            number=self.said,
            state=TurnState.DONE,
            revision="r",
            opened_at=moment,
            ended_at=moment,
        )
        told = [(MessageRole.USER, author, text) for text in texts]
        told += [(MessageRole.ASSISTANT, "Ada", answer)] if answer else []
        for role, name, text in told:
            seq = (await Message.filter(conversation_id=where.id).count()) + 1
            await Message.create(
                conversation_id=where.id,
                seq=seq,
                role=role,
                author=name,
                text=text,
                tokens=1,
                turn_id=turn.id,
                said_at=moment,
            )
        await index_next(0)
        return where.id

    async def find(
        self,
        question: str,
        at: str = CHANNEL,
        *,
        readers: str = "",
        limits: Limits = Limits(),  # noqa: B008  # frozen
    ) -> str:
        """What a model there is shown of it."""
        agent = await agents.by_name("Ada")
        assert agent
        scope = Scope(agent.id, Address.parse(at, readers).scope)
        return await recalled(question, Where(scope=scope), tokens=600, limits=limits)


@pytest.fixture
def talks() -> Talks:
    return Talks()


async def test_what_was_said_is_found_with_day_and_speaker(talks: Talks) -> None:
    await talks.say("The budget of Falcon is 40,000 euros.", answer="Noted: Falcon has a budget.")
    assert await talks.find("What was Falcon's budget?") == (
        "  02 March 2026\n"
        "- Ana: The budget of Falcon is 40,000 euros.\n"
        "- you: Noted: Falcon has a budget."
    )


async def test_what_people_said_comes_before_what_agents_said(talks: Talks) -> None:
    await talks.say("Hm.", answer="Falcon has a budget. " * 20)
    await talks.say("Falcon has no budget left.")
    agent = await agents.by_name("Ada")
    assert agent
    where = Where(scope=Scope(agent.id, CHANNEL))
    assert await recalled("Falcon budget", where, tokens=30) == (
        "  03 March 2026\n- Ana: Falcon has no budget left."
    )


async def test_what_fits_is_shown_up_to_the_last_token(talks: Talks) -> None:
    await talks.say("The budget of Falcon is 40,000 euros.", answer="Noted: Falcon has a budget.")
    whole = await talks.find("budget of Falcon")
    lines = [estimate(line) + 1 for line in whole.split("\n")]
    agent = await agents.by_name("Ada")
    assert agent
    where = Where(scope=Scope(agent.id, CHANNEL))
    assert await recalled("budget of Falcon", where, tokens=sum(lines)) == whole
    less = await recalled("budget of Falcon", where, tokens=sum(lines) - 1)
    assert less == "\n".join(whole.split("\n")[:2])


async def test_a_hit_is_shown_with_what_was_said_just_before(talks: Talks) -> None:
    await talks.say("What is it called?", "Falcon.", "And when?", "In May.")
    found = await talks.find("in May")
    assert "Falcon" in found
    assert "called" not in found


async def test_a_long_question_is_shown_by_its_beginning(talks: Talks) -> None:
    question = "Which bird flies? " + "Nothing of it matters. " * 40 + "So it ends."
    await talks.say(question, answer="Falcon does.")
    found = await talks.find("Falcon")
    assert "- Ana: Which bird flies? Nothing" in found
    assert "So it ends" not in found


async def test_a_long_message_is_shown_in_passages(talks: Talks) -> None:
    await talks.say("Nothing of it matters. " * 40 + "But Falcon does. " + "Or so it seems. " * 40)
    found = await talks.find("Falcon")
    assert "Falcon" in found
    assert len(found) < 400


async def test_it_is_found_in_any_thread_of_the_channel_but_not_elsewhere(talks: Talks) -> None:
    await talks.say("Falcon flies in May.", at=f"{CHANNEL}/17.1", readers="channel")
    assert "May" in await talks.find("Falcon")
    assert "May" in await talks.find("Falcon", f"{CHANNEL}/18.2")
    assert await talks.find("Falcon", "slack/T1/C12") == ""


async def test_a_private_thread_is_searched_only_there(talks: Talks) -> None:
    thread = "discord/G/C/7"
    await talks.say("Falcon is a secret.", at=thread, readers="thread")
    assert await talks.find("Falcon", "discord/G/C") == ""
    assert "secret" in await talks.find("Falcon", thread, readers="thread")


async def test_what_turns_out_to_be_open_is_found_in_its_channel(talks: Talks) -> None:
    """Until an event tells, a thread of Discord is taken for private."""
    where = await talks.say("Falcon flies.", at="discord/G/C/7")
    assert await talks.find("Falcon", "discord/G/C") == ""
    await conversations.show_to("everybody", conversation_id=where)
    assert await talks.find("Falcon", "discord/G/C/7") == ""
    await index_next(0)
    assert "flies" in await talks.find("Falcon", "discord/G/C")


async def test_what_turns_out_to_be_private_is_found_there_alone(talks: Talks) -> None:
    where = await talks.say("Falcon is a secret.", at="discord/G/C/7", readers="everybody")
    agent = await agents.by_name("Ada")
    assert agent
    await facts.move(
        agent_id=agent.id,
        scope="discord/G/C",
        told_below="discord/G/7/",
        to="discord/G/C/7",
        of=where,
        readers="thread",
    )
    assert await talks.find("Falcon", "discord/G/C") == ""
    await index_next(0)
    assert await talks.find("Falcon", "discord/G/C") == ""
    assert "secret" in await talks.find("Falcon", "discord/G/C/7", readers="thread")


async def test_who_can_read_is_asked_whatever_the_index_says(talks: Talks) -> None:
    await talks.say("Falcon flies.", at="discord/G/C/7", readers="everybody")
    assert "flies" in await talks.find("Falcon", "discord/G/C")
    await Conversation.all().update(readers="thread")
    assert await talks.find("Falcon", "discord/G/C") == ""


async def test_another_agent_finds_nothing_of_it(talks: Talks) -> None:
    await talks.say("Falcon flies.")
    where = Where(scope=Scope(99, CHANNEL))
    assert await recalled("Falcon", where, tokens=600) == ""


async def test_nothing_before_a_reset_is_found(talks: Talks) -> None:
    where = await talks.say("Falcon is old.")
    await Conversation.filter(id=where).update(last_seq=1)
    await summaries.reset(where, facts=[], now=NOW)
    await talks.say("Falcon is new.")
    found = await talks.find("Falcon")
    assert "new" in found
    assert "old" not in found


async def test_what_is_deleted_is_found_no_more(talks: Talks) -> None:
    await talks.say("Falcon flies.")
    later = NOW + timedelta(days=90)
    await retention.prune(Bounds(words=later, rows=later), None)
    assert await talks.find("Falcon") == ""
    assert await Passage.all().count() == 0


async def test_a_removed_agent_leaves_nothing(talks: Talks) -> None:
    await talks.say("Falcon flies.")
    agent = await agents.by_name("Ada")
    assert agent
    await agents.remove(agent.id)
    assert await Passage.all().count() == 0


async def test_it_is_limited_to_days_and_authors(talks: Talks) -> None:
    await talks.say("Falcon on Monday.", author="Ana", answer="Falcon it is.")
    await talks.say("Falcon on Tuesday.", author="Ben Okri")
    second = NOW + timedelta(days=2)
    assert "Monday" not in await talks.find("Falcon", limits=Limits(since=second))
    assert "Tuesday" not in await talks.find("Falcon", limits=Limits(until=second))
    found = await talks.find("Falcon", limits=Limits(author="ben"))
    assert found == "  03 March 2026\n- Ben Okri: Falcon on Tuesday."


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("締め切りは三月十五日です。", "締め切りはいつですか"),
        ("마감일은 3월 15일입니다", "마감일이 언제예요?"),
        ("กำหนดส่งงานวันที่ 15 มีนาคม", "กำหนดส่งงานเมื่อไหร่"),
        ("Die Abgabe ist am 15. März, sagt die Chefin.", "Wann sind die Abgaben?"),
        ("the flag is set_deadline(3, 15)", "set_deadline"),
        ("🚢 leaves on 15/3", "🚢?"),
    ],
)
async def test_it_is_found_in_any_script(talks: Talks, said: str, asked: str) -> None:
    await talks.say(said)
    assert "15" in await talks.find(asked) or "十五" in await talks.find(asked)


@pytest.mark.parametrize("question", ["", "who was it?", "?!", '" OR * ( NEAR', "\x00", "'; --"])
async def test_a_question_without_words_finds_nothing(talks: Talks, question: str) -> None:
    await talks.say("Falcon flies.")
    assert await talks.find(question) == ""


async def test_of_common_words_two_together_are_found(
    talks: Talks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.memory.search._RARE", 5)
    for number in range(8):
        await talks.say(f"Falcon {number}")
        await talks.say(f"Budget {number}")
    await talks.say("The budget of Falcon is small.")
    assert "small" in await talks.find("budget of Falcon")
    assert await talks.find("Falcon") != ""


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_nothing_is_looked_for_twice(talks: Talks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.memory.search._RARE", 2)
    for number in range(5):
        await talks.say(f"The budget of Falcon {number}")
    async with asked() as statements:
        assert await talks.find("budget of Falcon") != ""
    looked = re.findall(r"MATCH '([^']*)'", "\n".join(statements))
    assert len(looked) == 5  # each word of people and of agents, and both words of people
    assert len(set(looked)) == 5


async def test_a_missing_index_is_made_anew(talks: Talks, database: Database) -> None:
    await talks.say("Falcon flies.")
    match database.url.dialect:
        case "sqlite":
            await sql.rows(database, "DROP TABLE passage_index")
        case "postgres":
            await sql.rows(database, "DROP INDEX passage_words")
        case _:
            await sql.rows(database, "ALTER TABLE passage DROP INDEX passage_words")
    assert "flies" in await talks.find("Falcon")


async def test_a_common_word_is_looked_for_beside_one_that_nobody_said(
    talks: Talks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.memory.search._RARE", 2)
    for number in range(5):
        await talks.say(f"Falcon flies, number {number}.")
    assert "Falcon" in await talks.find("falcon zeppelin")


@pytest.mark.parametrize("author", ["Will", "Do", "☃", "Will Do"])
async def test_a_name_of_words_that_tell_nothing_is_a_name(talks: Talks, author: str) -> None:
    await talks.say("Falcon flies.")
    await talks.say("Falcon swims.", author=author)
    found = await talks.find("falcon", limits=Limits(author=author))
    assert "swims" in found
    assert "flies" not in found


@pytest.mark.parametrize(
    "question",
    [
        "Was war am 2. März?",
        "Qu'est-ce que c'était, le 2 mars ?",
        "Qué fue el 2 de marzo?",
        "Che cosa è stato il 2 marzo?",
        "O que foi em 2 de março?",
        "Wat was er op 2 maart?",
        "Vad var det den 2 mars?",
        "what happened on 2 March?",
    ],
)
async def test_a_month_is_found_in_the_languages_that_are_known(
    talks: Talks, question: str
) -> None:
    await talks.say("Falcon flies.")
    assert "flies" in await talks.find(question)
