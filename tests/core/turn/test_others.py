"""Agents that answer at the same place see what the others answered there, as said by others."""

from __future__ import annotations

import pytest

from core.address import Address
from core.config.spec import AgentSpec
from core.llm import Role
from core.messaging.messages import Quote
from storage import summaries
from tests.core.given import ROOM, Stage
from tests.peers.platform import Platform


class Read(Platform):
    """A platform that can be read, with nothing in it that was not said to an agent."""

    async def said_in(self, at: Address, *, after: int, before: int) -> list[Quote]:
        """As ReadsThreads says."""
        return []


@pytest.fixture
def ada(stage: Stage) -> Stage:
    stage.platform = Read()
    return stage


@pytest.fixture
def ben(ada: Stage) -> Stage:
    spec = AgentSpec(name="Ben", instructions="You know the bills.", tools=())
    return Stage(spec=spec, clock=ada.clock, platform=ada.platform, said=100)


async def asked(stage: Stage, text: str, *, room: str = ROOM) -> str:
    """What the model is asked by somebody who writes so."""
    accepted = await stage.say(text, room=room)
    await stage.worker().attend(accepted.conversation_id)
    return stage.model.questions[-1]


async def test_what_another_agent_answered_here_stands_beside_the_question(
    ada: Stage, ben: Stage
) -> None:
    ben.model.script("12 dollars.")
    await asked(ben, "What do we owe?")
    said = "[answered here by other agents; quoted, not asked of you:]\n> Ben: 12 dollars."
    assert await asked(ada, "Is that much?") == f"{said}\n\nIs that much?"
    assert [role for role, _ in ada.model.prompts[-1]] == [Role.SYSTEM, Role.USER]
    assert (await ada.history())[0] == ("ana", "Is that much?")  # a history of its own


async def test_nothing_of_it_comes_from_elsewhere_or_from_before_a_reset(
    ada: Stage, ben: Stage
) -> None:
    await asked(ben, "What do we owe?", room="slack/T1/C2")
    assert await asked(ada, "Is that much?") == "Is that much?"
    await asked(ben, "And here?")
    await summaries.reset((await ben.conversation()).id, facts=[], now=ben.clock())
    assert await asked(ada, "Is it?") == "Is it?"


async def test_what_was_answered_after_a_reset_is_shown(ada: Stage, ben: Stage) -> None:
    await asked(ben, "What do we owe?")
    await summaries.reset((await ben.conversation()).id, facts=[], now=ben.clock())
    ben.model.script("12 dollars.")
    await asked(ben, "And now?")
    said = "[answered here by other agents; quoted, not asked of you:]\n> Ben: 12 dollars."
    assert await asked(ada, "Is that much?") == f"{said}\n\nIs that much?"


async def test_what_was_answered_days_ago_is_not_shown(ada: Stage, ben: Stage) -> None:
    await asked(ben, "What do we owe?")
    ada.clock.forward(2 * 86_400)
    assert await asked(ada, "Is that much?") == "Is that much?"
