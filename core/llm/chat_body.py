"""A prompt and its tools in the words of Chat Completions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import assert_never

from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionContentPartImageParam,
    ChatCompletionContentPartParam,
    ChatCompletionContentPartTextParam,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionMessageParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionToolMessageParam,
    ChatCompletionUserMessageParam,
)

from core.llm import PromptMessage, Role, ToolCall, ToolSpec


def message_params(messages: Iterable[PromptMessage]) -> list[ChatCompletionMessageParam]:
    """The messages, in order."""
    return [_message(message) for message in messages]


def tool_params(tools: Iterable[ToolSpec]) -> list[ChatCompletionFunctionToolParam]:
    """The tools, in order."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            },
        }
        for tool in tools
    ]


def _message(message: PromptMessage) -> ChatCompletionMessageParam:
    match message.role:
        case Role.SYSTEM:
            return ChatCompletionSystemMessageParam(role="system", content=message.content)
        case Role.USER:
            return ChatCompletionUserMessageParam(role="user", content=_content(message))
        case Role.ASSISTANT:
            return _assistant(message)
        case Role.TOOL:
            return ChatCompletionToolMessageParam(
                role="tool", content=message.content, tool_call_id=message.tool_call_id or ""
            )
        case _:
            assert_never(message.role)


def _content(message: PromptMessage) -> str | list[ChatCompletionContentPartParam]:
    """Parts only where there are images: many endpoints know nothing but text."""
    if not message.images:
        return message.content
    return [
        ChatCompletionContentPartTextParam(type="text", text=message.content),
        *(
            ChatCompletionContentPartImageParam(type="image_url", image_url={"url": image})
            for image in message.images
        ),
    ]


def _assistant(message: PromptMessage) -> ChatCompletionAssistantMessageParam:
    if not message.tool_calls:
        return ChatCompletionAssistantMessageParam(role="assistant", content=message.content)
    return ChatCompletionAssistantMessageParam(
        role="assistant",
        content=message.content or None,
        tool_calls=[_tool_call(call) for call in message.tool_calls],
    )


def _tool_call(call: ToolCall) -> ChatCompletionMessageFunctionToolCallParam:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": _parsable(call.arguments)},
    }


def _parsable(arguments: str) -> str:
    """Many endpoints parse the history's arguments and reject what their own model wrote."""
    try:
        parsed = json.loads(arguments)
    except (json.JSONDecodeError, RecursionError):
        return "{}"
    return arguments if isinstance(parsed, dict) else "{}"
