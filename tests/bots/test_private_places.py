"""What is said in a private place is shown, searched, remembered and listed only there.

Markers are planted in every kind of place by everybody there, in words, facts, bindings and
answers; then whatever a model is shown, or a person can read anywhere, is read.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from core.context.decide import Material
from tests.bots.discord.private_places import DiscordPlaces as OnDiscord
from tests.bots.slack.town import Harbour as OnSlack
from tests.bots.town import Place, Town
from tests.peers.endpoint import Behaviour, Body, CallTool, Endpoint, Stall

Opened = Callable[[Endpoint, Path], AbstractAsyncContextManager[Town]]

_NEAR, _LEFT_ALONE = 0.9, 0.6  # of all that stands elsewhere, of all answers
_MARKER = re.compile(r"mark\d{3}x")
_ANSWERED = """SELECT count(*) FROM inbox WHERE state NOT IN ('waiting', 'taken')
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.state NOT IN ('delivered', 'dead'))"""
_WAITING = "SELECT count(*) FROM inbox WHERE state = 'waiting'"
_RUNNING = "SELECT count(*) FROM turn WHERE state = 'running'"
_TURNS = """SELECT address, max(turn.id) FROM turn
    JOIN conversation ON conversation.id = conversation_id GROUP BY address"""
_FACTS = "SELECT scope, max(id) FROM fact GROUP BY scope"
_FORGOTTEN = "SELECT text FROM fact WHERE forgotten_at IS NOT NULL"
_LEARNED = "SELECT scope, author_id, text FROM fact WHERE origin = 'learned'"
_UNREAD = """SELECT count(*) FROM conversation WHERE last_seq > 0
    AND id NOT IN (SELECT conversation_id FROM compaction)"""
_COMPACTING = "SELECT count(*) FROM compaction WHERE ready_at IS NOT NULL"
_SUMMARIES = "SELECT address, text FROM summary JOIN conversation c ON c.id = conversation_id"
_LISTED = re.compile(r"^(\d+)\. .+: at(\d\d) .*?(mark\d{3}x)", re.MULTILINE)
_KEPT = "SELECT text FROM inbox UNION SELECT text FROM message UNION SELECT text FROM fact"


class Story:
    """What was planted where, and what a model was shown."""

    def __init__(self, town: Town, chance: Random) -> None:
        self.town = town
        self.chance = chance
        self.among: dict[str, str] = {}  # of each marker: for whose eyes it is
        self.told: list[tuple[str, str]] = []  # facts, by whom
        self.asked = 0
        self.hung = set[str]()
        self.hangs = asyncio.Event()
        self.prompts: list[tuple[int, str]] = []
        self.compacted: list[tuple[int, str]] = []
        self.learns = True
        self.found = 0  # of searches, those that found something

    def marker(self, place: Place) -> str:
        """A word that nobody said before."""
        word = f"mark{len(self.among):03d}x"
        self.among[word] = place.among
        return word

    def fact(self, place: Place, person: str) -> str:
        """As `marker`, to be remembered."""
        word = self.marker(place)
        self.told.append((word, person))
        return word

    def answer(self, body: Body) -> str | Behaviour:
        """The model: answers a person, or compacts."""
        last = str(body["messages"][-1]["content"])
        if "comes from no person" in last:
            return self.notes(last, json.dumps(body))
        return self.reply(body)

    def reply(self, body: Body) -> str | Behaviour:
        """Keeps what it is told to keep, looks up what it is told to look up."""
        said = [each["content"] or "" for each in body["messages"] if each["role"] == "user"]
        *_, asked = re.finditer(r"at(\d\d) ", said[-1])
        words = said[-1][asked.start() :]
        self.prompts.append((int(asked[1]), json.dumps(body)))
        if body["messages"][-1]["role"] == "tool":
            self.found += bool(_MARKER.search(body["messages"][-1]["content"] or ""))
            return "Noted."
        if kept := re.search(r"keep (mark\d+x)", words):
            return CallTool(name="remember", arguments=json.dumps({"text": kept[1]}))
        if "look up" in words:
            return CallTool(name="history", arguments='{"query": "planted"}')
        if "hang" in words and words not in self.hung:
            self.hung.add(words)
            self.hangs.set()
            return Stall()
        return "Noted."

    def notes(self, asked: str, prompt: str) -> str:
        """The model compacts: all that it sees is in the summary, each message makes a fact."""
        listed = _LISTED.findall(asked)
        if not (self.learns and listed):
            return "No."
        self.compacted.append((int(listed[0][1]), prompt))
        facts = [
            {"text": f"learned {word}", "sources": [int(number)]} for number, _, word in listed
        ]
        seen = " ".join(sorted(set(_MARKER.findall(prompt))))
        return json.dumps({"summary": f"planted {seen}", "facts": facts})

    async def settle_learned(self) -> None:
        """Every history has been read, and nothing is learned any more."""
        await self.town.until(_UNREAD, 0)
        await self.town.until(_COMPACTING, 0)
        self.learns = False
        await self.town.until(_COMPACTING, 0)

    def learned(self) -> list[tuple[str, str, str]]:
        """For whose eyes, from whom, and which word."""
        return [
            (self.owner(str(scope)), str(person), _MARKER.findall(str(text))[0])
            for scope, person, text in self.town.rows(_LEARNED)
        ]

    def say(self, place: Place, person: str, words: str) -> str:
        """A message there, which will be answered."""
        self.asked += 1
        return self.town.say(place, person, f"at{place.number:02d} {words}")

    async def settled(self) -> None:
        """Once everything is answered."""
        await self.town.until(_ANSWERED, self.asked)

    @property
    def commanded(self) -> list[Place]:
        """Where people can command."""
        return [place for place in self.town.places if not place.thread]

    def owner(self, address: str) -> str:
        """For whose eyes it is what stands at an address."""
        known = {place.among for place in self.town.places}
        return next(part for part in reversed(address.split("/")) if part in known)

    def elsewhere(self, place: Place, rows: list[tuple[object, ...]]) -> list[str]:
        """Numbers of what stands around there, and of some that stand far away."""
        return [
            str(number)
            for address, number in rows
            if place.among in str(address) or self.chance.random() > _NEAR
            if place.among != self.owner(str(address))
        ]


async def plant(story: Story) -> None:
    """Bindings first, then by everybody everywhere, by whatever means and in any order."""
    town, chance = story.town, story.chance
    for place in town.places:
        if place.shares:
            await town.obey(place, place.people[0], "use", place.shares)
    seeds = [(place, person) for place in town.places for person in place.people]
    chance.shuffle(seeds)
    for place, person in seeds:
        means = [_by_message, _by_menu] if place.thread else [_by_message, _by_menu, _by_command]
        sow = _by_message if person == place.people[0] else chance.choice(means)
        await (_by_command if place.is_silent else sow)(story, place, person)
        await story.settled()
    for place in town.shut:
        message = town.say(place, place.people[0], f"at99 planted {story.marker(place)}")
        assert "not" in await town.point(place, place.people[0], message)
    story.asked += await town.turn()
    await story.settled()
    if town.cut:
        story.say(town.cut, town.cut.people[0], "hang until the bot is away")
        await story.hangs.wait()  # else it would hang after the restart, for a minute


async def _by_message(story: Story, place: Place, person: str) -> None:
    words = f"planted {story.marker(place)}, keep {story.fact(place, person)}"
    story.say(place, person, words)


async def _by_menu(story: Story, place: Place, person: str) -> None:
    message = story.say(place, person, f"planted {story.marker(place)}")
    await story.settled()
    story.asked += 1
    await story.town.point(place, person, message)


async def _by_command(story: Story, place: Place, person: str) -> None:
    await story.town.obey(place, person, "remember", story.fact(place, person))


async def miss(story: Story) -> None:
    """Somebody asks everywhere while the bot is away."""
    await story.town.rest()
    for place in story.town.places:
        if not place.is_silent and place is not story.town.cut:
            story.say(place, place.people[0], f"look up what was planted {story.marker(place)}")
    story.town.archive()


async def command(story: Story) -> None:
    """Somebody asks for all there is to ask for, everywhere."""
    town, told_to = story.town, Counter(story.among[word] for word, _ in story.told)
    told_to += Counter(among for among, _, _ in story.learned())
    facts, turns = town.rows(_FACTS), town.rows(_TURNS)
    for place in story.commanded:
        person = story.chance.choice(place.people)
        for verb in ("facts", "why", "list"):
            await town.obey(place, person, verb)
        told = await town.obey(place, person, "status")
        assert f"remembered here: {told_to[place.among]}" in told
        for number in story.elsewhere(place, facts):
            assert "knows no fact" in await town.obey(place, person, "forget", number)
        for number in story.elsewhere(place, turns):
            assert "no such answer" in await town.obey(place, person, "why", number)
        if not place.is_silent and story.chance.random() > _LEFT_ALONE:
            story.asked += await town.press(place, person)
            await story.settled()


async def begin_anew(story: Story) -> None:
    """What is said in private outlives a reset of the channel."""
    private = [place for place in story.town.places if place.remembers]
    for place in story.commanded:
        if place.is_public:
            await story.town.obey(place, place.people[0], "reset")
    for place in private:
        story.say(place, place.people[0], "go on")
    await story.settled()
    for place, (number, prompt) in zip(
        private, sorted(story.prompts[-len(private) :]), strict=True
    ):
        assert place.number == number
        assert "planted" in prompt


async def interrupt(story: Story) -> None:
    """An answer that is being written in private is nobody else's business."""
    alone = [place for place in story.commanded if place.channel == place.among]
    private = [place for place in alone if not (place.is_public or place.is_silent)]
    for place in private:
        story.say(place, place.people[0], "hang on")
    await story.town.until(_RUNNING, len(private))
    following = [place for place in private if place.shares != "thread"]  # else it opens another
    for place in following:
        story.say(place, place.people[0], "go on")
    await story.town.until(_WAITING, len(following))
    for place in story.commanded:
        if place.is_public:
            told = await story.town.obey(place, place.people[0], "status")
            assert "Being answered: 0. Waiting: 0." in told
            assert "Nothing is being" in await story.town.obey(place, place.people[0], "stop")
    for place in private:
        assert await story.town.obey(place, place.people[0], "stop") == "Stopped."
    await story.settled()


async def read(story: Story) -> None:
    """Everything, everywhere."""
    town, among = story.town, story.among
    by_number, newest = {place.number: place for place in town.places}, dict[int, set[str]]()
    turns = {
        str(turn): story.owner(str(address))
        for turn, address in town.rows(
            "SELECT turn.id, address FROM turn JOIN conversation c ON c.id = conversation_id"
        )
    }
    told = {word for word, _ in story.told}
    for number, prompt in story.compacted:
        assert {among[word] for word in _MARKER.findall(prompt)} == {by_number[number].among}
    for where, _, word in story.learned():
        assert where == among[word]
    for address, text in town.rows(_SUMMARIES):
        found = set(_MARKER.findall(str(text)))
        assert {among[word] for word in found} <= {story.owner(str(address))}
    for number, prompt in story.prompts:
        place, found = by_number[number], set(_MARKER.findall(prompt))
        assert {among[word] for word in found} <= {place.among}
        newest[number] = found & told
    assert all(newest.values()), "what is remembered in a place is shown to the model there"
    assert story.found > len(town.places) / 2, "what was said in a place is found again there"
    for place in [*town.places, *town.shut]:
        shown = "\n".join(town.shown(place))
        assert {among[word] for word in _MARKER.findall(shown)} <= {place.among}
        assert {turns[turn] for turn in re.findall(r"Answer (\d+) by", shown)} <= {place.among}
    kept = " ".join(str(text) for (text,) in town.rows(_KEPT))
    shut = {place.among for place in town.shut}
    assert shut.isdisjoint(among[word] for word in _MARKER.findall(kept))
    assert town.rows(_FORGOTTEN) == []


async def look(story: Story) -> None:
    """Each person's tab lists what they told where everybody can read, or to the bot alone."""
    for person in story.town.people:
        tab, listed = await story.town.tab(person), story.town.listed(person)
        told = {word for word, teller in story.told if teller == person}
        told |= {word for _, teller, word in story.learned() if teller == person}
        assert set(_MARKER.findall(tab)) == {word for word in told if story.among[word] in listed}
        assert set(re.findall(r"<#(\w+)>", tab)) == listed


async def tell(opened: Opened, chance: Random, folder: Path) -> None:
    """The whole story."""
    async with (
        Endpoint(lambda body: story.answer(body)) as endpoint,
        opened(endpoint, folder) as town,
    ):
        story = Story(town, chance)
        async with town.bot():
            await plant(story)
            await story.settle_learned()
            known = {where for where, _, _ in story.learned()}
            assert known == {place.among for place in town.places if not place.is_silent}
        await miss(story)
        async with town.bot():
            await story.settled()
            await look(story)
            await command(story)
            await begin_anew(story)
            await interrupt(story)
        await read(story)


@pytest.mark.parametrize("opened", [OnSlack.opened, OnDiscord.opened], ids=["slack", "discord"])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(1, 20))]
)
async def test_what_is_private_is_found_nowhere_else(
    opened: Opened, seed: int, migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_MANY", 2), ("_FEW", 16_000), ("_KEPT", 2)):  # compacted soon
        monkeypatch.setattr(sys.modules[Material.__module__], name, value)
    monkeypatch.setattr("core.turn.compaction._PEOPLE_SPOKE", 1)  # and what is quiet at once
    monkeypatch.setattr("core.turn.compactor._QUIET", timedelta())
    monkeypatch.setattr("core.turn.compactor._QUIET_SECONDS", 0.2)
    shutil.copy(migrated, tmp_path / "moorings.db")
    await tell(opened, Random(seed), tmp_path)  # noqa: S311  # a story, no secret
