"""Waits for the answer to one message, working on it meanwhile where that is possible."""

from __future__ import annotations

import asyncio

from core.messaging.intake import Accepted
from core.turn.resources import Answer
from core.turn.worker import Worker
from storage import inbox, outbox, turns
from storage.models import InboxState

_POLL_SECONDS = 0.2


async def answer_to(accepted: Accepted, worker: Worker) -> Answer:
    """The answer, once it has been delivered, whoever wrote and delivered it.

    Raises:
        DatabaseBusy, DatabaseUnusable: the message is stored and will be answered later.
    """
    answer = None if accepted.is_new else await _find(accepted)
    worker.awaited.setdefault(accepted.key)
    try:
        while answer is None:
            is_attended = await worker.attend(accepted.conversation_id, accepted.agent_id)
            answer = worker.awaited.get(accepted.key) or await _find(accepted)
            if answer is None and not is_attended:
                await asyncio.sleep(_POLL_SECONDS)
    finally:
        worker.awaited.pop(accepted.key, None)
    return answer


async def settle(conversation_id: int, worker: Worker) -> None:
    """Bring a conversation to rest: answer and deliver what an earlier process left.

    Raises:
        DatabaseBusy, DatabaseUnusable: it stays as it is.
    """
    while await inbox.unanswered(conversation_id) or await outbox.due(conversation_id):
        if not await worker.attend(conversation_id):
            await asyncio.sleep(_POLL_SECONDS)


async def has_failed(key: str) -> bool:
    """Whether this message was answered with a sentence about why there is no answer."""
    message = await inbox.by_key(key)
    return message is not None and message.state is InboxState.FAILED


async def _find(accepted: Accepted) -> Answer | None:
    answered = await turns.answer(accepted.key)
    if answered is None:
        return None
    turn_id, text, state = answered
    return Answer(turn_id=turn_id, text=text, is_failure=state is InboxState.FAILED)
