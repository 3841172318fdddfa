"""How these tests ask a model: short requests, short time limits, one connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from httpx2 import Limits
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from core.llm import (
    Begun,
    ChatModel,
    Finished,
    ModelEvent,
    ModelRequest,
    PromptMessage,
    Role,
    TextDelta,
)

KEY = "sk-very-secret"


def said(text: str) -> PromptMessage:
    """A message of the person."""
    return PromptMessage(role=Role.USER, content=text)


def request(*texts: str) -> ModelRequest:
    """A request of what the person said, in order."""
    return ModelRequest(messages=tuple(said(text) for text in texts))


async def events_of(model: ChatModel, asked: ModelRequest) -> list[ModelEvent]:
    """Everything that the model yields, but that it has begun."""
    async with aclosing(model.stream(asked)) as events:
        return [event async for event in events if not isinstance(event, Begun)]


async def answer_of(model: ChatModel, asked: ModelRequest) -> Finished:
    """How the model ends."""
    last = (await events_of(model, asked))[-1]
    assert isinstance(last, Finished)
    return last


async def first_of(events: AsyncGenerator[ModelEvent, None]) -> str:
    """The first text of a stream that goes on."""
    while isinstance(event := await anext(events), Begun):
        pass
    assert isinstance(event, TextDelta)
    return event.text


@asynccontextmanager
async def client_of(base_url: str, *, max_retries: int = 0) -> AsyncIterator[AsyncOpenAI]:
    """A client with a single connection: a stream that is left open blocks the next call."""
    http = DefaultAsyncHttpxClient(limits=Limits(max_connections=1), timeout=60)
    client = AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=max_retries, http_client=http)
    async with client:
        yield client
