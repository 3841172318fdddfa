"""Runs one turn: context, then model and tools by turns, until there is an answer."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from core import context, faults
from core.address import Address
from core.budget import Price, check_budget
from core.context import Prompt
from core.directory import KnownAgent
from core.errors import ContextOverflow, ModelDown
from core.files import Files
from core.llm import Begun, ChatModel, Finished, ModelRequest, Retracted, TextDelta, ToolCall
from core.spec import AgentSpec
from core.tools import ToolContext
from core.tools.toolbox import Toolbox
from core.turn.cut_short import explained
from core.turn.hold import Hold
from core.turn.journal import Journal, ModelStep, ToolStep
from core.turn.reply import Reply
from storage import turns
from storage.models import StepKind
from storage.turns import FinishedStep, OpenTurn, Spent

log = logging.getLogger(__name__)

_NO_FILES = Files()
_MOST_MODEL_CALLS = 12  # in one turn; the last one is offered no tools and has to answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """What a turn needs besides its conversation: models, tools and prices by agent."""

    model_of: Callable[[AgentSpec], ChatModel]
    toolbox_of: Callable[[AgentSpec], Toolbox]
    price: Price

    async def run(
        self,
        hold: Hold,
        agent: KnownAgent,
        opened: OpenTurn,
        reply: Reply,
        files: Files = _NO_FILES,
    ) -> str:
        """The whole text of the answer; goes on from the last finished step.

        Raises:
            ModelDown, ModelRefused: the model gave no answer.
            LeaseLost: somebody else runs this turn now.
        """
        run = _Run(self, hold, agent, opened, reply)
        run.files = files
        while not run.is_answered:
            for call in run.journal.open_calls():
                await run.call_tool(call)
            await run.call_model()
        return run.journal.text


class _Run:
    """One turn while it runs in this process."""

    def __init__(
        self, runner: Runner, hold: Hold, agent: KnownAgent, opened: OpenTurn, reply: Reply
    ) -> None:
        self.journal = Journal(opened.steps)
        self.files = _NO_FILES
        self._runner = runner
        self._hold = hold
        self._agent = agent
        self._opened = opened
        self._reply = reply
        self._model = runner.model_of(agent.spec)
        self._toolbox = runner.toolbox_of(agent.spec)
        reply.text = self.journal.text  # what whoever worked on it before has shown

    @property
    def is_answered(self) -> bool:
        """Whether the newest model call asked for nothing more."""
        answer = self.journal.last_answer
        return answer is not None and not answer.tool_calls

    @property
    def _is_last_call(self) -> bool:
        return self.journal.model_calls >= _MOST_MODEL_CALLS - 1

    async def call_model(self) -> None:
        """One model call, journalled; a prompt that is too long is cut until it fits."""
        await check_budget(self._agent, self._hold.now())
        finished = await self._fitting()
        if self._is_last_call:  # some models call tools that they were not offered
            finished = replace(finished, tool_calls=(), native=None)
        finished = explained(finished)
        if not (finished.tool_calls or finished.text.strip() or self.journal.text):
            raise ModelDown(f"{finished.model} gave an empty answer")
        faults.reach("answered, not journalled")
        await self._record(StepKind.MODEL, ModelStep.of(finished), self._spent(finished))

    async def call_tool(self, call: ToolCall) -> None:
        """One tool call, journalled; cut in the middle, it is made again with the same key.

        Who was suspended past the lease calls none: whoever took over may have finished it.
        """
        faults.reach("tool called")
        self._hold.check()
        result = await self._toolbox.call(call, self._tool_context())
        faults.reach("tool finished, not journalled")
        await self._record(StepKind.TOOL, ToolStep.of(call, result), None)

    async def _fitting(self) -> Finished:
        """The answer to the longest prompt that the model takes, down to the bare question."""
        budget = min(self._agent.spec.window_tokens, self._model.window or sys.maxsize)
        prompt = await self._prompt(budget, cut_at=self._hold.now())
        while True:
            try:
                return await self._stream(self._request(prompt, budget))
            except ContextOverflow as overflow:
                if prompt.is_bare:
                    raise prompt.too_long(overflow) from overflow
                log.warning("prompt cut down", extra={"agent": self._agent.spec.name})
                budget = min(overflow.budget, prompt.tokens - 1)
            prompt = await self._prompt(budget, cut_at=None)

    async def _prompt(self, budget: int, *, cut_at: datetime | None) -> Prompt:
        return await context.build(
            self._agent,
            self._hold.lease,
            self._opened.questions,
            budget=budget,
            cut_at=cut_at,
            files=self.files,
        )

    def _request(self, prompt: Prompt, budget: int) -> ModelRequest:
        spec = self._agent.spec
        may_call = not (self._is_last_call or prompt.is_bare)
        return ModelRequest(
            messages=(*prompt.messages, *self.journal.as_prompt()),
            tools=self._toolbox.specs if may_call else (),
            temperature=spec.temperature,
            reasoning_effort=spec.reasoning_effort,
            budget=budget,
            briefing=self._briefing,
        )

    async def _briefing(self) -> str:
        """What the tools that only look things up would tell about the question."""
        question = self._opened.questions[-1].text
        return await self._toolbox.briefing(question, self._tool_context())

    async def _stream(self, request: ModelRequest) -> Finished:
        before = f"{self.journal.text}\n\n" if self.journal.text else ""
        text = ""
        async with aclosing(self._model.stream(request)) as events:
            async for event in events:
                match event:
                    case Finished():
                        return event
                    case TextDelta():
                        text += event.text
                        await self._reply.show(before + text)
                        faults.reach("answer half shown")
                    case Retracted():
                        text = ""
                    case Begun():
                        pass
        raise ModelDown(f"{self._model.name} ended without an answer")

    async def _record(
        self, kind: StepKind, step: ModelStep | ToolStep, spent: Spent | None
    ) -> None:
        finished = FinishedStep(
            turn_id=self._opened.turn.id,
            number=self.journal.next_number,
            kind=kind,
            content=asdict(step),
            spent=spent,
        )
        await self._hold.insist(
            lambda is_again: turns.record(
                self._hold.lease, finished, self._hold.now(), is_again=is_again
            )
        )
        self._opened.turn.attempts = 1  # as on record
        self.journal.add(step)
        faults.reach("step journalled")

    def _spent(self, finished: Finished) -> Spent:
        return Spent(
            model=finished.model,
            input_tokens=finished.usage.input,
            cached_tokens=finished.usage.cached,
            output_tokens=finished.usage.output,
            nano_usd=self._runner.price(finished.model, finished.usage),
        )

    def _tool_context(self) -> ToolContext:
        asked = self._opened.questions[-1]
        return ToolContext(
            idempotency_key=f"{self._opened.draft.key}.{self.journal.next_number}",
            agent_id=self._agent.id,
            conversation_id=self._hold.lease.conversation_id,
            scope=Address.parse(self._hold.lease.address, self._hold.lease.readers).scope,
            author=asked.author,
            source_key=asked.key,
            now=self._hold.now(),
        )
