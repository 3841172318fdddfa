"""What an agent may spend a day: reserved before each model call, settled when it is recorded."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta

from tenacity import AsyncRetrying, retry_if_result, wait_random

from core import kill_points
from core.clock import Clock
from core.errors import ConfigMistake, ModelRefused, Postponed
from core.llm import (
    Begun,
    Finished,
    ModelEvent,
    ModelRequest,
    PromptCache,
    PromptMessage,
    Retracted,
    TextDelta,
    TokenUsage,
)
from core.llm.pricing import uncountable
from core.llm.tokens import estimate
from core.messaging.directory import KnownAgent
from storage import usage
from storage.errors import StorageError
from storage.usage import Call, Room, Spent, Wanted

log = logging.getLogger(__name__)

Price = Callable[[str, TokenUsage], int | None]  # a model's name and its tokens to 1e-9 US dollars

_NANO_USD = 1_000_000_000
_A_MILLION = 1_000_000
_SHARE = 10  # of the day's money, that the output of one call may cost
_LEAST_OUTPUT = 256  # tokens
_MOST_OUTPUT = 8_192  # as much as most models write at all
_MOST_THOUGHT = 32_768  # … and what thinks counts its thoughts
_MESSAGE_TOKENS = 16  # at most, around each message and call
_FRAME_TOKENS = 512  # at most, around all of them, and what vendors add where there are tools
_IMAGE_TOKENS = 50_000  # at most, by the dearest way of counting
_LONGEST_CALL = timedelta(seconds=330)  # a call is given up after 300
_QUEUE_SECONDS = 5.0  # that a call waits for others here; then its turn gives up its place


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A call that was sent and not recorded yet, with what has been seen of its answer.

    `step` is the number of its step, once that is about to be recorded.
    """

    model: str
    request: ModelRequest
    is_reserved: bool = False
    is_sent: bool = False
    has_begun: bool = False
    seen: str = ""
    usage: TokenUsage | None = None
    step: int | None = None


class Budget:
    """The model calls of one turn, and what they cost.

    Without a limit it says nothing to the database, except for calls that were cut.
    """

    def __init__(
        self,
        agent: KnownAgent,
        turn_id: int,
        price: Price,
        clock: Clock,
        *,
        purpose: str = "answer",
    ) -> None:
        """`purpose` is what the ledger says that they are for."""
        self._purpose = purpose
        self._agent = agent
        self._turn_id = turn_id
        self._price = price
        self._clock = clock
        self._call: _Begun | None = None
        self.calls: list[Spent] = []  # that this process has made

    async def allow(self, model: str, request: ModelRequest) -> int | None:
        """Reserve what this call may cost; how many tokens its output may have, None: any.

        An earlier call of the same answer came to nothing.

        Raises:
            ModelRefused: today's money does not suffice for it; a day begins at 00:00 UTC.
            ConfigMistake: nobody knows what the model costs.
            Postponed: it may, when other calls of the agent have ended.
            DatabaseBusy, DatabaseUnusable: nothing was sent.
        """
        await self.cut()
        self._call = call = _Begun(model=model, request=request)
        output = None
        if (limit := self._agent.spec.daily_usd) is not None:
            output = self._most_output(model, limit)
            prompt = most_tokens(request)
            writes = request.prompt_cache is PromptCache.EXPLICIT
            most = TokenUsage(input=prompt, output=output, written=prompt if writes else 0)
            call.is_reserved = True
            await self._reserve(self._cost(model, most))
            kill_points.reach("reserved, not asked")
        call.is_sent = True
        return output

    def saw(self, event: ModelEvent) -> None:
        """An event of the answer has come."""
        if self._call is None:
            return
        self._call.has_begun = True
        match event:
            case TextDelta():
                self._call.seen += event.text
            case Finished():
                called = "".join(f"{each.name}{each.arguments}" for each in event.tool_calls)
                self._call.seen = f"{event.text}{called}"
                self._call.usage = event.usage
            case Begun() | Retracted():
                pass

    def spent(self, finished: Finished, step: int) -> Spent:
        """What the call that has ended so has cost, to be recorded with its step of this number.

        With a limit, what an endpoint does not count is estimated.
        """
        call, used = self._call, finished.usage
        if call:
            call.step = step
        is_reserved = call is not None and call.is_reserved
        if call and is_reserved and not (used.input or used.output):
            used = _estimated(call)
        spent = self._spent(finished.model, used, is_reserved=is_reserved)
        self.calls.append(spent)
        return spent

    def settled(self) -> None:
        """The call is recorded."""
        self._call = None

    async def cut(self) -> None:
        """There will be no step of the call under way: keep what it has cost, as far as known."""
        call, self._call = self._call, None
        if call is None:
            return
        try:
            if call.has_begun or (call.is_sent and _is_asked_to_end()):
                used = call.usage if call.usage and call.usage.input else _estimated(call)
                spent = self._spent(call.model, used, is_reserved=call.is_reserved)
                if call.step is None:  # else `spent` has counted it
                    self.calls.append(spent)
                who = Call(turn_id=self._turn_id, agent_id=self._agent.id, step=no_step())
                await usage.add_cut(spent, who, self._clock(), unless_step=call.step)
            elif call.is_reserved:
                await usage.release(self._turn_id)
        except StorageError as error:  # what is reserved stays so for its time
            log.warning("cost of a cut call not recorded", extra={"why": str(error)})

    async def _reserve(self, nano_usd: int) -> None:
        """One after the other in a process, so that not all of them ask again and again."""
        until_it_fits = AsyncRetrying(
            retry=retry_if_result(lambda fits: not fits), wait=wait_random(0.05, 0.3)
        )
        try:
            async with asyncio.timeout(_QUEUE_SECONDS), self._agent.queue:
                await until_it_fits(self._fits, nano_usd)
        except TimeoutError as error:
            raise Postponed(
                "other calls of the agent have reserved what is left of its daily_usd",
                retry_after=random.uniform(1, 3),  # noqa: S311  # no secret
            ) from error

    async def _fits(self, nano_usd: int) -> bool:
        limit, now = self._agent.spec.daily_usd or 0, self._clock()
        since = datetime.combine(now.astimezone(UTC), time.min, UTC)
        wanted = Wanted(
            turn_id=self._turn_id,
            agent_id=self._agent.id,
            nano_usd=nano_usd,
            ends_at=now + _LONGEST_CALL,
        )
        room = await usage.reserve(wanted, limit=int(limit * _NANO_USD), since=since, now=now)
        if room is Room.NONE:
            spent = await usage.nano_usd_since(agent_id=self._agent.id, since=since)
            raise _used_up(self._agent, spent, nano_usd)
        return room is Room.MADE

    def _most_output(self, model: str, limit: float) -> int:
        """Tokens: enough for an answer, and not so many that one call takes all of the day."""
        thinks = self._agent.spec.reasoning_effort not in {None, "none", "minimal", "low"}
        most = _MOST_THOUGHT if thinks else _MOST_OUTPUT
        a_million = self._cost(model, TokenUsage(output=_A_MILLION))
        share = int(limit * _NANO_USD / _SHARE * _A_MILLION / a_million) if a_million else most
        return min(most, max(_LEAST_OUTPUT, share))

    def _cost(self, model: str, used: TokenUsage) -> int:
        cost = self._price(model, used)
        if cost is None:
            raise ConfigMistake(f"agent {self._agent.spec.name}: daily_usd {uncountable(model)}")
        return cost

    def _spent(self, model: str, used: TokenUsage, *, is_reserved: bool) -> Spent:
        return Spent(
            model=model,
            input_tokens=used.input,
            cached_tokens=used.cached,
            written_tokens=used.written,
            output_tokens=used.output,
            nano_usd=self._price(model, used),
            is_reserved=is_reserved,
            purpose=self._purpose,
        )


def no_step() -> int:
    """Below zero, and no other call of the turn has it: the call leaves no step in its journal."""
    return -1 - secrets.randbelow(2**31 - 1)


def _is_asked_to_end() -> bool:
    """Whether it is we who cut the call: a silent endpoint was at work then, and did not fail."""
    task = asyncio.current_task()
    return bool(task and task.cancelling())


def most_tokens(request: ModelRequest) -> int:
    """The tokens of a prompt, rather too many: no tokenizer makes more tokens than bytes."""
    tools = sum(len(json.dumps(asdict(tool)).encode()) for tool in request.tools)
    return _FRAME_TOKENS + tools + sum(map(_most, request.messages))


def _most(message: PromptMessage) -> int:
    calls = [f"{call.id}{call.name}{call.arguments}" for call in message.tool_calls]
    native = json.dumps(message.native.items, ensure_ascii=False) if message.native else ""
    texts = (message.content, message.tool_call_id or "", native, *calls)
    text = sum(len(each.encode()) for each in texts)
    return text + _MESSAGE_TOKENS * (1 + len(calls)) + _IMAGE_TOKENS * len(message.images)


def _estimated(call: _Begun) -> TokenUsage:
    """What was sent was read, what was shown was written."""
    prompt = sum(estimate(message.content) for message in call.request.messages)
    return TokenUsage(input=prompt, output=estimate(call.seen) if call.seen else 0)


def _used_up(agent: KnownAgent, spent: int, wanted: int) -> ModelRefused:
    return ModelRefused(
        f"agent {agent.spec.name} has spent ${spent / _NANO_USD:.2f} of daily_usd = "
        f"{agent.spec.daily_usd}, and the next call may cost ${wanted / _NANO_USD:.4f}",
        told="I have used up my budget for today. Please ask again tomorrow (after 00:00 UTC), "
        "or ask whoever runs me to raise daily_usd.",
    )
