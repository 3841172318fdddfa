"""SlackProcess: the peer in a process of its own, for journeys that kill the bot."""

from __future__ import annotations

import signal
from types import TracebackType
from typing import Self

from aiohttp import ClientSession

from tests.forked import module
from tests.peers.slack.transcript import Line
from tests.peers.slack.wire import Json, parsed


class SlackProcess:
    """`do` calls any verb of SlackPeer by name; the commonest have methods here."""

    api_url = bot_token = app_token = signing_secret = url = ""

    def __init__(self, *options: str) -> None:
        """`options`: of the command line, e.g. "--seed", "7"."""
        self._options = options

    async def __aenter__(self) -> Self:
        self._process = await module("tests.peers.slack", *self._options)
        about = parsed(await self._process.stdout.readline())
        self.url, self.api_url = about["url"], about["api_url"]
        self.bot_token, self.app_token = about["bot_token"], about["app_token"]
        self.signing_secret = about["signing_secret"]
        self._http = ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._http.close()
        self._process.send_signal(signal.SIGTERM)
        await self._process.communicate()

    async def do(self, verb: str, **arguments: object) -> Json:
        """The answer, with `result`. Raises AssertionError with the peer's sentence."""
        async with self._http.post(f"{self.url}/peer/{verb}", json=arguments) as response:
            answer: Json = parsed(await response.read())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    async def say(
        self, channel: str, user: str, text: str, thread: str | None = None, ago: float = 0.0
    ) -> str:
        answer = await self.do("say", channel=channel, user=user, text=text, thread=thread, ago=ago)
        return str(answer["result"])

    async def command(self, name: str, text: str, channel: str, user: str) -> Json:
        answer = await self.do("command", name=name, text=text, channel=channel, user=user)
        return Json(answer["result"])

    async def transcript(self, channel: str, thread: str | None = None) -> list[Line]:
        answer = await self.do("transcript", channel=channel, thread=thread)
        return [_line(line) for line in answer["result"]]

    async def calls(self, method: str = "") -> list[Json]:
        found: list[Json] = (await self.do("calls", method=method))["result"]
        return found

    async def fault(self, method: str, trouble: str, **details: float | str | None) -> None:
        await self.do("fault", method=method, trouble=trouble, **details)


def _line(line: Json) -> Line:
    lists = {key: tuple(value) for key, value in line.items() if isinstance(value, list)}
    return Line(**{**line, **lists})
