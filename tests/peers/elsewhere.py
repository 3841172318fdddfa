"""Some server on the loopback that nobody should ask, or that answers as a test wants it to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Elsewhere:
    """It notes what it was asked, and with which token. `async with` starts and stops it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.answer: Answer = _something
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._note)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._runner.cleanup()

    async def _note(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        self.tokens.append(request.headers.get("Authorization", ""))
        return await self.answer(request)


async def _something(_: web.Request) -> web.StreamResponse:
    return web.Response(text="something")
