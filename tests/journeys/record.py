"""What bots have on record of a journey, whichever database it is in."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from storage.database import open_database
from storage.models import InboxMessage, InboxState, OutboxMessage, OutboxState, Turn
from tests.patience import PATIENCE

MARKER = re.compile(r"#\w+")
_COMMAND = "/cmd/"  # in the key of what was asked by command
_STORING = timedelta(seconds=5)  # that it may take from received to stored
_ENDED = (InboxState.ANSWERED, InboxState.FAILED)


@asynccontextmanager
async def kept(url: str) -> AsyncIterator[None]:
    """Look into the database meanwhile; it is made if it is not there."""
    database = await open_database(url)
    try:
        yield
    finally:
        await database.close()


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait for a condition; raises TimeoutError when it is not met."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110  # other processes cannot set an event
            await asyncio.sleep(0.05)


async def all_ended(said: int) -> bool:
    """Whether that many messages were stored, and all of them and all commands have answers."""
    questions = await InboxMessage.all().values_list("key", "state")
    stored = [key for key, _ in questions if _COMMAND not in str(key)]
    is_due = await OutboxMessage.exclude(state=OutboxState.DELIVERED).exists()
    return len(stored) == said and all(state in _ENDED for _, state in questions) and not is_due


async def commanded() -> set[str]:
    """The keys of the questions by command that were stored."""
    return {question.key for question in await InboxMessage.filter(key__contains=_COMMAND)}


async def visible() -> dict[str, list[str]]:
    """The markers that each delivered message must show, by the platform's id of the message."""
    found = await OutboxMessage.all().values_list("message_id", "text")
    return {str(message_id): MARKER.findall(str(text)) for message_id, text in found}


async def check(*, is_one_process: bool = True, may_give_up: bool = False) -> None:
    """Every question is answered by one visible message, in order, and none was given up.

    Of several processes one may learn of a question, as when the platform sends it again, while
    another one answers a later question already: what was on record has to keep its order then.
    """
    parts = Counter(row.turn_id for row in await OutboxMessage.all())
    questions = await InboxMessage.all()
    assert not [question.key for question in questions if parts[question.turn_id or 0] != 1]
    given_up = [question.key for question in questions if question.state is InboxState.FAILED]
    assert may_give_up or not given_up, given_up
    overtaken = await _overtaken()
    assert not [each for each in overtaken if is_one_process or each.was_on_record], overtaken


@dataclass(frozen=True, kw_only=True)
class _Overtaken:
    """A question that was answered after a later one."""

    early: str
    late: str
    was_on_record: bool


async def _overtaken() -> list[_Overtaken]:
    opened = {turn.id: turn.opened_at for turn in await Turn.all()}
    found = []
    for early, late in pairwise(
        await InboxMessage.all().order_by("conversation_id", "position", "id")
    ):
        first, second = early.turn_id or 0, late.turn_id or 0
        if early.conversation_id == late.conversation_id and first > second:
            is_known = early.id < late.id or early.received_at + _STORING < opened[second]
            found.append(_Overtaken(early=early.key, late=late.key, was_on_record=is_known))
    return found


async def figures() -> str:
    """How many questions ended how, in how many visible messages, and how many came too late."""
    states = Counter(question.state.value for question in await InboxMessage.all())
    messages, late = await OutboxMessage.all().count(), len(await _overtaken())
    return f"{dict(states)} in {messages} messages; {late} stored after a later one was answered"
