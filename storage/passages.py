"""What can be found again: passages of messages under the words that they are found by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import NamedTuple, TypeVar

from storage.derived import Passage
from storage.drivers import fulltext
from storage.drivers.fulltext import Words
from storage.drivers.script import (
    IF_NEW,
    Script,
    Statement,
    changed,
    changing,
    client,
    dialect,
    insert,
    moment,
    reading_script,
    rows,
    script,
    together,
)
from storage.drivers.session import Row
from storage.drivers.transaction import reading
from storage.models import Cursor, Message, MessageRole

R = TypeVar("R")

INDEXED = "search index"  # the cursor: messages up to this id can be found
_AT_ONCE = 200  # passages in one statement
_COLUMNS = ("conversation_id", "seq", "part", "turn_id", "author", "words")
_BY_ID = "SELECT id, conversation_id, seq, part, author, words FROM passage WHERE id {}"
_OF_AGENT = (
    "SELECT id, address, readers, COALESCE((SELECT max(upto_seq) FROM summary"
    " WHERE summary.conversation_id = conversation.id AND summary.kind = 'reset'), 0)"
    " FROM conversation WHERE id {} AND agent_id = ?"
)
_TOLD = (
    "message.conversation_id, message.seq, message.role, message.author, message.text,"
    " message.turn_id, message.said_at"
)
_AROUND = (
    f"SELECT {_TOLD} FROM passage"  # noqa: S608  # names of ours
    " JOIN message ON message.conversation_id = passage.conversation_id"
    " AND message.seq >= passage.seq - ? AND message.seq <= passage.seq WHERE passage.id {}"
)
_NEXT = (
    "SELECT message.id, message.turn_id, message.role <> 'notice' AND NOT EXISTS"
    " (SELECT passage.id FROM passage WHERE passage.conversation_id = message.conversation_id"
    " AND passage.seq = message.seq) AND NOT EXISTS (SELECT summary.id FROM summary"
    " WHERE summary.conversation_id = message.conversation_id AND summary.kind = 'reset'"
    " AND summary.upto_seq >= message.seq), turn.ended_at"
    " FROM message LEFT JOIN turn ON turn.id = message.turn_id"
    " WHERE message.id > ? ORDER BY message.id LIMIT ?"
)
_OF_TURNS = (
    f"SELECT {_TOLD}, conversation.agent_id, conversation.address, conversation.readers"  # noqa: S608  # as above
    " FROM message JOIN conversation ON conversation.id = message.conversation_id"
    " WHERE message.turn_id {} ORDER BY message.turn_id, message.seq"
)
_IS_THERE = "SELECT id FROM message WHERE turn_id = ? LIMIT 1 FOR UPDATE"
_AS_READ = "SELECT id FROM conversation WHERE id = ? AND readers = ? FOR UPDATE"


def _sibling(agent: str, near: str) -> str:
    return (
        f"SELECT id FROM conversation WHERE {agent} = ? AND id <> ? AND last_seq > 0"  # noqa: S608  # text of ours
        f" AND (address = ? OR substr(address, 1, ?) = ?) AND {near} LIMIT 1"
    )


# In an index by bytes they are near each other. PostgreSQL's usual order may be a language's: there
# only that by addresses is of use, and as long as it has no statistics it would choose the other.
_SIBLING = {
    "sqlite": _sibling("agent_id", "address >= ? AND address < ?"),
    "mysql": _sibling("agent_id", "address >= ? AND address < ?"),
    "postgres": _sibling("agent_id + 0", "address ~>=~ ? AND address ~<~ ?"),
}
_BEFORE_RESET = (
    "SELECT passage.id FROM passage JOIN summary ON summary.conversation_id ="
    " passage.conversation_id AND summary.kind = 'reset' AND passage.seq <= summary.upto_seq"
    " LIMIT ?"
)
_DROP = "DELETE FROM passage WHERE id {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A passage of a message that is stored with it, or was stored before."""

    seq: int
    part: int
    author: str
    words: str


class Found(NamedTuple):
    """A passage with the place where it was said, and who can read there, as that is now."""

    id: int
    conversation_id: int
    seq: int
    part: int
    author: str
    words: str
    address: str
    readers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message that was found, or one just before it."""

    conversation_id: int
    seq: int
    role: MessageRole
    author: str
    text: str
    turn_id: int
    said_at: datetime


def add(conversation_id: int, turn_id: int, found: Sequence[Indexed]) -> list[Statement]:
    """Add the passages of a turn's messages, those of them that are not there."""
    statements: list[Statement] = []
    for start in range(0, len(found), _AT_ONCE):
        values: list[object] = []
        some = found[start : start + _AT_ONCE]
        for each in some:
            values += (conversation_id, each.seq, each.part, turn_id, each.author, each.words)
        statements.append(changing(insert(Passage, _COLUMNS, len(some)) + IF_NEW, *values))
    return statements


def has_sibling(dialect: str, agent_id: int, conversation_id: int, place: str) -> Script[bool]:
    """Whether anything was said to the agent in another conversation at or below this address."""
    path = f"{place}/"
    sought = (place, len(path), path, place, f"{place}0")  # "0" comes after "/"
    found = yield from rows(_SIBLING[dialect], agent_id, conversation_id, *sought)
    return bool(found)


async def in_one_read(look: Callable[[Index], Script[R]]) -> R:
    """What a script finds that asks the index, all in one read of the database.

    Raises:
        DatabaseUnusable: the index is missing or damaged, among others.
    """
    return await _looked(Index(dialect()), look)


@reading_script
def _looked(index: Index, look: Callable[[Index], Script[R]]) -> Script[R]:
    return (yield from look(index))


class Index:
    """The index of words of the open database, as a script asks it."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def find(self, asked: Sequence[Words], *, limit: int) -> Script[list[list[int]]]:
        """As `fulltext.find`."""
        return (yield from fulltext.find(self._dialect, asked, limit=limit))

    def of_agent(self, agent_id: int, ids: list[int]) -> Script[list[Found]]:
        """Those of these passages that were said to the agent, and not before a reset.

        Two statements: joined, some database would always begin with the wrong table.
        """
        found = yield from rows(fulltext.among(self._dialect, _BY_ID), ids)
        talks = list({row[1] for row in found})
        told = yield from rows(fulltext.among(self._dialect, _OF_AGENT), talks, agent_id)
        places = {number: (address, readers, at) for number, address, readers, at in told}
        return [
            Found(number, talk, seq, part, author, words, *places[talk][:2])
            for number, talk, seq, part, author, words in found
            if talk in places and seq > places[talk][2]
        ]

    def around(self, ids: list[int], *, before: int) -> Script[list[Told]]:
        """The messages of these passages, each with so many before it."""
        found = yield from rows(fulltext.among(self._dialect, _AROUND), before, ids)
        return [_told(row) for row in found]


def _told(row: Row) -> Told:
    return Told(
        conversation_id=row[0],
        seq=row[1],
        role=MessageRole(row[2]),
        author=row[3],
        text=row[4],
        turn_id=row[5],
        said_at=moment(row[6]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unindexed:
    """A message of a turn that has none of its passages, with whose it is and where it was said."""

    told: Told
    agent_id: int
    address: str
    readers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Messages looked at up to this id, and turns of those that can not be found."""

    last_id: int
    looked: int
    turn_ids: list[int]


@reading_script
def look(after_id: int, limit: int, *, until: datetime | None) -> Script[Page | None]:
    """Look at the next messages, up to the first one of a turn that ended after `until`.

    None where there are no more. That is when a message was stored; when it was said, a person's
    clock or a queue decides.
    """
    found = yield from rows(_NEXT, after_id, limit)
    if until is not None:
        found = list(takewhile(lambda row: row[3] is None or moment(row[3]) < until, found))
    if not found:
        return None
    missing = dict.fromkeys(row[1] for row in found if row[2])
    return Page(last_id=found[-1][0], looked=len(found), turn_ids=list(missing))


@reading_script
def has_any() -> Script[bool]:
    """Whether anything at all can be found."""
    return bool((yield from rows("SELECT id FROM passage LIMIT 1")))


async def of_turns(turn_ids: list[int]) -> list[Unindexed]:
    """The messages of these turns, in the order in which they were said."""
    return await _of_turns(dialect(), turn_ids)


@reading_script
def _of_turns(dialect: str, turn_ids: list[int]) -> Script[list[Unindexed]]:
    found = yield from rows(fulltext.among(dialect, _OF_TURNS), turn_ids)
    return [
        Unindexed(told=_told(row), agent_id=row[7], address=row[8], readers=row[9]) for row in found
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedTurn:
    """The passages of an earlier turn, made for those who could read there then."""

    conversation_id: int
    turn_id: int
    readers: str
    found: Sequence[Indexed]


async def make_anew(conversation_id: int) -> None:
    """Let what was said there be indexed again, inside of the caller's transaction.

    As where others can read it now: words carry their scope.
    """
    if not await Passage.filter(conversation_id=conversation_id).delete():
        return
    first = await Message.filter(conversation_id=conversation_id).order_by("seq").first()
    indexed = await Cursor.select_for_update().get_or_none(name=INDEXED)
    if first and indexed and int(indexed.position) >= first.id:
        await Cursor.filter(id=indexed.id).update(position=str(first.id - 1))


@script
def index(turns: Sequence[IndexedTurn]) -> Script[bool]:
    """Add the passages of messages of earlier turns; False if others can read some of them now.

    What was deleted since it was read is left out, and so are these.
    """
    is_whole = True
    for turn in turns:
        if not (yield from rows(_IS_THERE, turn.turn_id)):
            continue
        if (yield from rows(_AS_READ, turn.conversation_id, turn.readers)):
            yield from together(*add(turn.conversation_id, turn.turn_id, turn.found))
        else:
            is_whole = False
    return is_whole


async def drop_before_resets() -> int:
    """Delete some of what lies before a reset, which nobody finds again; how many."""
    return await _drop_before_resets(dialect())


@script
def _drop_before_resets(dialect: str) -> Script[int]:
    found = yield from rows(_BEFORE_RESET, _AT_ONCE)
    ids = list({number for (number,) in found})
    if ids:
        yield from changed(fulltext.among(dialect, _DROP), ids)
    return len(ids)


@reading
async def ensure() -> None:
    """Make the index where it is missing."""
    await fulltext.ensure(client())


@reading
async def mend() -> bool:
    """Make the index anew if it is missing or damaged; whether it was.

    Raises:
        DatabaseUnusable: it cannot be made.
    """
    return await fulltext.mend(client())
