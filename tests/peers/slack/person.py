"""The person side: what people do in the workspace, and what they see of it."""

from __future__ import annotations

import html
import re
from typing import Literal

from tests.peers.slack import reading, transcript
from tests.peers.slack.backend import Backend
from tests.peers.slack.deliveries import Delivery
from tests.peers.slack.methods import files
from tests.peers.slack.transcript import Line
from tests.peers.slack.wire import Json
from tests.peers.slack.world import Channel, File

_PIECE = re.compile(r"<@([UW][A-Z0-9]+)>")


class Person:
    """Every verb takes ids; texts are as Slack keeps them (`<@U…>`, `&lt;`)."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def say(
        self,
        channel: str,
        user: str,
        text: str,
        thread: str | None = None,
        *,
        broadcast: bool = False,
        ago: float = 0.0,
    ) -> str:
        """The new message's ts. `ago`: said so many seconds before now."""
        message = self._typed(user, text, thread)
        if broadcast:
            message["subtype"] = "thread_broadcast"
        return str(self.backend.posts.add(self._channel(channel), message, ago=ago)["ts"])

    def send(
        self, channel: str, user: str, text: str, *, thread: str | None = None, **contents: object
    ) -> str:
        """A message of more than its text: `attachments`, `blocks`, `files` as Slack has them."""
        message = self._typed(user, text, thread)
        message.update(contents)
        return str(self.backend.posts.add(self._channel(channel), message)["ts"])

    def forward(
        self,
        channel: str,
        user: str,
        said: str,
        *,
        of: str,
        text: str = "",
        thread: str | None = None,
        **more: object,
    ) -> str:
        """Somebody else's words, as *Forward message* sends them; the new message's ts."""
        shared = Json(is_share=True, is_msg_unfurl=True, author_name=of, text=said)
        shared["from_url"] = "https://x.slack.com/archives/C1/p1700000000000100"
        shared.update(more)
        return self.send(channel, user, text, thread=thread, attachments=[shared])

    def say_as_other_bot(self, channel: str, text: str, thread: str | None = None) -> str:
        """Another app's message."""
        place = self._channel(channel)
        profile = Json(id="B0OTHER", app_id="A0OTHER", name="otherbot", team_id=place.team)
        message = Json(type="message", user="U0OTHER", bot_id="B0OTHER", app_id="A0OTHER")
        message.update(bot_profile=profile, team=place.team, text=text)
        if thread:
            message["thread_ts"] = thread
        return str(self.backend.posts.add(place, message)["ts"])

    def edit(self, channel: str, ts: str, text: str) -> None:
        """By its author."""
        place = self._channel(channel)
        editor = place.messages[ts]["user"]
        changes = Json(text=text, blocks=_rich(text))
        self.backend.posts.edit(place, ts, changes, editor=editor)

    def delete(self, channel: str, ts: str) -> None:
        self.backend.posts.delete(self._channel(channel), ts)

    def share_file(
        self,
        channel: str,
        user: str,
        name: str,
        content: bytes,
        *,
        mimetype: str = "text/plain",
        text: str = "",
        thread: str | None = None,
    ) -> str:
        """The ts of the file_share message. The file belongs to its owner's organisation."""
        file = File(
            id=self.backend.world.new_id("F"),
            name=name,
            team=self.backend.world.users[user].team,
            owner=user,
            mimetype=mimetype,
            content=content,
            length=len(content),
            is_complete=True,
        )
        return self._share(channel, file, text, thread)

    def share_remote_file(
        self,
        channel: str,
        user: str,
        name: str,
        url: str,
        *,
        mimetype: str = "application/vnd.slack-remote",
        text: str = "",
    ) -> str:
        """The ts of the message. Somebody's app keeps the file, and says where and what it is."""
        file = File(
            id=self.backend.world.new_id("F"),
            name=name,
            team=self.backend.world.users[user].team,
            owner=user,
            mimetype=mimetype,
            mode="external",
            url=url,
        )
        return self._share(channel, file, text, None)

    def lose_file(
        self, channel: str, ts: str, how: Literal["tombstone", "hidden_by_limit"]
    ) -> None:
        """The files of a message are deleted, or hidden as the workspace keeps no more."""
        message = self._channel(channel).messages[ts]
        lost = [self.backend.world.files[each["id"]] for each in message["files"]]
        for file in lost:
            file.mode = how
        message["files"] = [files.described(self.backend, file) for file in lost]

    def _share(self, channel: str, file: File, text: str, thread: str | None) -> str:
        place = self._channel(channel)
        self.backend.world.files[file.id] = file
        message = self._typed(file.owner, text, thread)
        message.update(
            subtype="file_share", upload=False, files=[files.described(self.backend, file)]
        )
        ts = str(self.backend.posts.add(place, message)["ts"])
        file.shares.append((place.id, ts))
        return ts

    def react(self, channel: str, ts: str, user: str, name: str) -> None:
        place = self._channel(channel)
        reactions = place.messages[ts].setdefault("reactions", [])
        reactions.append(Json(name=name, users=[user], count=1))
        item = Json(type="message", channel=channel, ts=ts)
        author = place.messages[ts].get("user", "")
        event = Json(type="reaction_added", user=user, reaction=name, item=item, item_user=author)
        self.backend.events.emit_in(place, Json(event, event_ts=self.backend.clock.ts()))

    def command(self, name: str, text: str, channel: str, user: str) -> Delivery:
        return self.backend.interactions.command(name, text, self._channel(channel), user)

    def click(
        self, channel: str, ts: str, action_id: str, user: str, value: str | None = None
    ) -> Delivery:
        """Presses a control of a message; `value` chooses where there is a choice."""
        place = self._channel(channel)
        ephemerals = {message["ts"]: message for message in place.ephemerals}
        message = place.messages.get(ts) or ephemerals[ts]
        action = self.backend.interactions.find_action(message, action_id, value)
        return self.backend.interactions.click(place, message, action, user)

    def click_home(self, user: str, action_id: str, value: str | None = None) -> Delivery:
        interactions = self.backend.interactions
        view = interactions.homes[user]
        action = interactions.find_action(view, action_id, value)
        container = Json(type="view", view_id=view["id"])
        details = Json(type="block_actions", container=container, view=view, actions=[action])
        return interactions.interact(user, view["team_id"], details)

    def use_shortcut(self, channel: str, ts: str, callback_id: str, user: str) -> Delivery:
        """A message shortcut."""
        place, interactions = self._channel(channel), self.backend.interactions
        details = Json(
            type="message_action",
            callback_id=callback_id,
            message_ts=ts,
            channel=Json(id=channel, name=place.name or "directmessage"),
            message=self.backend.posts.bare(place.messages[ts]),
            action_ts=self.backend.clock.ts(),
            response_url=interactions.new_response_url(place, user, ts),
        )
        return interactions.interact(user, place.team, details)

    def submit(self, view_id: str, values: dict[str, dict[str, object]]) -> Delivery:
        """Submits a modal: block_id -> action_id -> value."""
        interactions = self.backend.interactions
        view = interactions.views[view_id]
        state = Json(
            {
                block: {action: _field(value) for action, value in fields.items()}
                for block, fields in values.items()
            }
        )
        view["state"] = Json(values=state)
        details = Json(type="view_submission", view=view, response_urls=[])
        return interactions.interact(view["for_user"], view["team_id"], details)

    def open_home(self, user: str, tab: str = "home") -> None:
        """`tab`: home, or messages for the direct channel."""
        channel = self.backend.world.direct(user)
        event = Json(type="app_home_opened", user=user, channel=channel.id, tab=tab)
        event["event_ts"] = self.backend.clock.ts()
        if tab == "home" and user in self.backend.interactions.homes:
            event["view"] = self.backend.interactions.homes[user]
        self.backend.events.emit(channel.team, event)

    def press_stop(self, channel: str, thread: str, user: str) -> list[str]:
        """The native Stop button of a working agent; the streams that it ended."""
        place = self._channel(channel)
        stopped = self.backend.streams.press_stop(place, thread)
        event = Json(type="agent_session_stopped", channel=channel, thread_ts=thread, user=user)
        event.update(streaming_message_ts=stopped, event_ts=self.backend.clock.ts())
        self.backend.events.emit_in(place, event)
        return stopped

    def direct(self, user: str) -> str:
        """The id of the direct channel with the bot."""
        return self.backend.world.direct(user).id

    def transcript(self, channel: str, thread: str | None = None) -> list[Line]:
        return transcript.of_channel(self.backend, self._channel(channel), thread)

    def home(self, user: str) -> str:
        """What the Home tab reads, empty where none was published."""
        view = self.backend.interactions.homes.get(user, Json())
        return reading.text_of(view, self.backend.world.display_name)

    def modals(self, user: str) -> list[Json]:
        views = self.backend.interactions.views.values()
        return [v for v in views if v["type"] == "modal" and v["for_user"] == user]

    def thread_state(self, channel: str, thread: str = "") -> Json:
        """status, title, prompts, session of an agent's thread."""
        return Json(self._channel(channel).threads.get(thread, Json()))

    def _channel(self, channel_id: str) -> Channel:
        return self.backend.world.channels[channel_id]

    def _typed(self, user: str, text: str, thread: str | None) -> Json:
        message = Json(
            type="message",
            user=user,
            client_msg_id=self.backend.world.new_id("client-"),
            text=text,
            team=self.backend.world.users[user].team,
            blocks=_rich(text) if text else [],
        )
        if thread:
            message["thread_ts"] = thread
        return message


def _field(value: object) -> object:
    return value if isinstance(value, dict) else Json(type="plain_text_input", value=value)


def _rich(text: str) -> list[Json]:
    """The rich_text block that Slack's clients send with every typed message."""
    pieces = []
    for index, piece in enumerate(_PIECE.split(text)):
        if index % 2:
            pieces.append(Json(type="user", user_id=piece))
        elif piece:
            pieces.append(Json(type="text", text=html.unescape(piece)))
    section = Json(type="rich_text_section", elements=pieces)
    return [Json(type="rich_text", block_id="typed", elements=[section])]
