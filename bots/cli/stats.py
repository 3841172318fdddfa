"""`moorings stats`: how much there is, how fast it grows, and what it has cost."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from humanize import naturalsize

from bots.cli.start import Json, with_settings
from bots.cli.table import show
from core import clock
from core.config.settings import Settings
from core.upkeep.space import why_short
from storage import sizes
from storage.database import open_database
from storage.sizes import AgentSize, Sizes, Space, TableSize

_WEEK = timedelta(days=7)
_OF_AGENTS = (
    "AGENT", "CONVERSATIONS", "MESSAGES", "A WEEK", "FACTS", "CALLS", "TOKENS IN", "CACHED",
    "TOKENS OUT", "USD", "A WEEK",
)  # fmt: skip


def stats(*, is_json: Json = False) -> None:
    """Count rows, growth in the last week, tokens and cost, by agent and by table."""

    async def counted(settings: Settings) -> int:
        database = await open_database(settings.database_url)
        try:
            found = await sizes.measure(database, clock.now() - _WEEK)
        finally:
            await database.close()
        space = sizes.space(database.file) if database.file else None
        if is_json:
            print(json.dumps(_document(database.url.shown, found, space), indent=2))
            return 0
        show(_OF_AGENTS, [_agent_line(each) for each in found.agents])
        print()
        show(("TABLE", "ROWS", "A WEEK"), [_table_line(each) for each in found.tables])
        print(f"\n{database.url.shown}: {_total(found, space)}")
        return 0

    with_settings(counted, level=logging.WARNING)


def _document(shown: str, found: Sizes, space: Space | None) -> Mapping[str, object]:
    return {
        "database": {
            "url": shown,
            "bytes": space.size if space else found.bytes,
            "disk_free_bytes": space.free if space else None,
            "limit_bytes": space.limit if space else None,
            "warnings": why_short(space) if space else [],
        },
        "agents": [_agent_row(each) for each in found.agents],
        "tables": [
            {"table": each.table, "rows": each.rows, "rows_a_week": each.lately}
            for each in found.tables
        ],
    }


def _agent_row(size: AgentSize) -> Mapping[str, object]:
    return {
        "agent": size.agent,
        "conversations": size.conversations,
        "turns": size.turns,
        "messages": size.messages,
        "messages_a_week": size.messages_lately,
        "facts": size.facts,
        "calls": size.calls,
        "calls_without_price": size.unpriced,
        "input_tokens": size.input_tokens,
        "cached_tokens": size.cached_tokens,
        "written_tokens": size.written_tokens,
        "cached_share": _cached_share(size),
        "output_tokens": size.output_tokens,
        "usd": size.nano_usd / 1e9,
        "usd_a_week": size.nano_usd_lately / 1e9,
    }


def _agent_line(size: AgentSize) -> Sequence[str]:
    is_part = "+" if size.unpriced else ""  # some calls have no known price
    return (
        size.agent,
        f"{size.conversations:,}",
        f"{size.messages:,}",
        f"{size.messages_lately:,}",
        f"{size.facts:,}",
        f"{size.calls:,}",
        f"{size.input_tokens:,}",
        f"{_cached_share(size):.0%}",
        f"{size.output_tokens:,}",
        f"{size.nano_usd / 1e9:,.2f}{is_part}",
        f"{size.nano_usd_lately / 1e9:,.2f}{is_part}",
    )


def _table_line(size: TableSize) -> Sequence[str]:
    return size.table, f"{size.rows:,}", "" if size.lately is None else f"{size.lately:,}"


def _cached_share(size: AgentSize) -> float:
    return round(size.cached_tokens / size.input_tokens, 4) if size.input_tokens else 0.0


def _total(found: Sizes, space: Space | None) -> str:
    if space is None:
        return f"{naturalsize(found.bytes)}."
    told = f"{naturalsize(space.size)}, {naturalsize(space.free)} free on the disk."
    return " ".join([told, *why_short(space)])
