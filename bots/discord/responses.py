"""Answers to interactions: whichever process acknowledges one first answers it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import TypeVar

import discord

from bots.discord.failures import FAILURES

log = logging.getLogger(__name__)

T = TypeVar("T")

# Another process was faster, as in a rolling deploy; or the three seconds are over.
_OTHERS = {40060, 10062}
_SECONDS = 10.0
_ON_TIME_SECONDS = 1.5  # of the three that Discord gives
_LONGEST = 2_000
_NOBODY = discord.AllowedMentions.none()


async def tell(interaction: discord.Interaction, text: str, *, is_public: bool = False) -> bool:
    """Acknowledge it with these words; False if they are not shown."""
    return await _shown(
        interaction.response.send_message(
            _cut(text), ephemeral=not is_public, allowed_mentions=_NOBODY, suppress_embeds=True
        )
    )


async def take(interaction: discord.Interaction) -> bool:
    """Acknowledge a command that `follow` answers, for its author alone; False: leave it alone."""
    return await _shown(interaction.response.defer(ephemeral=True, thinking=True))


async def nod(interaction: discord.Interaction) -> bool:
    """Acknowledge a press without a word."""
    return await _shown(interaction.response.defer())


async def follow(interaction: discord.Interaction, text: str) -> bool:
    """Answer what was taken."""
    return await _shown(
        interaction.edit_original_response(content=_cut(text), allowed_mentions=_NOBODY)
    )


async def on_time(
    interaction: discord.Interaction, work: Coroutine[None, None, T], *, is_public: bool
) -> tuple[T, bool]:
    """What the work gives, and whether it took so long that the interaction was taken meanwhile."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(work)
        done, _ = await asyncio.wait({working}, timeout=_ON_TIME_SECONDS)
        if not done:
            await _shown(interaction.response.defer(ephemeral=not is_public, thinking=True))
        await asyncio.wait({working})
    return working.result(), not done


def is_news(record: logging.LogRecord) -> bool:
    """Whether what discord.py logs is more than that another process suggested names first."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, discord.HTTPException) and error.code in _OTHERS)


def _cut(text: str) -> str:
    """As much as Discord takes; a link is left out whole, for its end keeps its preview away."""
    kept = text[:_LONGEST]
    is_in_link = len(text) > _LONGEST and kept.rfind("<") > kept.rfind(">")
    return kept[: kept.rfind("<")] if is_in_link else kept


async def _shown(answering: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            await answering
    except discord.HTTPException as refused:
        if refused.code not in _OTHERS:
            log.warning("interaction not answered", extra={"code": refused.code or refused.status})
        return False
    except FAILURES as error:
        log.warning("interaction not answered", extra={"why": type(error).__name__})
        return False
    return True
