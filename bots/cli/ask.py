"""`moorings ask`: one message, its answer on stdout."""

from __future__ import annotations

from typing import Annotated

import typer

from bots.cli.start import Person, Room, refuse, user, with_runtime
from bots.terminal.parse import Seat
from bots.terminal.piped import Question
from core.runtime import Runtime
from core.text import cleaned


def ask(
    agent: Annotated[str, typer.Argument(help="The agent.")],
    text: Annotated[str, typer.Argument(help="What you want to say to it.")],
    person: Person = None,
    room: Room = "main",
) -> None:
    """Say one thing to an agent and print its answer: the conversation that `chat` has there."""
    if not cleaned(text):
        refuse("The message is empty: say something to be answered.")

    async def asked(runtime: Runtime) -> int:
        seat = Seat.taken(room, user() if person is None else person)
        await runtime.directory.recall_everyone()
        return await Question(runtime, seat, text, agent).run()

    with_runtime(asked, may_demo=True)
