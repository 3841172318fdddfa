"""What others said before a question is shown for its answer alone, and kept nowhere."""

from __future__ import annotations

import pytest
from tortoise import Tortoise

from core.address import Address
from core.messaging.messages import Author, Quote
from tests.core.given import Stage
from tests.core.turn.reading import Reader, grown, staged, talk
from tests.peers.platform import Platform

CRANE = "the crane hit the zeppelin"


class Harbour(Platform):
    """A platform on which Ben said something that no agent heard."""

    async def said_in(self, at: Address, *, after: int, before: int) -> list[Quote]:
        """As ReadsThreads says."""
        return [Quote(author=Author(id="U1", name="Ben"), text=CRANE)]


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
async def stage(reader: Reader, database: object) -> Stage:
    stage = staged(reader)
    stage.platform = Harbour()
    return stage


async def kept_in(word: str) -> set[str]:
    """The tables with this word in them."""
    tables = [model for app in (Tortoise.apps or {}).values() for model in app.values()]
    return {each.__name__ for each in tables if word in str(await each.all().values()).lower()}


async def test_it_is_neither_found_again_nor_learned_from_nor_summarised(
    stage: Stage, reader: Reader
) -> None:
    await talk(stage, "Who looks at it?")
    assert CRANE in str(stage.model.requests[0])
    await (await grown(stage)).settle()
    [request] = reader.read
    assert "Who looks at it?" in str(request)
    assert CRANE not in str(request)
    await talk(stage, "And the crane?")
    assert CRANE not in str(stage.model.requests[1:])
    assert await kept_in("crane") >= {"Message", "InboxMessage"}
    assert await kept_in("zeppelin") == set()
