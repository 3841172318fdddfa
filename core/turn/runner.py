"""Writes one answer: context, then model and tools by turns, until nothing is left to call."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from core import context, kill_points
from core.context import Prompt
from core.context.load import Asked
from core.errors import ContextOverflow, ModelDown
from core.llm import Begun, Finished, ModelRequest, Retracted, TextDelta, ToolCall
from core.turn.journal import ModelStep, ToolStep
from core.turn.turn import Turn
from storage.lease import Lease
from storage.models import StepKind

log = logging.getLogger(__name__)

_MOST_MODEL_CALLS = 12  # in one turn; the last one is offered no tools and has to answer
# What a person is told by finish reason: below an answer, and where there is none.
_SENTENCES = {
    "length": (
        "(Cut off here: this is as much as my language model may write at once. Ask me to go on.)",
        "(My language model used up all that it may write before it came to an answer. "
        "Please ask for less at once.)",
    ),
    "content_filter": (
        "(Cut off here: the content filter of my language model stopped this answer.)",
        "(The content filter of my language model stopped this answer before its first word. "
        "Please put it differently.)",
    ),
    "refusal": (
        "(My language model declined to answer this.)",
        "(My language model declined to answer this. Please put it differently.)",
    ),
}


async def run(turn: Turn) -> str:
    """The whole text of the answer; goes on from the last finished step.

    Raises:
        ModelDown, ModelRefused: the model gave no answer.
        LeaseLost: somebody else runs this turn now.
    """
    while not turn.journal.is_answered:
        for call in turn.journal.open_calls():
            await _call_tool(turn, call)
        if turn.has_more:
            await turn.read_again()
        await _call_model(turn)
    return turn.journal.text


async def _call_model(turn: Turn) -> None:
    """One model call; a prompt that is too long is cut until it fits.

    It is journalled before its tools are called. An answer without any is the last step.
    """
    try:
        finished = _whole(turn, await _fitting(turn))
        kill_points.reach("answered, not journalled")
        step = ModelStep.of(finished)
        spent = turn.budget.spent(finished, turn.journal.next_number)
        if step.tool_calls:
            await turn.record(StepKind.MODEL, step, spent)
            turn.budget.settled()
        else:
            turn.conclude(step, spent)
    finally:
        if not turn.is_concluded:
            await turn.budget.cut()


def _whole(turn: Turn, finished: Finished) -> Finished:
    if _is_last_call(turn):  # some models call tools that they were not offered
        finished = replace(finished, tool_calls=(), native=None)
    finished = _explained(finished)
    if not (finished.tool_calls or finished.text.strip() or turn.journal.text):
        raise ModelDown(f"{finished.model} gave an empty answer")
    return finished


async def _call_tool(turn: Turn, call: ToolCall) -> None:
    """One tool call, journalled; cut in the middle, it is made again with the same key.

    Who was suspended past the lease calls none: whoever took over may have finished it.
    """
    kill_points.reach("tool called")
    turn.hold.check()
    result = await turn.toolbox.call(call, turn.tool_context)
    kill_points.reach("tool finished, not journalled")
    await turn.record(StepKind.TOOL, ToolStep.of(call, result))


def _is_last_call(turn: Turn) -> bool:
    return turn.journal.model_calls >= _MOST_MODEL_CALLS - 1


async def _fitting(turn: Turn) -> Finished:
    """The answer to the longest prompt that the model takes, down to the bare question."""
    budget = turn.resources.window_of(turn.agent.spec)
    prompt = await _prompt(turn, budget, cut_at=turn.hold.now())
    while True:
        try:
            turn.is_grown = prompt.is_grown
            return await _stream(turn, _request(turn, prompt, budget))
        except ContextOverflow as overflow:
            if prompt.is_bare:
                raise prompt.too_long(overflow) from overflow
            log.warning("prompt cut down", extra={"agent": turn.agent.spec.name})
            budget = min(overflow.budget, prompt.tokens - 1)
        prompt = await _prompt(turn, budget, cut_at=None)


async def _prompt(turn: Turn, budget: int, *, cut_at: datetime | None) -> Prompt:
    return await context.build(
        turn.agent,
        turn.hold.lease,
        Asked(
            questions=turn.opened.questions,
            files=turn.files,
            before=turn.before,
            journal=turn.journal.as_prompt(),
            tools=turn.toolbox.specs,
            memory=turn.memory,
        ),
        budget=budget,
        cut_at=cut_at,
    )


def _request(turn: Turn, prompt: Prompt, budget: int) -> ModelRequest:
    async def briefing() -> str:
        """What the tools that only look things up would tell about the question."""
        return await turn.toolbox.briefing(turn.asked.text, turn.tool_context)

    spec = turn.agent.spec
    may_call = not (_is_last_call(turn) or prompt.is_bare)
    return ModelRequest(
        messages=tuple(prompt.messages),
        tools=turn.toolbox.specs if may_call else (),
        temperature=spec.temperature,
        reasoning_effort=spec.reasoning_effort,
        budget=budget,
        briefing=briefing,
        allow=turn.budget.allow,
        cache_key=cache_key(turn.hold.lease),
        prompt_cache=spec.prompt_cache,
    )


def cache_key(lease: Lease) -> str:
    """Opaque: whoever runs the endpoint reads neither a place nor a number in it."""
    return sha256(f"{lease.address}/{lease.conversation_id}".encode()).hexdigest()[:32]


async def _stream(turn: Turn, request: ModelRequest) -> Finished:
    before = f"{turn.journal.text}\n\n" if turn.journal.text else ""
    text = ""
    async with aclosing(turn.model.stream(request)) as events:
        async for event in events:
            turn.budget.saw(event)
            match event:
                case Finished():
                    return event
                case TextDelta():
                    text += event.text
                    if not event.is_last:  # else the end shows it, in the same call
                        await turn.reply.show(before + text)
                    kill_points.reach("answer half shown")
                case Retracted():
                    text = ""
                case Begun():
                    pass
    raise ModelDown(f"{turn.model.name} ended without an answer")


def _explained(finished: Finished) -> Finished:
    """The answer with one honest sentence below what there is, if it is not whole."""
    sentences = _SENTENCES.get(finished.finish_reason)
    if sentences is None or finished.tool_calls:
        return finished
    text = finished.text.rstrip()
    return replace(finished, text=f"{text}\n\n{sentences[0]}" if text else sentences[1])
