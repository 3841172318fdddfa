"""A bot for the board, to be run as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiohttp

from bots import app
from core import kill_points, runtime
from core.address import Address
from core.config.settings import from_environment
from core.errors import Transient
from core.messaging.adapter import Limits
from core.messaging.intake import Intake
from core.messaging.messages import Author, Outgoing, RoutedMessage
from core.turn.quarantine import Quarantine

ERRORS = Path("errors.txt")


class BoardAdapter:
    """The way out to the board."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @property
    def limits(self) -> Limits:
        """Edits at every piece: the more that happens, the more can go wrong."""
        return Limits(text_length=4000, seconds_between_edits=0)

    def may_preview(self, outgoing: Outgoing) -> bool:
        """Always."""
        return True

    async def post(self, outgoing: Outgoing) -> str:
        """A new message."""
        body = {
            "key": outgoing.key,
            "room": outgoing.address.key,
            "text": outgoing.text,
            "reply_to": outgoing.reply_to,
            "is_final": outgoing.is_final,
        }
        async with self._session.post("/posts", json=body) as response:
            return str((await response.json())["id"])

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """The message's new text."""
        body = {"text": outgoing.text, "is_final": outgoing.is_final}
        async with self._session.put(f"/posts/{message_id}", json=body) as response:
            return str((await response.json())["id"])

    async def find(self, outgoing: Outgoing) -> str | None:
        """By the key that every message carries."""
        async with self._session.get("/posts", params={"key": outgoing.key}) as response:
            found = await response.json()
        if len(found) > 1:
            raise Transient("the board has two messages of one key")
        return found[0] if found else None


class BoardListener:
    """The way in: each event into the inbox, then acknowledged."""

    def __init__(self, session: aiohttp.ClientSession, agent: str) -> None:
        self._session = session
        self._agent = agent

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            async with self._session.get("/events") as response:
                events = await response.json()
            for event in events:
                if "edits" in event:
                    await intake.change(f"board/{event['edits']}", event["text"])
                else:
                    await intake.accept(_parsed(event), self._agent)
                async with self._session.delete(f"/events/{event['id']}"):
                    pass


def _parsed(event: dict[str, str]) -> RoutedMessage:
    return RoutedMessage(
        key=f"board/{event['id']}",
        address=Address.parse(f"slack/T1/{event['room']}"),
        author=Author(id=event["author"], name=event["author"]),
        text=event["text"],
        sent_at=datetime.now(UTC),  # noqa: TID251  # the platform's own clock
        position=int(event["position"]),
        reply_to=event.get("below", event["id"]),
    )


def die_at(place: str, times: int) -> None:
    left = times

    def arrive(at: str) -> None:
        nonlocal left
        if at == place:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    kill_points.watch(arrive)


async def _main(board: str) -> None:
    opened = await runtime.Runtime.open(from_environment())
    async with aiohttp.ClientSession(board) as session:
        await app.run(
            opened,
            worker=opened.worker({"slack": BoardAdapter(session)}),
            listeners=[BoardListener(session, opened.agents_file.default_agent)],
            queues=["slack"],
            stop=app.stop_at_signals(),
        )
    await opened.close()


def try_alone_after(seconds: float) -> None:
    """Turns that may end their process are put off for so long after its start; else for five."""
    vars(runtime)["Quarantine"] = partial(Quarantine, calm_seconds=seconds)


def live(
    folder: Path,
    environment: dict[str, str],
    board: str,
    calm_seconds: float,
    place: str = "",
    times: int = 1,
) -> None:
    """The whole life of the process, in `folder`; `calm_seconds` as in `try_alone_after`.

    With a place it kills itself, as `kill -9` would, when it comes there for the nth time.
    """
    os.chdir(folder)
    os.environ.update(environment)  # noqa: TID251  # of this process alone
    errors = os.open(ERRORS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(errors, 2)
    try_alone_after(calm_seconds)
    if place:
        die_at(place, times)
    asyncio.run(_main(board))
