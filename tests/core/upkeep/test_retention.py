"""What is kept for how long; and every conversation goes on, whatever was deleted."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from random import Random

import pytest

from core.address import Address
from core.commands.agent import Commands
from core.commands.controls import Controls, Press
from core.config.agents_file import AgentsFile
from core.config.spec import AgentSpec
from core.llm import Role
from core.messaging.intake import Accepted
from core.messaging.messages import Author, RoutedMessage
from core.upkeep.retention import Retention
from storage.database import Database
from storage.models import InboxMessage, Message, Turn, Usage
from storage.retention import Pruned
from tests.core.given import ROOM, Stage

NOTHING, HOUR, DAY = timedelta(0), timedelta(hours=1), timedelta(days=1)
HERE = Address.parse(ROOM)
ROOMS = (ROOM, "slack/T1/C2")
FILE = AgentsFile(default_agent="Ada", agents={}, bindings=(), commands={})


@pytest.fixture
def anywhere(database: Database) -> Stage:
    """One agent on one platform, over a database of each kind."""
    return Stage()


async def ask(stage: Stage, text: str, *, room: str = ROOM) -> str:
    """The answer to a question."""
    accepted = await stage.say(text, room=room)
    await stage.worker().attend(accepted.conversation_id)
    return stage.platform.transcript[-1]


async def prune(stage: Stage, older_than: timedelta, *, catch_up: timedelta = DAY) -> Pruned:
    """What is gone then."""
    pruned = Pruned()
    async for so_far in Retention(stage.clock, catch_up=catch_up).prune(older_than):
        pruned = so_far
    return pruned


async def deliver_again(stage: Stage, key: str) -> Accepted:
    """A platform sends a message once more."""
    incoming = RoutedMessage(
        key=key,
        address=HERE,
        author=Author(id="ana", name="ana"),
        text="Hello",
        sent_at=stage.clock(),
        position=1,
        reply_to="q1",
    )
    return await stage.intake.accept(incoming, stage.spec.name)


def pass_by(stage: Stage, time: timedelta) -> None:
    """Let that much time pass."""
    stage.clock.forward(time.total_seconds())


async def test_an_old_answer_goes_and_a_newer_one_stays(stage: Stage) -> None:
    await ask(stage, "Old")
    pass_by(stage, 90 * DAY)
    await ask(stage, "New")
    pruned = await prune(stage, 89 * DAY)
    assert (pruned.turns, pruned.messages, pruned.received, pruned.sent) == (1, 2, 1, 1)
    assert await stage.history() == [("ana", "New"), ("Ada", "You said: New")]


@pytest.mark.parametrize("catch_up", [NOTHING, DAY, 30 * DAY])
async def test_a_message_is_known_for_as_long_as_it_may_be_found_again(
    stage: Stage, catch_up: timedelta
) -> None:
    await ask(stage, "Hello")
    pass_by(stage, max(catch_up, 7 * DAY) + DAY)
    await prune(stage, HOUR, catch_up=catch_up)
    assert await stage.history() == []
    assert not (await deliver_again(stage, f"{ROOM}/1")).is_new
    pass_by(stage, 2 * DAY)
    await prune(stage, HOUR, catch_up=catch_up)
    assert await InboxMessage.all().count() == 0
    assert await Turn.all().count() == 0


async def test_withdrawn_messages_go_with_the_rest(stage: Stage) -> None:
    accepted = await stage.say("Never mind")
    await stage.intake.withdraw(accepted.key)
    pass_by(stage, 8 * DAY)
    assert await prune(stage, HOUR) == Pruned()
    pass_by(stage, 2 * DAY)
    assert await prune(stage, HOUR) == Pruned(received=1)


async def test_counting_says_what_goes(stage: Stage) -> None:
    for number in range(3):
        await ask(stage, f"Question {number}")
        pass_by(stage, 10 * DAY)
    await stage.intake.withdraw((await stage.say("Never mind")).key)
    pass_by(stage, 15 * DAY)
    counted = await Retention(stage.clock, catch_up=DAY).count(20 * DAY)
    assert await Message.all().count() == 6
    assert await prune(stage, 20 * DAY) == counted
    assert (counted.turns, counted.messages) == (3, 6)


@pytest.mark.usefixtures("sqlite")
async def test_what_was_spent_today_counts_against_the_budget() -> None:
    stage = Stage(spec=AgentSpec(name="Ada", daily_usd=0.5, tools=()), price=500_000_000)
    await ask(stage, "Hello")
    await prune(stage, NOTHING)
    assert await Usage.all().count() == 1
    assert "budget for today" in await ask(stage, "And now?")


async def test_buttons_below_an_answer_that_is_gone_do_nothing(stage: Stage) -> None:
    await ask(stage, "Hello")
    key = stage.platform.posts[-1].key
    controls = Controls(stage.worker(), stage.intake, stage.directory, stage.clock)
    await prune(stage, NOTHING)
    ben = Author(id="ben", name="Ben")
    press = Press(key="p1", author=ben, position=9, at=stage.clock())
    assert await controls.again(key, press) is None
    assert not await controls.judge(key, ben, person="ben", is_good=True)
    assert not await controls.stop(key, ben)


async def test_what_people_ask_about_an_answer_that_is_gone(stage: Stage) -> None:
    await ask(stage, "Hello")
    commands = Commands(stage.directory, FILE, stage.clock)
    [shown] = [post.id for post in stage.platform.posts]
    pass_by(stage, 90 * DAY)
    await prune(stage, DAY)
    assert await commands.why(HERE) is None
    assert await commands.why(HERE, message_ids=[shown]) is None
    assert await commands.history(HERE, "Ada", limit=9) == []
    [talk] = await commands.talks()
    assert (talk.messages, talk.last_at) == (2, None)
    assert await commands.reset(HERE, "Ada")


async def test_facts_outlive_what_was_said(stage: Stage) -> None:
    await ask(stage, "Hello")
    await stage.remember("The deadline is 15 March.")
    pass_by(stage, 90 * DAY)
    await prune(stage, DAY)
    await ask(stage, "When?")
    assert "The deadline is 15 March." in str(stage.model.prompts[-1])


class Talk:
    """People talk in two rooms, time passes, and somebody prunes."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._random = Random(seed)  # noqa: S311  # no secret
        self._said: list[tuple[str, datetime]] = []
        self._kept: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
        self._seen_from: dict[str, int] = defaultdict(int)
        self._count: dict[str, int] = defaultdict(int)

    async def go_on(self) -> None:
        """One of all that can happen."""
        await self._random.choice((self._ask, self._ask, self._ask, self._prune, self._reset))()
        pass_by(self._stage, self._random.choice((HOUR, DAY, 10 * DAY)))

    async def _ask(self) -> None:
        room, text = self._random.choice(ROOMS), f"Question {len(self._said) + 1}."
        self._said.append((f"{room}/{self._stage.said + 1}", self._stage.clock()))
        assert await ask(self._stage, text, room=room) == f"You said: {text}"
        self._count[room] += 1
        seen = [kept for kept, _ in self._kept[room][self._seen_from[room] :]]
        asked = [text for role, text in self._stage.model.prompts[-1] if role is Role.USER]
        assert asked == [*seen, text]
        self._kept[room].append((text, self._stage.clock()))

    async def _reset(self) -> None:
        room = self._random.choice(ROOMS)
        commands = Commands(self._stage.directory, FILE, self._stage.clock)
        await commands.reset(Address.parse(room), "Ada")
        self._seen_from[room] = len(self._kept[room])

    async def _prune(self) -> None:
        older_than = self._random.choice((NOTHING, DAY, 7 * DAY, 30 * DAY)) + HOUR / 2
        now = self._stage.clock()
        await prune(self._stage, older_than)
        for room, talk in self._kept.items():
            gone = sum(at < now - older_than for _, at in talk)
            self._kept[room] = talk[gone:]
            self._seen_from[room] = max(self._seen_from[room] - gone, 0)
            await self._check_history(room)
        for key, at in self._said:
            if at > now - DAY:
                assert not (await deliver_again(self._stage, key)).is_new

    async def _check_history(self, room: str) -> None:
        rows = Message.filter(conversation_id=(await self._stage.conversation(room)).id)
        entries = [(row.seq, row.text) for row in await rows.order_by("seq")]
        first = 2 * (self._count[room] - len(self._kept[room])) + 1
        texts = [each for text, _ in self._kept[room] for each in (text, f"You said: {text}")]
        assert entries == list(enumerate(texts, start=first))


@pytest.mark.parametrize("seed", range(3))
async def test_every_conversation_goes_on_whatever_was_deleted(anywhere: Stage, seed: int) -> None:
    talk = Talk(anywhere, seed)
    for _ in range(30):
        await talk.go_on()
