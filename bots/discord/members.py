"""What Discord knows of people that they may be let in by: servers and roles."""

from __future__ import annotations

import asyncio
import logging

import discord

from bots.discord.failures import DiscordRefused
from bots.discord.parse import MALFORMED
from bots.discord.people import author_of
from bots.discord.rest import Rest
from core.address import Address
from core.clock import monotonic
from core.errors import MooringsError
from core.messaging.access import Gate
from core.messaging.messages import Author

log = logging.getLogger(__name__)

_ROLE = "discord/role/"
_DIRECT = "@me"
_FRESH_SECONDS = 300.0  # that what was asked about a person holds
_PATIENCE = 2.0  # seconds: whoever asks waits meanwhile
_MOST_KEPT = 10_000
_NOT_THERE = {10004, 10007}  # an unknown server, an unknown member

Person = tuple[str, str]
Roles = frozenset[str]


class Members:
    """A guard for the gate, which knows the servers of one client after the other."""

    def __init__(self, rest: Rest, gate: Gate) -> None:
        self._rest = rest
        self._gate = gate
        self._client: discord.Client | None = None
        self._servers: dict[str, str] = {}
        self._roles: dict[Person, tuple[float, Roles | None]] = {}

    def follow(self, client: discord.Client) -> None:
        """Go by what this client is told from now on."""
        self._client = client

    def look(self) -> None:
        """The servers that the bot is in may be others now."""
        if self._client and self._client.guilds:  # a client that is not connected knows none
            self._servers = {str(guild.id): guild.name for guild in self._client.guilds}
            self._gate.report(self._servers)

    def workspaces(self, at: Address) -> frozenset[str]:
        """The servers that the bot is in."""
        if self._client and len(self._client.guilds) != len(self._servers):
            self.look()
        return frozenset(self._servers) | ({at.parts[0]} - {_DIRECT})

    async def among(
        self, author: Author, at: Address, workspaces: frozenset[str]
    ) -> frozenset[str]:
        """The server that it was said in; who writes directly is asked for in each of them."""
        if at.parts[0] != _DIRECT:
            return workspaces & {at.parts[0]}
        servers = workspaces & self.workspaces(at)
        return frozenset([each for each in servers if await self._asked(each, author.id)])

    async def belongings(
        self, author: Author, at: Address, wanted: frozenset[str]
    ) -> frozenset[str] | None:
        """Their roles of these; None: Discord does not tell of one server."""
        roles = author.roles
        if roles is None:
            servers = self._having(wanted) if at.parts[0] == _DIRECT else {at.parts[0]}
            found = [await self._asked(each, author.id) for each in sorted(servers)]
            if None in found:
                return None
            roles = frozenset().union(*(each or () for each in found))
        return frozenset(each for each in wanted if each.removeprefix(_ROLE) in roles)

    def _having(self, roles: frozenset[str]) -> set[str]:
        """The servers that have one of these roles, and those that do not tell theirs."""
        guilds = self._client.guilds if self._client else []
        if not guilds:
            return set(self._servers)
        return {
            str(guild.id)
            for guild in guilds
            if guild.unavailable or any(f"{_ROLE}{role.id}" in roles for role in guild.roles)
        }

    async def _asked(self, server: str, person: str) -> Roles | None:
        """Their roles there, at least everybody's, or none; None: Discord does not tell."""
        until, known = self._roles.get((server, person), (0.0, None))
        if monotonic() < until:
            return known
        try:
            async with asyncio.timeout(_PATIENCE):
                known = await self._fetched(int(server), int(person))
        except (MooringsError, TimeoutError, *MALFORMED) as error:
            extra = {"server": server, "why": str(error) or type(error).__name__}
            log.warning("member not told", extra=extra)
            return None
        if len(self._roles) >= _MOST_KEPT:
            self._roles.clear()
        self._roles[server, person] = monotonic() + _FRESH_SECONDS, known
        return known

    async def _fetched(self, server: int, person: int) -> Roles:
        try:
            async with self._rest.call("a member") as client:
                guild = await client.fetch_guild(server, with_counts=False)
                member = await guild.fetch_member(person)
        except DiscordRefused as refused:
            if refused.code not in _NOT_THERE:
                raise
            return frozenset()
        return author_of(member).roles or frozenset()
