"""A process that knows a history by heart shows what one does that reads all of it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from core import context
from core.config.spec import AgentSpec
from core.context.history import Histories
from core.context.load import Asked, Memory
from core.llm import PromptMessage
from core.llm.tokens import estimate
from core.turn.held_lease import HeldLease
from storage import retention, summaries, turns
from storage.claims import OpenTurn
from storage.models import Message, MessageRole, Summary, SummaryKind, TurnState
from storage.turns import Ending, Entry
from tests.core.given import Stage
from tests.statements import asked

BUDGET = 1_000


class Talk:
    """One conversation, each question of which is shown by heart and anew."""

    def __init__(self, chance: random.Random) -> None:
        spec = AgentSpec(name="Ada", instructions="Be brief.", tools=(), window_tokens=BUDGET)
        self.stage = Stage(spec=spec)
        self.histories = Histories()
        self.chance = chance

    async def says(self, words: int = 5) -> None:
        """One question and its answer."""
        stage = self.stage
        await stage.say("What? " * words)
        hold = await stage.hold()
        opened = await stage.opened(hold)
        by_heart = await self._shown(hold, opened, Memory(self.histories))
        assert by_heart == await self._shown(hold, opened, Memory())
        said = [
            (MessageRole.USER, "ana", opened.questions[0].text),
            (MessageRole.ASSISTANT, "Ada", "Word. " * words),
        ]
        entries = [
            Entry(role=role, author=author, text=text, tokens=estimate(text), said_at=stage.clock())
            for role, author, text in said
        ]
        ending = Ending(state=TurnState.DONE, entries=entries, parts=["Word."])
        await turns.end(hold.lease, opened, ending, stage.clock())
        await turns.hand_over(hold.lease, stage.clock())

    async def _shown(
        self, hold: HeldLease, opened: OpenTurn, memory: Memory
    ) -> Sequence[PromptMessage]:
        agent, now = await self.stage.agent(), self.stage.clock()
        told = Asked(questions=opened.questions, memory=memory)
        prompt = await context.build(agent, hold.lease, told, budget=BUDGET, cut_at=now)
        return prompt.messages

    async def talks(self) -> None:
        """Some questions, short and long."""
        for _ in range(self.chance.randint(1, 8)):
            await self.says(self.chance.choice((5, 5, 60)))

    async def is_reset(self) -> None:
        """Somebody lets it begin anew."""
        where = (await self.stage.conversation()).id
        await summaries.reset(where, facts=[], now=self.stage.clock())

    async def is_compacted(self) -> None:
        """Another process puts a summary in place of what was said so far."""
        where = await self.stage.conversation()
        await Summary.create(
            conversation_id=where.id,
            upto_seq=where.last_seq,
            kind=SummaryKind.CUT,
            text="Words.",
            facts=[],
            made_at=self.stage.clock(),
        )

    async def expires(self) -> None:
        """What summaries say is kept no longer."""
        await retention.expire(self.stage.clock() + timedelta(days=1), 0)

    async def loses_a_turn(self) -> None:
        """One of its turns is deleted."""
        if turn_ids := await Message.all().distinct().values_list("turn_id", flat=True):
            await Message.filter(turn_id=self.chance.choice(turn_ids)).delete()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_between_two_turns_the_prompt_is_the_same(seed: int) -> None:
    talk = Talk(random.Random(seed))  # noqa: S311  # no secret
    await talk.says()
    happens: list[Callable[[], Awaitable[None]]] = [
        talk.is_reset,
        talk.is_compacted,
        talk.expires,
        talk.loses_a_turn,
    ]
    for _ in range(12):
        await talk.talks()
        await talk.chance.choice(happens)()


async def reads(talk: Talk) -> list[list[str]]:
    """What is asked of the history: by heart, and anew."""
    async with asked() as statements:
        await talk.says()
    found = [each for each in statements if "FROM message WHERE" in each]
    return [
        [each for each in found if " AS earlier " in each],
        [each for each in found if "seq < " in each],
    ]


@pytest.mark.usefixtures("sqlite")
async def test_only_what_was_said_since_is_read() -> None:
    talk = Talk(random.Random(0))  # noqa: S311  # as above
    await talk.says()
    since, anew = await reads(talk)
    assert (len(since), len(anew)) == (1, 1)


@pytest.mark.usefixtures("sqlite")
async def test_what_is_known_by_heart_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.context.history._MOST_BYTES", 10)
    talk = Talk(random.Random(0))  # noqa: S311  # as above
    await talk.says()
    await talk.says()
    since, anew = await reads(talk)
    assert (len(since), len(anew)) == (0, 2)
