"""The files of bots that an event passes from Slack's socket to the intake, as told in docs."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from types import FrameType

from bots.slack.sockets import SocketListener
from tests.bots.slack.bodies import said
from tests.bots.slack.bots import Workspace

ROOT = Path(__file__).parents[3]


def told() -> list[str]:
    """As they stand in docs/architecture.md."""
    found = re.findall(
        r"^- \*\*Heard on Slack\*\*: (.*)$",
        (ROOT / "docs/architecture.md").read_text(),
        re.MULTILINE,
    )
    return re.findall(r"`(bots/\S+\.py)`", "".join(found))


async def test_an_event_passes_the_files_that_are_told_in_this_order(workspace: Workspace) -> None:
    """Of one whose people's names are known, as of nearly all."""
    passed: dict[str, None] = {}
    ours = f"{ROOT / 'bots'}/"

    def note(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(ours) and asyncio.current_task() is own:
            passed.setdefault(str(Path(file).relative_to(ROOT)))

    async with workspace.bot() as bot:
        listener, [client, _] = bot.ways_in.listener, bot.clients
        assert isinstance(listener, SocketListener)
        own = asyncio.current_task()
        for number in range(2):
            event = said(f"hello {number}", channel="C0GENERAL", ts=f"170000000{number}.000100")
            frame: dict[str, object] = {
                "type": "events_api",
                "envelope_id": f"e{number}",
                "payload": event,
            }
            if number:
                sys.setprofile(note)
            try:
                await listener._connections[0]._received(client, frame)
            finally:
                sys.setprofile(None)
    assert list(passed) == told()
