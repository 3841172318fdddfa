"""Native streams: their text as it grows, and the ways they end."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.peers.slack.posts import Posts
from tests.peers.slack.wire import Json, RefusedError
from tests.peers.slack.world import Channel, World

LIFETIME = 300.0  # seconds from the start, whatever is appended
MARKDOWN_LIMIT = 12_000  # one markdown_text, or one chunk
TASK_FIELD_LIMIT = 256
TOTAL_LIMIT = 40_000  # text and cards together


@dataclass(slots=True, kw_only=True)
class Stream:
    channel: Channel
    ts: str
    started: float
    is_of_chunks: bool
    text: str = ""
    tasks: dict[str, Json] = field(default_factory=dict)
    blocks: list[Json] = field(default_factory=list)
    ended: str = ""  # message_not_in_streaming_state, stopped_by_user


class Streams:
    """Open streams by (channel, ts)."""

    def __init__(self, world: World, posts: Posts) -> None:
        self.lifetime = LIFETIME
        self._world = world
        self._posts = posts
        self._all: dict[tuple[str, str], Stream] = {}

    def start(self, channel: Channel, message: Json, text: str, chunks: list[Json]) -> Stream:
        now = self._world.clock.now()
        stream = Stream(channel=channel, ts="", started=now, is_of_chunks=bool(chunks))
        self._grow(stream, text, chunks)
        draft = Json(message, **self._rendered(stream))
        thread = draft.pop("thread_ts", "")
        stream.ts = self._posts.add_by_bot(channel, draft, thread=thread)["ts"]
        self._all[(channel.id, stream.ts)] = stream
        return stream

    def append(self, channel: Channel, ts: str, text: str, chunks: list[Json]) -> None:
        stream = self._open(channel, ts)
        self._grow(stream, text, chunks)
        self._show(stream)

    def stop(self, channel: Channel, ts: str, text: str, chunks: list[Json], final: Json) -> Json:
        """`final` may carry closing blocks and metadata."""
        stream = self._open(channel, ts)
        self._grow(stream, text, chunks)
        stream.ended = "message_not_in_streaming_state"
        rendered = self._rendered(stream)
        closing = [*rendered["blocks"], *final.get("blocks", [])]
        changes = Json(rendered, blocks=closing)
        if "metadata" in final:
            changes["metadata"] = final["metadata"]
        bot = self._world.teams[channel.team].bot_user
        return self._posts.edit(channel, ts, changes, editor=bot, flag=False)

    def press_stop(self, channel: Channel, thread: str) -> list[str]:
        """The person's Stop button: the ts of each stream that it ended."""
        stopped = []
        for stream in self._all.values():
            message = channel.messages.get(stream.ts, Json())
            is_here = stream.channel is channel and message.get("thread_ts", stream.ts) == thread
            if is_here and self.is_open(channel, stream.ts):
                stream.ended = "stopped_by_user"
                stopped.append(stream.ts)
        return stopped

    def is_open(self, channel: Channel, ts: str) -> bool:
        stream = self._all.get((channel.id, ts))
        return stream is not None and not stream.ended and not self._is_dead(stream)

    def _is_dead(self, stream: Stream) -> bool:
        return self._world.clock.now() - stream.started > self.lifetime

    def _open(self, channel: Channel, ts: str) -> Stream:
        self._world.message(channel, ts)
        stream = self._all.get((channel.id, ts))
        if stream is None or self._is_dead(stream):
            raise RefusedError("message_not_in_streaming_state")
        if stream.ended:
            raise RefusedError(stream.ended)
        return stream

    def _grow(self, stream: Stream, text: str, chunks: list[Json]) -> None:
        """All or nothing: a refused append leaves the stream as it was.

        A stream goes on in the mode in which it began, as five public code bases tell.
        """
        if (text and stream.is_of_chunks) or (chunks and not stream.is_of_chunks):
            raise RefusedError("streaming_mode_mismatch")
        grown, tasks, blocks = stream.text + _checked(text), dict(stream.tasks), [*stream.blocks]
        for chunk in chunks:
            match chunk.get("type"):
                case "markdown_text":
                    grown += _checked(str(chunk.get("text", "")))
                case "task_update" | "plan_update":
                    key = str(chunk.get("id", "plan"))
                    tasks[key] = _merged(tasks.get(key, Json()), chunk)
                case "blocks":
                    blocks += chunk.get("blocks", [])
                case _:
                    raise RefusedError("invalid_chunks")
        size = len(grown) + sum(len(str(task)) for task in tasks.values())
        if size > TOTAL_LIMIT or len(blocks) > 50:
            raise RefusedError("msg_too_long")
        stream.text, stream.tasks, stream.blocks = grown, tasks, blocks

    def _show(self, stream: Stream) -> None:
        """Appends raise no event; only the start and the stop are told."""
        message = stream.channel.messages[stream.ts]
        message.update(self._rendered(stream))

    def _rendered(self, stream: Stream) -> Json:
        shown = [Json(task, type="task_card") for task in stream.tasks.values()]
        text = [Json(type="markdown", text=stream.text)] if stream.text else []
        return Json(text=stream.text, blocks=[*shown, *text, *stream.blocks])


def _checked(text: str) -> str:
    if len(text) > MARKDOWN_LIMIT:
        raise RefusedError("msg_too_long")
    return text


def _merged(before: Json, update: Json) -> Json:
    """Title and status replace, details append."""
    for key in ("title", "details", "output"):
        if len(str(update.get(key, ""))) > TASK_FIELD_LIMIT:
            raise RefusedError("invalid_chunks")
    merged = Json(before, **{key: value for key, value in update.items() if key != "type"})
    if "details" in before and "details" in update:
        merged["details"] = before["details"] + update["details"]
    return merged
