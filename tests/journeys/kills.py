"""Kills a bot at random moments while people talk to it, and looks at what it has on record."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Protocol

from tests.journeys import processes, program

MARKER = re.compile(r"#\w+")
AGENTS = """
[agents.assistant]
model = "gpt-4o"
tools = []

[[bindings]]
at = "{}"
agent = "assistant"
listen = "all"
conversation = "{}"
"""
OVERTAKEN = """
SELECT late.text, early.text FROM inbox AS late JOIN inbox AS early
ON late.conversation_id = early.conversation_id AND early.position < late.position
WHERE early.turn_id > late.turn_id
"""  # what was said earlier and answered later
UNSHOWN = """
SELECT inbox.text, count(outbox.id) FROM inbox LEFT JOIN outbox ON outbox.turn_id = inbox.turn_id
GROUP BY inbox.id HAVING count(outbox.id) != 1
"""  # questions whose turn is not exactly one visible message
OPEN = "SELECT key FROM inbox WHERE state NOT IN ('answered', 'failed')"
DUE = "SELECT key FROM outbox WHERE state != 'delivered'"
SAID = "SELECT key FROM inbox WHERE key NOT LIKE '%/cmd/%'"
COMMANDED = "SELECT key FROM inbox WHERE key LIKE '%/cmd/%'"


class Talk(Protocol):
    """What people say to the bot."""

    random: Random
    count: int

    def say(self, messages: int) -> None:
        """Somebody says something somewhere, that many times."""
        ...

    def command(self) -> None:
        """Somebody asks by command, which a platform delivers once or not at all."""
        ...


class Until(Protocol):
    """A peer's way to wait for a condition."""

    async def __call__(self, condition: Callable[[], object], within: float = 10.0) -> None:
        """Raises AssertionError when it is not met in time."""
        ...


async def first_start(
    cursor: str, folder: Path, environment: Mapping[str, str], until: Until
) -> None:
    """The first start sets the cursors: what is said later is not a backlog."""
    bot = processes.start(program.moorings, folder, environment, "run")
    await until(lambda: rows(folder, "SELECT 1 FROM sqlite_master WHERE name = 'cursor'"))
    await until(lambda: rows(folder, f"SELECT 1 FROM cursor WHERE name = '{cursor}'"))  # noqa: S608  # a test's
    assert await processes.asked_to_stop(bot) == 0


async def killed_while(
    talk: Talk, messages: int, kills: int, folder: Path, environment: Mapping[str, str]
) -> None:
    """That many bots live for a moment each, while the messages but the last are said."""
    half_a_life = 1.5 if kills < 50 else 2.5  # seconds at most; the suite has to be quick
    for turn in range(kills):
        talk.say((messages - 1) * (turn + 1) // kills - talk.count)
        bot = processes.start(program.moorings, folder, environment, "run")
        await asyncio.sleep(talk.random.uniform(0.1, half_a_life))
        talk.command()
        await asyncio.sleep(talk.random.uniform(0.1, half_a_life))  # the random moment
        assert await processes.killed(bot) == -9


async def let_end(
    talk: Talk, folder: Path, environment: Mapping[str, str], until: Until, within: float
) -> None:
    """A last bot answers what is left, one message at least, and is asked to stop."""
    talk.say(1)
    bot = processes.start(program.moorings, folder, environment, "run")
    await until(lambda: _all_ended(folder, talk.count), within)
    assert await processes.asked_to_stop(bot) == 0


def rows(folder: Path, statement: str) -> list[tuple[str, ...]]:
    """What the database says."""
    with closing(sqlite3.connect(folder / "moorings.db")) as database:
        return list(database.execute(statement))


def visible(folder: Path) -> dict[str, list[str]]:
    """The markers that each delivered message must show, by the platform's id of the message."""
    found = rows(folder, "SELECT message_id, text FROM outbox")
    return {message_id: MARKER.findall(text) for message_id, text in found}


def commanded(folder: Path) -> set[str]:
    """The keys of the questions by command that were stored."""
    return {key for (key,) in rows(folder, COMMANDED)}


def check_record(folder: Path) -> None:
    """Every question is answered by one visible message, in the order of the questions."""
    assert not rows(folder, UNSHOWN)
    assert not rows(folder, OVERTAKEN)


def _all_ended(folder: Path, count: int) -> bool:
    said, open_ones, due = (rows(folder, statement) for statement in (SAID, OPEN, DUE))
    return len(said) == count and not open_ones and not due
