"""What is heard in channels: routed to an agent and stored, changed or withdrawn."""

from __future__ import annotations

from core.address import Address, Readers
from core.agents_file import AgentsFile
from core.directory import Directory
from core.intake import Accepted, Intake
from core.messages import Heard, Incoming
from core.routing import route, unaddressed
from core.text import cleaned
from storage import inbox, places


class Reception:
    """The intake of platforms with channels."""

    def __init__(self, intake: Intake, directory: Directory, file: AgentsFile) -> None:
        self._intake = intake
        self.gate = intake.gate
        self._directory = directory
        self._file = file

    async def hear(self, heard: Heard) -> Accepted | None:
        """Store the message for the agent that should answer it; None if nobody should.

        When this returns, the platform may be told that the message arrived.
        """
        found = await route(heard, self._file, self._directory.names)
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
