"""The body of a message as a bot hands it in: text, blocks or markdown, and metadata, checked."""

from __future__ import annotations

import json
import re

from tests.peers.slack import blocks
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError, copied, parsed

TEXT_LIMIT = 40_000  # longer is cut, not refused
UPDATE_LIMIT = 4_000
MARKDOWN_LIMIT = 12_000
_NAME = re.compile(r"(?<![\w<!])@(channel|here|everyone)\b")
METADATA_LIMIT = 8_192  # bytes; Slack's page gives no number


def read(request: Request, *, is_update: bool = False) -> Json:
    """text, blocks, attachments, metadata: only what was given. Raises RefusedError."""
    draft = Json()
    if request.has("markdown_text"):
        draft.update(_markdown(request))
    if request.has("blocks"):
        draft["blocks"] = blocks.read(request.raw("blocks"))
    if request.has("attachments"):
        draft["attachments"] = request.items("attachments")
    if request.text("text").strip():
        draft["text"] = _text(_linked(request), is_update=is_update)
    if request.has("metadata"):
        draft["metadata"] = read_metadata(request.raw("metadata"))
    if not (draft.get("text") or draft.get("blocks") or draft.get("attachments")):
        raise RefusedError("no_text")
    return draft


def _markdown(request: Request) -> Json:
    text = request.text("markdown_text")
    if request.has("text") or request.has("blocks"):
        raise RefusedError("markdown_text_conflict")
    if len(text) > MARKDOWN_LIMIT:
        raise RefusedError("msg_too_long")
    return Json(text=text, blocks=[Json(type="markdown", text=text)] if text else [])


def _linked(request: Request) -> str:
    """With link_names or parse=full a plain @channel becomes a ping."""
    text = request.text("text")
    if request.flag("link_names") or request.text("parse") == "full":
        text = _NAME.sub(r"<!\1>", text)
    return text


def _text(text: str, *, is_update: bool) -> str:
    if is_update and len(text) > UPDATE_LIMIT:
        raise RefusedError("msg_too_long")
    return text[:TEXT_LIMIT]


def read_metadata(value: object) -> Json:
    if isinstance(value, str):
        try:
            value = parsed(value)
        except ValueError as error:
            raise RefusedError("invalid_metadata_format") from error
    if not isinstance(value, dict) or not isinstance(value.get("event_type"), str):
        raise RefusedError("invalid_metadata_format")
    if not isinstance(value.get("event_payload"), dict):
        raise RefusedError("invalid_metadata_format")
    if len(json.dumps(value).encode()) > METADATA_LIMIT:
        raise RefusedError("metadata_too_large")
    return copied(Json(value))
