"""Commands, the message menu and buttons, put together for `moorings run`."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import discord
from discord import app_commands

from bots.capacity import Capacity
from bots.commands import ChatCommands
from bots.discord.buttons import ButtonHandler
from bots.discord.command_tree import AgentGroup, Tree, add_asking, synchronise
from bots.discord.commands import DiscordCommands, caller_of
from bots.discord.responses import is_worth_logging
from bots.discord.wording import WORDING
from core.commands.agent import Commands
from core.commands.controls import Controls
from core.messaging.intake import Reception
from core.messaging.storing import NotStored, storing
from core.runtime import Runtime
from core.turn.worker import Worker

log = logging.getLogger(__name__)


class Interactions:
    """One for each process, for one gateway client after the other. Keeps nothing in memory."""

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
        self._commands = DiscordCommands(self._chat, self._capacity)
        self._buttons = ButtonHandler(controls, self._capacity)
        self._file = file
        self._once_per_change = runtime.once_per_change
        self._tree: Tree | None = None
        runtime.when_reloaded(self._reload)

    def attach(self, client: discord.Client) -> app_commands.CommandTree[discord.Client]:
        """Give a client its commands, before it connects."""
        logging.getLogger("discord.app_commands.tree").addFilter(is_worth_logging)
        self._tree = tree = Tree(client)
        self._fill(tree)
        return tree

    async def pressed(self, interaction: discord.Interaction) -> None:
        """Handle the press of a button."""
        await self._buttons.pressed(interaction)

    async def synchronise(self, tree: app_commands.CommandTree[discord.Client]) -> None:
        """Send the commands to Discord if they changed."""
        await synchronise(tree, self._once_per_change)

    async def _reload(self) -> None:
        """The agents file was read again: its commands may have changed."""
        if tree := self._tree:
            tree.clear_commands(guild=None)
            self._fill(tree)
            await self.synchronise(tree)

    def _fill(self, tree: Tree) -> None:
        tree.add_command(AgentGroup(self._chat, self._commands, self._names))
        add_asking(tree, self._commands, self._file.commands)

    async def _names(self, interaction: discord.Interaction) -> Sequence[str]:
        """The agents that the person may ask there; none while the database does not answer."""
        caller = caller_of(interaction)
        try:
            with storing(), self._capacity.used():
                return await self._chat.agents(caller) if caller else []
        except NotStored as error:
            log.warning("no names to suggest", extra={"why": str(error)})
            return []
