"""How the gateway is reached and watched, and what is done with what comes from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import discord
from discord import app_commands

from bots.discord.catch_up import CatchUp
from bots.discord.echoes import Echoes
from bots.discord.inflow import Inflow
from bots.discord.members import Members
from bots.discord.starts import Starts
from bots.errands import Errands

Tree = app_commands.CommandTree[discord.Client]


class Interactions(Protocol):
    """What people do with commands and buttons."""

    def attach(self, client: discord.Client) -> Tree:
        """Give a client that is not connected yet its commands."""
        ...

    async def pressed(self, interaction: discord.Interaction) -> None:
        """A button was pressed."""
        ...

    async def synchronise(self, tree: Tree) -> None:
        """Let Discord know the commands."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How the connection is watched, in seconds.

    A client that is not live for `patience` is replaced, and so is one from whose line nothing
    came for `silence`: Discord answers a heartbeat every 41. `pause` is before another client,
    doubled while none lives long; `settle` is how often cursors move. `most_waiting` events wait
    to be stored.
    """

    beat: float = 1.0
    patience: float = 60.0
    silence: float = 120.0
    pause: float = 2.0
    settle: float = 15.0
    most_waiting: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One for all clients of a process."""

    token: str = field(repr=False)
    starts: Starts
    inflow: Inflow
    catch_up: CatchUp
    interactions: Interactions
    echoes: Echoes
    members: Members
    errands: Errands
    watch: Watch
