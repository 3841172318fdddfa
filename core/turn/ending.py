"""How a turn ends: what goes into the history, and what becomes visible."""

from __future__ import annotations

from datetime import datetime

from core import metrics
from core.adapter import TellsOperator
from core.context import remembered_tokens
from core.turn.outcome import Fail
from core.turn.split import parts
from core.turn.turn import Turn
from storage import turns
from storage.models import MessageRole, TurnState
from storage.turns import Ending, Entry

_STOPPED = "(stopped)"


async def answered(turn: Turn, text: str) -> None:
    """The turn has its answer."""
    await _end(turn, TurnState.DONE, MessageRole.ASSISTANT, text)


async def stopped(turn: Turn) -> None:
    """A person stopped the answer: what was shown stands."""
    shown = f"{turn.reply.text} {_STOPPED}" if turn.reply.text else _STOPPED
    await _end(turn, TurnState.STOPPED, MessageRole.ASSISTANT, shown)


async def failed(turn: Turn, fail: Fail, why: str) -> None:
    """There will be no answer: the person is told so in one sentence, the operator why."""
    if isinstance(turn.adapter, TellsOperator) and turn.opened.draft.reply_to:
        turn.adapter.explain(turn.opened.draft.reply_to, why)
    await _end(turn, TurnState.FAILED, MessageRole.NOTICE, fail.sentence, fail.kind)


async def _end(
    turn: Turn, state: TurnState, role: MessageRole, text: str, failure: str | None = None
) -> None:
    hold, limits = turn.hold, turn.adapter.limits
    now = hold.now()

    def entry(role: MessageRole, author: str, text: str, said_at: datetime) -> Entry:
        tokens = remembered_tokens(text)
        return Entry(role=role, author=author, text=text, tokens=tokens, said_at=said_at)

    asked = [
        entry(MessageRole.USER, each.author, turn.files.remembered(each), each.sent_at)
        for each in turn.opened.questions
    ]
    ending = Ending(
        state=state,
        entries=[*asked, entry(role, turn.agent.spec.name, text, now)],
        parts=parts(text, limits.text_length, with_files=limits.takes_files),
        failure=failure,
    )
    await hold.insist(lambda _: turns.end(hold.lease, turn.opened.turn.id, ending, now))
    metrics.TURNS.labels(state=state.value).inc()
