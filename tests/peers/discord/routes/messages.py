"""Messages of a channel: said, read, changed, deleted; reactions and the typing indicator."""

from __future__ import annotations

from itertools import islice

from tests.peers.discord import drafts, payloads
from tests.peers.discord.backend import Backend
from tests.peers.discord.request import Request
from tests.peers.discord.routes.route import Answer, Route
from tests.peers.discord.wire import Json, RefusedError, invalid
from tests.peers.discord.world import Channel, Kind, Message

_MOST_NONCE = 25
_TYPING_SECONDS = 10.0
_SENDABLE = (Kind.TEXT, Kind.DIRECT, Kind.VOICE, Kind.NEWS, Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD)


def shown(discord: Backend, message: Message, *, nonce: bool = False) -> Json:
    """As REST shows it."""
    world = discord.world
    shape = payloads.message(world, message, hides=not world.message_content)
    if nonce and message.nonce:
        shape["nonce"] = message.nonce
    return shape


def create(discord: Backend, request: Request) -> Answer:
    world = discord.world
    place = world.find_channel(request.part("channel"))
    check_sending(discord, place, has_files=bool(request.files))
    nonce = _nonce(request.body)
    draft = drafts.read(world, request, request.body, place.id)
    if nonce and request.body.get("enforce_nonce"):
        repeated = discord.posts.repeated(place, world.bot, nonce)
        if repeated:
            return shown(discord, repeated, nonce=True)
    message = Message(id="", channel=place.id, author=world.bot, nonce=nonce)
    message.reference = reference(discord, place, request.body.get("message_reference"))
    message.kind = payloads.REPLY if message.reference else 0
    draft.put_on(message)
    message.id = world.clock.snowflake()
    discord.posts.add(place, message, draft.allowed)
    return shown(discord, message, nonce=True)


def check_sending(discord: Backend, place: Channel, *, has_files: bool) -> None:
    world = discord.world
    if place.kind not in _SENDABLE:
        raise RefusedError(400, 50008, "Cannot send messages in a non-text channel")
    if place.kind is Kind.DIRECT and world.users[place.members[0]].refuses_direct:
        raise RefusedError(403, 50007, "Cannot send messages to this user")
    world.need(place, "SEND_MESSAGES_IN_THREADS" if place.is_thread else "SEND_MESSAGES")
    if has_files:
        world.need(place, "ATTACH_FILES")
    if place.is_locked and not world.can(place, "MANAGE_THREADS"):
        raise RefusedError(400, 160005, "Thread is locked")


def _nonce(body: Json) -> str:
    nonce = body.get("nonce")
    if nonce is not None and len(str(nonce)) > _MOST_NONCE:
        raise invalid("nonce", "NONCE_TYPE_TOO_LONG", "Must be 25 or fewer in length.")
    return "" if nonce is None else str(nonce)


def reference(discord: Backend, place: Channel, asked: Json | None) -> Json | None:
    """What a reply refers to; None where it may be missing and is."""
    if not asked:
        return None
    if not discord.world.can(place, "READ_MESSAGE_HISTORY"):
        complaint = "Cannot reply without permission to read message history"
        raise RefusedError(400, 160002, complaint)
    message_id = str(asked.get("message_id"))
    found = place.messages.get(message_id)
    is_here = str(asked.get("channel_id") or place.id) == place.id
    if found is None or found.is_deleted or found.for_user or not is_here:
        if asked.get("fail_if_not_exists", True):
            raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return None
    if found.kind not in (0, payloads.REPLY, payloads.CHAT_COMMAND, payloads.MENU_COMMAND):
        complaint = "Cannot reply to a system message"
        raise invalid("message_reference", "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", complaint)
    kept = Json(type=0, channel_id=place.id, message_id=message_id)
    if place.guild:
        kept["guild_id"] = place.guild
    return kept


def index(discord: Backend, request: Request) -> Answer:
    """Newest first, whichever way is asked for."""
    place = discord.world.find_channel(request.part("channel"))
    limit = request.number("limit", 50)
    if not 1 <= limit <= 100:
        raise invalid("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
    if not discord.world.can(place, "READ_MESSAGE_HISTORY"):
        return []
    visible = [m for m in place.messages.values() if not m.is_deleted and not m.for_user]
    visible.sort(key=lambda message: int(message.id))
    return [shown(discord, m) for m in reversed(_page(visible, request, limit))]


def _page(messages: list[Message], request: Request, limit: int) -> list[Message]:
    after, before = request.number("after", 0), request.number("before", 0)
    around = request.number("around", 0)
    if around:
        older = [m for m in messages if int(m.id) < around][-(limit // 2) :]
        newer = islice((m for m in messages if int(m.id) >= around), limit - len(older))
        return [*older, *newer]
    if "after" in request.query:
        return [m for m in messages if int(m.id) > after][:limit]
    return [m for m in messages if not before or int(m.id) < before][-limit:]


def fetch(discord: Backend, request: Request) -> Answer:
    place = discord.world.find_channel(request.part("channel"))
    discord.world.need(place, "READ_MESSAGE_HISTORY")
    return shown(discord, discord.world.find_message(place, request.part("message")))


def edit(discord: Backend, request: Request) -> Answer:
    place = discord.world.find_channel(request.part("channel"))
    message = discord.world.find_message(place, request.part("message"))
    if message.author != discord.world.bot and set(request.body) - {"flags"}:
        raise RefusedError(403, 50005, "Cannot edit a message authored by another user")
    if place.is_archived:
        raise RefusedError(400, 50083, "Thread is archived")
    draft = drafts.read(discord.world, request, request.body, place.id)
    draft.put_on(message)
    discord.posts.edit(message, draft.allowed_on_edit)
    return shown(discord, message)


def delete(discord: Backend, request: Request) -> Answer:
    place = discord.world.find_channel(request.part("channel"))
    message = discord.world.find_message(place, request.part("message"))
    if message.author != discord.world.bot:
        discord.world.need(place, "MANAGE_MESSAGES")
    if place.is_archived:
        raise RefusedError(400, 50083, "Thread is archived")
    discord.posts.delete(message)
    return None


def type_in(discord: Backend, request: Request) -> Answer:
    place = discord.world.find_channel(request.part("channel"))
    check_sending(discord, place, has_files=False)
    place.typing[discord.world.bot] = discord.clock.now() + _TYPING_SECONDS
    discord.events.typing(place, discord.world.bot)
    return None


def add_reaction(discord: Backend, request: Request) -> Answer:
    message, emoji, bot = _reacted(discord, request)
    place = discord.world.channels[message.channel]
    if emoji not in message.reactions:
        discord.world.need(place, "ADD_REACTIONS")
    if bot not in message.reactions.setdefault(emoji, []):
        message.reactions[emoji].append(bot)
        discord.events.reaction("MESSAGE_REACTION_ADD", message, bot, emoji)
    return None


def remove_reaction(discord: Backend, request: Request) -> Answer:
    message, emoji, bot = _reacted(discord, request)
    if bot in message.reactions.get(emoji, []):
        message.reactions[emoji].remove(bot)
        discord.events.reaction("MESSAGE_REACTION_REMOVE", message, bot, emoji)
    if not message.reactions.get(emoji, [bot]):
        del message.reactions[emoji]
    return None


def _reacted(discord: Backend, request: Request) -> tuple[Message, str, str]:
    place = discord.world.find_channel(request.part("channel"))
    discord.world.need(place, "READ_MESSAGE_HISTORY")
    message = discord.world.find_message(place, request.part("message"))
    if place.is_archived:
        raise RefusedError(400, 50083, "Thread is archived")
    return message, request.part("emoji"), discord.world.bot


_ALL = "/channels/{channel}/messages"
_ONE = "/channels/{channel}/messages/{message}"
_MINE = _ONE + "/reactions/{emoji}/@me"
ROUTES = (
    Route(label="messages.create", method="POST", path=_ALL, act=create),
    Route(label="messages.list", method="GET", path=_ALL, act=index),
    Route(label="messages.get", method="GET", path=_ONE, act=fetch),
    Route(label="messages.edit", method="PATCH", path=_ONE, act=edit),
    Route(label="messages.delete", method="DELETE", path=_ONE, act=delete),
    Route(label="typing", method="POST", path="/channels/{channel}/typing", act=type_in),
    Route(label="reactions.add", method="PUT", path=_MINE, act=add_reaction),
    Route(label="reactions.remove", method="DELETE", path=_MINE, act=remove_reaction),
)
