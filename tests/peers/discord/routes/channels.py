"""Channels and threads: looked up, opened, archived, joined; direct channels."""

from __future__ import annotations

from tests.peers.discord import drafts, payloads
from tests.peers.discord.backend import Backend
from tests.peers.discord.request import Request
from tests.peers.discord.routes import messages
from tests.peers.discord.routes.route import Answer, Route
from tests.peers.discord.wire import Json, RefusedError, invalid
from tests.peers.discord.world import Channel, Kind, Message

_MINUTES = (60, 1440, 4320, 10080)


def fetch(discord: Backend, request: Request) -> Answer:
    return payloads.channel(discord.world, discord.world.find_channel(request.part("channel")))


def edit(discord: Backend, request: Request) -> Answer:
    """A thread's name, archive and lock; a channel's name."""
    place, body, world = (
        discord.world.find_channel(request.part("channel")),
        request.body,
        discord.world,
    )
    if not place.is_thread:
        world.need(place, "MANAGE_CHANNELS")
    elif not (place.owner == world.bot and "locked" not in body):
        is_mere_unarchiving = set(body) == {"archived"} and not body["archived"]
        if not is_mere_unarchiving or place.is_locked:
            world.need(place, "MANAGE_THREADS")
    if place.is_archived and body.get("archived", True):
        raise RefusedError(400, 50083, "Thread is archived")
    place.name = body.get("name", place.name)
    place.is_locked = body.get("locked", place.is_locked)
    place.archive_minutes = body.get("auto_archive_duration", place.archive_minutes)
    if place.is_thread:
        discord.posts.archive(place, is_archived=body.get("archived", place.is_archived))
    else:
        discord.events.channel("CHANNEL_UPDATE", place)
    return payloads.channel(world, place)


def open_from_message(discord: Backend, request: Request) -> Answer:
    place = discord.world.find_channel(request.part("channel"))
    discord.world.need(place, "CREATE_PUBLIC_THREADS")
    starter = discord.world.find_message(place, request.part("message"))
    if place.kind not in (Kind.TEXT, Kind.NEWS):
        raise RefusedError(400, 50024, "Cannot execute action on this channel type")
    name = _name(request.body)
    thread = discord.posts.open_thread(starter, name, discord.world.bot)
    _set_minutes(thread, request.body)
    return payloads.channel(discord.world, thread)


def open_loose(discord: Backend, request: Request) -> Answer:
    place = discord.world.find_channel(request.part("channel"))
    if place.kind is Kind.FORUM:
        return _open_post(discord, place, request)
    kind = Kind(int(request.body.get("type", Kind.PRIVATE_THREAD)))
    is_private = kind is Kind.PRIVATE_THREAD
    discord.world.need(place, "CREATE_PRIVATE_THREADS" if is_private else "CREATE_PUBLIC_THREADS")
    thread = discord.posts.open_loose_thread(place, _name(request.body), discord.world.bot, kind)
    _set_minutes(thread, request.body)
    return payloads.channel(discord.world, thread)


def _open_post(discord: Backend, forum: Channel, request: Request) -> Answer:
    world = discord.world
    world.need(forum, "SEND_MESSAGES")
    name = _name(request.body)
    message = Message(id=world.clock.snowflake(), channel=forum.id, author=world.bot)
    draft = drafts.read(world, request, Json(request.body.get("message") or {}), message.id)
    draft.put_on(message)
    thread = discord.posts.open_post(forum, name, message, draft.allowed)
    _set_minutes(thread, request.body)
    return Json(payloads.channel(world, thread), message=messages.shown(discord, message))


def _name(body: Json) -> str:
    name = str(body.get("name") or "").strip()
    if not 1 <= len(name) <= 100:
        raise invalid("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    return name


def _set_minutes(thread: Channel, body: Json) -> None:
    minutes = body.get("auto_archive_duration")
    thread.archive_minutes = minutes if minutes in _MINUTES else thread.archive_minutes


def active(discord: Backend, request: Request) -> Answer:
    guild = discord.world.find_guild(request.part("guild"))
    threads = sorted(discord.world.threads_of(guild.id), key=lambda t: int(t.id), reverse=True)
    return _listing(discord, threads)


def archived(discord: Backend, request: Request) -> Answer:
    """The public ones, lately archived first."""
    place = discord.world.find_channel(request.part("channel"))
    discord.world.need(place, "READ_MESSAGE_HISTORY")
    found = [c for c in discord.world.channels.values() if c.parent == place.id and c.is_archived]
    found = [c for c in found if c.kind is Kind.PUBLIC_THREAD]
    found.sort(key=lambda thread: thread.archived_at, reverse=True)
    return Json(_listing(discord, found), has_more=False)


def _listing(discord: Backend, threads: list[Channel]) -> Json:
    bot = discord.world.bot
    joined = [payloads.thread_member(thread, bot) for thread in threads if bot in thread.members]
    return Json(threads=[payloads.channel(discord.world, t) for t in threads], members=joined)


def join(discord: Backend, request: Request) -> Answer:
    discord.posts.join(discord.world.find_channel(request.part("channel")), discord.world.bot)
    return None


def direct(discord: Backend, request: Request) -> Answer:
    user = str(request.body.get("recipient_id"))
    if user not in discord.world.users:
        raise RefusedError(404, 10013, "Unknown User")
    return payloads.channel(discord.world, discord.world.direct(user))


_ONE = "/channels/{channel}"
ROUTES = (
    Route(label="channels.get", method="GET", path=_ONE, act=fetch),
    Route(label="channels.edit", method="PATCH", path=_ONE, act=edit),
    Route(
        label="threads.create",
        method="POST",
        path=_ONE + "/messages/{message}/threads",
        act=open_from_message,
    ),
    Route(label="threads.create", method="POST", path=_ONE + "/threads", act=open_loose),
    Route(label="threads.active", method="GET", path="/guilds/{guild}/threads/active", act=active),
    Route(
        label="threads.archived", method="GET", path=_ONE + "/threads/archived/public", act=archived
    ),
    Route(label="threads.join", method="PUT", path=_ONE + "/thread-members/@me", act=join),
    Route(label="users.dm", method="POST", path="/users/@me/channels", act=direct),
)
