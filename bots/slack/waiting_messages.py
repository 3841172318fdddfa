"""What became of messages that still wait for an answer while nobody listened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import assert_never

from bots.catching_up import ask_database
from bots.hearing import insist, storable
from bots.slack import parse
from bots.slack.event_types import Edited, Withdrawn
from bots.slack.fields import text_at
from bots.slack.missed_messages import Missed
from bots.slack.own import Own
from bots.slack.people import People
from bots.slack.reader import Places
from core.address import Address
from core.messaging.intake import Reception

_MOST = 200


class WaitingMessages:
    """Lets them be answered as they were edited, and not if they were deleted."""

    def __init__(self, reception: Reception, people: People, own: Callable[[], Own]) -> None:
        self._reception = reception
        self._people = people
        self._own = own

    async def keys(self, team: str, places: Places) -> Mapping[str, Sequence[str]]:
        """Those that this workspace can tell of, by channel; none can of a command."""
        found, home = defaultdict[str, list[str]](list), self._own().home
        for key in await ask_database(self._unanswered) or []:
            _, heard_in, channel, *rest = key.split("/")
            is_shared = heard_in == home and channel in places.shared
            is_message = len(rest) == 1 and bool(parse.position(rest[0]))
            if is_message and (heard_in == team or is_shared):
                found[channel].append(key)
        return found

    async def look(
        self, missed: Missed, place: Address, keys: Sequence[str], told: Iterable[object]
    ) -> None:
        """Those of a channel; `told` is what Slack has told there, the rest it is asked for.

        These are few: what was deleted, is older, or stands in a thread without news.
        """
        raws = {text_at(raw, "ts"): raw for raw in told}
        for key in keys:
            ts = key.rpartition("/")[2]
            await self._look_at(missed, place, key, raws.get(ts) or await _asked(missed, place, ts))

    async def _look_at(self, missed: Missed, place: Address, key: str, raw: object) -> None:
        if news := self._news(missed, place, key, raw):
            await insist(lambda: self._store(missed.bot.team, news))

    def _news(
        self, missed: Missed, place: Address, key: str, raw: object
    ) -> Edited | Withdrawn | None:
        if raw is _GONE or text_at(raw, "subtype") == "tombstone":
            return Withdrawn(key=key)
        # The message is known by its other workspace: the edit has to get the key as it is stored.
        is_shared = not key.startswith(f"{place.key}/")
        return parse.edit(raw, place, missed.bot.user, self._own(), is_shared=is_shared)

    async def _unanswered(self) -> list[str]:
        return await self._reception.unanswered("slack", _MOST)

    async def _store(self, team: str, news: Edited | Withdrawn) -> None:
        match news:
            case Edited():
                names = await self._people.names(team, news.said.people)
                heard = parse.named(news.said, names)
                with storable(heard.key):
                    await self._reception.change(heard, news.at)
            case Withdrawn():
                with storable(news.key):
                    await self._reception.withdraw(news.key)
            case _:
                assert_never(news)


_GONE = object()


async def _asked(missed: Missed, place: Address, ts: str) -> object:
    """The message with this ts; None where Slack does not tell."""
    found = await missed.message(place.parts[1], ts)
    if found == []:
        return _GONE
    return next((each for each in found or [] if text_at(each, "ts") == ts), None)
