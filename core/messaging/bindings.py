"""The bindings that people made in chat, known by heart: one small read a second at most."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from core.address import Address
from core.clock import Clock, monotonic
from core.config.binding import Binding, Listen, SharedBy
from storage import bindings, models

_FRESH_SECONDS = 1.0
_MOST = 10_000  # that are kept; of more, those of an address are read whenever they are asked for


class Bindings:
    """Those that are made here are known at once, those of other processes within a second.

    Each verb raises as storage does while the database cannot be used.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: Mapping[str, Binding] | None = None
        self._version: bindings.Version | None = None
        self._fresh_until = 0.0
        self._changes = 0
        self._renewing = asyncio.Lock()

    async def among(self, paths: tuple[str, ...]) -> Mapping[str, Binding]:
        """The bindings at any of these paths, by path."""
        await self._renew()
        if self._known is None:
            return _by_path(await bindings.among(paths))
        return {path: self._known[path] for path in paths if path in self._known}

    async def bind(
        self, at: Address, agent: str, listen: Listen, shared_by: SharedBy | None, by: str
    ) -> None:
        """Let this agent answer at the address and below it, from the next message on."""
        try:
            await bindings.bind(
                at=at.key,
                agent=agent,
                listen=listen,
                conversation=shared_by or "",
                made_by=by,
                now=self._clock(),
            )
        finally:  # it may stand although nobody could tell
            self._changes += 1
            self._fresh_until = 0.0

    async def _renew(self) -> None:
        """Look whether something changed, unless somebody did a moment ago."""
        async with self._renewing:
            if monotonic() < self._fresh_until:
                return
            began_at, changes = monotonic(), self._changes
            version = await bindings.version()
            if version != self._version:  # taken first: what changes meanwhile is found next time
                is_kept = version.number <= _MOST
                self._known = _by_path(await bindings.everywhere()) if is_kept else None
                self._version = version
            if changes == self._changes:
                self._fresh_until = began_at + _FRESH_SECONDS


def _by_path(rows: Iterable[models.Binding]) -> Mapping[str, Binding]:
    return {row.at: chosen_in_chat(row) for row in rows}


def chosen_in_chat(row: models.Binding) -> Binding:
    """A binding as it was made from chat."""
    return Binding(
        at=Address.parse(row.at),
        agent=row.agent,
        listen=Listen(row.listen),
        conversation=SharedBy(row.conversation) if row.conversation else None,
        since=row.made_at,
    )
