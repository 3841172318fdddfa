"""How these tests ask the model endpoint: by the real SDK, every event read strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai.types.responses as types
from openai import AsyncOpenAI, AsyncStream, omit

if TYPE_CHECKING:
    from openai.types.responses import (
        FunctionToolParam,
        Response,
        ResponseInputParam,
        ResponseStreamEvent,
    )

HELLO: ResponseInputParam = [{"type": "message", "role": "user", "content": "Hello"}]
CLOCK: FunctionToolParam = {
    "type": "function",
    "name": "clock",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


async def respond(
    client: AsyncOpenAI,
    input: ResponseInputParam = HELLO,  # noqa: A002  # as the API calls it
    *,
    model: str = "gpt-6-luna",
    thinking: bool = False,
) -> list[ResponseStreamEvent]:
    """Every event, as the SDK reads it strictly."""
    stream: AsyncStream[ResponseStreamEvent] = await client.responses.create(
        model=model,
        input=input,
        tools=[CLOCK],
        store=False,
        include=["reasoning.encrypted_content"] if thinking else omit,
        stream=True,
    )
    events = [event async for event in stream]
    for event in events:
        type(event).model_validate(event.model_dump(by_alias=True, exclude_unset=True))
    return events


def end_of(events: list[ResponseStreamEvent]) -> Response:
    last = events[-1]
    assert last.type in {"response.completed", "response.incomplete", "response.failed"}
    assert hasattr(last, "response")
    return types.Response.model_validate(
        last.response.model_dump(by_alias=True, exclude_unset=True)
    )
