"""Responses to interactions. Of two processes, the one that acknowledges first responds.

Each function returns or ignores whether Discord took the response; none raises. Discord waits
three seconds for the acknowledgement, and takes the rest for fifteen minutes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import TypeVar

import discord

from bots.discord.failures import FAILURES
from core.graphemes import head

log = logging.getLogger(__name__)

T = TypeVar("T")

# Another process acknowledged it, as in a rolling deploy; or the three seconds are over.
_LOST = {40060, 10062}
_SECONDS = 10.0
_DEFER_AFTER_SECONDS = 1.5
_LONGEST = 2_000
_NOBODY = discord.AllowedMentions.none()


async def respond(interaction: discord.Interaction, text: str, *, is_public: bool = False) -> bool:
    """Acknowledge with this text, shown to the person alone unless public; False if it failed."""
    return await _sent(
        interaction.response.send_message(
            _cut(text), ephemeral=not is_public, allowed_mentions=_NOBODY, suppress_embeds=True
        )
    )


async def defer(interaction: discord.Interaction) -> bool:
    """Acknowledge a command now, for `edit_response`; False: another process responds to it."""
    return await _sent(interaction.response.defer(ephemeral=True, thinking=True))


async def acknowledge(interaction: discord.Interaction) -> bool:
    """Acknowledge a button press without a text."""
    return await _sent(interaction.response.defer())


async def edit_response(interaction: discord.Interaction, text: str) -> bool:
    """Put this text into the response that was deferred."""
    return await _sent(
        interaction.edit_original_response(content=_cut(text), allowed_mentions=_NOBODY)
    )


async def run_or_defer(
    interaction: discord.Interaction, work: Coroutine[None, None, T], *, is_public: bool
) -> tuple[T, bool]:
    """The result of the work, and whether the interaction was deferred while it ran."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(work)
        done, _ = await asyncio.wait({working}, timeout=_DEFER_AFTER_SECONDS)
        if not done:
            await _sent(interaction.response.defer(ephemeral=not is_public, thinking=True))
        await asyncio.wait({working})
    return working.result(), not done


def is_worth_logging(record: logging.LogRecord) -> bool:
    """A log filter: leaves out discord.py's error that another process responded first."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, discord.HTTPException) and error.code in _LOST)


def _cut(text: str) -> str:
    """At most 2,000 characters, without part of a link: `<https://…` would show a preview."""
    if len(text) <= _LONGEST:
        return text
    kept = head(text, _LONGEST - 1)
    end = kept.rfind("<") if kept.rfind("<") > kept.rfind(">") else len(kept)
    return f"{kept[:end]}…"


async def _sent(responding: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            await responding
    except discord.HTTPException as refused:
        if refused.code not in _LOST:
            log.warning("interaction not answered", extra={"code": refused.code or refused.status})
        return False
    except FAILURES as error:
        log.warning("interaction not answered", extra={"why": type(error).__name__})
        return False
    return True
