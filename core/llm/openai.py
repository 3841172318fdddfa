"""A ChatModel behind any endpoint that speaks OpenAI's Chat Completions."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import openai
from openai import AsyncOpenAI, AsyncStream, omit
from openai.types.chat import ChatCompletionChunk

from core.errors import ModelDown
from core.llm import ModelEvent, ModelRequest, TextDelta
from core.llm.answer import Answer
from core.llm.chat_body import message_params, tool_params
from core.llm.failures import Target, translated

log = logging.getLogger(__name__)

_UNFINISHED = (
    "ended its stream without a finish reason; if it always does, "
    "correct base_url or OPENAI_BASE_URL (most end in /v1)."
)
_MALFORMED = "sent what is no chunk of an answer."


class _BrokeOff(ModelDown):
    """The stream had begun; as long as nobody has seen a word of it, it can be asked for again."""


class EndpointModel:
    """One model of one endpoint. The client belongs to the caller."""

    def __init__(
        self,
        client: AsyncOpenAI,
        name: str,
        *,
        key_variable: str = "OPENAI_API_KEY",
        timeout: float = 300,
        read_timeout: float = 60,
    ) -> None:
        """`timeout` seconds are for a whole call, `read_timeout` for each wait inside it."""
        host = client.base_url.netloc.decode()
        self._client = client
        self._target = Target(model=name, host=host, key_variable=key_variable)
        self._timeout = timeout
        self._read_timeout = read_timeout
        self._may_ask_for_usage = True

    @property
    def name(self) -> str:
        """What the endpoint calls it."""
        return self._target.model

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """As ChatModel says; a stream that broke off before its first word is asked for again."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        may_repeat = True
        while True:
            answer = Answer()
            try:
                async with aclosing(self._chunks(request, deadline)) as chunks:
                    async for chunk in chunks:
                        if text := answer.add(chunk):
                            yield TextDelta(text=text)
                if answer.finish_reason is None:  # a proxy that closed cleanly looks like this
                    raise _BrokeOff(f"{self._target} {_UNFINISHED}")
                yield answer.finished(self.name)
                return
            except _BrokeOff as broken:
                if answer.text or not may_repeat:
                    raise
                may_repeat = False
                log.warning(
                    "A model's stream broke off before its first word; asking again.",
                    extra={"model": self.name, "reason": str(broken)},
                )

    async def _chunks(
        self, request: ModelRequest, deadline: float
    ) -> AsyncGenerator[ChatCompletionChunk, None]:
        """The stream in our own errors.

        The deadline is set around each wait: around a `yield` it would cancel the consumer.
        """
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._open(request)
            async with stream:
                while chunk := await self._next(stream, deadline):
                    yield chunk
        except TimeoutError as error:
            raise ModelDown(
                f"{self._target} did not finish within {self._timeout:g} seconds."
            ) from error
        except openai.APIError as error:
            raise translated(error, self._target) from error

    async def _open(self, request: ModelRequest) -> AsyncStream[ChatCompletionChunk]:
        """The SDK retries here, where nothing has been answered yet, and only here."""
        if not self._may_ask_for_usage:
            return await self._create(request)
        try:
            return await self._create(request, with_usage=True)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if "stream_options" not in f"{error.message} {error.body}":
                raise
            self._may_ask_for_usage = False
            return await self._create(request)

    async def _create(
        self, request: ModelRequest, *, with_usage: bool = False
    ) -> AsyncStream[ChatCompletionChunk]:
        """Sends only fields that every endpoint knows; the rest by request."""
        return await self._client.chat.completions.create(
            model=self.name,
            messages=message_params(request.messages),
            stream=True,
            stream_options={"include_usage": True} if with_usage else omit,
            tools=tool_params(request.tools) or omit,
            temperature=omit if request.temperature is None else request.temperature,
            timeout=self._read_timeout,
        )

    async def _next(
        self, stream: AsyncStream[ChatCompletionChunk], deadline: float
    ) -> ChatCompletionChunk | None:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(stream, None)
        except openai.APIError as error:
            failure = translated(error, self._target)
            if isinstance(failure, ModelDown):
                raise _BrokeOff(str(failure)) from error
            raise failure from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise _BrokeOff(f"{self._target} {_MALFORMED}") from error
        if not _is_chunk_or_end(chunk):
            raise _BrokeOff(f"{self._target} {_MALFORMED}")
        return chunk


def _is_chunk_or_end(value: object) -> bool:
    """The SDK passes on whatever JSON came, and calls it a chunk."""
    return value is None or isinstance(value, ChatCompletionChunk)
