"""What a prompt shows and what it leaves out: everything is counted, nothing read or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.context.history import (
    IMAGE_TOKENS,
    SHORTEST,
    Said,
    all_clipped,
    clipped,
    length_of,
    newest,
    total,
)
from core.errors import ModelRefused
from core.llm import PromptMessage, Role
from core.llm.tokens import BYTES_A_TOKEN, estimate
from core.messaging.attachments import ReadFile, with_files
from storage.learning import IN_FRONT

_QUESTION_SHARE = 0.75  # of the budget that the messages to be answered may take, with their files
_JOURNAL_SHARE = 0.75  # of what they leave, that the steps of the turn may take
_FACTS_SHARE = 4  # facts may take a fourth of what is left, and a twentieth of the budget
_FACTS_PART = 20
_BYTES_OF_FILES = 3  # in a token: tables and code have fewer than prose
_HEADING = "What you have been told or learned here since (100 other facts are left out):"
_LONGEST = (1, 4, 8)  # parts of the budget that one message may have: the first that let all fit
_LOOK_BACK = 600  # tokens of what was said earlier and found again …
_LOOK_BACK_SHARE = 8  # … and the part of the budget that it has at most
_SPARE = 16  # part of the budget that the history leaves to the question
_FULL = 0.75  # of its room that a history may take before it is compacted …
_MANY, _FEW = 70, 8  # … or so many messages, if they take such a part of the budget
_KEPT, _KEPT_PART = 16, 6  # messages, in such a part of the room, that a compaction leaves at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A fact, as the model reads it; `end` says since when it does not hold, empty if it does."""

    id: int
    text: str
    end: str = ""
    is_told: bool = True
    uses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A message to be answered; `speaker` stands before it, empty for who opened the talk."""

    text: str
    speaker: str = ""
    author: str = ""
    said_at: datetime | None = None
    files: Sequence[ReadFile] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that may be shown, oldest first: `journal` are the turn's own steps.

    `window` is what the agent may be shown, `budget` what this prompt may have, `tools` what the
    descriptions of its tools take, all in tokens. The questions may take `beyond` more. Facts of
    these ids stand `in_front`, the most important first: so it is on record in the `view`.
    The history `begins_at` this message, and could at that one but for a cut; it `has_more`
    elsewhere.
    """

    instructions: str
    window: int
    budget: int
    questions: Sequence[Question]
    beyond: int = 0
    journal: Sequence[PromptMessage] = ()
    tools: int = 0
    summary: str = ""
    facts: Sequence[Note] = ()
    in_front: Sequence[int] = ()
    view: int | None = None
    history: Sequence[Said] = ()
    begins_at: int = 1
    could_begin_at: int = 1
    has_more: bool = False

    @property
    def is_part(self) -> bool:
        """Whether the history is not all that was said there."""
        return self.has_more or self.begins_at > self.could_begin_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Facts that are shown, and how many others are not."""

    lines: Sequence[str] = ()
    left_out: int = 0

    @property
    def tokens(self) -> int:
        """Of the lines with their heading."""
        return estimate("\n".join([_HEADING, *self.lines])) if self.lines else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the prompt shows, part by part; bare, it is the instructions and what the turn brings.

    `cut`: the view of the history begins after this message from now on; None: as before.
    `is_grown`: the history is to be compacted, once the turn has ended.
    `found` is what was said earlier and is not shown, found again by the words of the question.
    """

    instructions: str
    asked: Sequence[PromptMessage]
    journal: Sequence[PromptMessage]
    is_bare: bool
    summary: str = ""
    front: Notes = Notes()
    tail: Notes = Notes()
    history: Sequence[PromptMessage] = ()
    history_tokens: int = 0
    cut: int | None = None
    is_grown: bool = False
    found: str = ""


def decide(material: Material) -> Shown:
    """What is shown of it within the budget.

    What belongs to this turn comes first: a long question, its files and the turn's own steps
    shrink facts and history in this prompt alone. Only a history that grew is cut for good.

    Raises:
        ModelRefused: the question alone is too long for the agent's window.
    """
    budget = material.budget
    asked = _asked(material)
    room = budget + material.beyond - estimate(material.instructions) - total(asked)
    is_bare = budget < material.window and room <= 0
    journal = _bounded(material.journal, int(room * _JOURNAL_SHARE), budget)
    room -= material.tools + total(journal) + _optional(material.summary)
    shown = Shown(instructions=material.instructions, asked=asked, journal=journal, is_bare=is_bare)
    return shown if is_bare else _with_past(shown, material, room)


def _with_past(shown: Shown, material: Material, room: int) -> Shown:
    """With facts and history in the `room` that this turn leaves them."""
    lasting = _lasting_room(material)
    history, cut = _settled(material, lasting)
    front, tail = _notes(material, room, is_cut=cut is not None)
    room -= front.tokens + tail.tokens
    if (length := length_of(history)) > room:
        history = newest(history, _halved(lasting, room))
        length = length_of(history)
    return replace(
        shown,
        summary=material.summary,
        front=front,
        tail=tail,
        history=[said.message for said in history],
        history_tokens=length,
        cut=cut,
        is_grown=cut is None and _is_grown(material, lasting),
    )


def _is_grown(material: Material, room: int) -> bool:
    length, count = length_of(material.history), len(material.history)
    return length > max(room, 0) * _FULL or (count >= _MANY and length > material.budget // _FEW)


def before_kept(material: Material) -> int | None:
    """The message up to which a history that has grown is compacted; None if it is short."""
    room = _lasting_room(material)
    if not _is_grown(material, room):
        return None
    begin, room = 0, room // _KEPT_PART
    for said in reversed(material.history[-_KEPT:]):
        room -= said.tokens
        if begin and room < 0:
            break
        if said.message.role is Role.USER:  # the newest question is kept, however long
            begin = said.seq
    return begin - 1 if begin > material.history[0].seq else None


def summary_tokens(summary: str, cut: Sequence[Said]) -> int:
    """What a new summary would stand for: the one before, and what is cut."""
    return _optional(summary) + length_of(cut)


def room_to_look_back(budget: int) -> int:
    """How much what was said earlier and is not shown may take, where there is any."""
    return min(_LOOK_BACK, budget // _LOOK_BACK_SHARE)


def room_together(window: int) -> int:
    """Bytes of the messages that are answered together, for an agent with this window."""
    return int(window * _QUESTION_SHARE * BYTES_A_TOKEN)


def most_of_one(budget: int) -> int:
    """Tokens that a message of the history has at the most where room is short."""
    return budget // _LONGEST[-1]


def _asked(material: Material) -> list[PromptMessage]:
    questions = material.questions
    length = sum(estimate(each.speaker + each.text) for each in questions)
    if length > material.window * _QUESTION_SHARE:
        raise _refused(length, material.window)
    room = max(int(material.budget * _QUESTION_SHARE) - length, 0)
    questions = _looked_at(questions, room // IMAGE_TOKENS)
    files = [file for question in questions for file in question.files]
    room -= IMAGE_TOKENS * sum(bool(file.image) for file in files)
    share = room * _BYTES_OF_FILES // max(sum(bool(file.text) for file in files), 1)
    return [
        PromptMessage(
            role=Role.USER,
            content=question.speaker
            + with_files(question.text, [file.inlined(share) for file in question.files]),
            said_at=question.said_at,
            author=question.author,
            images=tuple(file.image for file in question.files if file.image),
        )
        for question in questions
    ]


def _looked_at(questions: Sequence[Question], most: int) -> list[Question]:
    """With the first images; of the others only a note."""
    looked_at: list[Question] = []
    for question in questions:
        files: list[ReadFile] = []
        for file in question.files:
            most -= bool(file.image)
            files.append(_unseen(file) if file.image and most < 0 else file)
        looked_at.append(replace(question, files=files))
    return looked_at


def _unseen(file: ReadFile) -> ReadFile:
    return ReadFile(note=f"{file.note} was not looked at: too much at once. Say so")


def _refused(length: int, window: int) -> ModelRefused:
    return ModelRefused(
        f"a message of about {length} tokens does not fit into window_tokens = {window}",
        told=f"Your message is too long for me: about {length:,} tokens, and I can read "
        f"{int(window * _QUESTION_SHARE):,}. It is kept; please send it in smaller parts.",
    )


def _bounded(journal: Sequence[PromptMessage], room: int, budget: int) -> list[PromptMessage]:
    """The steps, with results clipped to the longest of a row of lengths that lets all fit."""
    shown, most = list(journal), budget
    while total(shown) > room and most > SHORTEST:
        most = max(most // 2, SHORTEST)
        shown = [clipped(each, most) if each.role is Role.TOOL else each for each in journal]
    return shown


def _lasting_room(material: Material) -> int:
    """What the history may take for good: nothing in it comes from the turn."""
    budget = material.budget
    front, tail = _notes(material, budget, is_cut=False)
    others = estimate(material.instructions) + _optional(material.summary) + material.tools
    room = budget - others - front.tokens - tail.tokens - budget // _SPARE
    return room - room_to_look_back(budget) * material.is_part


def _settled(material: Material, room: int) -> tuple[Sequence[Said], int | None]:
    """The history as it is shown from now on, and where it is cut if it is.

    Long messages are clipped before any is lost; then the newest that fit into half of the room
    stay.
    """
    whole = material.history
    if room <= 0:  # the instructions fill the window: that is no growth
        return (), None
    shown = _fitting(whole, room, material.budget)
    if shown is not None:
        return shown, None
    kept = newest(all_clipped(whole, most_of_one(material.budget)), room // 2)
    begin = kept[0].seq if kept else whole[-1].seq + 1
    rest = [said for said in whole if said.seq >= begin]
    return _fitting(rest, room, material.budget) or kept, begin - 1


def _fitting(history: Sequence[Said], room: int, budget: int) -> Sequence[Said] | None:
    """All of it, each message clipped no more than is needed; None if there is too much."""
    lengths = [said.tokens for said in history]
    for most in (budget // part for part in _LONGEST):
        if sum(min(length, most) for length in lengths) <= room:
            return history if max(lengths, default=0) <= most else all_clipped(history, most)
    return None


def _halved(room: int, most: int) -> int:
    """In steps: what is shown stays the same while the steps of the turn take ever more."""
    while room > max(most, 0):
        room //= 2
    return room


def _notes(material: Material, room: int, *, is_cut: bool) -> tuple[Notes, Notes]:
    """Those in front and those at the tail; a cut moves all to the front.

    In front, what holds no more stays as it was, and the tail says so.
    """
    most = _halved(material.budget // _FACTS_PART, room // _FACTS_SHARE)
    if is_cut:
        return _of_facts(ranked(material.facts), most), Notes()
    known = {fact.id: fact for fact in material.facts}
    front = [known[number] for number in material.in_front if number in known]
    ended = [replace(fact, text=f"- {fact.end}") for fact in front if fact.end]
    newer = [fact for fact in material.facts if fact.id not in set(material.in_front)]
    marked = [
        replace(fact, text=f"{fact.text}: {fact.end}") if fact.end else fact for fact in newer
    ]
    tail = [*_by_rank(marked), *ended]
    return _of_facts(front, most), _of_facts(tail, most)


def ranked(facts: Sequence[Note]) -> list[Note]:
    """The best that hold: what was told, what was asked for most often, what is newest."""
    return _by_rank([fact for fact in facts if not fact.end])[:IN_FRONT]


def _by_rank(facts: Sequence[Note]) -> list[Note]:
    return sorted(facts, key=_rank, reverse=True)


def _rank(fact: Note) -> tuple[bool, bool, int, int]:
    return not fact.end, fact.is_told, fact.uses, fact.id


def _of_facts(facts: Sequence[Note], room: int) -> Notes:
    """The first that fit, oldest first."""
    room -= estimate(_HEADING)
    kept: list[Note] = []
    for fact in facts:
        room -= estimate(fact.text)
        if room < 0:
            break
        kept.append(fact)
    lines = [fact.text for fact in sorted(kept, key=lambda each: each.id)]
    return Notes(lines=tuple(lines), left_out=len(facts) - len(kept))


def _optional(text: str) -> int:
    return estimate(text) if text else 0
