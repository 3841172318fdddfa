"""Messages: posted, edited, deleted and read back, each with the events that follow from it."""

from __future__ import annotations

from tests.peers.slack import reading
from tests.peers.slack.events import Events
from tests.peers.slack.wire import Json, copied
from tests.peers.slack.world import APP_ID, Channel, World


class Posts:
    """The one place where messages change, so that no change goes without its event."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    def add(self, channel: Channel, message: Json, *, ago: float = 0.0) -> Json:
        """`message` without ts, as its author made it; stored, and told to the bot."""
        message = Json(message, ts=self._world.clock.ts(ago))
        root = channel.messages.get(message.get("thread_ts", ""))
        if root is not None and "user" in root:
            message["parent_user_id"] = root["user"]
        if root is not None and message.get("subtype") == "thread_broadcast":
            message["root"] = self.shown(channel, root)
        channel.messages[message["ts"]] = message
        if "bot_id" in message:
            self.clear_status(channel, message.get("thread_ts", ""))
        self._tell(channel, message)
        return message

    def add_by_bot(
        self, channel: Channel, draft: Json, *, thread: str = "", is_broadcast: bool = False
    ) -> Json:
        """`draft` may carry username and icons: then it is a bot_message without a user."""
        message = Json(self.bot_author(channel.team), **draft)
        if "username" in draft:
            message.pop("user")
            message["subtype"] = "bot_message"
        if thread:
            message["thread_ts"] = thread
        if is_broadcast:
            message["subtype"] = "thread_broadcast"
        return self.add(channel, message)

    def bot_author(self, team_id: str) -> Json:
        team = self._world.teams[team_id]
        profile = Json(
            id=team.bot_id,
            app_id=APP_ID,
            user_id=team.bot_user,
            name=self._world.display_name(team.bot_user),
            deleted=False,
            team_id=team_id,
        )
        return Json(
            type="message",
            user=team.bot_user,
            bot_id=team.bot_id,
            app_id=APP_ID,
            bot_profile=profile,
            team=team_id,
            text="",
        )

    def edit(
        self, channel: Channel, ts: str, changes: Json, *, editor: str, flag: bool = True
    ) -> Json:
        """`flag`: whether people see `(edited)`."""
        before = channel.messages[ts]
        after = Json(before, **changes)
        if flag:
            after["edited"] = Json(user=editor, ts=self._world.clock.ts())
        channel.messages[ts] = after
        self._tell_change(channel, before, after)
        return after

    def delete(self, channel: Channel, ts: str) -> None:
        """A parent of replies leaves a tombstone, anything else goes without a trace."""
        before = channel.messages[ts]
        if self.replies(channel, ts):
            tombstone = Json(
                type="message",
                subtype="tombstone",
                text="This message was deleted.",
                user="USLACKBOT",
                hidden=True,
                ts=ts,
                thread_ts=ts,
            )
            channel.messages[ts] = tombstone
            self._tell_change(channel, before, tombstone)
            return
        del channel.messages[ts]
        self._events.emit_in(
            channel,
            self._hidden(
                channel, "message_deleted", deleted_ts=ts, previous_message=self.bare(before)
            ),
        )

    def replies(self, channel: Channel, ts: str) -> list[Json]:
        found = [m for m in channel.messages.values() if m.get("thread_ts") == ts != m["ts"]]
        return sorted(found, key=lambda message: float(message["ts"]))

    def shown(self, channel: Channel, message: Json, *, metadata: bool = False) -> Json:
        """As history gives it: thread counts on a parent, metadata only where asked for."""
        shown = copied(message)
        shown.pop("parent_user_id", None)
        if not metadata:
            shown.pop("metadata", None)
        is_reply = message.get("thread_ts", message["ts"]) != message["ts"]
        replies = [] if is_reply else self.replies(channel, message["ts"])
        if replies:
            people = list(dict.fromkeys(reply.get("user", "") for reply in replies))
            shown.update(
                thread_ts=message["ts"],
                reply_count=len(replies),
                reply_users=people,
                reply_users_count=len(people),
                latest_reply=replies[-1]["ts"],
                is_locked=False,
                subscribed=False,
            )
        return shown

    def bare(self, message: Json) -> Json:
        return Json({key: value for key, value in copied(message).items() if key != "metadata"})

    def clear_status(self, channel: Channel, thread: str) -> None:
        channel.threads.setdefault(thread, Json()).pop("status", None)

    def _tell(self, channel: Channel, message: Json) -> None:
        place = Json(channel=channel.id, event_ts=message["ts"])
        event = Json(self._pushed(channel, message), **place, channel_type=channel.kind)
        self._events.emit_in(channel, event)
        bot = self._world.teams[channel.team].bot_user
        is_own = message.get("app_id") == APP_ID
        if channel.kind != "im" and not is_own and bot in reading.mentioned(message["text"]):
            mention = Json(self._pushed(channel, message), **place, type="app_mention")
            for key in ("subtype", "parent_user_id", "root"):
                mention.pop(key, None)
            self._events.emit_in(channel, mention)

    def _pushed(self, channel: Channel, message: Json) -> Json:
        """Of another organisation's files an event says no more than that there are some."""
        pushed = self.bare(message)
        if "files" in pushed:
            pushed["files"] = [
                file
                if file.get("user_team", channel.team) == channel.team
                else Json(id=file["id"], file_access="check_file_info")
                for file in pushed["files"]
            ]
        return pushed

    def _tell_change(self, channel: Channel, before: Json, after: Json) -> None:
        event = self._hidden(
            channel,
            "message_changed",
            message=self.bare(after),
            previous_message=self.bare(before),
        )
        self._events.emit_in(channel, event)

    def _hidden(self, channel: Channel, subtype: str, **details: object) -> Json:
        ts = self._world.clock.ts()
        return Json(
            type="message",
            subtype=subtype,
            hidden=True,
            channel=channel.id,
            channel_type=channel.kind,
            ts=ts,
            event_ts=ts,
            **details,
        )
