"""What is heard in channels: routed to an agent and stored, changed or withdrawn."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from weakref import WeakValueDictionary

from core.address import Address, Readers
from core.agents_file import AgentsFile
from core.directory import Directory
from core.intake import Accepted, Intake
from core.messages import Heard, Incoming
from core.routing import route, unaddressed
from core.text import cleaned
from storage import inbox, places

_MOST_KEPT = 2_000  # messages; one that is delivered again later is known to the database


class Reception:
    """The intake of platforms with channels."""

    def __init__(self, intake: Intake, directory: Directory, file: AgentsFile) -> None:
        self._intake = intake
        self.gate = intake.gate
        self._directory = directory
        self._file = file
        self._hearing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stored: dict[str, tuple[Readers, Accepted]] = {}

    async def hear(self, heard: Heard) -> Accepted | None:
        """Store the message for the agent that should answer it; None if nobody should.

        When this returns, the platform may be told that the message arrived. Twins, as Slack's
        two events of a mention, wait for each other: the second one never reaches the database,
        unless it knows better who can read the message.
        """
        async with self._hearing.setdefault(heard.key, asyncio.Lock()):
            readers = heard.stands_at.readers
            before, known = self._stored.get(heard.key, (Readers.UNKNOWN, None))
            if known and readers in (before, Readers.UNKNOWN):
                return known
            accepted = await self._hear(heard)
            if accepted:
                self._keep(heard.key, readers, accepted)
            return accepted

    def _keep(self, key: str, readers: Readers, accepted: Accepted) -> None:
        if len(self._stored) >= _MOST_KEPT:
            del self._stored[next(iter(self._stored))]
        self._stored[key] = readers, replace(accepted, is_new=False)

    async def _hear(self, heard: Heard) -> Accepted | None:
        found = await route(heard, self._file, self._directory)
        if found is None or not (cleaned(found.text) or heard.attachments):
            return None
        incoming = Incoming(
            key=heard.key,
            address=found.address,
            author=heard.author,
            text=found.text,
            sent_at=heard.sent_at,
            position=heard.position,
            reply_to=found.reply_to,
            attachments=heard.attachments,
        )
        return await self._intake.accept(incoming, found.agent)

    async def is_first(self, accepted: Accepted) -> bool:
        """Whether nothing was accepted before that is answered at the same place."""
        return await inbox.is_first(accepted.key)

    async def change(self, heard: Heard) -> bool:
        """A message was edited; False if an answer to it is being written already."""
        text = cleaned(unaddressed(heard, self._directory.names))
        if not (text or heard.attachments):
            return await self.withdraw(heard.key)
        return await inbox.change(heard.key, text)

    async def close(self, channel: Address) -> None:
        """A channel turned private: what was said there until now is for its members, too."""
        open_until_now = [Readers.UNKNOWN, Readers.EVERYBODY]
        await places.show_to(Readers.CHANNEL, channel.key, instead_of=open_until_now)

    async def withdraw(self, key: str) -> bool:
        """A message was deleted; False if an answer to it is being written already."""
        return await inbox.withdraw(key)
