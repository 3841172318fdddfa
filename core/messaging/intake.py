"""Accepts a message once: routed to an agent, and into the inbox before anybody is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from weakref import WeakValueDictionary

from cachetools import LRUCache, TTLCache

from core import kill_points
from core.address import Address, Readers
from core.clock import Clock, monotonic
from core.config.agents_file import AgentsFile
from core.messaging import threads
from core.messaging.access import Gate
from core.messaging.directory import Directory
from core.messaging.messages import PlatformMessage, Quote, RoutedMessage
from core.messaging.quotes import is_let, readable, words_of
from core.messaging.routing import Route, agent_at, route, unaddressed
from core.text import cleaned
from storage import activity, conversations, facts, inbox
from storage.allowances import Limit, UsedUp
from storage.conversations import Place
from storage.inbox import Changed, Edit, Known
from storage.models import Conversation

log = logging.getLogger(__name__)

_MOST_KEPT = 2_000  # messages; one that is delivered again later is known to the database
_MOST_KNOWN = 5_000  # conversations
_MOST_EDITS, _EDIT_SECONDS = 500, 600.0  # Slack delivers again for six minutes
_TO_BE_OPENED = 0  # the id of a conversation that has none yet
_FOR_GOOD = datetime.max.replace(tzinfo=UTC)
_LONGEST_NAME = 80  # characters; a name stands in front of what its owner says


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that is stored now; `is_new` is False for one that was already."""

    agent: str
    agent_id: int
    conversation_id: int
    key: str
    is_new: bool


class Intake:
    """The only way into the inbox."""

    def __init__(self, directory: Directory, clock: Clock, gate: Gate) -> None:
        self._directory = directory
        self._clock = clock
        self.gate = gate
        self._wake: Callable[[int], None] = _nobody
        self._edited: Callable[[str], None] = _nobody
        self._known = LRUCache[tuple[int, str], Known](_MOST_KNOWN)

    def wake_with(self, wake: Callable[[int], None], edited: Callable[[str], None]) -> None:
        """Tell a worker of this process of a conversation with a new message, and of an edit.

        The latter with the key of a message that is being answered.
        """
        self._wake, self._edited = wake, edited

    async def accept(self, incoming: RoutedMessage, agent_name: str) -> Accepted:
        """Store the message for this agent; after this the platform may be told.

        Raises:
            UserMistake: there is no such agent.
            NotAllowed: they may not ask it, or not now.
        """
        limits = await self.gate.admit(incoming.author, incoming.address, agent_name)
        agent = await self._directory.get(agent_name)
        author = _one_line(incoming.author.name)
        kill_points.reach("received, not stored")
        try:
            where, is_new = await self._store(incoming, author, agent.id, limits)
        except UsedUp as used_up:
            raise self.gate.refusal(used_up, incoming.author) from used_up
        kill_points.reach("stored, not acknowledged")
        self._wake(where)
        return Accepted(
            agent=agent.spec.name,
            agent_id=agent.id,
            conversation_id=where,
            key=incoming.key,
            is_new=is_new,
        )

    async def change(self, key: str, text: str) -> None:
        """A message was edited."""
        self._heed(key, await inbox.change(key, text))

    async def withdraw(self, key: str) -> None:
        """A message was deleted."""
        self._heed(key, await inbox.withdraw(key, self._clock()))

    def _heed(self, key: str, edit: Edit) -> None:
        if edit is Edit.TAKEN:
            kill_points.reach("edit stored, not heeded")
            self._edited(key)

    async def _store(
        self, incoming: RoutedMessage, author: str, agent_id: int, limits: Sequence[Limit]
    ) -> tuple[int, bool]:
        """The id of the conversation, and whether the message is new.

        A conversation that is known from an earlier message is not read again: the statement that
        makes it claimable finds it unchanged, or nothing is stored.
        """
        address, now = incoming.address, self._clock()
        where = self._known.get((agent_id, address.key))
        if where and address.readers.since(Readers(where.readers)) == where.readers:
            received = _received(incoming, author, where.id)
            try:
                return where.id, await inbox.add(received, now, limits, where=where)
            except Changed:
                pass
        found: Conversation | None = None
        if not address.is_private_thread:  # it takes over what was told before it was known as one
            found = await conversations.find(agent_id=agent_id, address=address.key)
            if not found and (opened := await self._opened(incoming, author, agent_id, limits)):
                return opened, True
        where = await self._conversation(agent_id, address, author, found)
        self._known[agent_id, address.key] = where
        received = _received(incoming, author, where.id)
        return where.id, await inbox.add(received, now, limits)

    async def _opened(
        self, incoming: RoutedMessage, author: str, agent_id: int, limits: Sequence[Limit]
    ) -> int | None:
        """The id of a conversation that begins with this message, both stored in one transaction.

        None: one of them was stored meanwhile, or the message was already.
        """
        address = incoming.address
        place = Place(
            agent_id=agent_id,
            address=address.key,
            queue=address.queue,
            readers=address.readers,
        )
        received = _received(incoming, author, _TO_BE_OPENED)
        opened = await inbox.add_first(received, self._clock(), limits, place=place)
        if opened is None:
            return None
        self._known[agent_id, address.key] = Known(
            id=opened.id, agent_id=agent_id, address=address.key, readers=place.readers
        )
        return opened.id

    async def _conversation(
        self, agent_id: int, address: Address, author: str, found: Conversation | None
    ) -> Known:
        """The conversation there; who can read it is written only when that is news."""
        readers = address.readers
        conversation = found or await conversations.find_or_open(
            agent_id=agent_id,
            address=address.key,
            queue=address.queue,
            author=author,
            # a private thread is news, so that what was told in it before moves into it
            readers=Readers.UNKNOWN if address.is_private_thread else readers,
            now=self._clock(),
        )
        known = readers.since(Readers(conversation.readers))
        if known != conversation.readers:
            if address.is_private_thread:
                await _withdraw_facts(conversation, address, known)
            else:
                await conversations.show_to(known, conversation_id=conversation.id)
        return Known(
            id=conversation.id, agent_id=agent_id, address=address.key, readers=known.value
        )


async def _withdraw_facts(conversation: Conversation, address: Address, readers: Readers) -> None:
    """Until private threads were told apart, what was told in one stood in its channel."""
    platform, (workspace, _, thread, *_) = address.platform, address.parts
    await facts.move(
        agent_id=conversation.agent_id,
        scope=address.channel.key,
        told_below=f"{platform}/{workspace}/{thread}/",  # a key names the thread, not its channel
        to=address.scope,
        of=conversation.id,
        readers=readers,
    )


def _received(incoming: RoutedMessage, author: str, conversation_id: int) -> inbox.NewMessage:
    return inbox.NewMessage(
        key=incoming.key,
        conversation_id=conversation_id,
        position=incoming.position,
        author_id=incoming.author.id,
        author=author,
        text=cleaned(incoming.text),
        reply_to=incoming.reply_to,
        sent_at=incoming.sent_at,
        attachments=[asdict(attachment) for attachment in incoming.attachments],
        thread=incoming.thread,
        quotes=[_stored(quote) for quote in incoming.quotes] or None,
    )


def _stored(quote: Quote) -> dict[str, str]:
    author = _one_line(quote.author.name) if quote.author else ""
    return {"author": author, "text": cleaned(words_of(quote))}


def _one_line(name: str) -> str:
    """A name that cannot be taken for anything but a name."""
    return " ".join(cleaned(name).split())[:_LONGEST_NAME] or "somebody"


def _dropped(heard: PlatformMessage, kind: str) -> None:
    """Nobody answers it: an app's, said to no agent, empty, or of somebody who may not ask."""
    log.debug("message dropped", extra={"kind": kind, "key": heard.key})


def _nobody(_: object) -> None:
    """Without a worker in this process, others find the message when they poll."""


def _as_edited(heard: PlatformMessage, edited: PlatformMessage) -> PlatformMessage:
    """What the edited one says, where the other one stands: an edit may not know all of that."""
    return replace(
        heard,
        text=edited.text,
        attachments=edited.attachments,
        forwards=edited.forwards,
        is_mention=edited.is_mention,
        is_for_others=edited.is_for_others,
    )


class Reception:
    """The intake of platforms with channels."""

    def __init__(self, intake: Intake, directory: Directory, file: AgentsFile) -> None:
        self._intake = intake
        self.gate = intake.gate
        self._directory = directory
        self._file = file
        self._hearing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stored = LRUCache[str, tuple[Readers, Accepted]](_MOST_KEPT)
        # When messages were edited last, and what they say now; None: they are deleted.
        self._edits = TTLCache[str, tuple[datetime, PlatformMessage | None]](
            _MOST_EDITS, _EDIT_SECONDS, monotonic
        )

    async def hear(self, heard: PlatformMessage) -> Accepted | None:
        """Store the message for the agent that should answer it; None if nobody should.

        When this returns, the platform may be told that the message arrived. Twins, as Slack's
        two events of a mention, wait for each other: the second one never reaches the database,
        unless it knows better who can read the message. What is said in one thread is heard one
        after the other: who goes on there depends on what was said before.
        """
        async with self._alone(heard.key), self._in_turn(heard):
            readers = heard.stands_at.readers
            before, known = self._stored.get(heard.key, (Readers.UNKNOWN, None))
            if known and readers in (before, Readers.UNKNOWN):
                return known
            if came_before := self._edits.get(heard.key):
                _, edited = came_before
                if edited is None:
                    return None
                heard = _as_edited(heard, edited)
            accepted = await self._hear(heard)
            if accepted:
                self._stored[heard.key] = readers, replace(accepted, is_new=False)
            return accepted

    def _alone(self, key: str) -> asyncio.Lock:
        return self._hearing.setdefault(key, asyncio.Lock())

    def _in_turn(self, heard: PlatformMessage) -> AbstractAsyncContextManager[None]:
        return self._alone(heard.stands_at.key) if heard.thread else nullcontext()

    async def _hear(self, heard: PlatformMessage) -> Accepted | None:
        found = await route(heard, self._file, self._directory)
        if found is None:
            _dropped(heard, "app" if heard.is_by_app else "talk")
            return None
        if not (cleaned(found.text) or heard.attachments or heard.forwards):
            _dropped(heard, "empty")
            return None
        if not found.is_called and not await self.gate.lets(
            heard.author, found.address, found.agent
        ):
            _dropped(heard, "denied")  # who spoke to nobody here is not told that they may not
            return None
        said = await self._with_forwards(heard, found.text, found.agent)
        incoming = RoutedMessage(
            key=heard.key,
            address=found.address,
            author=heard.author,
            text=said.text,
            sent_at=heard.sent_at,
            position=heard.position,
            reply_to=found.reply_to,
            attachments=said.attachments,
            thread=found.thread,
            quotes=await self._readable(heard, found),
        )
        return await self._intake.accept(incoming, found.agent)

    async def _readable(self, heard: PlatformMessage, found: Route) -> tuple[Quote, ...]:
        """What it refers to, without what is said by people whom the agent does not listen to."""
        lets = partial(self.gate.lets, at=found.address, agent=found.agent)
        let = [each for each in heard.quotes if await is_let(each.author, lets)]
        return tuple([each for each in let if each.author is None or words_of(each)])

    async def _with_forwards(self, heard: PlatformMessage, text: str, agent: str) -> Quote:
        """What the message says in these words and in those that it forwards."""
        said = Quote(
            author=heard.author,
            text=text,
            attachments=heard.attachments,
            forwards=heard.forwards,
        )
        lets = partial(self.gate.lets, at=heard.stands_at, agent=agent)
        return await readable(said, lets)

    async def leave(self, heard: PlatformMessage) -> bool:
        """Let nobody go on in a thread until called again; False if that was said before.

        Raises:
            NotAllowed: they may not ask there either.
        """
        at = heard.stands_at
        await self.gate.check(heard.author, at, await agent_at(at, self._file, self._directory))
        return await threads.leave(at, heard.position, heard.sent_at)

    async def is_first(self, accepted: Accepted) -> bool:
        """Whether nothing was accepted before that is answered at the same place."""
        return await inbox.is_first(accepted.key)

    async def change(self, heard: PlatformMessage, edited_at: datetime) -> None:
        """A message was edited: an answer to it that is being written begins again.

        One that has not come yet is heard as it says now. An edit that comes late changes nothing.
        """
        async with self._alone(heard.key):
            last, _ = self._edits.get(heard.key, (edited_at, None))
            if last > edited_at:
                return
            self._edits[heard.key] = edited_at, heard
            text = cleaned(await self._edited_text(heard))
            if text or heard.attachments:
                await self._intake.change(heard.key, text)
            else:
                await self._intake.withdraw(heard.key)

    async def _edited_text(self, heard: PlatformMessage) -> str:
        """As `_with_forwards`, for the agent that has the message."""
        text = unaddressed(heard, self._directory.names)
        if not heard.forwards or not (message := await inbox.by_key(heard.key)):
            return text
        conversation = await conversations.by_id(message.conversation_id)
        agent = await self._directory.of(conversation.agent_id)
        return (await self._with_forwards(heard, text, agent.spec.name)).text

    async def close(self, channel: Address) -> None:
        """A channel turned private: what was said there until now is for its members, too."""
        open_until_now = [Readers.UNKNOWN, Readers.EVERYBODY]
        await activity.show_to(Readers.CHANNEL, channel.key, instead_of=open_until_now)

    async def unanswered(self, queue: str, limit: int) -> list[str]:
        """The keys of a platform's messages that are not answered yet, the oldest first."""
        return await inbox.unanswered_in(queue, limit)

    async def withdraw(self, key: str) -> None:
        """A message was deleted: an answer to nothing else stops.

        One that has not come yet is not heard.
        """
        async with self._alone(key):
            self._edits[key] = _FOR_GOOD, None
            await self._intake.withdraw(key)
