"""A small chat platform on the loopback: what people write is delivered until acknowledged.

It outlives the bot that is killed, and its transcript is what a person sees.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from aiohttp import web


@dataclass(kw_only=True)
class Post:
    """One visible message of the bot; `key` is what the bot gave with it."""

    id: str
    key: str
    room: str
    text: str
    reply_to: str | None
    is_final: bool


class Board:
    """The server; `async with` starts it on a free port and stops it."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self._events: dict[str, dict[str, str | int]] = {}
        self._said = 0
        self._changed = asyncio.Condition()
        self._runner = web.AppRunner(
            self._app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
        )
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._runner.cleanup()

    async def say(self, room: str, author: str, text: str, *, below: str = "") -> str:
        """A person writes, to be answered `below` an earlier message; returns the message's id."""
        event = {"room": room, "author": author, "text": text}
        return await self._deliver_event({**event, "below": below} if below else event)

    async def edit(self, question: str, text: str) -> None:
        """A person changes what they wrote."""
        await self._deliver_event({"edits": question, "text": text})

    async def _deliver_event(self, event: dict[str, str]) -> str:
        self._said += 1
        name = f"q{self._said}"
        async with self._changed:
            self._events[name] = {**event, "id": name, "position": self._said}
            self._changed.notify_all()
        return name

    async def answered(self, *questions: str) -> None:
        """Wait until a final message of the bot replies to each of these messages."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: set(questions) <= {post.reply_to for post in self.posts if post.is_final}
            )

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/events", self._deliver)
        app.router.add_delete("/events/{id}", self._acknowledge)
        app.router.add_get("/posts", self._find)
        app.router.add_post("/posts", self._post)
        app.router.add_put("/posts/{id}", self._edit)
        return app

    async def _deliver(self, _: web.Request) -> web.Response:
        """Everything that is not acknowledged, again and again.

        Where there is nothing, the answer does not keep waiting a bot that is to stop.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1), self._changed:
                await self._changed.wait_for(lambda: self._events)
        return web.json_response(list(self._events.values()))

    async def _acknowledge(self, request: web.Request) -> web.Response:
        self._events.pop(request.match_info["id"], None)
        return web.Response()

    async def _find(self, request: web.Request) -> web.Response:
        found = [post.id for post in self.posts if post.key == request.query["key"]]
        return web.json_response(found)

    async def _post(self, request: web.Request) -> web.Response:
        post = Post(**await request.json(), id=f"m{len(self.posts) + 1}")
        async with self._changed:
            self.posts.append(post)
            self._changed.notify_all()
        return web.json_response({"id": post.id})

    async def _edit(self, request: web.Request) -> web.Response:
        body = await request.json()
        [post] = [post for post in self.posts if post.id == request.match_info["id"]]
        post.text, post.is_final = body["text"], body["is_final"]
        async with self._changed:
            self._changed.notify_all()
        return web.json_response({"id": post.id})
