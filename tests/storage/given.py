"""Short ways to the state that a storage test begins in."""

from __future__ import annotations

from datetime import datetime

from storage import agents, claims, conversations, inbox, turns
from storage.claims import OpenTurn, Plan
from storage.database import Database
from storage.lease import Lease
from storage.models import Conversation, MessageRole, TurnState
from storage.turns import Ending, Entry
from tests.storage import sql

PLAN = Plan(revision="r1", room=40_000)


async def conversation(
    now: datetime, *, agent: str = "support", room: str = "main", readers: str = ""
) -> Conversation:
    """A conversation in a terminal room."""
    row = await agents.record(name=agent, revision="r1", config={"model": "m"}, now=now)
    return await conversations.find_or_open(
        agent_id=row.id,
        address=f"terminal/{room}",
        queue=f"terminal/{room}",
        author="ana",
        readers=readers,
        now=now,
    )


async def filled_and_emptied(database: Database, *, megabytes: int) -> None:
    """So much free room in a file, before the table `kept` with its 100 rows."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
    table = f"CREATE TABLE {{}} AS {numbers} SELECT i, zeroblob(1000) AS stuff FROM n"  # noqa: S608  # of our own
    await sql.rows(database, table.format("filler", 1000 * megabytes))
    await sql.rows(database, table.format("kept", 100))
    await sql.rows(database, "DROP TABLE filler")


async def received(
    where: Conversation,
    key: str,
    now: datetime,
    *,
    author: str = "ana",
    position: int = 1,
    reply_to: str | None = None,
    files: int = 0,
) -> bool:
    """A message of that key in the inbox."""
    message = inbox.NewMessage(
        key=key,
        conversation_id=where.id,
        position=position,
        author_id=author,
        author=author,
        text=f"text of {key}",
        reply_to=reply_to,
        sent_at=now,
        attachments=[{} for _ in range(files)],
    )
    return await inbox.add(message, now)


async def leased(where: Conversation, now: datetime, *, owner: str = "me") -> Lease:
    """The lease on a conversation that has work."""
    lease = await claimed(where.id, now, owner=owner)
    assert lease
    return lease


async def claimed(conversation_id: int, now: datetime, *, owner: str) -> Lease | None:
    """The lease, if there is work and nobody holds the conversation; no turn is opened."""
    claimed = await claims.claim(
        conversation_id=conversation_id, owner=owner, now=now, seconds=15, plan=None
    )
    return claimed.lease if claimed else None


async def opened(lease: Lease, now: datetime) -> OpenTurn:
    """The turn over what waits there."""
    turn = await claims.open_next(lease, plan=PLAN, now=now)
    assert turn
    return turn


async def answered(lease: Lease, turn: OpenTurn, now: datetime, *, text: str = "yes") -> None:
    """The turn, ended with an answer."""
    entries = [
        Entry(role=MessageRole.USER, author="ana", text=q.text, tokens=5, said_at=now)
        for q in turn.questions
    ]
    answer = Entry(role=MessageRole.ASSISTANT, author="support", text=text, tokens=5, said_at=now)
    ending = Ending(state=TurnState.DONE, entries=[*entries, answer], parts=[text])
    await turns.end(lease, turn, ending, now)
