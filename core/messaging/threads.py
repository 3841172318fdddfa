"""Who goes on in a thread without being called: who was asked there last, until it steps back."""

from __future__ import annotations

from datetime import datetime

from core.address import Address
from core.config.binding import Binding
from core.messaging.messages import PlatformMessage
from storage import threads


async def goes_on(heard: PlatformMessage, binding: Binding | None, *, listens: bool) -> str | None:
    """The agent that answers a message of a thread which calls nobody; None if none does.

    Judged by what was said there before it, whenever it is heard. A message for somebody else ends
    it, as `leave` does, until an agent is called again. One that `listens` to everything steps back
    only when it was told to leave.
    """
    at = heard.stands_at
    asked = await threads.asked_last(at.key, before=heard.position)
    if asked is None and not listens:
        return None
    left = await _left_last(at, heard.position)
    if left > (asked.position if asked else -1):
        return None
    if heard.is_for_others and not listens:
        await leave(at, heard.position, heard.sent_at)
        return None
    return _next(asked, binding)


async def unheard_after(at: Address, position: int) -> int | None:
    """Since when nobody was heard in the thread of a question; None if all before it was.

    0: since its beginning, as no agent was asked there before.
    """
    asked = await threads.asked_last(at.key, before=position)
    if asked is None:
        return 0
    return asked.position if await _left_last(at, position) > asked.position else None


def _next(asked: threads.Asked | None, binding: Binding | None) -> str | None:
    """Who was bound there since is the one who answers there now."""
    is_older = binding and (asked is None or (binding.since and asked.sent_at < binding.since))
    if binding and is_older:
        return binding.agent
    return asked.agent if asked else None


async def leave(at: Address, position: int, now: datetime) -> bool:
    """Let nobody go on there, or in a channel's threads, until called after this position.

    False if that is known already: it may be said twice.
    """
    return await threads.mark(_left(at), position, now)


async def _left_last(at: Address, before: int) -> int:
    """The newest position before this one at which somebody let the thread or channel alone."""
    known = await threads.marks([_left(at), _left(at.channel)])
    return max((position for position in known if position < before), default=-1)


def _left(at: Address) -> str:
    return f"left/{at.key}"


async def was_obeyed(at: Address, position: int) -> bool:
    """Whether `obeyed` was said of the command that stands there, or of many newer ones."""
    return threads.is_marked(position, await threads.marks([_obeyed(at)]))


async def obeyed(at: Address, position: int, now: datetime) -> bool:
    """The command that stands there was done; False if somebody said so already."""
    return await threads.mark(_obeyed(at), position, now)


def _obeyed(at: Address) -> str:
    return f"obeyed/{at.key}"
