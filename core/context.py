"""What the model is shown: a bounded, append-only view of an unbounded history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.address import Address
from core.directory import KnownAgent
from core.errors import ContextOverflow, ModelRefused
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
_UNANSWERED = "(This was not answered.)"  # else a model answers it now; why not, it would repeat
_LONGEST_REMEMBERED = 8_000  # characters of one old message that are shown; the rest is clipped


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What came before the question: the snapshot and the messages since."""

    snapshot: Sequence[Fact] = ()
    newer: Sequence[Fact] = ()
    summary: str = ""
    history: Sequence[Entry] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is shown; bare, it is nothing but the instructions and the question."""

    messages: Sequence[PromptMessage]
    asked_tokens: int
    is_bare: bool = False

    @property
    def tokens(self) -> int:
        """Of all its texts, by estimate."""
        return sum(estimate(message.content) for message in self.messages)

    def too_long(self, overflow: ContextOverflow) -> ModelRefused:
        """The refusal of a bare prompt: whoever wrote most of it can shorten it."""
        if self.asked_tokens > self.tokens / 2:
            return overflow
        return ModelRefused(
            f"The instructions are too long for the model: {overflow}",
            told="My instructions do not fit into my language model. "
            "Please tell whoever runs this bot; the reason is in its log.",
        )


async def build(
    agent: KnownAgent,
    lease: Lease,
    questions: Sequence[InboxMessage],
    *,
    budget: int,
    cut_at: datetime | None,
    files: Files = _NO_FILES,
) -> Prompt:
    """The prompt up to and including the question, of about `budget` tokens at most.

    In order: instructions, snapshot (facts and summary as of the last cut), messages, and at
    the tail facts learned since and the question. Nothing that changes from turn to turn
    stands before something that does not, so that a provider's prompt cache keeps hitting.
    The history grows until the budget is full and is then cut to half of it, for good as of
    `cut_at`; without it, in this prompt alone. Of the files that came with the question, as much
    is shown as fits beside it. A budget below the agent's that the question fills makes a bare
    prompt.

    Raises:
        ModelRefused: the question alone is too long for the agent's window_tokens.
    """
    window = agent.spec.window_tokens
    length = sum(estimate(_spoken(lease, each.author, each.text)) for each in questions)
    if length > window * _QUESTION_SHARE:
        raise _refused(length, window)
    room_for_files = max(int(budget * _QUESTION_SHARE) - length - files.tokens(), 0)
    asked = [_asked(lease, question, files, room_for_files) for question in questions]
    length = sum(estimate(message.content) for message in asked) + files.tokens()
    room = budget - length - estimate(agent.spec.instructions)
    is_bare = budget < window and room <= 0
    view = _View()
    if agent.spec.memory and not is_bare:
        view = await _view(agent, lease, cut_at=cut_at, room=room)
    said = [_said(lease, entry) for entry in view.history]
    messages_in_order = [_front(agent, view), *said, *_with_tail(view.newer, asked)]
    return Prompt(messages=_merged(messages_in_order), asked_tokens=length, is_bare=is_bare)


def _refused(length: int, window: int) -> ModelRefused:
    return ModelRefused(
        f"a message of about {length} tokens does not fit into window_tokens = {window}",
        told=f"Your message is too long for me: about {length:,} tokens, and I can read "
        f"{int(window * _QUESTION_SHARE):,}. It is kept; please send it in smaller parts.",
    )


def remembered_tokens(text: str) -> int:
    """What one message of the history costs in a prompt."""
    return estimate(clipped(text, _LONGEST_REMEMBERED))


async def _view(agent: KnownAgent, lease: Lease, *, cut_at: datetime | None, room: int) -> _View:
    here = Address.parse(lease.address, lease.readers)
    current = await facts.current(agent_id=agent.id, scope=here.scope)
    room = max(room - sum(estimate(fact.text) for fact in current), 0)
    summary = await summaries.newest(lease.conversation_id)
    history = await messages.window(
        lease.conversation_id, after_seq=summary.upto_seq if summary else 0, tokens=room
    )
    if sum(entry.tokens for entry in history) >= room and history:
        begin = _begin_of_newest(history, room // 2)
        if cut_at is not None:
            summary = await _cut(lease, upto_seq=begin - 1, current=current, now=cut_at)
        history = [entry for entry in history if entry.seq >= begin]
    known = set(summary.facts) if summary else set[int]()
    return _View(
        snapshot=[fact for fact in current if fact.id in known],
        newer=[fact for fact in current if fact.id not in known],
        summary=summary.text if summary else "",
        history=history,
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
    if entry.role is MessageRole.NOTICE:
        text = _UNANSWERED
    if entry.role is not MessageRole.USER:
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
