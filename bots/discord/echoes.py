"""What Discord tells back of the bot's own messages: that they are there, by their nonce."""

from __future__ import annotations

from collections import OrderedDict

import discord

_MOST = 1_000  # of the newest


class Echoes:
    """Every process hears of all messages of the bot, also of those that another one posted."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, int] = OrderedDict()

    def hear(self, own: discord.Message) -> None:
        """A message of the bot came in."""
        if own.nonce is None:
            return
        self._ids[str(own.nonce)] = own.id
        if len(self._ids) > _MOST:
            self._ids.popitem(last=False)

    def find(self, nonce: str) -> int | None:
        """The id of the message with this nonce, if it was heard of lately."""
        return self._ids.get(nonce)
