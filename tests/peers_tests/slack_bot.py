"""A small real bot, slack-bolt over Socket Mode, that the peer's tests talk to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltRequest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.wire import Json

_QUIET = logging.getLogger("quiet")
_QUIET.setLevel(logging.CRITICAL)


def web_client(slack: SlackPeer, token: str = "") -> AsyncWebClient:
    return AsyncWebClient(
        token=token or slack.bot_token,
        base_url=slack.api_url,
        retry_handlers=[],
        logger=_QUIET,
        timeout=5,
    )


@dataclass(slots=True)
class Bot:
    """Acknowledges after its listener ran, as a bot that stores first does."""

    app: AsyncApp
    heard: list[Json] = field(default_factory=list)
    fails: int = 0  # so many listeners to come raise instead of acknowledging
    handlers: list[AsyncSocketModeHandler] = field(default_factory=list)

    @classmethod
    def of(cls, slack: SlackPeer) -> Self:
        app = AsyncApp(
            client=web_client(slack),
            token=slack.bot_token,
            signing_secret=slack.signing_secret,
            process_before_response=True,
            ignoring_self_events_enabled=False,
            logger=_QUIET,
        )
        bot = cls(app)
        for name in ("message", "app_mention", "app_home_opened", "agent_session_stopped"):
            app.event(name)(bot.hear)
        return bot

    async def hear(self, request: AsyncBoltRequest) -> None:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("not stored")
        self.heard.append(Json(request.body))

    def on_command(self, name: str, answer: str) -> None:
        async def listener(ack: AsyncAck, request: AsyncBoltRequest) -> None:
            await self.hear(request)
            await ack(answer)

        self.app.command(name)(listener)

    def on_action(self, action_id: str, listener: Callable[..., Awaitable[None]]) -> None:  # type: ignore[explicit-any]  # bolt fills the arguments by name
        self.app.action(action_id)(listener)

    def texts(self) -> list[str]:
        return [body["event"].get("text", "") for body in self.heard if "event" in body]


@asynccontextmanager
async def connected(slack: SlackPeer, *, sockets: int = 1) -> AsyncIterator[Bot]:
    """The bot, with so many sockets open."""
    bot = Bot.of(slack)
    async with AsyncExitStack() as stack:
        for _ in range(sockets):
            handler = AsyncSocketModeHandler(
                bot.app, slack.app_token, ping_interval=0.2, logger=_QUIET
            )
            stack.push_async_callback(_close, handler)
            bot.handlers.append(handler)
            await handler.connect_async()  # type: ignore[no-untyped-call]  # bolt's
        await slack.until_connected(sockets)
        yield bot


async def _close(handler: AsyncSocketModeHandler) -> None:
    """The SDK cancels its tasks but does not wait for them."""
    client = handler.client
    tasks = (client.message_processor, client.current_session_monitor, client.message_receiver)
    await handler.close_async()  # type: ignore[no-untyped-call]  # bolt's
    await asyncio.wait([task for task in tasks if task is not None], timeout=2)


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])
