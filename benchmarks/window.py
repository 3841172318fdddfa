"""Does loading the prompt's window cost the same with 1,000 and with 1,000,000 messages?

Prints the median of each and their ratio. SQLite by default; any other database by its URL:
    python benchmarks/window.py [postgres://…/an-empty-database]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime

from storage import agents, conversations, messages
from storage.database import open_database
from storage.models import Message, MessageRole

SIZES = (1_000, 1_000_000)
ROUNDS = 300
WINDOW_TOKENS = 16_000
MESSAGE_TOKENS = 40
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def fill(agent_id: int, size: int) -> int:
    """A conversation of that many messages; returns its id."""
    where = await conversations.find_or_open(
        agent_id=agent_id, address=f"terminal/{size}", queue="bench", author="ana", now=NOW
    )
    for start in range(1, size + 1, 10_000):
        await Message.bulk_create(
            Message(
                conversation_id=where.id,
                seq=seq,
                role=MessageRole.USER if seq % 2 else MessageRole.ASSISTANT,
                author="ana",
                text=f"message {seq} " + "about the project and its deadline " * 4,
                tokens=MESSAGE_TOKENS,
                turn_id=seq // 2,
                said_at=NOW,
            )
            for seq in range(start, min(start + 10_000, size + 1))
        )
    return where.id


async def milliseconds(conversation_id: int) -> float:
    """The median time of loading one window."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        window = await messages.window(conversation_id, after_seq=0, tokens=WINDOW_TOKENS)
        taken.append(time.perf_counter() - begin)
        assert len(window) == WINDOW_TOKENS // MESSAGE_TOKENS  # noqa: S101  # a benchmark of something else would say nothing
    return statistics.median(taken) * 1000


async def measure(url: str) -> None:
    """Fill, measure in turns, print."""
    database = await open_database(url)
    try:
        agent = await agents.record(name="bench", revision="r", config={}, now=NOW)
        small, large = [await fill(agent.id, size) for size in SIZES]
        await milliseconds(small)  # warms caches up
        of_small, of_large = await milliseconds(small), await milliseconds(large)
    finally:
        await database.close()
    print(f"window of a conversation of {SIZES[0]:>9,} messages: {of_small:6.2f} ms")
    print(f"window of a conversation of {SIZES[1]:>9,} messages: {of_large:6.2f} ms")
    print(f"ratio: {of_large / of_small:.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(measure(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(f"sqlite://{folder}/bench.db"))
