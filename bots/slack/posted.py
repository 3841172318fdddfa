"""What Slack says of messages and files that were posted, read as what it is."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from core.errors import Transient

EVENT_TYPE = "moorings"  # of the metadata that our messages carry

_LENIENT = ConfigDict(extra="ignore", hide_input_in_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True, config=_LENIENT)
class Metadata:
    """What an app has attached to its message, for anybody to read."""

    event_type: str = ""
    event_payload: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True, config=_LENIENT)
class SharedFile:
    """A file in a message."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_LENIENT)
class Posted:
    """A message as history gives it."""

    ts: str
    bot_id: str | None = None
    user: str | None = None
    metadata: Metadata | None = None
    files: tuple[SharedFile, ...] = ()
    blocks: tuple[object, ...] = ()

    @property
    def key(self) -> object:
        """The key of an outgoing message, if this is one."""
        if self.metadata is None or self.metadata.event_type != EVENT_TYPE:
            return None
        return self.metadata.event_payload.get("key")


@dataclass(frozen=True, slots=True, kw_only=True, config=_LENIENT)
class Page:
    """A page of a history; an empty cursor is the end."""

    messages: tuple[object, ...] = ()
    response_metadata: dict[str, object] | None = None

    @property
    def cursor(self) -> str:
        """Where the next page begins."""
        return str((self.response_metadata or {}).get("next_cursor") or "")

    def readable(self) -> list[Posted]:
        """The messages that are as Slack's messages are."""
        return [posted for each in self.messages if (posted := _posted(each))]


@dataclass(frozen=True, slots=True, kw_only=True, config=_LENIENT)
class Receipt:
    """What was made."""

    ts: str


@dataclass(frozen=True, slots=True, kw_only=True, config=_LENIENT)
class Identity:
    """Who the bot is in a workspace."""

    bot_id: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True, config=_LENIENT)
class UploadPlace:
    """Where a file's bytes go, and what it will be called."""

    upload_url: str
    file_id: str


_Answer = TypeVar("_Answer")

_PAGE = TypeAdapter(Page)
_POSTED = TypeAdapter(Posted)
_RECEIPT = TypeAdapter(Receipt)
_IDENTITY = TypeAdapter(Identity)
_UPLOAD_PLACE = TypeAdapter(UploadPlace)


def page(response: AsyncSlackResponse) -> Page:
    """A page of a history. As all here, raises Transient where Slack's answer is none."""
    return _read(_PAGE, response)


def receipt(response: AsyncSlackResponse) -> Receipt:
    """What was posted or edited."""
    return _read(_RECEIPT, response)


def identity(response: AsyncSlackResponse) -> Identity:
    """Who asked."""
    return _read(_IDENTITY, response)


def upload_place(response: AsyncSlackResponse) -> UploadPlace:
    """Where to put a file."""
    return _read(_UPLOAD_PLACE, response)


def _read(adapter: TypeAdapter[_Answer], response: AsyncSlackResponse) -> _Answer:
    try:
        return adapter.validate_python(response.data)
    except ValidationError as error:
        raise Transient("Slack answered with something unreadable.") from error


def _posted(value: object) -> Posted | None:
    try:
        return _POSTED.validate_python(value)
    except ValidationError:
        return None
