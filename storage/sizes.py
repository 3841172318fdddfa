"""How much there is: rows by table and by agent, what calls have cost, and room on the disk."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from storage import derived, models, side_models
from storage.database import Database
from storage.drivers.internals import Model, models_in, table_of
from storage.drivers.script import Script, reading_script, rows

_MOST_BYTES = 4_294_967_294 * 4096  # that SQLite can address (https://sqlite.org/limits.html)
_SMALLEST = 256 * 1024**2  # bytes that ought to be free however small the file is
_FULL = 0.8  # of what a file may have

_BYTES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgres": "SELECT pg_database_size(current_database())",
    "mysql": "SELECT sum(data_length + index_length) FROM information_schema.tables"
    " WHERE table_schema = database()",
}
# When a row came, where that is known.
_CAME: Mapping[type[Model], str] = {
    models.Agent: "created_at",
    models.Revision: "first_seen_at",
    models.Conversation: "created_at",
    models.Message: "said_at",
    models.InboxMessage: "received_at",
    models.Turn: "opened_at",
    models.Step: "finished_at",
    models.OutboxMessage: "delivered_at",
    models.Usage: "at",
    models.Feedback: "given_at",
    models.Fact: "said_at",
    models.Summary: "made_at",
    models.Binding: "made_at",
    side_models.Installation: "installed_at",
    side_models.Compaction: "opened_at",
}
_MODELS = models_in(models, side_models, derived)
_NEWER = "sum(CASE WHEN {} >= ? THEN {} ELSE 0 END)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """Rows of a table, and how many of them came lately; None where that is not known."""

    table: str
    rows: int
    lately: int | None


@dataclass(slots=True, kw_only=True)
class AgentSize:
    """What an agent has, and what its calls have cost, in 1e-9 US dollars.

    `unpriced` are the calls whose price is not known; `facts` those that hold.
    """

    agent: str
    conversations: int = 0
    turns: int = 0
    messages: int = 0
    messages_lately: int = 0
    facts: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    written_tokens: int = 0
    output_tokens: int = 0
    nano_usd: int = 0
    nano_usd_lately: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """All of it; `bytes` is what the database takes up."""

    bytes: int
    tables: list[TableSize] = field(default_factory=list[TableSize])
    agents: list[AgentSize] = field(default_factory=list[AgentSize])


async def measure(database: Database, since: datetime) -> Sizes:
    """Count everything; what came `since` then came lately.

    Raises:
        DatabaseBusy, DatabaseUnusable: it gives no answer.
    """
    tables = [
        TableSize(table=table_of(model), rows=count, lately=lately)
        for model in _MODELS
        for count, lately in [await _counted(model, since)]
    ]
    taken = await _bytes(_BYTES[database.url.dialect])
    return Sizes(bytes=taken, tables=tables, agents=await _agents(since))


@reading_script
def _bytes(statement: str) -> Script[int]:
    [[taken]] = yield from rows(statement)
    return int(taken or 0)


@reading_script
def _counted(model: type[Model], since: datetime) -> Script[tuple[int, int | None]]:
    table, came = table_of(model), _CAME.get(model)
    if came is None:
        [[count]] = yield from rows(f'SELECT count(*) FROM "{table}"')  # noqa: S608  # names of ours
        return int(count), None
    lately = _NEWER.format(f'"{came}"', 1)
    [[count, new]] = yield from rows(f'SELECT count(*), {lately} FROM "{table}"', since)  # noqa: S608  # as above
    return int(count), int(new or 0)


@reading_script
def _agents(since: datetime) -> Script[list[AgentSize]]:
    found = yield from rows("SELECT id, name FROM agent ORDER BY name")
    sizes = {int(number): AgentSize(agent=str(name)) for number, name in found}
    for (statement, is_lately), names in _OF_AGENTS.items():
        values = (since,) if is_lately else ()
        for agent_id, *numbers in (yield from rows(statement, *values)):
            if size := sizes.get(int(agent_id)):
                for name, number in zip(names, numbers, strict=True):
                    setattr(size, name, int(number or 0))
    return list(sizes.values())


_OF_AGENTS: Mapping[tuple[str, bool], tuple[str, ...]] = {
    ("SELECT agent_id, count(*) FROM conversation GROUP BY agent_id", False): ("conversations",),
    (
        'SELECT conversation.agent_id, count(*) FROM "turn" JOIN conversation'
        ' ON conversation.id = "turn".conversation_id GROUP BY conversation.agent_id',
        False,
    ): ("turns",),
    (
        f"SELECT conversation.agent_id, count(*), {_NEWER.format('said_at', 1)} FROM message"  # noqa: S608  # as above
        " JOIN conversation ON conversation.id = message.conversation_id"
        " GROUP BY conversation.agent_id",
        True,
    ): ("messages", "messages_lately"),
    (
        "SELECT agent_id, count(*) FROM fact WHERE superseded_by IS NULL"
        " AND forgotten_at IS NULL GROUP BY agent_id",
        False,
    ): ("facts",),
    (
        "SELECT agent_id, count(*), sum(input_tokens), sum(cached_tokens), sum(written_tokens),"  # noqa: S608  # as above
        f" sum(output_tokens), sum(nano_usd), {_NEWER.format('at', 'nano_usd')},"
        " count(*) - count(nano_usd)"
        ' FROM "usage" GROUP BY agent_id',
        True,
    ): (
        "calls",
        "input_tokens",
        "cached_tokens",
        "written_tokens",
        "output_tokens",
        "nano_usd",
        "nano_usd_lately",
        "unpriced",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Bytes that a SQLite file has, that are free on its disk, and that it may have at most."""

    file: Path
    size: int
    free: int
    limit: int

    @property
    def is_disk_short(self) -> bool:
        """Whether a migration or VACUUM, which need as much again, may find no room."""
        return self.free < max(self.size, _SMALLEST)

    @property
    def is_limit_near(self) -> bool:
        """Whether the file has nearly all that a file may have."""
        return self.size > _FULL * self.limit


def space(file: Path) -> Space:
    """What there is, with the log that belongs to the file."""
    log = file.with_name(f"{file.name}-wal")
    sizes = [each.stat().st_size for each in (file, log) if each.exists()]
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = _MOST_BYTES if limit == resource.RLIM_INFINITY else min(limit, _MOST_BYTES)
    return Space(file=file, size=sum(sizes), free=shutil.disk_usage(file.parent).free, limit=limit)
