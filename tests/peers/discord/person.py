"""The person side: what people do in the channels, and what they see of them."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping

from tests.peers.discord import payloads, transcript
from tests.peers.discord.backend import Backend
from tests.peers.discord.mentions import Allowed
from tests.peers.discord.transcript import Line
from tests.peers.discord.wire import Json
from tests.peers.discord.world import Attachment, Channel, Message


class Person:
    """Every verb takes ids; texts are as Discord keeps them (`<@ID>`)."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def say(
        self,
        channel: str,
        user: str,
        text: str,
        *,
        reply_to: str | None = None,
        ping: bool = True,
        attachments: Mapping[str, bytes] | None = None,
        ago: float = 0.0,
        more: Json | None = None,
    ) -> str:
        """The new message's id. `ping`: a reply pings whom it answers. `ago`: in seconds.

        `more`: a poll, stickers, what is forwarded, as Discord has it.
        """
        message = self._written(channel, user, text, ago=ago)
        message.more = Json(more or {})
        place = self._channel(channel)
        if reply_to:
            message.kind = payloads.REPLY
            message.reference = Json(type=0, channel_id=channel, message_id=reply_to)
            message.reference.update({"guild_id": place.guild} if place.guild else {})
        for name, content in (attachments or {}).items():
            message.attachments.append(self._attached(channel, name, content))
        return self.backend.posts.add(place, message, Allowed(replied_user=ping)).id

    def say_as_other_bot(self, channel: str, text: str, *, reply_to: str | None = None) -> str:
        """Another app's message."""
        return self.say(channel, self._other_bot(), text, reply_to=reply_to)

    def say_as_webhook(self, channel: str, text: str) -> str:
        """An incoming webhook's message, whose author is no user."""
        webhook = self.backend.clock.snowflake()
        message = self._written(channel, webhook, text)
        message.webhook = webhook
        return self.backend.posts.add(self._channel(channel), message, Allowed()).id

    def _other_bot(self) -> str:
        world = self.backend.world
        for user in world.users.values():
            if user.is_bot and user.id != world.bot:
                return user.id
        other = world.add_user("otherbot", is_bot=True)
        for guild in world.guilds.values():
            guild.members[other.id] = []
        return other.id

    def dm(
        self,
        user: str,
        text: str,
        *,
        reply_to: str | None = None,
        attachments: Mapping[str, bytes] | None = None,
        ago: float = 0.0,
    ) -> str:
        """To the bot."""
        channel = self.direct(user)
        return self.say(channel, user, text, reply_to=reply_to, attachments=attachments, ago=ago)

    def edit(self, message: str, text: str) -> None:
        """By its author."""
        found = self.backend.world.message_anywhere(message)
        found.content = text
        self.backend.posts.edit(found, Allowed())

    def unfurl(self, message: str, title: str) -> None:
        """A link's preview comes to it: MESSAGE_UPDATE that is no edit."""
        found = self.backend.world.message_anywhere(message)
        found.embeds.append(Json(type="link", title=title))
        self.backend.posts.update(found)

    def delete(self, *messages: str) -> None:
        """Several of one channel at once: MESSAGE_DELETE_BULK."""
        found = [self.backend.world.message_anywhere(message) for message in messages]
        if len(found) == 1:
            self.backend.posts.delete(found[0])
            return
        for message in found:
            message.is_deleted = True
        self.backend.events.deletion(self._channel(found[0].channel), list(messages))

    def open_thread(self, message: str, name: str, user: str) -> str:
        """From a message; the thread's id."""
        starter = self.backend.world.message_anywhere(message)
        return self.backend.posts.open_thread(starter, name, user).id

    def forum_post(self, forum: str, user: str, title: str, text: str) -> str:
        """The id of the thread, which is its first message's id too."""
        message = self._written(forum, user, text)
        return self.backend.posts.open_post(self._channel(forum), title, message, Allowed()).id

    def archive(self, thread: str) -> None:
        self.backend.posts.archive(self._channel(thread), is_archived=True)

    def unarchive(self, thread: str) -> None:
        self.backend.posts.unarchive(self._channel(thread))

    def lock(self, thread: str) -> None:
        """And archive it, as moderators do."""
        self._channel(thread).is_locked = True
        self.archive(thread)

    def react(self, message: str, user: str, emoji: str) -> None:
        found = self.backend.world.message_anywhere(message)
        found.reactions.setdefault(emoji, []).append(user)
        self.backend.events.reaction("MESSAGE_REACTION_ADD", found, user, emoji)

    def type_in(self, channel: str, user: str) -> None:
        place = self._channel(channel)
        place.typing[user] = self.backend.clock.now() + 10.0
        self.backend.events.typing(place, user)

    def direct(self, user: str) -> str:
        """The id of the direct channel with the bot."""
        return self.backend.world.direct(user).id

    def transcript(self, channel: str, *, seen_by: str | None = None) -> list[Line]:
        """`seen_by`: with the ephemeral messages of this person only; else with everybody's."""
        lines = transcript.of_channel(self.backend.world, self._channel(channel))
        return [
            line for line in lines if not (line.for_user and seen_by) or line.for_user == seen_by
        ]

    def line(self, message: str) -> Line:
        return transcript.line_of(self.backend.world, self.backend.world.message_anywhere(message))

    def answers(self, message: str) -> list[Line]:
        """The bot's replies to a message."""
        found = self.backend.world.message_anywhere(message)
        return [line for line in self.transcript(found.channel) if line.reply_to == message]

    def typing(self, channel: str) -> bool:
        """Whether the bot's typing indicator shows now."""
        until = self._channel(channel).typing.get(self.backend.world.bot, 0.0)
        return until > self.backend.clock.now()

    def _channel(self, channel: str) -> Channel:
        return self.backend.world.channels[channel]

    def _written(self, channel: str, user: str, text: str, *, ago: float = 0.0) -> Message:
        message_id = self.backend.clock.snowflake(ago)
        return Message(id=message_id, channel=channel, author=user, content=text.strip())

    def _attached(self, channel: str, name: str, content: bytes) -> Attachment:
        kind, _ = mimetypes.guess_type(name)
        file = Attachment(
            id=self.backend.clock.snowflake(),
            channel=channel,
            name=name,
            content=content,
            content_type=kind or "application/octet-stream",
        )
        self.backend.world.attachments[file.id] = file
        return file
