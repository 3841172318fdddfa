"""A language model behind one small Protocol: a request in, a stream of events out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Api(StrEnum):
    """Which of OpenAI's two APIs a model is asked through."""

    AUTO = "auto"  # Responses at OpenAI's own endpoint, Chat Completions elsewhere
    CHAT = "chat"
    RESPONSES = "responses"


class PromptCache(StrEnum):
    """What an endpoint is told for its prompt cache."""

    AUTO = "auto"  # OpenAI's own endpoint what its model takes, others nothing
    EXPLICIT = "explicit"
    OFF = "off"


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
class Native:
    """What an endpoint wrote before a tool call, with the fields that only it understands.

    Within the turn it is given back to the same model exactly so: reasoning items, thought
    signatures and whatever comes next. `items` are JSON objects of the API: one message of Chat
    Completions, or the output items of a response.
    """

    model: str
    api: Api
    items: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage:
    """One message of a prompt.

    `said_at` and `author` are known for messages from history; an endpoint is sent neither.
    `images` are data URLs, and only a person's message has any. `native` stands for the whole
    message where the model that wrote it is asked again. `ends_stable`: it and all before it will
    stand in the next prompt just so.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    said_at: datetime | None = None
    author: str = ""
    images: tuple[str, ...] = ()
    native: Native | None = None
    ends_stable: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Everything a model needs for one answer.

    `budget` is the number of tokens that the prompt was cut to. `briefing` is awaited where the
    model takes no tools: it gives what they would have told about the question. `allow` is awaited
    before each call, with the model's name and what it is sent: it says how many tokens the output
    may have (None: any), which is then `max_output`, or raises what is to stop the call.
    `cache_key` is opaque, and the same for all prompts of one conversation.
    """

    messages: tuple[PromptMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    temperature: float | None = None
    reasoning_effort: str | None = None
    budget: int | None = None
    briefing: Callable[[], Awaitable[str]] | None = None
    allow: Callable[[str, ModelRequest], Awaitable[int | None]] | None = None
    max_output: int | None = None
    cache_key: str = ""
    prompt_cache: PromptCache = PromptCache.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens of one call.

    Of those of `input`, the provider's cache served `cached`, and `written` went into it.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The model works: the first event of its stream has come, be it text or reasoning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """The next piece of the answer's text; never empty.

    `is_last`: it came with the answer's end, and nothing is called.
    """

    text: str
    is_last: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retracted:
    """None of the text so far counts: it was thinking, or a model broke off and another begins."""


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
    native: Native | None = None


ModelEvent = Begun | TextDelta | Retracted | Finished


class ChatModel(Protocol):
    """A model that can be asked."""

    @property
    def name(self) -> str:
        """What the endpoint calls it."""
        ...

    @property
    def terms(self) -> str:
        """How it is asked, for a person: which API, which effort, what is left out."""
        ...

    @property
    def window(self) -> int | None:
        """How many tokens fitted after a longer prompt was refused; None if none was."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Yield text as it comes and end with exactly one `Finished`; close what you leave early.

        Raises:
            ModelDown: the answer did not come or broke off. Text already yielded is void.
            ModelRefused: the endpoint rejects the request.
            ContextOverflow: the prompt is too long for the model; says what may fit.
        """
        ...
