"""A turn while it is being answered: what all that is done for it shares, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from asyncio import sleep
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import cached_property

from core import kill_points, metrics
from core.address import Address
from core.clock import monotonic
from core.context.load import Memory
from core.errors import DeliveryRefused, Transient
from core.llm import ChatModel
from core.llm.tokens import estimate
from core.memory.indexing import of_entries
from core.memory.mending import mending
from core.memory.terms import Scope
from core.messaging.adapter import Adapter, Asked, TellsOperator, quotes_questions, shows_work
from core.messaging.attachments import Files, read_files
from core.messaging.directory import KnownAgent
from core.tools import ToolContext
from core.tools.toolbox import Toolbox
from core.turn.budget import Budget
from core.turn.deliver import Due, Reply, Visible
from core.turn.held_lease import HeldLease
from core.turn.journal import Journal, ModelStep, ToolStep
from core.turn.resources import Answer, Resources
from core.turn.retries import Fail, Stopped
from core.turn.split import parts
from storage import claims, steps, turns
from storage.claims import OpenTurn
from storage.models import InboxMessage, MessageRole, StepKind, TurnState
from storage.passages import Indexed
from storage.steps import FinishedStep
from storage.turns import Ending, Entry, QuestionsEdited
from storage.usage import Spent

log = logging.getLogger(__name__)

_STOPPED = "(stopped)"
_STATUS_SECONDS = 2.0  # that showing "working" may take at most
_MOST_EDITS = 5  # that an answer begins again for
_SETTLE_SECONDS = 1.0  # without an edit, at first; twice as long each time that it begins again
_MOST_WHILES = 10


class Turn:
    """One answer to waiting messages of one conversation, in the hands of this process."""

    def __init__(
        self,
        resources: Resources,
        hold: HeldLease,
        adapter: Adapter,
        agent: KnownAgent,
        opened: OpenTurn,
    ) -> None:
        self.resources = resources
        self.hold = hold
        self.adapter = adapter
        self.agent = agent
        self.opened = opened
        self.budget = Budget(agent, opened.turn.id, resources.price, hold.now)
        self.files = Files()
        self._with_files = list[str]()  # the keys of the questions that they came with
        self.before = ""
        self.is_grown = False  # its history, as far as a prompt has shown
        self.memory = Memory(self.resources.histories)
        self.has_more = False  # there is another message in the conversation
        self.is_edited = False
        self.is_tried_alone = False  # as what may end its process
        self._edits_heeded = 0
        self._settles = False
        self.showing = asyncio.Lock()  # held while people are shown the answer, or work on it
        self._shown = 0.0  # until when people are shown that it is being worked on
        self._recorded = 0
        self._last: FinishedStep | None = None
        self._answer: Answer | None = None

    @cached_property
    def journal(self) -> Journal:
        """What is finished of it; raises ValueError where this version cannot read it."""
        return Journal(self.opened.steps)

    @cached_property
    def _message(self) -> Visible:
        """The message that shows the answer."""
        return Visible(self.hold, self.adapter, self.opened.draft, self.agent.spec.name)

    @cached_property
    def reply(self) -> Reply:
        """The answer as far as it is shown, also by whoever worked on it before."""
        reply = Reply(
            self.adapter,
            self._message,
            asked_by=self.asked.author_id,
            above=self._above,
            alone=self.showing,
        )
        reply.text = self.journal.text
        return reply

    @property
    def _above(self) -> str:
        """What stands above the answer: the questions that nobody else was shown."""
        if not quotes_questions(self.adapter):
            return ""
        quotes = [
            self.adapter.quoted(
                Asked(key=each.key, author=each.author, text=each.text, reply_to=each.reply_to)
            )
            for each in self.opened.questions
        ]
        return "".join(f"{quote}\n\n" for quote in quotes if quote)

    @cached_property
    def model(self) -> ChatModel:
        """Whom to ask; raises ModelRefused or ConfigMistake as `model_of` does."""
        return self.resources.model_of(self.agent.spec)

    @cached_property
    def toolbox(self) -> Toolbox:
        """What the model can call; raises ConfigMistake as `toolbox_of` does."""
        return self.resources.toolbox_of(self.agent.spec)

    @property
    def asked(self) -> InboxMessage:
        """The last of the messages that it answers: the answer stands where this one does."""
        return self.opened.questions[-1]

    @property
    def attempt(self) -> int:
        """Which attempt since the last finished step this is, from 1."""
        return 1 if self._recorded else max(self.opened.turn.attempts, 1)

    @property
    def tool_context(self) -> ToolContext:
        """Where the next tool is called from."""
        address = Address.parse(self.hold.lease.address, self.hold.lease.readers)
        return ToolContext(
            idempotency_key=f"{self.opened.draft.key}.{self.journal.next_number}",
            agent_id=self.agent.id,
            conversation_id=self.hold.lease.conversation_id,
            scope=address.scope,
            address=address,
            author=self.asked.author,
            author_id=self.asked.author_id,
            source_key=self.asked.key,
            now=self.hold.now(),
            called=self.journal.called,
        )

    async def show_work(self) -> None:
        """Show people that it is being worked on, while nothing of the answer may be there yet.

        Best effort, and again only when the platform shows it no more.
        """
        adapter, now = self.adapter, monotonic()
        if not shows_work(adapter) or now < self._shown:
            return
        self._shown = now + adapter.working_seconds
        try:
            async with asyncio.timeout(_STATUS_SECONDS), self.showing:
                if not self._message.may_be_there:
                    await adapter.working(self.reply.to)
        except (Transient, DeliveryRefused, TimeoutError) as error:
            log.info("not shown as working", extra={"why": str(error)})

    @property
    def may_begin_again(self) -> bool:
        """Whether an edit of what it answers cuts what is being done: not each of too many does."""
        return not self._settles and self._edits_heeded < _MOST_EDITS

    def edited(self) -> None:
        """What it answers was edited: it is to be answered anew, by its finished steps."""
        self.is_edited = True
        # What was found again was found by words that are asked no more.
        self.memory = Memory(self.resources.histories)
        self._last = None

    async def settle(self) -> None:
        """Wait until nobody has edited it for a while, and read what is asked now.

        The while is longer each time, and waited for ten times at most.

        Raises:
            Stopped: nothing is.
            LeaseLost: somebody else runs this turn now.
        """
        self._settles = True
        await self.read_again()
        for _ in range(_MOST_WHILES):
            read = self.opened.turn.edits
            await sleep(_SETTLE_SECONDS * 2**self._edits_heeded)
            await self.read_again()
            if self.opened.turn.edits == read:
                break
        # What was cut may have stored a step, too late to hear of it.
        self.journal = Journal(await claims.steps_of(self.opened.turn.id))
        self._edits_heeded += 1
        self.is_edited = self._settles = False
        self.reply.text = self.journal.text

    async def read_again(self) -> None:
        """Read what is asked by now; raises as `settle`."""
        self.has_more = False
        await self._read(room=self.resources.plan_of(self.agent.spec).room)
        kill_points.reach("questions read again")
        self.reply.above = self._above
        if self.opened.turn.stop_asked_at:
            raise Stopped
        await self.read_files()

    async def _read(self, *, room: int) -> None:
        self.opened = await self.hold.insist(
            lambda _: claims.read_again(self.hold.lease, self.opened, room=room)
        )

    async def read_files(self) -> None:
        """Fetch what came with its questions, as far as the model can read it, once."""
        questions = self.opened.questions
        if (keys := [each.key for each in questions]) != self._with_files:
            self.files = await read_files(self.adapter, self.reply.to.address, questions)
            self._with_files = keys

    async def said_by_others(self) -> str:
        """What other agents answered at the same address lately."""
        earlier, now = self.resources.earlier, self.hold.now()
        return await earlier.answered_by_others(self.adapter, self.hold.lease, self.agent.spec, now)

    async def record(
        self, kind: StepKind, step: ModelStep | ToolStep, spent: Spent | None = None
    ) -> None:
        """Keep a finished step, before anything depends on it.

        Raises:
            LeaseLost: somebody else runs this turn now.
        """
        finished = self._finished(kind, step, spent)
        await self.hold.insist(
            lambda is_again: steps.record(
                self.hold.lease, finished, self.hold.now(), is_again=is_again
            )
        )
        self.journal.add(step)
        self._recorded += 1
        kill_points.reach("step journalled")

    def conclude(self, step: ModelStep, spent: Spent) -> None:
        """Take this for the last step: nothing depends on it but the end, which journals it."""
        kept = replace(step, text="", native=None)  # the history has the text, and nobody goes on
        self._last = self._finished(StepKind.MODEL, kept, spent)
        self.journal.add(step)

    @property
    def is_concluded(self) -> bool:
        """Whether its last step is finished, and kept with its end."""
        return self._last is not None

    def _finished(
        self, kind: StepKind, step: ModelStep | ToolStep, spent: Spent | None
    ) -> FinishedStep:
        return FinishedStep(
            turn_id=self.opened.turn.id,
            number=self.journal.next_number,
            kind=kind,
            content=asdict(step),
            spent=spent,
            is_first_try=self._recorded > 0 or self.opened.is_first_try,
        )

    async def answered(self, text: str) -> Due:
        """End it with its answer."""
        return await self._end(TurnState.DONE, MessageRole.ASSISTANT, text)

    async def stopped(self) -> Due:
        """End it, since a person stopped the answer: what was shown stands.

        Nothing is said where the question was deleted before anything was shown.
        """
        shown = f"{self.reply.text} {_STOPPED}" if self.reply.text else _STOPPED
        return await self._end(TurnState.STOPPED, MessageRole.ASSISTANT, shown)

    async def failed(self, fail: Fail, why: str) -> Due:
        """End it without an answer: the person is told so in one sentence, the operator why."""
        if isinstance(self.adapter, TellsOperator) and self.opened.draft.reply_to:
            self.adapter.explain(self.opened.draft.reply_to, why)
        return await self._end(TurnState.FAILED, MessageRole.NOTICE, fail.sentence, fail.kind)

    async def _end(
        self, state: TurnState, role: MessageRole, text: str, failure: str | None = None
    ) -> Due:
        begins_again = state is TurnState.DONE and self._edits_heeded < _MOST_EDITS
        if not begins_again:
            await self._read(room=0)
        now, may_be_there = self.hold.now(), self._message.may_be_there
        says_nothing = self._is_deleted and not may_be_there
        answer = _entry(role, self.agent.spec.name, text, now)
        entries = [] if says_nothing else [*self._asked_entries(), answer]
        ending = Ending(
            state=state,
            entries=entries,
            parts=[] if says_nothing else self._parts(text),
            failure=failure,
            intends=not (may_be_there or says_nothing),
            message_id=self._message.message_id,
            step=self._last,
            passages=self._passages(entries),
            edits=self.opened.turn.edits,
        )
        try:
            due = await mending(
                lambda: self.hold.insist(
                    lambda _: turns.end(self.hold.lease, self.opened, ending, now)
                )
            )
            self.budget.settled()
        except QuestionsEdited:
            if begins_again:
                raise
            return await self._end(state, role, text, failure)
        finally:
            await self.budget.cut()
        metrics.TURNS.labels(state=state.value).inc()
        is_failure = state is TurnState.FAILED
        self._answer = Answer(turn_id=self.opened.turn.id, text=text, is_failure=is_failure)
        self._log(state, failure)
        return Due(rows=due, intended=self.opened.draft.id if ending.intends else None)

    def _passages(self, entries: Sequence[Entry]) -> list[Indexed]:
        """Under which its messages can be found again."""
        address = Address.parse(self.hold.lease.address, self.hold.lease.readers)
        scope = Scope(self.agent.id, address.scope)
        is_kept = self.agent.spec.memory
        return of_entries(scope, self.opened.last_seq + 1, entries) if is_kept else []

    @property
    def _is_deleted(self) -> bool:
        """Whether all that it answers was deleted meanwhile."""
        is_edited = self.opened.turn.edits > 0
        return is_edited and not any(
            each.text or each.attachments for each in self.opened.questions
        )

    def _asked_entries(self) -> list[Entry]:
        asked = [] if self._is_deleted else self.opened.questions
        return [
            _entry(MessageRole.USER, each.author, self.files.remembered(each), each.sent_at)
            for each in asked
        ]

    def _parts(self, text: str) -> list[str]:
        limits, spec = self.adapter.limits, self.agent.spec
        return parts(
            f"{self._above}{text}",
            limits.length_for(spec.name),
            with_files=limits.takes_files,
            most=spec.max_messages if limits.counts_messages else None,
        )

    def delivered(self) -> None:
        """Tell this process that people have seen its answer: whoever waits for it, or compacts."""
        awaited = self.resources.awaited
        for each in self.opened.questions:
            if each.key in awaited:
                awaited[each.key] = self._answer
        if self.is_grown:
            self.resources.grown.add(self.hold.lease.conversation_id, self.opened.last_seq)

    def _log(self, state: TurnState, failure: str | None) -> None:
        """One line; seconds since it was opened, tokens of the calls that this process made."""
        calls, ended = self.budget.calls, self.hold.now()
        extra: dict[str, object] = {
            "turn": self.opened.turn.id,
            "state": state.value,
            "agent": self.agent.spec.name,
            "address": self.hold.lease.address,
            "model": ",".join(dict.fromkeys(call.model for call in calls)),
            "seconds": round((ended - self.opened.turn.opened_at).total_seconds(), 1),
            "input_tokens": sum(call.input_tokens for call in calls),
            "output_tokens": sum(call.output_tokens for call in calls),
        }
        log.info("turn ended", extra={**extra, "failure": failure} if failure else extra)


def _entry(role: MessageRole, author: str, text: str, said_at: datetime) -> Entry:
    """A message of the history."""
    tokens = estimate(text)
    return Entry(role=role, author=author, text=text, tokens=tokens, said_at=said_at)
