"""DiscordProcess: the peer in a process of its own, for journeys that kill the bot."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import ClientSession

from tests.peers.discord.transcript import Line
from tests.peers.discord.wire import Json, parsed

ROOT = Path(__file__).parents[3]


class DiscordProcess:
    """`do` calls any verb of DiscordPeer by name; the commonest have methods here."""

    url = api_url = token = application_id = bot_user = mention = ""
    guild = anna = ben = general = support = ""

    def __init__(self, *options: str) -> None:
        """`options`: of the command line, e.g. "--seed", "7"."""
        self._options = options

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.peers.discord", *self._options),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        if self._process.stdout is None:
            raise RuntimeError("the peer has no stdout")
        about: Json = parsed(await self._process.stdout.readline())
        for name, value in about.items():
            setattr(self, name, value)
        self._http = ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._http.close()
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.communicate()

    async def do(self, verb: str, **arguments: object) -> Json:
        """The answer, with `result`. Raises AssertionError with the peer's sentence."""
        async with self._http.post(f"{self.url}/__ctl/{verb}", json=arguments) as response:
            answer: Json = parsed(await response.read())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    async def say(
        self, channel: str, user: str, text: str, reply_to: str | None = None, ago: float = 0.0
    ) -> str:
        arguments = Json(channel=channel, user=user, text=text, reply_to=reply_to, ago=ago)
        return str((await self.do("say", **arguments))["result"])

    async def command(
        self, name: str, options: dict[str, object] | None, channel: str, user: str
    ) -> Json:
        answer = await self.do("command", name=name, options=options, channel=channel, user=user)
        return Json(answer["result"])

    async def transcript(self, channel: str) -> list[Line]:
        answer = await self.do("transcript", channel=channel)
        return [_line(line) for line in answer["result"]]

    async def calls(self, label: str = "") -> list[Json]:
        found: list[Json] = (await self.do("calls", label=label))["result"]
        return found

    async def fault(self, label: str, trouble: str, **details: float | str | None) -> None:
        await self.do("fault", label=label, trouble=trouble, **details)


def _line(line: Json) -> Line:
    lists = {key: tuple(value) for key, value in line.items() if isinstance(value, list)}
    return Line(**{**line, **lists})
