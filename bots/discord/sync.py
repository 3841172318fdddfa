"""Lets Discord know the commands: only when they changed, and from one process."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging

import discord
from discord import app_commands

from bots.discord.failures import FAILURES, translated
from bots.discord.internals import payloads
from core.messaging.storing import NotStored
from core.upkeep.once import OncePerChange

log = logging.getLogger(__name__)

_SECONDS = 30.0  # Discord has us wait much longer where too many commands were made in a day


async def synchronise(
    tree: app_commands.CommandTree[discord.Client], once_per_change: OncePerChange
) -> None:
    """Whatever fails is tried again by the next client; until then the menus stay as they are."""
    name = f"discord-commands/{tree.client.application_id}"
    try:
        async with asyncio.timeout(_SECONDS):
            if await once_per_change.run(name, _fingerprint(tree), tree.sync):
                log.info("commands synchronised")
    except NotStored as error:
        log.warning("commands not synchronised", extra={"why": str(error)})
    except (*FAILURES, RuntimeError) as error:  # the latter of a client that was closed
        why = str(translated(error, "the commands"))
        log.warning("commands not synchronised", extra={"why": why})


def _fingerprint(tree: app_commands.CommandTree[discord.Client]) -> str:
    """Of what Discord would be sent, in whichever order the commands were made."""
    made = sorted(payloads(tree), key=lambda each: (str(each["name"]), str(each["type"])))
    text = json.dumps(made, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
