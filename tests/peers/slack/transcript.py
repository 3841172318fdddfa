"""What a person would see in a channel, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.peers.slack import reading
from tests.peers.slack.backend import Backend
from tests.peers.slack.wire import Json
from tests.peers.slack.world import Channel

STATUS_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`user` is an id, empty for a bot; `author` is the name that is shown."""

    kind: Literal["message", "ephemeral", "status"]
    ts: str
    author: str
    text: str
    user: str = ""
    thread: str = ""
    is_bot: bool = False
    is_edited: bool = False
    is_streaming: bool = False
    for_user: str = ""
    pings: tuple[str, ...] = ()  # channel, here, everyone, subteam^…
    buttons: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    reactions: tuple[str, ...] = ()


def of_channel(slack: Backend, channel: Channel, thread: str | None = None) -> list[Line]:
    """With `thread`: its parent and replies. Statuses come last, after every message."""
    messages = [*channel.messages.values(), *channel.ephemerals]
    lines = [_line(slack, channel, message) for message in messages]
    lines.sort(key=lambda line: float(line.ts))
    lines += _statuses(slack, channel)
    return [line for line in lines if thread is None or thread in (line.thread, line.ts)]


def _line(slack: Backend, channel: Channel, message: Json) -> Line:
    user = message.get("user", "")
    is_bot = "bot_id" in message
    name = message.get("username") or slack.world.display_name(user or "slackbot")
    thread = message.get("thread_ts", "")
    return Line(
        kind="ephemeral" if message.get("is_ephemeral") else "message",
        ts=message["ts"],
        author=name,
        text=reading.text_of(message, slack.world.display_name),
        user="" if is_bot else user,
        thread="" if thread == message["ts"] else thread,
        is_bot=is_bot,
        is_edited="edited" in message,
        is_streaming=slack.streams.is_open(channel, message["ts"]),
        for_user=message.get("for_user", ""),
        pings=reading.pings(message),
        buttons=reading.labels(message),
        files=tuple(file.get("name", "") for file in message.get("files", [])),
        reactions=tuple(item["name"] for item in message.get("reactions", [])),
    )


def _statuses(slack: Backend, channel: Channel) -> list[Line]:
    bot = slack.world.bot_of(channel.team).name
    now = slack.clock.now()
    return [
        Line(kind="status", ts="", author=bot, text=shown["status"], thread=thread, is_bot=True)
        for thread, shown in channel.threads.items()
        if "status" in shown and now - shown["status_at"] < STATUS_SECONDS
    ]
