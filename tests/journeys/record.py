"""What bots have on record of a journey, whichever database it is in."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from storage.database import open_database
from storage.models import (
    InboxMessage,
    InboxState,
    Message,
    MessageRole,
    OutboxMessage,
    OutboxState,
    Step,
    Turn,
    TurnState,
)
from tests.patience import PATIENCE

MARKER = re.compile(r"#\w+")
_COMMAND = "/cmd/"  # in the key of what was asked by command
_STORING = timedelta(seconds=5)  # that it may take from received to stored
_ENDED = (InboxState.ANSWERED, InboxState.FAILED, InboxState.WITHDRAWN)


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


async def all_ended(said: int, *, deleted: int = 0) -> bool:
    """Whether that many messages were stored, and all of them and all commands have answers.

    So many of them, but not the last, were deleted: those may not be stored, nor answered.
    """
    questions = await InboxMessage.all().values_list("key", "state")
    stored = [key for key, _ in questions if _COMMAND not in str(key)]
    is_due = await OutboxMessage.filter(state=OutboxState.DUE).exists()
    is_running = await Turn.filter(state=TurnState.RUNNING).exists()
    is_last_stored = not deleted or await InboxMessage.filter(text__contains=f"#{said}").exists()
    are_all = is_last_stored and said - deleted <= len(stored) <= said
    has_ended = all(state in _ENDED for _, state in questions)
    return are_all and has_ended and not (is_due or is_running)


async def commanded() -> set[str]:
    """The keys of the questions by command that were stored."""
    return {question.key for question in await InboxMessage.filter(key__contains=_COMMAND)}


async def visible() -> dict[str, list[str]]:
    """The markers that each delivered message must show, by the platform's id of the message."""
    shown = OutboxMessage.filter(state=OutboxState.DELIVERED)
    found = await shown.values_list("message_id", "text")
    return {str(message_id): MARKER.findall(str(text)) for message_id, text in found}


async def check(
    *,
    is_one_process: bool = True,
    may_give_up: bool = False,
    deleted: Collection[str] = (),
) -> None:
    """Every question is answered by one visible message, in order, and none was given up.

    Those with these ids were deleted. A platform may send one again, after all others that were
    there to be read: where it stood is nowhere to be seen, so that its answer has no order.

    Of several processes one may learn of a question, as when the platform sends it again, while
    another one answers a later question already: what was on record has to keep its order then.
    """
    parts = Counter(row.turn_id for row in await OutboxMessage.all())
    questions = await InboxMessage.exclude(state=InboxState.WITHDRAWN)
    assert not [question.key for question in questions if parts[question.turn_id or 0] != 1]
    failed = {each.turn_id: each.key for each in questions if each.state is InboxState.FAILED}
    given_up = await Turn.filter(id__in=[*failed]).values_list("id", "failure", "attempts")
    assert may_give_up or not given_up, [(failed[number], *why) for number, *why in given_up]
    heard, remembered, emptied = await _heard(), await _remembered(), await _with_deleted()
    for turn in heard.keys() | remembered.keys():
        words, in_history = heard.get(turn, []), remembered.get(turn, [])
        assert words == [each for each in in_history if each in words or turn not in emptied]
    overtaken = await _overtaken(deleted)
    assert not [each for each in overtaken if is_one_process or each.was_on_record], overtaken


async def _heard() -> dict[int, list[str]]:
    """What each answer answers, as it was edited."""
    found: dict[int, list[str]] = {}
    for each in await InboxMessage.filter(state=InboxState.ANSWERED).order_by("position", "id"):
        if each.turn_id and each.text:
            found.setdefault(each.turn_id, []).append(each.text)
    return found


async def _with_deleted() -> set[int | None]:
    """The answers to something that was deleted since: only the history has its words."""
    found = InboxMessage.filter(state=InboxState.ANSWERED, text="")
    return {each.turn_id for each in await found}


async def _remembered() -> dict[int, list[str]]:
    """The same, as histories have it."""
    found: dict[int, list[str]] = {}
    for each in await Message.filter(role=MessageRole.USER).order_by("seq"):
        if await InboxMessage.filter(turn_id=each.turn_id, state=InboxState.ANSWERED).exists():
            found.setdefault(each.turn_id, []).append(each.text)
    return found


@dataclass(frozen=True, kw_only=True)
class _Overtaken:
    """A question that was answered after a later one."""

    early: str
    late: str
    was_on_record: bool


async def _overtaken(deleted: Collection[str] = ()) -> list[_Overtaken]:
    opened = {turn.id: turn.opened_at for turn in await Turn.all()}
    stored = InboxMessage.exclude(state=InboxState.WITHDRAWN)
    in_order = await stored.order_by("conversation_id", "position", "id")
    found = []
    for early, late in pairwise(
        [each for each in in_order if each.key.rpartition("/")[2] not in deleted]
    ):
        first, second = early.turn_id or 0, late.turn_id or 0
        if early.conversation_id == late.conversation_id and first > second:
            is_known = early.id < late.id or early.received_at + _STORING < opened[second]
            found.append(_Overtaken(early=early.key, late=late.key, was_on_record=is_known))
    return found


async def is_at_work(marker: str) -> bool:
    """Whether a tool was called, lately at least, for the message that ends in this marker."""
    asked = await InboxMessage.filter(text__endswith=marker, turn_id__not_isnull=True)
    return await Step.filter(turn_id__in=[each.turn_id for each in asked]).exists()


async def has_joined() -> bool:
    """Whether a message was taken into a turn under way."""
    opened = {turn.id: turn.opened_at for turn in await Turn.all()}
    answered = await InboxMessage.filter(state=InboxState.ANSWERED)
    return any(each.received_at > opened[each.turn_id or 0] for each in answered)


async def has_begun_again() -> bool:
    """Whether something was answered that was edited while it was being answered."""
    return await Turn.filter(state=TurnState.DONE, edits__gt=0).exists()


async def figures() -> str:
    """How many questions ended how, in how many visible messages, and how many came too late."""
    states = Counter(question.state.value for question in await InboxMessage.all())
    messages, late = await OutboxMessage.all().count(), len(await _overtaken())
    return f"{dict(states)} in {messages} messages; {late} stored after a later one was answered"
