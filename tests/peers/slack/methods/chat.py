"""chat.postMessage, update, delete, postEphemeral, getPermalink, and reactions."""

from __future__ import annotations

from tests.peers.slack import drafts
from tests.peers.slack.backend import Backend
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError
from tests.peers.slack.world import APP_ID, Channel


def post(slack: Backend, request: Request) -> Json:
    """A reply to a message that is gone is not refused: it lands in the channel, unthreaded."""
    request.need("chat:write")
    channel = writable(slack, request)
    draft = drafts.read(request)
    draft.update(guise(request))
    thread = thread_of(channel, request) if request.text("thread_ts") in channel.messages else ""
    repeated = _repeated(slack, channel, request.text("client_msg_id"))
    if repeated is not None:
        return Json(channel=channel.id, ts=repeated["ts"], message=slack.posts.bare(repeated))
    if request.has("client_msg_id"):
        draft["client_msg_id"] = request.text("client_msg_id")
    message = slack.posts.add_by_bot(
        channel, draft, thread=thread, is_broadcast=request.flag("reply_broadcast")
    )
    return Json(
        channel=channel.id,
        ts=message["ts"],
        message=slack.posts.shown(channel, message, metadata=True),
    )


def update(slack: Backend, request: Request) -> Json:
    """Text alone takes the old blocks away; blocks are shown without the edited flag."""
    request.need("chat:write")
    channel = writable(slack, request)
    message = own(slack, channel, request.required("ts"))
    if slack.streams.is_open(channel, message["ts"]):
        raise RefusedError("streaming_state_conflict")
    draft = drafts.read(request, is_update=True)
    if "text" in draft and "blocks" not in draft:
        draft["blocks"] = []
    bot = slack.world.teams[channel.team].bot_user
    is_flagged = not draft.get("blocks")
    after = slack.posts.edit(channel, message["ts"], draft, editor=bot, flag=is_flagged)
    return Json(
        channel=channel.id, ts=after["ts"], text=after["text"], message=slack.posts.bare(after)
    )


def delete(slack: Backend, request: Request) -> Json:
    request.need("chat:write")
    channel = slack.world.joined_channel(
        request.required("channel", "channel_not_found"), request.team
    )
    ts = request.required("ts", "message_not_found")
    message = slack.world.message(channel, ts)
    if message.get("app_id") != APP_ID or slack.streams.is_open(channel, ts):
        raise RefusedError("cant_delete_message")
    slack.posts.delete(channel, ts)
    return Json(channel=channel.id, ts=ts)


def whisper(slack: Backend, request: Request) -> Json:
    request.need("chat:write")
    channel = writable(slack, request)
    user = request.required("user", "user_not_in_channel")
    if user not in channel.members:
        raise RefusedError("user_not_in_channel")
    draft = drafts.read(request)
    draft.pop("metadata", None)
    draft.update(guise(request))
    content = Json(slack.posts.bot_author(channel.team), **draft)
    message = slack.interactions.whisper(channel, user, content, thread_of(channel, request))
    return Json(message_ts=message["ts"])


def permalink(slack: Backend, request: Request) -> Json:
    channel = slack.world.joined_channel(
        request.required("channel", "channel_not_found"), request.team
    )
    message = slack.world.message(channel, request.text("message_ts"))
    path = f"archives/{channel.id}/p{message['ts'].replace('.', '')}"
    return Json(channel=channel.id, permalink=f"https://peer.slack.com/{path}")


def react(slack: Backend, request: Request) -> Json:
    return _reaction(slack, request, is_added=True)


def unreact(slack: Backend, request: Request) -> Json:
    return _reaction(slack, request, is_added=False)


def _reaction(slack: Backend, request: Request, *, is_added: bool) -> Json:
    request.need("reactions:write")
    channel = slack.world.joined_channel(
        request.required("channel", "channel_not_found"), request.team
    )
    message = slack.world.message(channel, request.text("timestamp"))
    name = request.required("name", "invalid_name")
    bot = slack.world.teams[request.team].bot_user
    reactions = {item["name"]: item["users"] for item in message.get("reactions", [])}
    users = reactions.setdefault(name, [])
    if is_added == (bot in users):
        raise RefusedError("already_reacted" if is_added else "no_reaction")
    if is_added:
        users.append(bot)
    else:
        users.remove(bot)
    message["reactions"] = [
        Json(name=name, users=users, count=len(users)) for name, users in reactions.items() if users
    ]
    return Json()


def writable(slack: Backend, request: Request) -> Channel:
    """The channel of the request, if the bot may write there."""
    name = request.required("channel", "channel_not_found")
    channel = slack.world.find_channel(name, request.team)
    is_in = slack.world.teams[request.team].bot_user in channel.members
    if not is_in and "chat:write.public" not in request.token.scopes:
        raise RefusedError("not_in_channel")
    if channel.is_archived:
        raise RefusedError("is_archived")
    return channel


def own(slack: Backend, channel: Channel, ts: str) -> Json:
    """A message of this app; nobody edits another's."""
    message = slack.world.message(channel, ts)
    if message.get("app_id") != APP_ID:
        raise RefusedError("cant_update_message")
    return message


def thread_of(channel: Channel, request: Request) -> str:
    thread = request.text("thread_ts")
    if not thread:
        return ""
    if thread not in channel.messages:
        raise RefusedError("thread_not_found")
    root: str = channel.messages[thread].get("thread_ts", thread)
    if root != thread:
        raise RefusedError("cannot_reply_to_message")
    return thread


def guise(request: Request) -> Json:
    """The name and icon of a named agent."""
    given = Json(
        {k: request.text(k) for k in ("username", "icon_emoji", "icon_url") if request.has(k)}
    )
    if given:
        request.need("chat:write.customize")
    icons = Json({k[5:]: given.pop(k) for k in ("icon_emoji", "icon_url") if k in given})
    if icons:
        given["icons"] = icons
    return given


def _repeated(slack: Backend, channel: Channel, client_msg_id: str) -> Json | None:
    if not client_msg_id or not slack.deduplicates_client_msg_id:
        return None
    found = [m for m in channel.messages.values() if m.get("client_msg_id") == client_msg_id]
    return found[0] if found else None


METHODS = {
    "chat.postMessage": post,
    "chat.update": update,
    "chat.delete": delete,
    "chat.postEphemeral": whisper,
    "chat.getPermalink": permalink,
    "reactions.add": react,
    "reactions.remove": unreact,
}
