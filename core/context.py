"""What the model is shown: a bounded, append-only view of an unbounded history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.address import Address
from core.directory import KnownAgent
from core.errors import ModelRefused
from core.files import Files
from core.llm import PromptMessage, Role
from core.text import clipped
from core.tokens import estimate
from storage import facts, messages, summaries
from storage.lease import Lease
from storage.messages import Entry
from storage.models import Fact, InboxMessage, MessageRole, Summary, SummaryKind

_NO_FILES = Files()
_QUESTION_SHARE = 0.75  # of the budget that the messages to be answered may take, at most
_LONGEST_REMEMBERED = 8_000  # characters of one old message that are shown; the rest is clipped


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What came before the question: the snapshot and the messages since."""

    snapshot: Sequence[Fact] = ()
    newer: Sequence[Fact] = ()
    summary: str = ""
    history: Sequence[Entry] = ()


async def build(
    agent: KnownAgent,
    lease: Lease,
    questions: Sequence[InboxMessage],
    *,
    now: datetime,
    budget: int,
    files: Files = _NO_FILES,
) -> list[PromptMessage]:
    """The prompt up to and including the question, of about `budget` tokens at most.

    In order: instructions, snapshot (facts and summary as of the last cut), messages, and at
    the tail facts learned since and the question. Nothing that changes from turn to turn
    stands before something that does not, so that a provider's prompt cache keeps hitting.
    The history grows until the budget is full and is then cut to half of it, for good. Of the
    files that came with the question, as much is shown as fits beside it.

    Raises:
        ModelRefused: the question alone is too long.
    """
    length = sum(estimate(_spoken(lease, each.author, each.text)) for each in questions)
    if length > budget * _QUESTION_SHARE:
        raise ModelRefused(
            f"a message of about {length} tokens does not fit into window_tokens = {budget}",
            told=f"Your message is too long for me: about {length:,} tokens, and I can read "
            f"{int(budget * _QUESTION_SHARE):,}. It is kept; please send it in smaller parts.",
        )
    room_for_files = max(int(budget * _QUESTION_SHARE) - length - files.tokens(), 0)
    asked = [_asked(lease, question, files, room_for_files) for question in questions]
    length = sum(estimate(message.content) for message in asked) + files.tokens()
    room = budget - length - estimate(agent.spec.instructions)
    view = await _view(agent, lease, now=now, room=room) if agent.spec.memory else _View()
    said = [_said(lease, entry) for entry in view.history]
    return _merged([_front(agent, view), *said, *_with_tail(view.newer, asked)])


def remembered_tokens(text: str) -> int:
    """What one message of the history costs in a prompt."""
    return estimate(clipped(text, _LONGEST_REMEMBERED))


async def _view(agent: KnownAgent, lease: Lease, *, now: datetime, room: int) -> _View:
    current = await facts.current(agent_id=agent.id, scope=Address.parse(lease.address).scope)
    room = max(room - sum(estimate(fact.text) for fact in current), 0)
    summary = await summaries.newest(lease.conversation_id)
    history = await messages.window(
        lease.conversation_id, after_seq=summary.upto_seq if summary else 0, tokens=room
    )
    if sum(entry.tokens for entry in history) >= room and history:
        begin = _begin_of_newest(history, room // 2)
        summary = await _cut(lease, upto_seq=begin - 1, current=current, now=now)
        history = [entry for entry in history if entry.seq >= begin]
    known = set(summary.facts) if summary else set[int]()
    return _View(
        snapshot=[fact for fact in current if fact.id in known],
        newer=[fact for fact in current if fact.id not in known],
        summary=summary.text if summary else "",
        history=[entry for entry in history if entry.role is not MessageRole.NOTICE],
    )


def _begin_of_newest(history: Sequence[Entry], room: int) -> int:
    """The seq from which the newest messages fit into `room` and begin with a person's."""
    begin = history[-1].seq + 1
    for entry in reversed(history):
        room -= entry.tokens
        if room < 0:
            break
        if entry.role is MessageRole.USER:
            begin = entry.seq
    return begin


async def _cut(lease: Lease, *, upto_seq: int, current: Sequence[Fact], now: datetime) -> Summary:
    return await summaries.add(
        conversation_id=lease.conversation_id,
        upto_seq=upto_seq,
        kind=SummaryKind.CUT,
        text="",
        facts=[fact.id for fact in current],
        now=now,
    )


def _front(agent: KnownAgent, view: _View) -> PromptMessage:
    sections = [agent.spec.instructions]
    if view.snapshot:
        sections.append(f"What you have been told to remember:\n{_listed(view.snapshot)}")
    if view.summary:
        sections.append(f"Earlier in this conversation:\n{view.summary}")
    return PromptMessage(role=Role.SYSTEM, content="\n\n".join(sections))


def _with_tail(newer: Sequence[Fact], asked: Sequence[PromptMessage]) -> list[PromptMessage]:
    """What was learned since the snapshot goes in front of the question, and is not kept."""
    if not newer:
        return list(asked)
    first, *others = asked
    tail = f"(What you have been told to remember since:\n{_listed(newer)})\n\n"
    return [replace(first, content=tail + first.content), *others]


def _listed(remembered: Sequence[Fact]) -> str:
    return "\n".join(
        f"- {fact.text} (fact {fact.id}, from {fact.said_by}, {fact.said_at:%d %B %Y})"
        for fact in remembered
    )


def _asked(
    lease: Lease, question: InboxMessage, files: Files, room_for_files: int
) -> PromptMessage:
    return PromptMessage(
        role=Role.USER,
        content=_spoken(lease, question.author, files.shown(question, room_for_files)),
        said_at=question.sent_at,
        author=question.author,
        images=files.images(question),
    )


def _said(lease: Lease, entry: Entry) -> PromptMessage:
    text = clipped(entry.text, _LONGEST_REMEMBERED)
    if entry.role is MessageRole.ASSISTANT:
        return PromptMessage(role=Role.ASSISTANT, content=text, said_at=entry.said_at)
    return PromptMessage(
        role=Role.USER,
        content=_spoken(lease, entry.author, text),
        said_at=entry.said_at,
        author=entry.author,
    )


def _spoken(lease: Lease, author: str, text: str) -> str:
    """Whoever opened the conversation speaks without a name in front, for good."""
    return text if author == lease.opened_by else f"{author}: {text}"


def _merged(messages_in_order: Sequence[PromptMessage]) -> list[PromptMessage]:
    """Many chat templates demand that person and model take turns."""
    merged: list[PromptMessage] = []
    for message in messages_in_order:
        if merged and merged[-1].role is message.role:
            content = f"{merged[-1].content}\n\n{message.content}"
            images = (*merged[-1].images, *message.images)
            merged[-1] = replace(message, content=content, images=images)
        else:
            merged.append(message)
    return merged
