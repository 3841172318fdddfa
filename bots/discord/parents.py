"""The channels of threads that discord.py does not know, asked for once."""

from __future__ import annotations

from bots.discord.failures import DiscordRefused
from bots.discord.rest import Rest
from bots.discord.spot import Channel, Spot, spot_of

_MOST_KEPT = 10_000


class Parents:
    """A thread that was in the archive when the bot connected is nothing but an id in events."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._spots: dict[int, Spot] = {}

    async def spot(self, channel: Channel) -> Spot | None:
        """Where messages of this channel stand; None if Discord does not show it to us.

        Raises:
            Transient: Discord cannot be asked now.
            ConfigMistake: Discord does not accept the token any more.
        """
        return spot_of(channel) or self._spots.get(channel.id) or await self._asked(channel.id)

    async def _asked(self, channel: int) -> Spot | None:
        try:
            async with self._rest.call("a channel") as client:
                found = spot_of(await client.fetch_channel(channel))
        except DiscordRefused:
            return None
        if len(self._spots) >= _MOST_KEPT:
            self._spots.clear()
        if found:
            self._spots[channel] = found
        return found
