"""A language model behind one small Protocol: a request in, a stream of events out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    """Who speaks in a prompt."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that the model wants run; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage:
    """One message of a prompt.

    `said_at` and `author` are known for messages from history; an endpoint is sent neither.
    `images` are data URLs, and only a person's message has any.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    said_at: datetime | None = None
    author: str = ""
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Everything a model needs for one answer."""

    messages: tuple[PromptMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    temperature: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens of one call; `cached` are those of `input` that the provider's cache served."""

    input: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """The next piece of the answer's text; never empty."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The last event of a stream: the whole text, the tools called, what it cost.

    `model` is the one that answered, which may be a fallback.
    """

    text: str
    model: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    usage: TokenUsage = field(default_factory=TokenUsage)


ModelEvent = TextDelta | Finished


class ChatModel(Protocol):
    """A model that can be asked."""

    @property
    def name(self) -> str:
        """What the endpoint calls it."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Yield text as it comes and end with exactly one `Finished`; close what you leave early.

        Raises:
            ModelDown: the answer did not come or broke off. Text already yielded is void.
            ModelRefused: the endpoint rejects the request.
            ContextOverflow: the prompt is too long for the model.
        """
        ...
