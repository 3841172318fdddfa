"""What a prompt may show, read from the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from core.address import Address
from core.context.decide import Material, Note, Question, most_of_one, room_together
from core.context.history import Histories, Said
from core.llm import PromptMessage, Role, ToolSpec
from core.llm.tokens import estimate
from core.messaging.attachments import Files
from core.messaging.directory import KnownAgent
from core.messaging.quotes import marked
from storage import facts, past
from storage.lease import Lease
from storage.messages import Entry
from storage.models import Fact, InboxMessage, MessageRole
from storage.past import Past, Wanted
from storage.side_models import FactOrigin

_NO_FILES = Files()
_UNANSWERED = "(This was not answered.)"  # else a model answers it now; why not, it would repeat


class Memory:
    """What came before a turn, kept while it goes on, when only facts can be added.

    It is read again when the budget changes or the history was cut; a reset counts from then on.
    `found` is what was found again by the words of the question, once that was looked for.
    """

    def __init__(self, histories: Histories | None = None) -> None:
        """`histories` know what the turn before has read."""
        self._histories = histories or Histories()
        self._past: Past | None = None
        self._budget = 0
        self.history: Sequence[Said] = ()
        self.found: str | None = None

    async def read(self, lease: Lease, budget: int) -> Past:
        """As much as may fit into `budget` tokens; its messages are the `history` then."""
        address = Address.parse(lease.address, lease.readers)
        scope = address.scope
        if self._past and budget == self._budget:
            summary = self._past.summary
            known = await facts.shown(
                agent_id=lease.agent_id, scope=scope, front=summary.facts if summary else ()
            )
            return replace(self._past, facts=known)
        seen = self._histories.of(lease.conversation_id, budget)
        wanted = Wanted(
            scope=scope,
            tokens=budget,
            at_most=most_of_one(budget),
            has_others=address.shares_its_place,
            seen=seen.view if seen else None,
        )
        self._past = before = await past.read(lease, wanted)
        earlier = seen.said if seen and before.goes_on else ()
        self.history = [*earlier, *(_said(lease, entry) for entry in before.history)]
        self._histories.keep(lease.conversation_id, budget, before.view, self.history)
        self._budget = budget
        return before

    def forget(self) -> None:
        """Read it again: the view of the history begins elsewhere now."""
        self._past = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the turn brings: its questions with their files, its steps so far, its tools.

    `before` is what others said before them, to be shown in front of the first.
    """

    questions: Sequence[InboxMessage]
    files: Files = _NO_FILES
    before: str = ""
    journal: Sequence[PromptMessage] = ()
    tools: Sequence[ToolSpec] = ()
    memory: Memory = field(default_factory=Memory)


async def load(agent: KnownAgent, lease: Lease, asked: Asked, budget: int) -> Material:
    """What the turn brings, and what came before it: as much as may fit into `budget` tokens."""
    spec = agent.spec
    brought = Material(
        instructions=spec.instructions,
        window=spec.window_tokens,
        budget=budget,
        questions=_questions(lease, asked, spec.window_tokens),
        journal=asked.journal,
        tools=sum(map(_length, asked.tools)),
    )
    if not spec.memory:
        return brought
    before = await asked.memory.read(lease, budget)
    summary, history = before.summary, asked.memory.history
    begin = history[0].message.said_at if history else None
    return replace(
        brought,
        summary=summary.text if summary else "",
        facts=[_note(fact) for fact in _not_in_sight(before, lease.address, begin)],
        in_front=summary.facts if summary else (),
        view=summary.id if summary else None,
        history=history,
        begins_at=summary.upto_seq + 1 if summary else 1,
        could_begin_at=before.reset_at + 1,
        has_more=before.has_sibling,
    )


def _not_in_sight(before: Past, address: str, begin: datetime | None) -> list[Fact]:
    """Without what was learned here from messages from `begin` on, unless it changes a fact."""
    front = set(before.summary.facts if before.summary else ())
    changing = {fact.superseded_by for fact in before.facts if fact.id in front}
    return [
        fact
        for fact in before.facts
        if fact.id in front | changing
        or fact.contradicts
        or fact.origin == FactOrigin.TOLD
        or fact.place != address
        or begin is None
        or fact.said_at < begin
    ]


def _questions(lease: Lease, asked: Asked, window: int) -> list[Question]:
    """With what others said before in front, if the questions leave room for that."""
    questions = [_question(lease, each, asked.files) for each in asked.questions]
    said = [asked.before, *(each.speaker + each.text for each in questions)]
    if not questions or sum(len(each.encode()) for each in said) > room_together(window):
        return questions
    first, *others = questions
    return [replace(first, text=asked.before + first.text), *others]


def _question(lease: Lease, question: InboxMessage, files: Files) -> Question:
    return Question(
        text=_with_quotes(question),
        speaker=_speaker(lease, question.author),
        author=question.author,
        said_at=question.sent_at,
        files=files.of(question),
    )


def _with_quotes(question: InboxMessage) -> str:
    """What it refers to stands in front for this turn alone: the history has what was said."""
    quotes = [_quoted(quote.get("author", ""), quote["text"]) for quote in question.quotes or ()]
    return "\n\n".join([*quotes, question.text])


def _quoted(author: str, text: str) -> str:
    """Somebody else's words, marked as such."""
    if not author:
        return "[a reply to a message that is gone]"
    return marked(f"a reply to {author}, who said this", text)


def _note(fact: Fact) -> Note:
    is_told = fact.origin == FactOrigin.TOLD
    origin = "from" if is_told else "learned from"
    source = f"fact {fact.id}, {origin} {fact.said_by}, {fact.said_at:%d %B %Y}"
    if fact.contradicts:
        source += f"; it speaks against fact {fact.contradicts}, which was told earlier"
    until = f" until {fact.held_until:%d %B %Y}" if fact.held_until else " no more"
    return Note(
        id=fact.id,
        text=f"- {fact.text} ({source})",
        end=f"fact {fact.id} held{until}; fact {fact.superseded_by} took its place"
        if fact.superseded_by
        else "",
        is_told=is_told,
        uses=fact.uses,
    )


def _said(lease: Lease, entry: Entry) -> Said:
    return Said(seq=entry.seq, message=_message(lease, entry))


def _message(lease: Lease, entry: Entry) -> PromptMessage:
    if entry.role is MessageRole.USER:
        return PromptMessage(
            role=Role.USER,
            content=_speaker(lease, entry.author) + entry.text,
            said_at=entry.said_at,
            author=entry.author,
        )
    text = _UNANSWERED if entry.role is MessageRole.NOTICE else entry.text
    return PromptMessage(role=Role.ASSISTANT, content=text, said_at=entry.said_at)


def _speaker(lease: Lease, author: str) -> str:
    """Whoever opened the conversation speaks without a name in front, for good."""
    return "" if author == lease.opened_by else f"{author}: "


def _length(tool: ToolSpec) -> int:
    return estimate(f"{tool.name}{tool.description}{json.dumps(tool.parameters)}")
