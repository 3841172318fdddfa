"""What became of messages that still wait for an answer while nobody listened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import assert_never

from bots.hearing import insist, storable
from bots.slack import parse
from bots.slack.event_types import Edited, Withdrawn
from bots.slack.fields import text_at
from bots.slack.missed import Missed
from bots.slack.parse import Own
from bots.slack.people import People
from bots.slack.reader import Places
from core.address import Address
from core.messaging.intake import Reception
from core.messaging.storing import storing

_MOST = 200


class WaitingMessages:
    """Asks for each of them by itself: there are few, and many may be older than what is read."""

    def __init__(self, reception: Reception, people: People, own: Callable[[], Own]) -> None:
        self._reception = reception
        self._people = people
        self._own = own

    async def look(self, missed: Missed, places: Places) -> None:
        """Let those of a workspace be answered as they were edited, and not if they were deleted.

        `places` is where the bot is.
        """
        keys = await insist(self._keys) or []
        async with asyncio.TaskGroup() as group:
            for key in keys:
                if _is_told_by(missed.bot.team, key, places, self._own()):
                    group.create_task(self._look_at(missed, key, places))

    async def _keys(self) -> list[str]:
        with storing():
            return await self._reception.unanswered("slack", _MOST)

    async def _look_at(self, missed: Missed, key: str, places: Places) -> None:
        if news := await _news_of(missed, key, places, self._own()):
            await insist(lambda: self._store(missed.bot.team, key, news))

    async def _store(self, team: str, key: str, news: Edited | Withdrawn) -> None:
        with storable(key):
            match news:
                case Edited():
                    names = await self._people.names(team, news.said.people)
                    await self._reception.change(parse.named(news.said, names), news.at)
                case Withdrawn():
                    await self._reception.withdraw(news.key)
                case _:
                    assert_never(news)


def _is_told_by(team: str, key: str, places: Places, own: Own) -> bool:
    """Whether this workspace can tell of the message with this key; none can of a command."""
    _, heard_in, channel, *rest = key.split("/")
    is_message = len(rest) == 1 and bool(parse.position(rest[0]))
    is_shared = heard_in == own.home and channel in places.shared
    return is_message and (heard_in == team or is_shared)


async def _news_of(missed: Missed, key: str, places: Places, own: Own) -> Edited | Withdrawn | None:
    """Whether the message with this key was edited or deleted; None where nobody can tell."""
    _, _, channel, ts = key.split("/")
    found = await missed.message(channel, ts)
    raw = next((each for each in found or [] if text_at(each, "ts") == ts), None)
    if found == [] or text_at(raw, "subtype") == "tombstone":
        return Withdrawn(key=key)
    bot, is_shared = missed.bot, channel in places.shared
    place = Address(platform="slack", parts=(bot.team, channel))
    return parse.edit(raw, place, bot.user, own, is_shared=is_shared)
