"""What the endpoint can be told to do with a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

_TEXT = "This is the answer that you wait for."


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A whole answer, in chunks of `size` characters, `pause` seconds before each.

    `finish_reason` is that of Chat Completions; `length` and `content_filter` are incomplete
    responses on the other wire.
    """

    text: str
    pause: float = 0
    size: int = 12
    finish_reason: str = "stop"
    usage: bool = True
    cached_tokens: int = 0
    written_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """The model declines: its words are no text, but a refusal."""

    text: str = "I'm sorry, I can't help with that."


@dataclass(frozen=True, kw_only=True)
class CallTool:
    """The call of one tool; `arguments` is JSON text, or not."""

    name: str
    arguments: str = "{}"
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class CallTools:
    """Some text, and then the call of several tools."""

    calls: tuple[CallTool, ...]
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Fail:
    """An error instead of an answer."""

    status: int
    retry_after: float | None = None
    code: str | None = None
    type: str = "error"
    message: str = "scripted failure"
    param: str | None = None


@dataclass(frozen=True, kw_only=True)
class FailLate:
    """An error within the stream, after so many chunks of text."""

    after: int = 0
    code: str = "server_error"
    message: str = "The server had an error while processing your request. Sorry about that!"
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Truncate:
    """A stream that ends as if all were well, after so many chunks of text."""

    after: int = 0
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """A chunk that is not JSON, after so many chunks of text."""

    after: int = 0
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Disconnect:
    """The connection is reset after so many chunks of text; `answered` is whether headers came."""

    after: int = 0
    answered: bool = True
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Stall:
    """Nothing more comes after so many chunks of text; `answered` is whether headers came."""

    after: int = 0
    answered: bool = True
    text: str = _TEXT


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Exactly these events of the stream, and the end."""

    events: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Exactly:
    """These very bytes, whatever they are; `pieces` are written one after the other."""

    pieces: tuple[str, ...]
    status: int = 200
    content_type: str = "text/event-stream"


Behaviour = (
    Reply
    | Refuse
    | CallTool
    | CallTools
    | Fail
    | FailLate
    | Truncate
    | Malformed
    | Disconnect
    | Stall
    | Raw
    | Exactly
)
_KINDS: tuple[type[Behaviour], ...] = (
    Reply,
    Refuse,
    CallTool,
    CallTools,
    Fail,
    FailLate,
    Truncate,
    Malformed,
    Disconnect,
    Stall,
    Raw,
    Exactly,
)


def behaviour_of(item: Mapping[str, object]) -> Behaviour:
    """From JSON: the class by name, and its fields."""
    kind = next(each for each in _KINDS if each.__name__ == item["kind"])
    fields = {name: value for name, value in item.items() if name != "kind"}
    return TypeAdapter[Behaviour](kind).validate_python(fields)
