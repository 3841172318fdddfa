"""The least that a turn can cost: the same promises in 20 statements, by the raw driver.

On the real schema, in a conversation that Moorings opened. Five transactions, each fenced by the
lease's token: store · claim and open · record the step · end, with the intent to deliver ·
delivered and released. Between claim and record three reads for the prompt.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiosqlite
import asyncpg

from core import clock

Rows = Sequence[Sequence[Any]]  # type: ignore[explicit-any]  # as the driver gives them
Ask = Callable[..., Awaitable[Rows]]  # type: ignore[explicit-any]  # as above
Transaction = Callable[[], AbstractAsyncContextManager[None]]

STATEMENTS = {
    "ready": "UPDATE conversation SET ready_at = COALESCE(ready_at, $2) WHERE id = $1",
    "store": "INSERT INTO inbox (key, conversation_id, position, author_id, author, text,"
    " attachments, reply_to, state, sent_at, received_at)"
    " VALUES ($1, $2, $3, 'ana', 'ana', $4, '[]', $1, 'waiting', $5, $5)",
    "claim": "UPDATE conversation SET token = token + 1, owner = 'floor', ready_at = $2,"
    " last_turn = last_turn + 1 WHERE id = $1 AND ready_at <= $3"
    " RETURNING token, last_turn, agent_id, address",
    "waiting": "SELECT id, key, author_id, author, text, attachments, reply_to, sent_at FROM inbox"
    " WHERE conversation_id = $1 AND state = 'waiting' ORDER BY position, id LIMIT 50",
    "open": "INSERT INTO turn (conversation_id, number, state, revision, attempts, opened_at)"
    " VALUES ($1, $2, 'running', 'r', 1, $3) RETURNING id",
    "take": "UPDATE inbox SET state = 'taken', turn_id = $2 WHERE id = $1",
    "draft": "INSERT INTO outbox (key, conversation_id, turn_id, part, state, text, reply_to,"
    " attempts) VALUES ($1, $2, $3, 1, 'draft', '', $4, 0) RETURNING id",
    "facts": "SELECT id, text, said_by, said_at FROM fact WHERE agent_id = $1 AND scope = $2"
    " AND superseded_by IS NULL AND forgotten_at IS NULL ORDER BY id",
    "summary": "SELECT id, upto_seq, text, facts FROM summary WHERE conversation_id = $1"
    " ORDER BY upto_seq DESC, id DESC LIMIT 1",
    "window": "SELECT seq, role, author, text, tokens, said_at FROM message"
    " WHERE conversation_id = $1 ORDER BY seq DESC LIMIT $2",
    "fence": "UPDATE conversation SET ready_at = $3 WHERE id = $1 AND token = $2",
    "step": "INSERT INTO step (turn_id, number, kind, content, finished_at)"
    " VALUES ($1, 1, 'model', $2, $3)",
    "usage": "INSERT INTO usage (turn_id, step, agent_id, model, input_tokens, cached_tokens,"
    " output_tokens, at) VALUES ($1, 1, $2, 'm', 10, 0, 10, $3)",
    "last": "UPDATE conversation SET ready_at = $3, last_seq = last_seq + 2"
    " WHERE id = $1 AND token = $2 RETURNING last_seq",
    "end": "UPDATE turn SET state = 'done', ended_at = $2 WHERE id = $1 AND state = 'running'",
    "answered": "UPDATE inbox SET state = 'answered' WHERE turn_id = $1",
    "history": "INSERT INTO message"
    " (conversation_id, seq, role, author, text, tokens, turn_id, said_at)"
    " VALUES ($1, $2, 'user', 'ana', $4, 40, $6, $7), ($1, $3, 'assistant', 'a', $5, 40, $6, $7)",
    "due": "UPDATE outbox SET text = $2, state = 'due', attempts = 1, tried_at = $3 WHERE id = $1",
    "delivered": "UPDATE outbox SET state = 'delivered', message_id = $2, delivered_at = $3"
    " WHERE id = $1",
    "release": "UPDATE conversation SET token = token + 1, owner = NULL, ready_at = NULL"
    " WHERE id = $1 AND token = $2 AND NOT EXISTS (SELECT 1 FROM inbox"
    " WHERE conversation_id = $1 AND state IN ('waiting', 'taken'))",
}
_SQLITE = {name: re.sub(r"\$(\d)", r"?\1", text) for name, text in STATEMENTS.items()}


class Floor:
    """Turns by one raw driver."""

    def __init__(self, ask: Ask, transaction: Transaction, now: Callable[[], object]) -> None:
        self._ask = ask
        self._transaction = transaction
        self._now = now

    async def turn(self, where: int, text: str, window: int) -> None:
        """One turn in that conversation, whose prompt reads `window` messages."""
        ask, now, key = self._ask, self._now, f"floor/{secrets.token_hex(8)}"
        async with self._transaction():
            await ask("ready", where, _milliseconds())
            await ask("store", key, where, time.time_ns() // 1000, text, now())
        async with self._transaction():
            claimed = await ask("claim", where, _milliseconds() + 15_000, _milliseconds())
            token, number, agent, address = claimed[0]
            message = (await ask("waiting", where))[0][0]
            turn = (await ask("open", where, number, now()))[0][0]
            await ask("take", message, turn)
            outbox = (await ask("draft", secrets.token_hex(8), where, turn, key))[0][0]
        await ask("facts", agent, address)
        await ask("summary", where)
        await ask("window", where, window)
        async with self._transaction():
            await ask("fence", where, token, _milliseconds() + 15_000)
            await ask("step", turn, json.dumps({"text": text}), now())
            await ask("usage", turn, agent, now())
        async with self._transaction():
            last = (await ask("last", where, token, _milliseconds() + 15_000))[0][0]
            await ask("end", turn, now())
            await ask("answered", turn)
            await ask("history", where, last - 1, last, text, text, turn, now())
            await ask("due", outbox, text, now())
        async with self._transaction():
            await ask("delivered", outbox, "m", now())
            await ask("release", where, token)


@asynccontextmanager
async def inline(file: str) -> AsyncGenerator[Floor]:
    """By sqlite3, without a thread."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")

    async def ask(name: str, *values: object) -> Rows:
        return connection.execute(_SQLITE[name], values).fetchall()

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[None]:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")

    yield Floor(ask, transaction, _now_as_text)
    connection.close()


@asynccontextmanager
async def threaded(file: str) -> AsyncGenerator[Floor]:
    """By aiosqlite, a hop to its thread a statement."""
    async with aiosqlite.connect(file, isolation_level=None) as connection:
        await connection.execute("PRAGMA synchronous = FULL")

        async def ask(name: str, *values: object) -> Rows:
            return list(await connection.execute_fetchall(_SQLITE[name], values))

        @asynccontextmanager
        async def transaction() -> AsyncGenerator[None]:
            await connection.execute("BEGIN IMMEDIATE")
            yield
            await connection.commit()

        yield Floor(ask, transaction, _now_as_text)


@asynccontextmanager
async def postgres(url: str) -> AsyncGenerator[Floor]:
    """By asyncpg."""
    connection = await asyncpg.connect(url)

    async def ask(name: str, *values: object) -> Rows:
        rows: Rows = await connection.fetch(STATEMENTS[name], *values)
        return rows

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[None]:
        async with connection.transaction():
            yield

    yield Floor(ask, transaction, clock.now)
    await connection.close()


def _now_as_text() -> str:
    return clock.now().isoformat(" ")


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
