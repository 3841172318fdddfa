"""What prompts cost by the two rules of prompt caches, with conversations that are replayed.

    python -m benchmarks.prompt_cost CONVERSATIONS.json … [--most N] [--in-a-row]

Reads LoCoMo's `locomo*.json` and BEAM's chats; nothing of them is part of the project.
One speaker asks, the other one is the agent: every question goes the whole way of a message, with
compaction after it and an hour's quiet between sessions, and every request to the model is charged.
The model's answers are those of the data; of a compaction it writes a summary of 200 words and five
facts. The automatic look into older messages stands at the tail, as long as it is. `--in-a-row`:
the conversations of a file follow each other in one history, a day apart, to see whether the cost
is flat in its length.

Prints tokens that are not cached, or what costs as much, for one question: cached ones count a
tenth, written ones (where there are marks) five fourths, the output of a compaction five times,
as with gpt-6-luna. Rules: `prefix` (the longest prefix of a request of the last hour, from 1,024
tokens on, in steps of 128) and `marks` (the longest marked prefix that was marked in the last half
an hour). Warm: the cache forgets nothing. Tokens are those of `core.llm.tokens`: rather too many.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.config.spec import AgentSpec
from core.config.validation import BUILT_IN_TOOLS
from core.llm import Finished, ModelEvent, ModelRequest, PromptMessage
from core.llm.tokens import estimate
from core.tools.catalogue import toolbox
from core.turn.compactor import Compactor
from storage.database import open_database
from tests.core.given import Stage

SYSTEM = 900  # tokens of instructions and tools
OUTPUT = 5
LEAST, STEP = 1_024, 128
HOUR, HALF_AN_HOUR, FOR_EVER = timedelta(hours=1), timedelta(minutes=30), timedelta(days=99_999)
QUIET = timedelta(hours=1, minutes=10)
WORDS = "what was decided by whom and when is told here in as few words as it takes "
_MARK = "comes from no person"
_NUMBERED = re.compile(r"^(\d+)\. (.+?): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Said:
    """A question with its answer."""

    at: datetime
    by: str
    question: str
    answer: str


@dataclass
class Cache:
    """What a provider has kept: prefixes by their text, each with when it was used last."""

    lives: timedelta
    kept: dict[str, datetime] = field(default_factory=dict)

    def has(self, prefix: str, now: datetime) -> bool:
        used = self.kept.get(prefix)
        return used is not None and now - used <= self.lives

    def keep(self, prefix: str, now: datetime) -> None:
        self.kept[prefix] = now
        while len(self.kept) > 40:
            del self.kept[next(iter(self.kept))]


def texts(request: ModelRequest) -> list[str]:
    tools = json.dumps([[tool.name, tool.description, tool.parameters] for tool in request.tools])
    return [tools, *(f"{each.role}\n{each.content}\n" for each in request.messages)]


def by_prefix(request: ModelRequest, cache: Cache, now: datetime) -> tuple[float, int]:
    """What it costs, and how many of its tokens are cached: the longest prefix counts."""
    parts = texts(request)
    whole = "".join(parts)
    longest = max(
        (_common(whole, other) for other in cache.kept if cache.has(other, now)), default=0
    )
    cached = _within(parts, longest) // STEP * STEP
    cached = cached if cached >= LEAST else 0
    cache.keep(whole, now)
    total = sum(map(_tokens, parts))
    return total - cached + cached / 10, cached


def by_marks(request: ModelRequest, cache: Cache, now: datetime) -> tuple[float, int]:
    """As `by_prefix`, where only marked prefixes are matched, and written for a fourth more."""
    parts = texts(request)
    ends = [at for at, each in enumerate(request.messages, start=1) if each.ends_stable]
    prefixes = {end: "".join(parts[: end + 1]) for end in ends}
    tokens = {end: sum(map(_tokens, parts[: end + 1])) for end in ends}
    large = [end for end in ends if tokens[end] >= LEAST]
    hits = [end for end in large if cache.has(prefixes[end], now)]
    cached = tokens[hits[-1]] if hits else 0
    written = (tokens[large[-1]] if large else 0) - cached
    for end in large:
        cache.keep(prefixes[end], now)
    total = sum(map(_tokens, parts))
    return total - cached - written + cached / 10 + 1.25 * written, cached


def _within(parts: Sequence[str], length: int) -> int:
    """Tokens of the first so many characters."""
    tokens = 0
    for part in parts:
        tokens += _tokens(part[:length]) if length > 0 else 0
        length -= len(part)
    return tokens


def _common(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _tokens(text: str) -> int:
    return estimate(text)


RULES = {
    "prefix, warm": (by_prefix, FOR_EVER),
    "prefix, cold after an hour": (by_prefix, HOUR),
    "marks, warm": (by_marks, FOR_EVER),
    "marks, cold after half an hour": (by_marks, HALF_AN_HOUR),
}


class Replay:
    """The model: says what the data says, and charges every request by each rule."""

    name, terms, window = "replay", "replayed", None

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.answer = ""
        self.caches = {name: Cache(lives) for name, (_, lives) in RULES.items()}
        self.costs: dict[str, list[float]] = {name: [] for name in RULES}
        self.beside = dict.fromkeys(RULES, 0.0)
        self.longest = self.compactions = self.quiet = 0
        self.cached: dict[str, int] = dict.fromkeys(RULES, 0)
        self.tokens = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        last = request.messages[-1].content
        is_question = _MARK not in last
        text = self.answer if is_question else _notes(last)
        now, marked = self._stage.clock.at, request
        if not request.cache_key:  # neither marked nor found again
            bare = tuple(_unmarked(each) for each in request.messages)
            marked = ModelRequest(messages=bare)
        for name, (rule, _) in RULES.items():
            cost, cached = rule(marked, self.caches[name], now)
            if is_question:
                self.costs[name].append(cost)
                self.cached[name] += cached
            else:
                self.beside[name] += cost + OUTPUT * estimate(text)
        total = sum(map(_tokens, texts(request)))
        if is_question:
            self.longest, self.tokens = max(self.longest, total), self.tokens + total
        elif request.cache_key:
            self.compactions += 1
        else:
            self.quiet += 1
        yield Finished(text=text, model=self.name)


def _unmarked(message: PromptMessage) -> PromptMessage:
    return PromptMessage(role=message.role, content=message.content)


def _notes(asked: str) -> str:
    """A summary of 200 words if one is wanted, and five facts from all over the stretch."""
    listed = _NUMBERED.findall(asked)
    said = [each for each in listed if each[1] != "Ada"]
    facts = [
        {
            "text": f"{who} said of {number} that {text}"[:110],
            "sources": [int(number)],
            "replaces": None,
        }
        for number, who, text in said[:: max(len(said) // 5, 1)][:5]
    ]
    if '{"summary"' not in asked:
        return json.dumps({"facts": facts})
    return json.dumps({"summary": " ".join((WORDS * 17).split()[:200]), "facts": facts})


def conversations(path: Path) -> Iterator[tuple[str, list[Said]]]:
    """Those of a file, whichever of the two it is."""
    for number, each in enumerate(json.loads(path.read_text()), start=1):
        found = _locomo(each["conversation"]) if "conversation" in each else _beam(each["messages"])
        yield f"{path.stem} {number}", list(found)


def in_a_row(talks: Sequence[Sequence[Said]]) -> Iterator[Said]:
    """One long conversation."""
    begins = talks[0][0].at
    for talk in talks:
        later = max(begins - talk[0].at, timedelta())
        yield from (replace(each, at=each.at + later) for each in talk)
        begins = talk[-1].at + later + timedelta(days=1)


def _locomo(talk: dict[str, Any]) -> Iterator[Said]:  # type: ignore[explicit-any]  # as in its file
    asker = talk["speaker_a"]
    sessions = [key for key in talk if re.fullmatch(r"session_\d+", key)]
    for key in sorted(sessions, key=lambda each: int(each.partition("_")[2])):
        at = datetime.strptime(talk[f"{key}_date_time"], "%I:%M %p on %d %B, %Y").replace(
            tzinfo=UTC
        )
        turns = [(each["speaker"] == asker, each["text"]) for each in talk[key]]
        yield from _pairs(at, asker, turns)


def _beam(messages: Sequence[dict[str, Any]]) -> Iterator[Said]:  # type: ignore[explicit-any]  # as above
    at = datetime(2024, 1, 1, tzinfo=UTC)
    for batch in sorted({each["batch"] for each in messages}):
        here = [each for each in messages if each["batch"] == batch]
        anchor = next((each["anchor"] for each in here if each["anchor"]), None)
        began = datetime.strptime(anchor, "%B-%d-%Y").replace(tzinfo=UTC) if anchor else at
        at = max(began, at + timedelta(days=7))
        yield from _pairs(at, "Ana", [(each["role"] == "user", each["text"]) for each in here])


def _pairs(at: datetime, asker: str, turns: Sequence[tuple[bool, str]]) -> Iterator[Said]:
    """A minute apart; what one says in a row is one message."""
    question, answer = "", ""
    for is_question, text in [*turns, (True, "")]:
        if is_question and answer:
            at += timedelta(minutes=1)
            yield Said(at=at, by=asker, question=question or "Hello", answer=answer)
            question, answer = "", ""
        if is_question:
            question = f"{question}\n{text}".strip()
        else:
            answer = f"{answer}\n{text}".strip()


async def replay(said: Sequence[Said]) -> Replay:
    """All of it, through the product's own storage, turns and compaction."""
    spec = AgentSpec(name="Ada", tools=BUILT_IN_TOOLS)
    tools = sum(
        estimate(f"{each.name}{each.description}{json.dumps(each.parameters)}")
        for each in toolbox(BUILT_IN_TOOLS, with_memory=True).specs
    )
    more = "You help the team. " * 400
    room = int((SYSTEM - tools - estimate(spec.instructions)) * 3.5)
    spec = AgentSpec(
        name="Ada", tools=BUILT_IN_TOOLS, instructions=f"{spec.instructions} {more[:room]}"
    )
    stage = Stage(spec=spec, toolbox_of=lambda _: toolbox(BUILT_IN_TOOLS, with_memory=True))
    model = Replay(stage)
    stage.answering = model
    stage.clock.at = said[0].at
    worker, compactor = stage.worker(), Compactor(stage.resources())
    for each in said:
        if each.at - stage.clock.at > QUIET:
            stage.clock.at += QUIET
            await compactor.look_for_quiet(asyncio.Event())
        stage.clock.at = max(each.at, stage.clock.at)
        model.answer = each.answer
        accepted = await stage.say(each.question, author=each.by)
        await worker.attend(accepted.conversation_id, accepted.agent_id)
        await compactor.settle()
    return model


def told(name: str, runs: Sequence[Replay]) -> None:
    """A line for each rule: of all questions, and of the first and the last third of each."""
    count = sum(len(run.costs["prefix, warm"]) for run in runs)
    tokens = sum(run.tokens for run in runs)
    print(
        f"{name}: {count:,} questions, {tokens / count:,.0f} tokens each,"
        f" at most {max(run.longest for run in runs):,};"
        f" {sum(run.compactions for run in runs)} compactions,"
        f" {sum(run.quiet for run in runs)} when quiet"
    )
    for rule in RULES:
        beside = sum(run.beside[rule] for run in runs)
        own = [cost for run in runs for cost in run.costs[rule]]
        cached = sum(run.cached[rule] for run in runs) / tokens
        print(
            f"  {rule:31} {(sum(own) + beside) / count:7,.0f} a question,"
            f" of it {beside / count:5,.0f} for compaction; {cached:.0%} cached;"
            f" first third {_third(runs, rule, 0):,.0f}, last {_third(runs, rule, 2):,.0f}"
        )


def _third(runs: Sequence[Replay], rule: str, number: int) -> float:
    costs: list[float] = []
    for run in runs:
        length = max(len(run.costs[rule]) // 3, 1)
        costs += run.costs[rule][number * length :][:length]
    return sum(costs) / len(costs)


async def measure(paths: Sequence[Path], most: int, *, is_one: bool) -> None:
    """Each file by itself, each conversation in a database of its own."""
    for path in paths:
        runs, talks = [], list(conversations(path))
        if is_one:
            talks = [(f"{path.stem} in a row", list(in_a_row([said for _, said in talks])))]
        for name, said in talks:
            with tempfile.TemporaryDirectory() as folder:
                database = await open_database(f"sqlite://{folder}/bench.db")
                try:
                    runs.append(await replay(said[:most]))
                finally:
                    await database.close()
            told(name, runs[-1:])
        told(f"{path.stem}, all", runs)


if __name__ == "__main__":
    files = [Path(each) for each in sys.argv[1:] if each.endswith(".json")]
    limit = int(sys.argv[sys.argv.index("--most") + 1]) if "--most" in sys.argv else 10**9
    if not files:
        print((__doc__ or "").strip())
    asyncio.run(measure(files, limit, is_one="--in-a-row" in sys.argv))
