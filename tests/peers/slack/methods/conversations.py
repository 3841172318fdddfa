"""conversations.* and users.conversations: places, and what was said in them."""

from __future__ import annotations

import base64
import binascii

from tests.peers.slack.backend import Backend
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError
from tests.peers.slack.world import Channel

_TYPES = {"channel": "public_channel", "group": "private_channel", "im": "im", "mpim": "mpim"}
_SCOPES = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}
MOST = 999


def history(slack: Backend, request: Request) -> Json:
    """Newest first; top-level messages and broadcasts only."""
    channel = _readable(slack, request)
    found = [m for m in channel.messages.values() if _is_top_level(m)]
    found.sort(key=lambda message: float(message["ts"]), reverse=True)
    return _page(slack, request, channel, _within(request, found))


def replies(slack: Backend, request: Request) -> Json:
    """The parent first, on the first page, then its replies from the oldest on."""
    channel = _readable(slack, request)
    parent = channel.messages.get(request.required("ts", "thread_not_found"))
    if parent is None:
        raise RefusedError("thread_not_found")
    if not _is_parent(parent):
        return _page(slack, request, channel, [parent])
    later = _within(request, slack.posts.replies(channel, parent["ts"]))
    return _page(slack, request, channel, [parent, *later])


def listing(slack: Backend, request: Request) -> Json:
    bot = slack.world.teams[request.team].bot_user
    found = [c for c in _of_types(slack, request) if c.kind == "channel" or bot in c.members]
    return _channels(slack, request, found)


def of_user(slack: Backend, request: Request) -> Json:
    """Where the bot is (or `user`, where the bot can see it)."""
    bot = slack.world.teams[request.team].bot_user
    user = request.text("user") or bot
    found = [c for c in _of_types(slack, request) if {user, bot} <= c.members]
    return _channels(slack, request, found)


def info(slack: Backend, request: Request) -> Json:
    channel = slack.world.find_channel(
        request.required("channel", "channel_not_found"), request.team
    )
    request.need(f"{_SCOPES[channel.kind]}:read")
    return Json(channel=_place(slack, channel))


def members(slack: Backend, request: Request) -> Json:
    channel = slack.world.find_channel(
        request.required("channel", "channel_not_found"), request.team
    )
    request.need(f"{_SCOPES[channel.kind]}:read")
    return Json(members=sorted(channel.members), response_metadata=Json(next_cursor=""))


def start(slack: Backend, request: Request) -> Json:
    """conversations.open: one person's direct channel."""
    request.need("im:write")
    if request.text("channel"):
        channel = slack.world.find_channel(request.text("channel"), request.team)
    else:
        user = slack.world.users.get(request.required("users", "users_list_not_supplied"))
        if user is None or user.team != request.team or user.is_bot:
            raise RefusedError("user_not_found")
        channel = slack.world.direct(user.id)
    shown = _place(slack, channel) if request.flag("return_im") else Json(id=channel.id)
    return Json(channel=shown)


def _readable(slack: Backend, request: Request) -> Channel:
    name = request.required("channel", "channel_not_found")
    channel = slack.world.find_channel(name, request.team)
    request.need(f"{_SCOPES[channel.kind]}:history")
    return slack.world.joined_channel(name, request.team)


def _is_top_level(message: Json) -> bool:
    is_broadcast = message.get("subtype") == "thread_broadcast"
    return is_broadcast or _is_parent(message)


def _is_parent(message: Json) -> bool:
    is_parent: bool = message.get("thread_ts", message["ts"]) == message["ts"]
    return is_parent


def _within(request: Request, found: list[Json]) -> list[Json]:
    """`oldest` and `latest` are exclusive unless `inclusive` is set."""
    oldest, latest = request.text("oldest"), request.text("latest")
    edges = {oldest, latest} if request.flag("inclusive") else set()
    try:
        low, high = float(oldest or 0), float(latest or "inf")
    except ValueError as error:
        raise RefusedError("invalid_ts_oldest" if oldest else "invalid_ts_latest") from error
    return [m for m in found if low < float(m["ts"]) < high or m["ts"] in edges]


def _page(slack: Backend, request: Request, channel: Channel, found: list[Json]) -> Json:
    """A cursor stands for the last message seen, so that new ones do not shift the pages."""
    seen = _decoded(request.text("cursor"))
    if seen:
        places = [index for index, message in enumerate(found) if message["ts"] == seen]
        if not places:
            raise RefusedError("invalid_cursor")
        found = found[places[0] + 1 :]
    limit = min(request.number("limit", 100), MOST)
    if limit < 1:
        raise RefusedError("invalid_limit")
    page, has_more = found[:limit], len(found) > limit
    metadata = request.flag("include_all_metadata")
    answer = Json(
        messages=[slack.posts.shown(channel, message, metadata=metadata) for message in page],
        has_more=has_more,
        pin_count=0,
    )
    if has_more:
        answer["response_metadata"] = Json(next_cursor=_encoded(page[-1]["ts"]))
    return answer


def _encoded(seen: str) -> str:
    return base64.b64encode(f"next:{seen}".encode()).decode()


def _decoded(cursor: str) -> str:
    if not cursor:
        return ""
    try:
        word, _, seen = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RefusedError("invalid_cursor") from error
    if word != "next":
        raise RefusedError("invalid_cursor")
    return seen


def _of_types(slack: Backend, request: Request) -> list[Channel]:
    types = (request.text("types") or "public_channel").split(",")
    for kind, name in _TYPES.items():
        if name in types:
            request.need(f"{_SCOPES[kind]}:read")
    everywhere = slack.world.channels.values()
    channels = [c for c in everywhere if request.team in {c.team, *c.shared_with}]
    found = [c for c in channels if _TYPES[c.kind] in types]
    return [c for c in found if not (c.is_archived and request.flag("exclude_archived"))]


def _channels(slack: Backend, request: Request, found: list[Channel]) -> Json:
    first = int(_decoded(request.text("cursor")) or 0)
    limit = min(request.number("limit", 100), MOST)
    page = [_place(slack, channel) for channel in found[first : first + limit]]
    is_last = first + limit >= len(found)
    cursor = "" if is_last else _encoded(str(first + limit))
    return Json(channels=page, response_metadata=Json(next_cursor=cursor))


def _place(slack: Backend, channel: Channel) -> Json:
    bot = slack.world.teams[channel.team].bot_user
    place = Json(
        id=channel.id,
        created=1_700_000_000,
        creator=channel.creator,
        is_archived=channel.is_archived,
        is_channel=channel.kind == "channel",
        is_group=channel.kind == "group",
        is_im=channel.kind == "im",
        is_mpim=channel.kind == "mpim",
        is_private=channel.kind != "channel",
        is_ext_shared=bool(channel.shared_with),
        is_member=bot in channel.members,
        context_team_id=channel.team,
    )
    if channel.kind == "im":
        place["user"] = next(iter(channel.members - {bot}))
    else:
        place.update(name=channel.name, num_members=len(channel.members))
    return place


METHODS = {
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.list": listing,
    "conversations.info": info,
    "conversations.members": members,
    "conversations.open": start,
    "users.conversations": of_user,
}
