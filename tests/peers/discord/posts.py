"""Messages said, changed and deleted, and the threads that grow from them."""

from __future__ import annotations

from tests.peers.discord import payloads
from tests.peers.discord.events import Events
from tests.peers.discord.mentions import Allowed, pinged
from tests.peers.discord.wire import Json, RefusedError
from tests.peers.discord.world import Channel, Kind, Message, World

THREAD_CREATED = 18


class Posts:
    """Whoever says it; what the bot may do is checked where it asks."""

    def __init__(self, world: World, events: Events) -> None:
        self.nonce_seconds = 180.0
        self._world = world
        self._events = events

    def add(self, place: Channel, message: Message, allowed: Allowed) -> Message:
        self.unarchive(place)
        pinged(self._world, place, message, allowed).put_on(message)
        place.messages[message.id] = message
        place.typing.pop(message.author, None)
        if message.for_user:
            return message
        place.last_message = max(place.last_message, message.id, key=lambda value: int(value or 0))
        if place.is_thread and message.author not in place.members:
            place.members.append(message.author)
        if message.nonce:
            kept = (message.id, self._world.clock.now())
            place.nonces[message.author, message.nonce] = kept
        self._events.message("MESSAGE_CREATE", message)
        return message

    def repeated(self, place: Channel, author: str, nonce: str) -> Message | None:
        """The message that has used the nonce a while ago. Refuses where it was deleted since."""
        message_id, at = place.nonces.get((author, nonce), ("", 0.0))
        if not message_id or self._world.clock.now() - at > self.nonce_seconds:
            return None
        return self._world.find_message(place, message_id)

    def edit(self, message: Message, allowed: Allowed | None, *, marks: bool = True) -> None:
        """After the changes; `allowed` only with a new text.

        `marks`: as edited, which an answer that was waited for is not.
        """
        if allowed is not None:
            place = self._world.channels[message.channel]
            pinged(self._world, place, message, allowed).put_on(message)
        if marks:
            message.edited = self._world.clock.now()
        self._events.message("MESSAGE_UPDATE", message)

    def update(self, message: Message) -> None:
        """Something came to it that is no edit: a preview, a thread."""
        self._events.message("MESSAGE_UPDATE", message)

    def delete(self, message: Message) -> None:
        message.is_deleted = True
        place = self._world.channels[message.channel]
        if not message.for_user:
            self._events.deletion(place, [message.id])

    def unarchive(self, place: Channel) -> None:
        if place.is_archived:
            self.archive(place, is_archived=False)

    def archive(self, place: Channel, *, is_archived: bool) -> None:
        place.is_archived, place.archived_at = is_archived, self._world.clock.now()
        self._events.channel("THREAD_UPDATE", place)

    def open_thread(self, starter: Message, name: str, owner: str) -> Channel:
        """Its id is the starter's id."""
        if starter.id in self._world.channels:
            raise RefusedError(400, 160004, "A thread has already been created for this message")
        parent = self._world.channels[starter.channel]
        place = self._thread(starter.id, parent, name, owner, Kind.PUBLIC_THREAD)
        starter.flags |= payloads.HAS_THREAD
        self.announce(place)
        first = Message(
            id=self._world.clock.snowflake(),
            channel=place.id,
            author=owner,
            kind=payloads.THREAD_STARTER,
            reference=Json(
                type=0, channel_id=parent.id, message_id=starter.id, guild_id=parent.guild
            ),
        )
        place.messages[first.id] = first
        self._events.message("MESSAGE_CREATE", first)
        self.update(starter)
        return place

    def open_loose_thread(
        self, parent: Channel, name: str, owner: str, kind: Kind = Kind.PUBLIC_THREAD
    ) -> Channel:
        """Without a starter; a public one is announced in the channel by a system message."""
        place = self._thread(self._world.clock.snowflake(), parent, name, owner, kind)
        self.announce(place)
        if kind is Kind.PUBLIC_THREAD and parent.kind is not Kind.FORUM:
            notice = Message(
                id=self._world.clock.snowflake(),
                channel=parent.id,
                author=owner,
                content=name,
                kind=THREAD_CREATED,
                reference=Json(type=0, channel_id=place.id, guild_id=place.guild),
            )
            self.add(parent, notice, Allowed(parse=(), replied_user=False))
        return place

    def open_post(self, forum: Channel, name: str, message: Message, allowed: Allowed) -> Channel:
        """A forum post: thread and first message share one id."""
        place = self._thread(message.id, forum, name, message.author, Kind.PUBLIC_THREAD)
        message.channel = place.id
        forum.last_message = place.id
        self.announce(place)
        self.add(place, message, allowed)
        return place

    def _thread(self, thread: str, parent: Channel, name: str, owner: str, kind: Kind) -> Channel:
        place = Channel(id=thread, kind=kind, name=name, guild=parent.guild, parent=parent.id)
        place.owner, place.members = owner, [owner]
        self._world.channels[place.id] = place
        return place

    def announce(self, place: Channel) -> None:
        self._events.channel("THREAD_CREATE", place, Json(newly_created=True))

    def join(self, place: Channel, user: str) -> None:
        if user not in place.members:
            place.members.append(user)
            self._events.channel("THREAD_CREATE", place)
