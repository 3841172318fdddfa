"""What people do on Discord besides writing: commands, the message menu, buttons."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import discord
from discord import app_commands

from bots.capacity import Capacity
from bots.commands import ChatCommands
from bots.discord import sync
from bots.discord.callers import caller_of
from bots.discord.commands import DiscordCommands
from bots.discord.presses import Presses
from bots.discord.responses import is_news
from bots.discord.tree import AgentGroup, Tree, add_asking
from bots.discord.wording import WORDING
from core.commands.agent import Commands
from core.commands.controls import Controls
from core.messaging.intake import Reception
from core.messaging.storing import NotStored, storing
from core.runtime import Runtime
from core.turn.worker import Worker

log = logging.getLogger(__name__)


class Interactions:
    """One in a process, for one client after the other. Nothing of it is lost in a restart."""

    def __init__(self, runtime: Runtime, worker: Worker) -> None:
        directory, file, clock = runtime.directory, runtime.agents_file, runtime.clock
        controls = Controls(worker, runtime.intake, directory, clock)
        self._chat = ChatCommands(
            Commands(directory, file, clock),
            controls,
            Reception(runtime.intake, directory, file),
            WORDING,
        )
        self._capacity = Capacity()
        self._obeying = DiscordCommands(self._chat, self._capacity)
        self._presses = Presses(controls, self._capacity)
        self._file = file
        self._once_per_change = runtime.once_per_change
        self._tree: Tree | None = None
        runtime.when_reloaded(self._renew)

    def attach(self, client: discord.Client) -> app_commands.CommandTree[discord.Client]:
        """The commands of a client that has none yet."""
        logging.getLogger("discord.app_commands.tree").addFilter(is_news)
        self._tree = tree = Tree(client)
        self._fill(tree)
        return tree

    async def pressed(self, interaction: discord.Interaction) -> None:
        """A button was pressed."""
        await self._presses.pressed(interaction)

    async def synchronise(self, tree: app_commands.CommandTree[discord.Client]) -> None:
        """Let Discord know the commands, if they changed."""
        await sync.synchronise(tree, self._once_per_change)

    async def _renew(self) -> None:
        """The agents file has been read again: its commands may be others."""
        if tree := self._tree:
            tree.clear_commands(guild=None)
            self._fill(tree)
            await self.synchronise(tree)

    def _fill(self, tree: Tree) -> None:
        tree.add_command(AgentGroup(self._chat, self._obeying, self._names))
        add_asking(tree, self._obeying, self._file.commands)

    async def _names(self, interaction: discord.Interaction) -> Sequence[str]:
        """Those that somebody may ask there; none while the database does not tell."""
        caller = caller_of(interaction)
        try:
            with storing(), self._capacity.used():
                return await self._chat.agents(caller) if caller else []
        except NotStored as error:
            log.warning("no names to suggest", extra={"why": str(error)})
            return []
