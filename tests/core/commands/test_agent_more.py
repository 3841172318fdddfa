"""What people can ask besides: status, why, remember, forget, stop, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.address import Address
from core.commands.agent import Commands
from core.commands.views import OwnFact, RememberedFact
from core.config.agents_file import AgentsFile
from core.config.binding import Binding, Listen, SharedBy
from core.config.spec import AgentSpec
from core.errors import DeliveryRefused, Transient, UserMistake
from core.messaging.cursors import Cursors
from core.messaging.messages import Author
from storage import facts, outbox
from storage.facts import Statement
from tests.core.given import ROOM, Stage, tool
from tests.peers.model import calling

HERE = Address.parse(ROOM)
THREAD = HERE.below("7.5")
WORKSPACE = Address.parse("slack/T1")
ANA = Author(id="U1", name="ana")
FILE = AgentsFile(
    default_agent="Ada",
    agents={},
    bindings=(
        Binding(at=Address.parse("slack/T1/C9"), agent="Zoe"),
        Binding(at=Address.parse("slack/T2/C9"), agent="Zoe"),
    ),
    commands={},
)


@pytest.fixture
async def commands(stage: Stage) -> Commands:
    await stage.directory.register(AgentSpec(name="Zoe"))
    return Commands(stage.directory, FILE, stage.clock)


async def answered(stage: Stage, text: str, *, room: str = ROOM) -> None:
    accepted = await stage.say(text, room=room)
    await stage.worker().attend(accepted.conversation_id)


def texts(known: Sequence[RememberedFact | OwnFact]) -> list[str]:
    return [fact.text for fact in known]


async def test_a_fact_is_remembered_once_and_forgotten(stage: Stage, commands: Commands) -> None:
    await commands.remember(HERE, "Ada", "Bob owns it", author=ANA, key="k1")
    fact = await commands.remember(HERE, "Ada", " Bob owns it ", author=ANA, key="k1")
    assert texts(await commands.facts(THREAD, "Ada")) == ["Bob owns it"]
    assert await commands.forget(HERE, "Ada", fact.id) == "Bob owns it"
    assert await commands.facts(HERE, "Ada") == []
    with pytest.raises(UserMistake, match="no fact"):
        await commands.forget(HERE, "Ada", fact.id)


@pytest.mark.parametrize("text", ["", " \0 ", "x" * 1_001])
async def test_nothing_and_too_much_cannot_be_remembered(commands: Commands, text: str) -> None:
    with pytest.raises(UserMistake, match=r"in at most 1,000 characters"):
        await commands.remember(HERE, "Ada", text, author=ANA, key="k1")


async def test_a_fact_of_elsewhere_cannot_be_forgotten(commands: Commands) -> None:
    fact = await commands.remember(HERE, "Ada", "Bob owns it", author=ANA, key="k1")
    with pytest.raises(UserMistake, match="knows no fact"):
        await commands.forget(Address.parse("slack/T1/C2"), "Ada", fact.id)


async def test_people_see_and_forget_their_own_facts_only(commands: Commands) -> None:
    """Whoever has somebody else's name does not have their id."""
    impostor = Author(id="U2", name="ana")
    mine = await commands.remember(HERE, "Ada", "mine", author=ANA, key="k1")
    await commands.remember(HERE, "Ada", "hers", author=impostor, key="k2")
    await commands.remember(Address.parse("slack/T2/C1"), "Ada", "away", author=ANA, key="k3")
    assert texts(await commands.own_facts(WORKSPACE, "U1")) == ["mine"]
    assert not await commands.forget_own(WORKSPACE, "U2", mine.id)
    assert await commands.forget_own(WORKSPACE, "U1", mine.id)
    assert await commands.own_facts(WORKSPACE, "U1") == []


async def test_a_fact_from_a_message_belongs_to_whoever_wrote_it(
    stage: Stage, commands: Commands
) -> None:
    accepted = await stage.say("Bob owns it")
    await commands.remember(HERE, "Ada", "other", author=Author(id="U2", name="x"), key="k0")
    statement = Statement(
        key="k1",
        agent_id=(await stage.agent()).id,
        scope=HERE.scope,
        text="Bob owns it",
        said_by="somebody",
        source_key=accepted.key,
        said_at=stage.clock(),
    )
    fact = await facts.add(statement)
    assert [own.id for own in await commands.own_facts(WORKSPACE, "ana")] == [fact.id]


async def test_the_status_says_who_answers_and_what_waits(stage: Stage, commands: Commands) -> None:
    before = await commands.status(HERE)
    assert (before.agent, before.listen, before.conversation) == ("Ada", Listen.MENTION, None)
    await commands.use(HERE, "Zoe", "ana", listen=Listen.ALL, conversation=SharedBy.USER)
    await stage.say("First", room=THREAD.key)
    after = await commands.status(HERE)
    assert (after.agent, after.listen, after.conversation) == ("Zoe", Listen.ALL, SharedBy.USER)
    assert (after.waiting, after.answering) == (1, 0)


async def test_bindings_of_a_workspace_are_those_of_file_and_chat(commands: Commands) -> None:
    await commands.use(HERE, "Zoe", "ana")
    await commands.use(Address.parse("slack/T2/C1"), "Zoe", "ana")
    found = await commands.bindings(WORKSPACE)
    assert [binding.at.key for binding in found] == ["slack/T1/C1", "slack/T1/C9"]


async def test_why_tells_what_is_behind_the_newest_answer_or_a_named_one(
    stage: Stage, commands: Commands
) -> None:
    stage.tools.append(tool("clock", lambda _: "noon"))
    stage.price = 5
    stage.model.script(calling("clock"))
    await answered(stage, "What time is it?", room=THREAD.key)
    await answered(stage, "Thanks")
    newest = await commands.why(HERE)
    assert newest
    assert (newest.agent, newest.state, newest.tools, newest.nano_usd) == ("Ada", "done", (), 5)
    first = await commands.why(HERE, turn_id=newest.turn - 1)
    assert first
    assert (first.tools, first.nano_usd, first.attempts) == (("clock",), 10, 1)
    assert await commands.why(THREAD) == first
    [shown] = await outbox.of_turn(newest.turn)
    assert shown.message_id
    assert await commands.why(HERE, message_ids=[shown.message_id]) == newest


async def test_why_tells_what_the_platform_did_not_take(stage: Stage, commands: Commands) -> None:
    stage.platform.fail("post", Transient("later"))
    stage.platform.fail("post", DeliveryRefused("too long"), nth=2)
    await answered(stage, "First")
    stage.clock.forward(2)
    await stage.worker().attend((await stage.conversation()).id)
    found = await commands.why(HERE)
    assert found
    assert (found.failures, found.given_up) == (1, 1)


async def test_why_tells_nothing_of_other_channels(stage: Stage, commands: Commands) -> None:
    await answered(stage, "First")
    elsewhere = Address.parse("slack/T1/C2")
    assert await commands.why(elsewhere, turn_id=1) is None
    assert await commands.why(elsewhere) is None


async def test_a_reset_of_a_channel_covers_its_threads(stage: Stage, commands: Commands) -> None:
    await answered(stage, "First")
    await answered(stage, "Second", room=THREAD.key)
    await answered(stage, "Third", room="slack/T1/C11")
    assert await commands.reset_below(HERE, "Ada") == 2
    assert await stage.newest_cut(THREAD.key)
    assert await stage.newest_cut("slack/T1/C11") is None
    assert await commands.reset_below(HERE, "Zoe") == 0


async def test_cursors_only_move_forward(stage: Stage) -> None:
    assert stage.said == 0
    cursors = Cursors(stage.clock)
    for position in (5, 9, 7):
        await cursors.advance(HERE, position)
    await cursors.advance(Address.parse("slack/T11"), 3)
    assert await cursors.below(WORKSPACE) == {HERE.key: 9}


async def test_threads_are_told_newest_first(stage: Stage) -> None:
    await stage.say("First", room=THREAD.key)
    await stage.say("Second")
    long_ago, cursors = stage.clock.at.replace(year=2000), Cursors(stage.clock)
    found = await cursors.threads(WORKSPACE, since=long_ago, limit=9)
    assert found == [(HERE, "q/2"), (THREAD, "q/1")]
    assert await cursors.threads(WORKSPACE, since=long_ago, limit=1) == [(HERE, "q/2")]
    assert await cursors.threads(WORKSPACE, since=stage.clock(), limit=9) == []
