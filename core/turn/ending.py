"""How a turn ends: what goes into the history, and what becomes visible."""

from __future__ import annotations

from dataclasses import dataclass, field

from core import metrics
from core.adapter import Adapter, TellsOperator
from core.context import remembered_tokens
from core.directory import KnownAgent
from core.files import Files
from core.turn.hold import Hold
from core.turn.split import parts
from storage import turns
from storage.models import InboxMessage, MessageRole, TurnState
from storage.turns import Ending, Entry, OpenTurn

_STOPPED = "(stopped)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One way a turn can end."""

    hold: Hold
    agent: KnownAgent
    opened: OpenTurn
    adapter: Adapter
    files: Files = field(default_factory=Files)

    async def answered(self, text: str) -> None:
        """The turn has its answer."""
        await self._end(TurnState.DONE, MessageRole.ASSISTANT, text)

    async def stopped(self, text: str) -> None:
        """A person stopped the answer: what was shown stands."""
        shown = f"{text} {_STOPPED}" if text else _STOPPED
        await self._end(TurnState.STOPPED, MessageRole.ASSISTANT, shown)

    async def failed(self, sentence: str, kind: str, why: str) -> None:
        """There will be no answer: the person is told so in one sentence, the operator why."""
        if isinstance(self.adapter, TellsOperator) and self.opened.draft.reply_to:
            self.adapter.explain(self.opened.draft.reply_to, why)
        await self._end(TurnState.FAILED, MessageRole.NOTICE, sentence, kind)

    async def _end(
        self, state: TurnState, role: MessageRole, text: str, failure: str | None = None
    ) -> None:
        now, limits = self.hold.now(), self.adapter.limits
        answer = Entry(
            role=role,
            author=self.agent.spec.name,
            text=text,
            tokens=remembered_tokens(text),
            said_at=now,
        )
        ending = Ending(
            state=state,
            entries=[*(_asked(each, self.files) for each in self.opened.questions), answer],
            parts=parts(text, limits.text_length, with_files=limits.takes_files),
            failure=failure,
        )
        await self.hold.insist(
            lambda _: turns.end(self.hold.lease, self.opened.turn.id, ending, now)
        )
        metrics.TURNS.labels(state=state.value).inc()


def _asked(question: InboxMessage, files: Files) -> Entry:
    text = files.remembered(question)
    return Entry(
        role=MessageRole.USER,
        author=question.author,
        text=text,
        tokens=remembered_tokens(text),
        said_at=question.sent_at,
    )
