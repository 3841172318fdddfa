"""Kills a bot at random moments while people talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

from storage.models import Cursor
from tests.journeys import processes, program, record

AGENTS = """
[agents.assistant]
model = "gpt-6-luna"
tools = []

[[bindings]]
at = "{}"
agent = "assistant"
listen = "all"
conversation = "{}"
"""
_MEANWHILE = 0.3  # seconds: a tool is at work, if all is well
_FEW = 5  # kills that it takes to give something up: two until it is tried alone, three in it
_SURELY = 10  # one kill of so many waits until it is
NOTING = AGENTS.replace("tools = []", 'tools = ["tests.journeys.diary:note_slowly"]')


class Talk(Protocol):
    """What people say to the bot."""

    random: Random
    count: int
    deleted: set[str]

    def say(self, messages: int) -> None:
        """Somebody says something somewhere, that many times."""
        ...

    def command(self) -> None:
        """Somebody asks by command, which a platform delivers once or not at all."""
        ...

    def go_on(self) -> None:
        """One more thing is said, by the same person at the same place as the last time."""
        ...

    def correct(self) -> None:
        """The same person edits that."""
        ...

    def think_again(self) -> None:
        """Somebody edits or deletes what they said lately."""
        ...


async def first_start(cursors: Iterable[str], folder: Path, environment: Mapping[str, str]) -> None:
    """The first start sets the cursors: what is said later is not a backlog."""
    bot = processes.start(program.moorings, folder, environment, "run")
    for name in cursors:
        await record.until(Cursor.filter(name=name).exists)
    assert await processes.asked_to_stop(bot) == 0


async def killed_while(
    talk: Talk,
    messages: int,
    kills: int,
    folder: Path,
    environment: Mapping[str, str],
    *,
    edits: bool = False,
) -> None:
    """That many bots live for a moment each, while the messages but the last are said."""
    life = program.at_once if kills < _FEW else program.moorings
    half_a_life = 0.6 if kills < _FEW else 2.0  # seconds at most; the suite has to be quick
    for turn in range(kills):
        talk.say((messages - 1) * (turn + 1) // kills - talk.count)
        bot = processes.start(life, folder, environment, "run")
        await asyncio.sleep(talk.random.uniform(0.1, half_a_life))
        talk.command()
        if edits:
            await _while_at_work(talk, is_sure=turn % _SURELY == 0)
        await asyncio.sleep(talk.random.uniform(0.1, half_a_life))  # the random moment
        assert await processes.killed(bot) == -9


async def _while_at_work(talk: Talk, *, is_sure: bool) -> None:
    """People say more, and edit, while what one of them said is being answered."""
    talk.go_on()
    if is_sure:
        await record.until(partial(record.is_at_work, f"#{talk.count}"))
        talk.correct()
    else:
        await asyncio.sleep(_MEANWHILE)
    talk.go_on()
    talk.think_again()


async def let_end(talk: Talk, folder: Path, environment: Mapping[str, str]) -> None:
    """A last bot answers what is left, one message at least, and is asked to stop."""
    talk.say(1)
    bot = processes.start(program.at_once, folder, environment, "run")
    await record.until(lambda: record.all_ended(talk.count, deleted=len(talk.deleted)))
    assert await processes.asked_to_stop(bot) == 0
