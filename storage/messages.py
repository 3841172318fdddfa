"""The history of a conversation, read from its newest end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.drivers.script import Script, moment, reading_script, rows
from storage.drivers.transaction import reading
from storage.lease import Lease
from storage.models import (
    Message,
    MessageRole,
    OutboxMessage,
    OutboxState,
    Summary,
)

_PAGE = 100  # messages
_LONGEST_PAGE = 1_000
_NEWER_THAN_ANY = 2**62
_FIELDS = ("seq", "role", "author", "text", "tokens", "said_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message of a history."""

    seq: int
    role: MessageRole
    author: str
    text: str
    tokens: int
    said_at: datetime


_PAGE_BEFORE = (
    f"SELECT {', '.join(_FIELDS)} FROM message WHERE conversation_id = ? AND seq > ? AND seq < ?"  # noqa: S608  # names of ours
    " ORDER BY seq DESC LIMIT ?"
)


_AFTER = (
    f"SELECT {', '.join(_FIELDS)}, (SELECT COUNT(*) FROM message AS earlier"  # noqa: S608  # as above
    " WHERE earlier.conversation_id = ? AND earlier.seq > ? AND earlier.seq <= ?),"
    " (SELECT CASE WHEN text = '' THEN -id ELSE id END FROM summary"
    " WHERE summary.conversation_id = ? ORDER BY upto_seq DESC, id DESC LIMIT 1)"
    " FROM message WHERE conversation_id = ? AND seq > ? ORDER BY seq LIMIT ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All messages after the `summary`, as they were read: so many, up to `last_seq`.

    They count as so many tokens.
    """

    summary: Summary | None
    last_seq: int
    count: int
    tokens: int


def after(conversation_id: int, view: View) -> Script[list[Entry]]:
    """What was said since, oldest first; nothing where there is much, or the view is not the same.

    Another summary may hold by now, or this one have lost its words, and messages be deleted.
    """
    where, summary = conversation_id, view.summary
    begin = summary.upto_seq if summary else 0
    seen = (where, begin, view.last_seq)
    found = yield from rows(_AFTER, *seen, where, where, view.last_seq, _PAGE)
    mark = (summary.id if summary.text else -summary.id) if summary else None
    is_same = all((row[-2], row[-1]) == (view.count, mark) for row in found[:1])
    return [_entry(*row[:-2]) for row in found] if is_same and len(found) < _PAGE else []


@reading_script
def window(
    conversation_id: int, *, after_seq: int, tokens: int, at_most: int = sys.maxsize
) -> Script[list[Entry]]:
    """The newest messages after `after_seq`, oldest first, up to about `tokens` and no more.

    A message counts as `at_most` tokens: whoever shows it clips it to so many. Costs the same
    however long the history is: pages are read from its end, by the unique index on
    (conversation_id, seq).
    """
    newest_first: list[Entry] = []
    before, room, limit = _NEWER_THAN_ANY, tokens, _PAGE
    while room > 0:
        page = yield from rows(_PAGE_BEFORE, conversation_id, after_seq, before, limit)
        for row in page:
            entry = _entry(*row)
            room -= min(entry.tokens, at_most)
            newest_first.append(entry)
            if room <= 0:
                break
        if len(page) < limit:
            break
        before, limit = newest_first[-1].seq, _next_page(len(newest_first), tokens, room)
    return newest_first[::-1]


def _next_page(read: int, tokens: int, room: int) -> int:
    """How many messages should be enough, if they are as long as those that were read."""
    return min(_LONGEST_PAGE, 10 + 11 * read * room // (10 * max(tokens - room, 1)))


def _entry(  # a row
    seq: int, role: str, author: str, text: str, tokens: int, said_at: datetime | str
) -> Entry:
    return Entry(
        seq=seq,
        role=MessageRole(role),
        author=author,
        text=text,
        tokens=tokens,
        said_at=moment(said_at),
    )


def _entries(rows: Iterable[Sequence[Any]]) -> list[Entry]:  # type: ignore[explicit-any]  # rows as the driver gives them
    return [Entry(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


@reading
async def latest_delivered(conversation_id: int, *, limit: int) -> list[Entry]:
    """The newest `limit` messages of turns whose answer people have seen, oldest first."""
    due = await OutboxMessage.filter(
        conversation_id=conversation_id, state=OutboxState.DUE
    ).values_list("turn_id", flat=True)
    rows = (
        await Message.filter(conversation_id=conversation_id, turn_id__not_in=list(due))
        .order_by("-seq")
        .limit(limit)
        .values_list(*_FIELDS)
    )
    return _entries(rows)[::-1]


_OF_OTHERS = (
    f"SELECT {', '.join(f'message.{name}' for name in _FIELDS)} FROM conversation"  # noqa: S608  # as above
    " JOIN message ON message.conversation_id = conversation.id"
    " WHERE conversation.address = ? AND conversation.id <> ? AND message.role = 'assistant'"
    " AND message.seq > conversation.last_seq - ? AND message.said_at > ?"
    " AND NOT EXISTS (SELECT id FROM summary WHERE summary.conversation_id = conversation.id"
    " AND summary.kind = 'reset' AND summary.upto_seq >= message.seq)"
    " ORDER BY message.said_at DESC LIMIT ?"
)


@reading_script
def of_others(lease: Lease, *, since: datetime, limit: int) -> Script[list[Entry]]:
    """What other agents answered at the address of this conversation, the newest, oldest first.

    Nothing from before their own resets.
    """
    where = lease.conversation_id
    found = yield from rows(_OF_OTHERS, lease.address, where, 2 * limit, since, limit)
    return [_entry(*row) for row in reversed(found)]


@reading
async def last_said_at(conversation_id: int) -> datetime | None:
    """When the newest message was said."""
    newest = await Message.filter(conversation_id=conversation_id).order_by("-seq").first()
    return newest.said_at if newest else None
