"""Makes what was said findable: with the turn that stores it, or afterwards, in small steps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby

from core import kill_points
from core.address import Address
from core.clock import Clock, monotonic
from core.errors import MooringsError
from core.memory.passages import Said, passages
from core.memory.terms import Scope
from storage import cursors
from storage import passages as stored
from storage.database import Database
from storage.errors import NoIndex, StorageError
from storage.models import MessageRole
from storage.passages import Indexed, IndexedTurn, Page, Told, Unindexed
from storage.turns import Entry

log = logging.getLogger(__name__)

_AT_ONCE = 200  # messages in one step
_LOCK = "indexing"
_LOOK_SECONDS = 300.0
_BEHIND = timedelta(minutes=1)


def indexed(scope: Scope, first_seq: int, said: Sequence[Said | None]) -> list[Indexed]:
    """The passages of a turn's messages, numbered from `first_seq`; None is not to be found."""
    found: list[Indexed] = []
    before: list[Said] = []
    for seq, each in enumerate(said, start=first_seq):
        if each is None:
            before = []
            continue
        found += [
            Indexed(
                seq=seq,
                part=passage.part,
                author=each.author,
                words=" ".join(scope.terms(passage.words, of_people=each.is_person)),
            )
            for passage in passages(each, before)
        ]
        before.append(each)
    return found


def of_entries(scope: Scope, first_seq: int, entries: Sequence[Entry]) -> list[Indexed]:
    """The passages of what a turn adds to its history from `first_seq` on."""
    return indexed(scope, first_seq, [_said(each) for each in entries])


async def index_next(after_id: int, until: datetime | None = None) -> Page | None:
    """Look at the next messages, said `until` then, and index those that are not.

    None: there are no more. It can be done twice, and beside the turns that go on.
    """
    page = await stored.look(after_id, _AT_ONCE, until=until)
    if page and page.turn_ids:
        while not await _index(page.turn_ids):
            pass  # others can read some of it since it was read
    return page


async def _index(turn_ids: list[int]) -> bool:
    messages = await stored.of_turns(turn_ids)
    turns = groupby(messages, key=lambda each: each.told.turn_id)
    return await stored.index([_of_turn(list(said)) for _, said in turns])


def _of_turn(messages: Sequence[Unindexed]) -> IndexedTurn:
    first = messages[0]
    scope = Scope(first.agent_id, Address.parse(first.address, first.readers).scope)
    said = [_said(each.told) for each in messages]
    found = indexed(scope, first.told.seq, said)
    return IndexedTurn(
        conversation_id=first.told.conversation_id,
        turn_id=first.told.turn_id,
        readers=first.readers,
        found=found,
    )


def _said(message: Entry | Told) -> Said | None:
    """A notice tells why there is no answer, which nobody looks for."""
    if message.role is MessageRole.NOTICE:
        return None
    return Said(
        author=message.author,
        text=message.text,
        said_at=message.said_at,
        is_person=message.role is MessageRole.USER,
    )


class Indexing:
    """Beside a worker: histories from before, and what another version stored, in small steps.

    One process at a time does it. How far it has come stands in a cursor, and what is there is not
    made twice, so that whoever is killed leaves the rest to the next one. It stays behind what was
    said in the last minute, which the turns under way store themselves.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._is_checked = False

    async def run(self, stop: asyncio.Event) -> None:
        """Look now and then until `stop`; a database that fails is looked at again later."""
        while not stop.is_set():
            try:
                await self.look(stop)
            except NoIndex:  # as was said at the start
                return
            except (StorageError, MooringsError, OSError) as error:
                log.warning("indexing is put off", extra={"why": str(error)})
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await stop.wait()

    async def look(self, stop: asyncio.Event) -> int:
        """Go on to the newest message, if nobody else does; how many were looked at.

        Raises:
            DatabaseBusy, DatabaseUnusable: the rest is left to the next look.
        """
        async with self._database.if_free(_LOCK) as is_mine:
            if not is_mine:
                return 0
            await self._prepare()
            looked = 0
            while not stop.is_set() and (seen := await self._step()):
                looked += seen
            if looked:
                log.info("history indexed", extra={"messages": looked})
            return looked

    async def _prepare(self) -> None:
        """What is missing altogether is made from the beginning."""
        if not self._is_checked:  # once: it takes the database for 20 ms of 100,000 messages
            await stored.mend()
            if not await stored.has_any():
                await cursors.see(stored.INDEXED, "0", self._clock())
            self._is_checked = True
        await stored.ensure()
        while await stored.drop_before_resets():
            pass

    async def _step(self) -> int:
        began = monotonic()
        seen = await cursors.last_seen(stored.INDEXED)
        until = self._clock() - _BEHIND
        page = await index_next(int(seen or 0), until)
        kill_points.reach("messages indexed")
        if page is None:
            return 0
        await cursors.see(stored.INDEXED, str(page.last_id), self._clock(), instead_of=seen)
        if page.turn_ids:  # others have the database for as long
            await asyncio.sleep(monotonic() - began)
        return page.looked
