"""A workspace of Slack with every kind of place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.bots.slack.bots import Workspace, spare_nobody
from tests.bots.slack.conftest import QUICK
from tests.bots.town import Place
from tests.peers.endpoint import Endpoint
from tests.peers.slack.peer import SlackPeer

ANNA, BEN, GUS = "U0ANNA", "U0BEN", "U0GUS"
AGENTS = "[agents.assistant]"


class Harbour:
    """Anna manages it, Ben works there, Gus is a guest."""

    people = (ANNA, BEN, GUS)
    cut = None

    def __init__(self, slack: SlackPeer, endpoint: Endpoint, folder: Path) -> None:
        self.endpoint = endpoint
        self._slack = slack
        self._workspace = Workspace(slack=slack, endpoint=endpoint, folder=folder)
        self._furnish()

    @classmethod
    @asynccontextmanager
    async def opened(cls, endpoint: Endpoint, folder: Path) -> AsyncIterator[Harbour]:
        """With a database that has the schema, in a folder of its own."""
        with pytest.MonkeyPatch.context() as patch:
            spare_nobody(patch)
            async with SlackPeer(schedule=QUICK) as slack:
                yield cls(slack, endpoint, folder)

    def _furnish(self) -> None:
        slack = self._slack
        slack.add_user(GUS, "gus", is_guest=True)
        slack.backend.world.users[ANNA].is_admin = True
        slack.add_channel("C0CLOSED", kind="group", people=[ANNA, BEN])
        slack.add_channel("C0GROUP", kind="mpim", people=[ANNA, GUS])
        slack.add_channel("C0QUIET")
        slack.add_channel("C0LOUD")
        slack.add_channel("C0GUESTS")
        slack.join("C0GUESTS", GUS)
        slack.add_channel("C0APART", kind="group", people=[ANNA], bot=False)
        slack.add_channel("C0AWAY", people=[ANNA], bot=False)
        plan, among_us = (slack.say(each, ANNA, "a plan") for each in ("C0GENERAL", "C0CLOSED"))
        slack.add_channel("C0SILENT", kind="group", people=[ANNA, BEN])
        both = (ANNA, BEN)
        self.places: list[Place] = []
        self._add("C0GENERAL", both, shares="thread", is_public=True)
        self._add("C0GENERAL", (BEN,), thread=plan, is_public=True)
        self._add("C0SUPPORT", both, shares="channel", is_public=True)
        self._add("C0GUESTS", (ANNA, GUS), shares="thread", is_public=True)
        self._add("C0QUIET", both, shares="user", is_public=True)
        self._add("C0LOUD", both, shares="thread", is_public=True)
        self._add("C0CLOSED", both, shares="thread")
        self._add("C0CLOSED", (BEN,), thread=among_us)
        self._add("C0SILENT", both, shares="thread", is_silent=True)
        self._add("C0GROUP", (ANNA, GUS), shares="user")
        for person in self.people:
            self._add(slack.direct(person), (person,), shares="channel", remembers=True)
        self.shut = [
            Place(number=90 + number, channel=channel, among=channel, people=(ANNA,))
            for number, channel in enumerate(("C0APART", "C0AWAY"))
        ]

    def _add(
        self,
        channel: str,
        people: tuple[str, ...],
        *,
        thread: str = "",
        shares: str = "",
        is_public: bool = False,
        is_silent: bool = False,
        remembers: bool = False,
    ) -> None:
        place = Place(
            number=len(self.places),
            channel=channel,
            among=channel,
            people=people,
            thread=thread,
            shares=shares,
            is_public=is_public,
            is_silent=is_silent,
            remembers=remembers,
        )
        self.places.append(place)

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[None]:
        async with self._workspace.bot(AGENTS):
            yield

    def say(self, place: Place, person: str, text: str) -> str:
        return self._slack.say(place.channel, person, text, place.thread or None)

    async def obey(self, place: Place, person: str, verb: str, value: str = "") -> str:
        words = f"assistant all {value}" if verb == "use" else value
        given = self._slack.command("/agent", f"{verb} {words}", place.channel, person)
        await self._slack.until(lambda: given.state != "waiting")
        return str(given.reply.get("text", given.state))

    async def point(self, place: Place, person: str, message: str) -> str:
        before = len(self._workspace.whispers(place.channel))
        given = self._slack.use_shortcut(place.channel, message, "ask_agent", person)
        await self._slack.until(lambda: given.is_acked)
        if place in self.places:
            return ""
        await self._slack.until(lambda: len(self._workspace.whispers(place.channel)) > before)
        return self._workspace.whispers(place.channel)[-1]

    async def press(self, place: Place, person: str) -> int:
        answer = self._workspace.answers(place.channel)[-1]
        given = self._slack.click(place.channel, answer.ts, "feedback", person)
        await self._slack.until(lambda: given.is_acked)
        return 0

    async def turn(self) -> int:
        """One says so itself; of the other one the next message does."""
        self._slack.turn("C0LOUD", "group", ANNA)
        await self._slack.until_quiet()
        self._slack.backend.world.channels["C0QUIET"].kind = "group"
        [quiet] = [place for place in self.places if place.channel == "C0QUIET"]
        self.say(quiet, ANNA, f"at{quiet.number:02d} this is among us")
        return 1

    async def rest(self) -> None:
        for channel in ("C0QUIET", "C0LOUD"):
            self._slack.backend.world.channels[channel].kind = "channel"

    def archive(self) -> None:
        """There is none."""

    def shown(self, place: Place) -> list[str]:
        return [line.text for line in self._slack.transcript(place.channel) if line.is_bot]

    async def tab(self, person: str) -> str:
        calls = self._slack.calls
        before = len(calls("views.publish"))
        self._slack.open_home(person)
        await self._slack.until(lambda: len(calls("views.publish")) > before)
        await self._slack.until(lambda: calls("views.publish")[-1].is_committed)
        return self._slack.home(person)

    def listed(self, person: str) -> set[str]:
        public = {"C0GUESTS"} if person == GUS else {"C0GENERAL", "C0SUPPORT", "C0GUESTS"}
        return {*public, self._slack.direct(person)}

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        return self._workspace.rows(statement)

    async def until(self, statement: str, value: object) -> None:
        await self._slack.until(lambda: self.rows(statement) == [(value,)])
