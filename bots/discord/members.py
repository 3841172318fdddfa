"""Tells the gate which servers somebody is in, and which roles they have there."""

from __future__ import annotations

import asyncio
import logging

import discord

from bots.discord.channels import DIRECT
from bots.discord.failures import MALFORMED, DiscordRefused
from bots.discord.parse import author_of
from bots.discord.rest import Rest
from core.address import Address
from core.clock import monotonic
from core.errors import MooringsError
from core.messaging.access import Gate
from core.messaging.messages import Author

log = logging.getLogger(__name__)

_ROLE = "discord/role/"
_FRESH_SECONDS = 300.0  # for which fetched roles are used
_FETCH_SECONDS = 2.0  # a person waits meanwhile
_CACHE_SIZE = 10_000
_NOT_THERE = {10004, 10007}  # an unknown server, an unknown member

Person = tuple[str, str]
Roles = frozenset[str]


class Members:
    """The gate's guard for Discord. It reads the servers of the gateway client in use."""

    def __init__(self, rest: Rest, gate: Gate) -> None:
        self._rest = rest
        self._gate = gate
        self._client: discord.Client | None = None
        self._servers: dict[str, str] = {}
        self._roles: dict[Person, tuple[float, Roles | None]] = {}

    def use(self, client: discord.Client) -> None:
        """Read the servers of this client from now on."""
        self._client = client

    def refresh(self) -> None:
        """Read the servers again, and report them to the gate."""
        if self._client and self._client.guilds:  # none before the client is connected
            self._servers = {str(guild.id): guild.name for guild in self._client.guilds}
            self._gate.report(self._servers)

    def workspaces(self, at: Address) -> frozenset[str]:
        """The servers that the bot is in."""
        if self._client and len(self._client.guilds) != len(self._servers):
            self.refresh()
        return frozenset(self._servers) | ({at.parts[0]} - {DIRECT})

    async def among(
        self, author: Author, at: Address, workspaces: frozenset[str]
    ) -> frozenset[str]:
        """Those of these servers that the author is in; asks Discord only for direct messages."""
        if at.parts[0] != DIRECT:
            return workspaces & {at.parts[0]}
        servers = workspaces & self.workspaces(at)
        return frozenset([each for each in servers if await self._roles_of(each, author.id)])

    async def belongings(
        self, author: Author, at: Address, wanted: frozenset[str]
    ) -> frozenset[str] | None:
        """Those of the `wanted` roles that the author has; None if Discord does not tell."""
        roles = author.roles
        if roles is None:
            servers = self._servers_with(wanted) if at.parts[0] == DIRECT else {at.parts[0]}
            found = [await self._roles_of(each, author.id) for each in sorted(servers)]
            if None in found:
                return None
            roles = frozenset().union(*(each or () for each in found))
        return frozenset(each for each in wanted if each.removeprefix(_ROLE) in roles)

    def _servers_with(self, roles: frozenset[str]) -> set[str]:
        """The servers that have one of these roles, or whose roles are not known."""
        guilds = self._client.guilds if self._client else []
        if not guilds:
            return set(self._servers)
        return {
            str(guild.id)
            for guild in guilds
            if guild.unavailable or any(f"{_ROLE}{role.id}" in roles for role in guild.roles)
        }

    async def _roles_of(self, server: str, person: str) -> Roles | None:
        """A person's roles in a server, from the cache or Discord; None if Discord does not tell.

        A member has at least @everyone; for somebody else they are empty.
        """
        until, known = self._roles.get((server, person), (0.0, None))
        if monotonic() < until:
            return known
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                known = await self._fetched(int(server), int(person))
        except (MooringsError, TimeoutError, *MALFORMED) as error:
            extra = {"server": server, "why": str(error) or type(error).__name__}
            log.warning("roles of a member unknown", extra=extra)
            return None
        if len(self._roles) >= _CACHE_SIZE:
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
