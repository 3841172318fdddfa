"""How much of what a question needs is found again, and shown, within so many tokens.

    python -m benchmarks.recall DATA... [--database URL-of-an-empty-database] [--pooled]

DATA are files of LoCoMo (Maharana et al., ACL 2024; CC BY-NC 4.0) or BEAM (Tavakoli et al., ICLR
2026; no licence stated, a derived card says CC BY-SA 4.0), both for measuring only. All of it goes
through the product's own storage, indexing, search and showing: each conversation in a channel of
its own, and with `--pooled` all of a file in threads of one.

Recall is the share of a question's evidence messages that are shown (any passage of one), averaged
over the questions with evidence; adversarial ones are left out. A message counts as found if any
passage of it is, so the share of the answers' own words that are shown is printed beside it. Tokens
are counted as 4.4 bytes each: o200k_base has 4.44 of LoCoMo in one, 4.71 of BEAM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from core.memory.analysis import words
from core.memory.indexing import index_next
from core.memory.ranking import Candidate
from core.memory.search import Where, search
from core.memory.showing import Page, shown
from core.memory.terms import Scope
from storage import agents, conversations, passages
from storage.database import open_database
from storage.models import Conversation, Message, MessageRole

BUDGETS = (500, 1_000, 1_500, 3_000)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
_ADVERSARIAL = 5


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message of a data set; those of one session and number stand in one turn."""

    id: str
    turn: int
    is_person: bool
    author: str
    text: str
    said_at: datetime


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and the messages that answer it."""

    text: str
    kind: str
    evidence: frozenset[str]
    answer: str


@dataclass(kw_only=True)
class Talk:
    """One conversation with its questions; `places` are where its messages are stored."""

    messages: Sequence[Said]
    questions: Sequence[Question]
    places: dict[tuple[int, int], str] = field(default_factory=dict)


def read(file: Path) -> list[Talk]:
    """The conversations of a file of either set."""
    found: list[Any] = json.loads(file.read_text())  # type: ignore[explicit-any]  # as it is published
    return [_locomo(each) if "qa" in each else _beam(each) for each in found]


def _locomo(talk: Any) -> Talk:  # type: ignore[explicit-any]  # noqa: ANN401  # as it is published
    said = talk["conversation"]
    sessions = sorted(
        int(name.split("_")[1]) for name in said if re.fullmatch(r"session_\d+", name)
    )
    messages: list[Said] = []
    for session in sessions:
        at = datetime.strptime(
            said[f"session_{session}_date_time"], "%I:%M %p on %d %B, %Y"
        ).replace(tzinfo=UTC)
        for number, each in enumerate(said[f"session_{session}"]):
            image = f" [image: {each['blip_caption']}]" if each.get("blip_caption") else ""
            messages.append(
                Said(
                    id=each["dia_id"],
                    turn=session,
                    is_person=True,
                    author=each["speaker"],
                    text=each["text"] + image,
                    said_at=at + timedelta(seconds=30 * number),
                )
            )
    known = {each.id for each in messages}
    questions = [
        Question(
            text=each["question"],
            kind=KINDS[each["category"]],
            evidence=frozenset(_evidence(each["evidence"])) & known,
            answer=str(each.get("answer", "")),
        )
        for each in talk["qa"]
        if each["category"] != _ADVERSARIAL
    ]
    return Talk(messages=messages, questions=[each for each in questions if each.evidence])


def _evidence(listed: Sequence[str]) -> Iterator[str]:
    for session, number in re.findall(r"D:?(\d+):0*(\d+)", " ".join(listed)):
        yield f"D{int(session)}:{number}"


def _beam(talk: Any) -> Talk:  # type: ignore[explicit-any]  # noqa: ANN401  # as it is published
    messages: list[Said] = []
    at, turn = NOW, 0
    for each in talk["messages"]:
        if each["anchor"]:
            at = datetime.strptime(each["anchor"], "%B-%d-%Y").replace(tzinfo=UTC)
        is_person = each["role"] == "user"
        turn += is_person
        at += timedelta(seconds=30)
        messages.append(
            Said(
                id=str(each["id"]),
                turn=turn,
                is_person=is_person,
                author=each["role"],
                text=each["text"],
                said_at=at,
            )
        )
    questions = [
        Question(
            text=each["question"],
            kind=each["category"],
            evidence=frozenset(map(str, each["evidence"])),
            answer=str(each["answer"] or ""),
        )
        for each in talk["questions"]
        if each["evidence"]
    ]
    return Talk(messages=messages, questions=questions)


async def store(talk: Talk, agent_id: int, address: str, first_turn: int) -> Conversation:
    """The history as the product has it; its turns are numbered from `first_turn`."""
    where = await conversations.find_or_open(
        agent_id=agent_id, address=address, queue="bench", author="", now=NOW
    )
    rows = []
    for seq, each in enumerate(talk.messages, start=1):
        talk.places[where.id, seq] = each.id
        rows.append(
            Message(
                conversation_id=where.id,
                seq=seq,
                role=MessageRole.USER if each.is_person else MessageRole.ASSISTANT,
                author=each.author,
                text=each.text,
                tokens=1,
                turn_id=first_turn + each.turn,
                said_at=each.said_at,
            )
        )
    await Message.bulk_create(rows, batch_size=500)
    return where


@dataclass
class Score:
    """What was found of one kind of question at each budget."""

    recall: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    answer: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))


def tokens(text: str) -> int:
    """As a model counts them, a little more."""
    return int(len(text.encode()) / 4.4) + 1


async def show(best: Sequence[Candidate], budget: int) -> Page:
    """As many of the best as have so many tokens; the product's own estimate of them is higher."""
    page, fewest, most = Page({}, 0), 0, 2 * budget
    while fewest < most:
        room = (fewest + most + 1) // 2
        tried = await passages.in_one_read(partial(shown, best=best, tokens=room))
        if tokens(tried.text) <= budget:
            page, fewest = tried, room
        else:
            most = room - 1
    return page


async def ask(talk: Talk, where: Where, scores: dict[str, Score], taken: list[float]) -> None:
    """Every question of a talk."""
    for question in talk.questions:
        begin = time.perf_counter()
        best = await passages.in_one_read(partial(search, question=question.text, where=where))
        taken.append(time.perf_counter() - begin)
        wanted = set(words(question.answer))
        for budget in BUDGETS:
            page = await show(best, budget)
            text, found = page.text, {talk.places.get(line.place) for line in page.lines}
            recall = len(question.evidence & found) / len(question.evidence)
            for kind in (question.kind, "all"):
                scores[kind].recall[budget].append(recall)
                if wanted:
                    share = len(wanted & set(words(text))) / len(wanted)
                    scores[kind].answer[budget].append(share)


def report(title: str, scores: dict[str, Score], taken: Sequence[float]) -> None:
    """One table."""
    print(f"\n{title}")
    print(f"{'':28}{'questions':>10}" + "".join(f"{f'@{each:,}':>8}" for each in BUDGETS), end="")
    print("   answers' words" + "".join(f"{f'@{each:,}':>8}" for each in BUDGETS))
    for kind in sorted(scores, key=lambda each: (each == "all", each)):
        score = scores[kind]
        print(f"{kind:28}{len(score.recall[BUDGETS[0]]):>10}", end="")
        print("".join(f"{100 * statistics.fmean(score.recall[b]):8.1f}" for b in BUDGETS), end="")
        shares = [score.answer[b] for b in BUDGETS]
        print(" " * 17 + "".join(f"{100 * statistics.fmean(s):8.1f}" if s else "" for s in shares))
    ordered = sorted(taken)
    middle, slow = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]
    print(f"a search: {1000 * middle:.1f} ms, 95 % of them at most {1000 * slow:.1f} ms")


async def measure(files: Sequence[Path], url: str, *, is_pooled: bool) -> None:
    """Store, index, ask, print."""
    database = await open_database(url)
    try:
        first_turn = 0
        for number, file in enumerate(files, start=1):
            talks = read(file)
            agent = await agents.record(name=f"a{number}", revision="r", config={}, now=NOW)
            for at, talk in enumerate(talks, start=1):
                here = f"slack/T1/C{0 if is_pooled else at}/{at}"
                await store(talk, agent.id, here, first_turn)
                first_turn += 1_000_000
            page = await index_next(0)
            while page:
                page = await index_next(page.last_id)
            scores: dict[str, Score] = defaultdict(Score)
            taken: list[float] = []
            for at, talk in enumerate(talks, start=1):
                place = f"slack/T1/C{0 if is_pooled else at}"
                await ask(talk, Where(scope=Scope(agent.id, place)), scores, taken)
            how = "pooled" if is_pooled else "one store each"
            report(f"{file.name}, {len(talks)} conversations, {how}", scores, taken)
    finally:
        await database.close()


def main() -> None:
    """As the program's first lines say."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", nargs="*", type=Path)
    asked.add_argument("--database", default="")
    asked.add_argument("--pooled", action="store_true")
    given = asked.parse_args()
    if not given.data:
        print("give it files of LoCoMo or BEAM: it measures only, and brings none")
        return
    with tempfile.TemporaryDirectory() as folder:
        url = given.database or f"sqlite://{folder}/bench.db"
        asyncio.run(measure(given.data, url, is_pooled=given.pooled))


if __name__ == "__main__":
    main()
