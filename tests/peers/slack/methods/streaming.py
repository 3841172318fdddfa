"""chat.startStream, appendStream and stopStream."""

from __future__ import annotations

from tests.peers.slack import blocks, drafts
from tests.peers.slack.backend import Backend
from tests.peers.slack.methods import chat
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError


def start(slack: Backend, request: Request) -> Json:
    """Metadata is not taken here: only stopStream can set it."""
    request.need("chat:write")
    channel = chat.writable(slack, request)
    if channel.kind != "im":
        request.required("recipient_team_id", "missing_recipient_team_id")
        request.required("recipient_user_id", "missing_recipient_user_id")
    message = chat.guise(request)
    thread = chat.thread_of(channel, request)
    if thread:
        message["thread_ts"] = thread
    text, chunks = _content(request)
    stream = slack.streams.start(channel, message, text, chunks)
    return Json(channel=channel.id, ts=stream.ts)


def append(slack: Backend, request: Request) -> Json:
    request.need("chat:write")
    channel = chat.writable(slack, request)
    ts = chat.own(slack, channel, request.required("ts"))["ts"]
    text, chunks = _content(request)
    if not text and not chunks:
        raise RefusedError("no_text")
    slack.streams.append(channel, ts, text, chunks)
    return Json(channel=channel.id, ts=ts)


def stop(slack: Backend, request: Request) -> Json:
    request.need("chat:write")
    channel = chat.writable(slack, request)
    ts = chat.own(slack, channel, request.required("ts"))["ts"]
    text, chunks = _content(request)
    final = Json()
    if request.has("blocks"):
        final["blocks"] = blocks.read(request.raw("blocks"))
    if request.has("metadata"):
        final["metadata"] = drafts.read_metadata(request.raw("metadata"))
    message = slack.streams.stop(channel, ts, text, chunks, final)
    return Json(
        channel=channel.id, ts=ts, message=slack.posts.shown(channel, message, metadata=True)
    )


def _content(request: Request) -> tuple[str, list[Json]]:
    return request.text("markdown_text"), request.items("chunks")


METHODS = {"chat.startStream": start, "chat.appendStream": append, "chat.stopStream": stop}
