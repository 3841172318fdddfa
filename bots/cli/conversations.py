"""`moorings conversations`: who talks with whom, and where."""

from __future__ import annotations

import json
from datetime import datetime

import humanize

from bots.cli.start import Json, with_runtime
from bots.cli.table import show
from core.commands.agent import Commands
from core.commands.views import ConversationInfo
from core.runtime import Runtime


def conversations(*, is_json: Json = False) -> None:
    """List the conversations, the one with the newest message first."""

    async def listed(runtime: Runtime) -> int:
        talks = await Commands(runtime.directory, runtime.agents_file, runtime.clock).talks()
        if is_json:
            rows = [
                {
                    "agent": talk.agent,
                    "address": talk.address,
                    "messages": talk.messages,
                    "last_at": talk.last_at.isoformat() if talk.last_at else None,
                }
                for talk in talks
            ]
            print(json.dumps(rows, indent=2))
            return 0
        now = runtime.clock()
        show(
            ("AGENT", "ADDRESS", "MESSAGES", "LAST"),
            [
                (
                    talk.agent,
                    talk.address,
                    f"{talk.messages:,}",
                    _when(talk, now),
                )
                for talk in talks
            ],
        )
        return 0

    with_runtime(listed)


def _when(talk: ConversationInfo, now: datetime) -> str:
    if talk.last_at:
        return humanize.naturaltime(now - talk.last_at)
    return "no longer kept" if talk.messages else "never"
