"""The longest binding wins, and the agents file wins over chat."""

from __future__ import annotations

from datetime import datetime

import pytest

from core import clock
from core.address import Address
from core.config.agents_file import AgentsFile
from core.config.binding import Binding
from core.config.spec import AgentSpec
from core.messaging.directory import Directory
from core.messaging.routing import agent_at
from storage import bindings
from storage.database import Database

FILE = AgentsFile(
    default_agent="assistant",
    agents={},
    bindings=(
        Binding(at=Address.parse("slack/T1"), agent="of the team"),
        Binding(at=Address.parse("slack/T1/C1/9.5"), agent="of the thread"),
    ),
    commands={},
)


def named(*names: str) -> Directory:
    """A process with these agents."""
    return Directory([AgentSpec(name=name) for name in names], clock.now)


@pytest.fixture(autouse=True)
async def bound(sqlite: Database, now: datetime) -> None:
    """Somebody bound two channels in chat."""
    for at in ("slack/T1/C1", "slack/T1"):
        await bindings.bind(
            at=at,
            agent="of the chat",
            listen="all",
            conversation="channel",
            made_by="ana",
            now=now,
        )


@pytest.mark.parametrize(
    ("path", "agent"),
    [
        ("slack/T1/C1/9.5", "of the thread"),
        ("slack/T1/C1/7.5", "of the chat"),
        ("slack/T1/C1", "of the chat"),
        ("slack/T1/C2", "of the team"),
        ("slack/T1", "of the team"),
        ("slack/T2/C1", "assistant"),
        ("slack/T11/C1", "assistant"),
        ("terminal/main", "assistant"),
    ],
)
async def test_the_longest_binding_wins(path: str, agent: str) -> None:
    directory = named("of the chat", "of the team", "of the thread")
    assert await agent_at(Address.parse(path), FILE, directory) == agent


async def test_a_binding_from_chat_that_outlived_its_agent_decides_nothing() -> None:
    assert await agent_at(Address.parse("slack/T1/C1"), FILE, named("of the team")) == "of the team"
