"""What a person would see in a channel or a thread, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.peers.discord import payloads
from tests.peers.discord.wire import Json
from tests.peers.discord.world import Channel, Message, World

_ORDINARY = (0, payloads.REPLY, payloads.CHAT_COMMAND, payloads.MENU_COMMAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`pings`: all that it ever pinged: everyone, here, role ids, user ids."""

    kind: Literal["message", "ephemeral", "system"]
    id: str
    channel: str
    author: str
    text: str
    user: str = ""
    is_bot: bool = False
    is_edited: bool = False
    is_thinking: bool = False
    reply_to: str = ""
    nonce: str = ""
    for_user: str = ""
    pings: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    embeds: tuple[str, ...] = ()  # title and description
    reactions: tuple[str, ...] = ()
    thread: str = ""  # that was opened from it


def of_channel(world: World, place: Channel) -> list[Line]:
    messages = [message for message in place.messages.values() if not message.is_deleted]
    messages.sort(key=lambda message: int(message.id))
    return [line_of(world, message) for message in messages]


def line_of(world: World, message: Message) -> Line:
    author = world.users.get(message.author)
    is_reply = message.kind == payloads.REPLY and message.reference is not None
    return Line(
        kind=_kind(message),
        id=message.id,
        channel=message.channel,
        author=author.name if author else "webhook",
        user=message.author,
        text="\n".join(filter(None, [message.content, *_texts(message.components)])),
        is_bot=author is None or author.is_bot,
        is_edited=message.edited is not None,
        is_thinking=bool(message.flags & payloads.LOADING),
        reply_to=str((message.reference or Json())["message_id"]) if is_reply else "",
        nonce=message.nonce,
        for_user=message.for_user,
        pings=tuple(message.pings),
        buttons=tuple(_labels(message.components)),
        files=tuple(file.name for file in message.attachments),
        embeds=tuple(_embed(embed) for embed in message.embeds),
        reactions=tuple(message.reactions),
        thread=message.id if message.flags & payloads.HAS_THREAD else "",
    )


def _kind(message: Message) -> Literal["message", "ephemeral", "system"]:
    if message.for_user:
        return "ephemeral"
    return "message" if message.kind in _ORDINARY else "system"


def _embed(embed: Json) -> str:
    return "\n".join(filter(None, [embed.get("title"), embed.get("description")]))


def _labels(parts: list[Json]) -> list[str]:
    """Of what can be pressed; a select menu is known by its placeholder."""
    found: list[str] = []
    for part in parts:
        if part.get("custom_id") or part.get("url"):
            emoji = (part.get("emoji") or Json()).get("name", "")
            name = part.get("label") or part.get("placeholder") or emoji
            found += [str(name)] if not part.get("disabled") else []
        found += _labels([Json(inner) for inner in part.get("components") or ()])
        found += _labels([Json(part["accessory"])] if part.get("accessory") else [])
    return found


def _texts(parts: list[Json]) -> list[str]:
    """Of text displays."""
    found: list[str] = []
    for part in parts:
        if part.get("type") == 10:
            found.append(str(part.get("content", "")))
        found += _texts([Json(inner) for inner in part.get("components") or ()])
    return found
