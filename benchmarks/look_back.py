"""Does an answer take as long at message 100,001 as at message 100, with what was told first?

    python -m benchmarks.look_back [postgres://…/an-empty-database] [--messages 100000]

In one channel a hundred messages were said, in another one as many as are asked for; both begin
with the same dates. Each is then asked for in turns, so that a machine that is busy now and then
does not move the ratio: of a scripted model, so that nothing but Moorings takes time. Prints the
milliseconds of a turn (median; in all, and of this process's processor), how many of the dates
were in the prompt, its greatest size, and the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from datetime import timedelta
from random import Random
from statistics import median

from core import clock
from core.config.spec import AgentSpec
from core.context.history import total
from core.memory.indexing import index_next
from storage.database import open_database
from storage.models import Conversation, Message, MessageRole
from tests.core.given import Stage
from tests.peers.model import ScriptedModel

FEW = 100
WINDOW = 4_000  # which a hundred messages fill
DATES = 30
WORDS = [
    f"{start}{middle}{end}"
    for start in ("br", "k", "l", "m", "p", "st", "t", "v")
    for middle in ("a", "ei", "o", "u")
    for end in ("den", "gel", "lim", "nor", "rak", "sit", "tov", "zen", "wick", "field")
]
# As in any language: a few words are said all the time, most of them seldom.
OFTEN = list(itertools.accumulate(1 / number for number in range(1, len(WORDS) + 1)))


def name(number: int) -> str:
    """Something that has a date."""
    return f"Kestrel{number}"


async def fill(stage: Stage, room: str, size: int) -> None:
    """Dates first, then talk of other things."""
    await stage.say("Hello", room=room)
    await stage.worker().attend((await stage.conversation(room)).id)
    where, chance = await stage.conversation(room), Random(size)  # noqa: S311  # no secret
    before = stage.clock() - timedelta(days=1)

    def text(seq: int) -> str:
        if seq % 2 and seq // 2 <= DATES:
            return f"The launch of {name(seq // 2)} is on {seq // 2} March."
        return f"{' '.join(chance.choices(WORDS, cum_weights=OFTEN, k=12)).capitalize()}."

    for start in range(where.last_seq + 1, size + 1, 10_000):
        await Message.bulk_create(
            (
                Message(
                    conversation_id=where.id,
                    seq=seq,
                    role=MessageRole.USER if seq % 2 else MessageRole.ASSISTANT,
                    author="ana" if seq % 2 else "Ada",
                    text=text(seq),
                    tokens=30,
                    turn_id=where.id * 10_000_000 + seq // 2,
                    said_at=before,
                )
                for seq in range(start, min(start + 10_000, size + 1))
            ),
            batch_size=500,
        )
    await Conversation.filter(id=where.id).update(last_seq=size)


async def measure(url: str, many: int) -> None:
    """Fill, ask in turns, print."""
    database = await open_database(url)
    spec = AgentSpec(name="Ada", instructions="Be brief.", tools=(), window_tokens=WINDOW)
    model = ScriptedModel(otherwise=lambda _: "It is as you were told.")
    stage = Stage(spec=spec, model=model)
    stage.clock = clock.now  # type: ignore[assignment]  # time passes
    rooms = {FEW: "slack/T1/C1", many: "slack/T1/C2"}
    try:
        for size, room in rooms.items():
            await fill(stage, room, size)
        page = await index_next(0)
        while page:
            page = await index_next(page.last_id)
        took: dict[int, list[tuple[float, float]]] = {size: [] for size in rooms}
        found = dict.fromkeys(rooms, 0)
        for number in range(1, DATES + 1):
            for size, room in rooms.items():
                took[size].append(await ask(stage, room, number))
                prompt = " ".join(each.content for each in stage.model.requests[-1].messages)
                found[size] += f"{name(number)} is on {number} March" in prompt
    finally:
        await database.close()
    for size, times in took.items():
        wall, processor = (1000 * median(each) for each in zip(*times, strict=True))
        print(
            f"{size:>9,} messages: {wall:6.1f} ms a turn, {processor:5.1f} ms of processor;", end=""
        )
        print(f" {found[size]} of {DATES} dates in the prompt")
    print(
        f"the longest prompt: {max(total(each.messages) for each in stage.model.requests):,} tokens"
    )
    for which, what in enumerate(("time", "processor")):
        few, much = (median(each[which] for each in took[size]) for size in rooms)
        print(f"ratio of {what}: {much / few:.2f}")


async def ask(stage: Stage, room: str, number: int) -> tuple[float, float]:
    """Seconds that a turn takes, and seconds of this process's processor."""
    await stage.say(f"When is the launch of {name(number)}?", room=room)
    where, agent = await stage.conversation(room), await stage.agent()
    wall, processor = time.perf_counter(), time.process_time()
    await stage.worker().attend(where.id, agent.id)
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """As the program's first lines say."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("database", nargs="?", default="")
    asked.add_argument("--messages", type=int, default=100_000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(given.database or f"sqlite://{folder}/bench.db", given.messages))


if __name__ == "__main__":
    main()
