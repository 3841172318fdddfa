"""A ChatModel behind any endpoint that speaks one of OpenAI's two APIs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream

from core.errors import ModelDown, ModelRefused
from core.llm import Api, Begun, Finished, ModelEvent, ModelRequest, Retracted, TextDelta
from core.llm.caching import resolved
from core.llm.capabilities import Capabilities
from core.llm.chat import Chat
from core.llm.complaint import Complaint, of_error, of_event
from core.llm.events import Event, Malformed, events
from core.llm.failures import Target, overflow, translated, unanswered
from core.llm.responses import Responses
from core.llm.time_limits import Limits
from core.llm.tokens import estimate
from core.llm.wire import StreamedAnswer, Wire

log = logging.getLogger(__name__)

_LIMITS = Limits()
_WIRES: dict[Api, Wire] = {Api.CHAT: Chat(), Api.RESPONSES: Responses()}
_NAMES = {Api.CHAT: "Chat Completions", Api.RESPONSES: "Responses"}
_OPENAIS_OWN = "api.openai.com"
_FITS_ANYWHERE = 500  # tokens: no prompt as short as this is refused for its length
_UNSENT = "-"  # the SDK has no header for it, and would draw one at random for every call
_GRACE_SECONDS = 5  # after the last word, for a count of tokens and the end of the stream
_UNFINISHED = (
    "ended its stream without a finish reason; if it always does, "
    "correct base_url or OPENAI_BASE_URL (most end in /v1)."
)


class _Complained(Exception):
    """The endpoint answered with an error, or its stream carried one."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.message)
        self.complaint = complaint


class _BrokeOff(ModelDown):
    """The stream had begun; as long as nobody has seen a word of it, it can be asked for again."""


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One request, as its model is known to take it when it is sent."""

    wire: Wire
    request: ModelRequest
    lessons: int  # that the model had given until then
    answer: StreamedAnswer
    body: dict[str, Any]
    is_shown: bool = False

    @property
    def tokens(self) -> int:
        """Of the prompt's texts, by estimate."""
        return sum(estimate(message.content) for message in self.request.messages)


class EndpointModel:
    """One model of one endpoint. The client belongs to the caller."""

    def __init__(
        self,
        client: AsyncOpenAI,
        name: str,
        *,
        api: Api = Api.AUTO,
        learnt: Capabilities | None = None,
        key_variable: str = "OPENAI_API_KEY",
        limits: Limits = _LIMITS,
    ) -> None:
        """`learnt` is shared by all that ask this model at this endpoint."""
        self._client = client
        self._api = api
        self._learnt = learnt or Capabilities()
        host = client.base_url.netloc.decode()
        self._target = Target(model=name, host=host, key_variable=key_variable)
        self._limits = limits
        self._base = str(client.base_url).rstrip("/")

    @property
    def name(self) -> str:
        """What the endpoint calls it."""
        return self._target.model

    @property
    def terms(self) -> str:
        """As ChatModel says."""
        return ", ".join(filter(None, (_NAMES[self._wire.api], str(self._learnt))))

    @property
    def window(self) -> int | None:
        """As ChatModel says."""
        return self._learnt.window

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """As ChatModel says. Asks again as long as nobody has seen a word.

        Once where the stream broke off, and after each refusal that says what to do differently.
        """
        deadline = asyncio.get_running_loop().time() + self._limits.whole
        may_repeat = True
        while True:
            attempt = await self._attempt(request)
            try:
                async with aclosing(self._answered(attempt, deadline)) as answered:
                    async for event in answered:
                        yield event
                yield self._finished(attempt)
                return
            except _Complained as complained:
                if complained.complaint.is_filtered:
                    yield _filtered(attempt.answer.finished(self.name))
                    return
                if attempt.is_shown or not self._has_learnt(complained.complaint, attempt):
                    raise self._failure(complained.complaint, attempt) from complained
            except _BrokeOff as broken:
                if attempt.is_shown or not may_repeat:
                    raise
                may_repeat = False
                log.warning(
                    "A model's stream broke off before its first word; asking again.",
                    extra={"model": self.name, "reason": str(broken)},
                )

    @property
    def _wire(self) -> Wire:
        if self._api is not Api.AUTO:
            return _WIRES[self._api]
        return _WIRES[self._learnt.api or (Api.RESPONSES if self._is_openais else Api.CHAT)]

    @property
    def _is_openais(self) -> bool:
        host = self._client.base_url.host
        return host == _OPENAIS_OWN or host.endswith(f".{_OPENAIS_OWN}")

    async def _attempt(self, request: ModelRequest) -> _Attempt:
        wire, learnt = self._wire, self._learnt
        lessons = learnt.lessons
        needs_briefing = request.tools and request.briefing and not learnt.takes_tools
        briefing = await request.briefing() if needs_briefing and request.briefing else ""
        asked = resolved(request, self.name, is_openais=self._is_openais)
        adapted = learnt.adapted(asked, briefing)
        if request.allow:
            most = await request.allow(self.name, adapted)
            adapted = replace(adapted, max_output=learnt.output_within(most))
        return _Attempt(
            wire=wire,
            request=adapted,
            body=learnt.spelled(wire.body(self.name, adapted)),
            lessons=lessons,
            answer=wire.answer(thinks_first=learnt.thinks_first),
        )

    async def _answered(
        self, attempt: _Attempt, deadline: float
    ) -> AsyncGenerator[ModelEvent, None]:
        """What is shown of the answer, until it has ended; errors are our own."""
        answer, has_begun = attempt.answer, False
        try:
            response = await self._opened(attempt, deadline)
            async with aclosing(response), aclosing(events(response)) as received:
                while together := await _next(received, answer, deadline):
                    if not answer.is_ended:
                        self._look_for_complaints(together)
                    if not has_begun:
                        has_begun = True
                        yield Begun()
                    for shown in answer.add(*together):
                        attempt.is_shown = True
                        yield self._marked(shown, answer)
        except (TimeoutError, Malformed, openai.APIError, httpx2.HTTPError) as error:
            raise self._as_ours(error) from error
        if not answer.is_ended:  # a proxy that closed cleanly looks like this
            raise _BrokeOff(f"{self._target} {_UNFINISHED}")
        for shown in answer.finish():
            yield self._marked(shown, answer)

    def _marked(
        self, shown: TextDelta | Retracted, answer: StreamedAnswer
    ) -> TextDelta | Retracted:
        """Say so where it came with the end of an answer that calls nothing."""
        if not answer.is_ended or isinstance(shown, Retracted):
            return shown
        return replace(shown, is_last=not answer.finished(self.name).tool_calls)

    def _finished(self, attempt: _Attempt) -> Finished:
        finished = attempt.answer.finished(self.name)
        self._learnt.thinks_first = self._learnt.thinks_first or attempt.answer.was_retracted
        self._learnt.took(attempt.request)
        return finished

    def _has_learnt(self, complaint: Complaint, attempt: _Attempt) -> bool:
        """Whether the next attempt will be another one than this."""
        if attempt.lessons != self._learnt.lessons:  # another answer has learnt it meanwhile
            return True
        lesson = self._learnt.from_refusal(
            complaint, attempt.body, attempt.wire.api, may_switch=self._api is Api.AUTO
        )
        if lesson:
            log.warning(
                "A model refuses what was sent: %s from now on.",
                lesson,
                extra={"model": self.name, "host": self._target.host, "status": complaint.status},
            )
        return lesson is not None

    def _failure(self, complaint: Complaint, attempt: _Attempt) -> ModelDown | ModelRefused:
        """Any refused prompt that is longer than those that were taken may be too long."""
        tokens = attempt.tokens
        failure = translated(complaint, self._target)
        may_be_longest = (
            complaint.is_refusal
            and not complaint.is_about_images
            and tokens > _FITS_ANYWHERE
            and self._learnt.is_longest(attempt.request)
        )
        if complaint.is_overflow:
            return overflow(self._target, self._learnt.overflowed(tokens, complaint))
        if may_be_longest and isinstance(failure, ModelRefused):
            budget = self._learnt.overflowed(tokens, complaint)
            return overflow(self._target, budget, refusal=failure)
        return failure

    def _look_for_complaints(self, together: list[Event]) -> None:
        """Raise the error inside of a stream: what may pass is as good as one that breaks off."""
        for event in together:
            if complaint := of_event(event):
                failure = translated(complaint, self._target)
                if isinstance(failure, ModelDown) and not complaint.is_overflow:
                    raise _BrokeOff(str(failure))
                raise _Complained(complaint)

    def _as_ours(self, error: Exception) -> Exception:
        match error:
            case TimeoutError():
                seconds = f"{self._limits.whole:g}"
                return ModelDown(f"{self._target} did not finish within {seconds} seconds.")
            case openai.APIStatusError():
                return _Complained(of_error(error))
            case openai.APIError():
                return unanswered(error, self._target)
            case _:
                return _BrokeOff(f"{self._target} {_what_broke(error)}.")

    async def _opened(self, attempt: _Attempt, deadline: float) -> httpx2.Response:
        """The SDK retries here, where nothing has been answered yet, and only here.

        By its typed methods it would walk every message and build an object of every chunk.
        """
        wait = self._limits.wait_at(attempt.request.reasoning_effort)
        async with asyncio.timeout_at(deadline):
            response = await self._client.post(
                f"{self._base}{attempt.wire.path}",  # else the SDK joins the two anew each time
                body=attempt.body,
                cast_to=httpx2.Response,
                options={"timeout": wait, "idempotency_key": _UNSENT},
                stream=True,
                stream_cls=AsyncStream[object],
            )
        return cast("httpx2.Response", response)  # what is asked for by `cast_to`


async def _next(
    received: AsyncGenerator[list[Event], None], answer: StreamedAnswer, deadline: float
) -> list[Event]:
    """Events that came at once; empty at the end. Once the answer has ended, no error matters.

    The deadline is set around each wait: around a `yield` it would cancel the consumer.
    """
    if not answer.is_ended:
        async with asyncio.timeout_at(deadline):
            return await anext(received, list[Event]())
    deadline = min(deadline, asyncio.get_running_loop().time() + _GRACE_SECONDS)
    with suppress(TimeoutError, Malformed, httpx2.HTTPError):
        async with asyncio.timeout_at(deadline):
            return await anext(received, list[Event]())
    return []


def _filtered(finished: Finished) -> Finished:
    """What there is of an answer that the endpoint's filter stopped."""
    return replace(finished, finish_reason="content_filter", tool_calls=(), native=None)


def _what_broke(error: Exception) -> str:
    match error:
        case httpx2.TimeoutException():
            return "did not go on in time"
        case Malformed():
            return "sent what is no event of an answer"
        case _:
            return "broke off its answer"
