"""`moorings chat`: talk to an agent, at a screen or through a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bots.cli.start import FAILURES, Person, Room, user, with_runtime
from bots.terminal.parse import Seat
from bots.terminal.piped import PipeListener
from core.lazy import lazy
from core.runtime import Runtime

if TYPE_CHECKING:
    from bots.terminal.listener import ScreenListener


def chat(
    agent: Annotated[
        str | None, typer.Argument(help="The agent; else the one that answers in the room.")
    ] = None,
    person: Person = None,
    room: Room = "main",
) -> None:
    """Talk to an agent here. From a pipe, every line is a message."""

    async def talk(runtime: Runtime) -> int:
        seat = Seat.taken(room, user() if person is None else person)
        await runtime.directory.recall_everyone()
        if sys.stdin.isatty() and sys.stdout.isatty():
            listener: type[ScreenListener] = lazy("bots.terminal.listener", "ScreenListener")
            await listener(runtime, seat, FAILURES).run(agent)
            return 0
        return await PipeListener(runtime, seat, FAILURES).run(agent)

    with_runtime(talk, may_demo=True)
