"""A server with every kind of channel and thread, for tests of who can read what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bots.discord.internals import point_at
from tests.bots.discord.command_server import CommandServer as Commanded
from tests.bots.discord.conftest import yesterday
from tests.bots.discord.server import no_waiting
from tests.bots.town import Place
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint

AGENTS = "[agents.assistant]"
_OPTIONS = {"remember": "fact", "forget": "number", "why": "answer", "use": "conversation"}


class DiscordPlaces:
    """Anna manages the server, Ben is a member, Gus may not see every channel."""

    def __init__(self, discord: DiscordPeer, endpoint: Endpoint, folder: Path) -> None:
        self.endpoint = endpoint
        self._discord = discord
        self._commanded = Commanded(discord=discord, endpoint=endpoint, folder=folder)
        self._furnish()

    @classmethod
    @asynccontextmanager
    async def opened(cls, endpoint: Endpoint, folder: Path) -> AsyncIterator[DiscordPlaces]:
        """With a database that has the schema, in a folder of its own."""
        discord = DiscordPeer(now=yesterday)
        discord.advance(86_400)
        with pytest.MonkeyPatch.context() as patch:
            no_waiting(patch)
            async with discord:
                yield cls(discord, endpoint, folder)
        point_at(None)

    def _furnish(self) -> None:
        discord = self._discord
        self._anna, self._ben, self._gus = discord.anna, discord.ben, discord.add_user("gus")
        self.people = (self._anna, self._ben, self._gus)
        discord.grant(self._anna, "MANAGE_CHANNELS")
        self._closed, each = discord.add_channel("closed"), discord.add_channel("each")
        discord.make_private(self._closed, self._anna, self._ben)
        self._private: list[str] = []
        self.places: list[Place] = []
        for channel, shares, other in (
            (discord.general, "thread", self._gus),
            (discord.support, "channel", self._gus),
            (each, "user", self._ben),
            (self._closed, "channel", self._ben),
        ):
            self._add(channel, channel, (self._anna, other), shares)
            self._add(discord.add_thread(channel, "plans", self._anna), channel, (self._ben,))
            private = discord.add_thread(channel, "salaries", self._anna, is_private=True)
            self._private.append(private)
            self._add(private, private, (self._anna, self._ben))
        [self.cut] = [place for place in self.places if place.among == self._private[0]]
        for person in self.people:
            direct = discord.direct(person)
            self._add(direct, direct, (person,), "channel")
        apart = discord.add_thread(discord.general, "apart", self._anna, is_private=True, bot=False)
        left = discord.add_thread(discord.general, "left", self._anna, is_private=True)
        self._left = left
        self.shut = [
            Place(number=90 + number, channel=thread, among=thread, people=(self._anna,))
            for number, thread in enumerate((apart, left))
        ]

    def _add(self, channel: str, among: str, people: tuple[str, ...], shares: str = "") -> None:
        is_direct = not self._discord.backend.world.channels[channel].guild
        is_public = not (is_direct or among in {*self._private, self._closed})
        place = Place(
            number=len(self.places),
            channel=channel,
            among=among,
            people=people,
            shares=shares,
            is_public=is_public,
            remembers=is_direct or channel in self._private,
        )
        self.places.append(place)

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[None]:
        async with self._commanded.commanded(AGENTS, drain_seconds=0):
            members = self._discord.backend.world.channels[self._left].members
            if self._discord.bot_user in members:
                self._discord.leave_thread(self._left, self._discord.bot_user)
            yield

    def say(self, place: Place, person: str, text: str) -> str:
        return self._discord.say(place.channel, person, text)

    async def obey(self, place: Place, person: str, verb: str, value: str = "") -> str:
        options: dict[str, str | int] = {"agent": "assistant"} if verb == "use" else {}
        if value:
            options[_OPTIONS[verb]] = int(value) if verb == "forget" else value
        return await self._commanded.agent_command(verb, person, place.channel, **options)

    async def point(self, place: Place, person: str, message: str) -> str:
        used = self._discord.context_menu("Ask an agent", message, person)
        return await self._commanded.told(used)

    async def press(self, place: Place, person: str) -> int:
        found = [line for each in self._below(place) for line in self._commanded.answers(each)]
        answer = max(found, key=lambda line: int(line.id)).id
        rows = self._discord.backend.world.message_anywhere(answer).components
        for button in [str(each["custom_id"]) for row in rows for each in row["components"]]:
            await self._commanded.pressed(answer, button, person)
        return 1  # by the button Again

    async def turn(self) -> int:
        """Discord has no list that shows a channel elsewhere."""
        return 0

    async def rest(self) -> None:
        await self._commanded.change(
            "UPDATE conversation SET readers = '' WHERE readers = 'thread'"
        )

    def archive(self) -> None:
        for place in self.places:
            if place is not self.cut and self._discord.backend.world.channels[place.channel].parent:
                self._discord.archive(place.channel)

    def shown(self, place: Place) -> list[str]:
        lines = [line for each in self._below(place) for line in self._discord.transcript(each)]
        return [line.text for line in lines if line.is_bot]

    def _below(self, place: Place) -> list[str]:
        """The channel, and the threads opened from its messages."""
        channels = self._discord.backend.world.channels
        opened = [each for each in channels[place.channel].messages if each in channels]
        return [place.channel, *opened]

    async def tab(self, person: str) -> str:
        """There is none."""
        return ""

    def listed(self, person: str) -> set[str]:
        return set()

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        return self._commanded.rows(statement)

    async def until(self, statement: str, value: object) -> None:
        await self._discord.until(lambda: self.rows(statement) == [(value,)])
