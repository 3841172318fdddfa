"""One Socket Mode connection: kept open by the SDK, watched and renewed from here."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from aiohttp import ClientError, WSCloseCode, WSMsgType
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.parse import text_at
from core.clock import monotonic

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 30.0
_DRAIN_SECONDS = 2.0  # that what is in hand may take before its socket is replaced
_TURN_SECONDS = 8.0  # Slack gives about ten between its warning and the end of a socket
_CLOSE_SECONDS = 3.0
_GOODBYE = WSCloseCode.OK.to_bytes(2)

Handle = Callable[[object, bool], Awaitable[str | None]]


class Client(SocketModeClient):
    """The SDK's client, which replaces its socket when its turn has come.

    Slack refreshes the sockets of an app at about the same time, and the SDK closes the old one
    before it opens the new one: two that did so together would leave a hole, in which commands
    and buttons, which are never sent again, would fail.
    """

    def __init__(
        self, app_token: str, web: AsyncWebClient, ping_interval: float, turn: asyncio.Lock
    ) -> None:
        quiet = logging.getLogger(f"{__name__}.sdk")
        quiet.setLevel(logging.CRITICAL)  # what matters of it is said by the watch
        super().__init__(app_token, quiet, web, ping_interval=ping_interval)
        self.in_hand: set[asyncio.Task[None]] = set()
        self._turn = turn
        self._is_leaving = False
        self._has_said_goodbye = False
        self._has_gone = asyncio.Event()
        self.on_close_listeners.append(self._closed)

    @property
    def is_mute(self) -> bool:
        """Whether nothing that comes can be acknowledged any more."""
        return self._has_said_goodbye or self.closed

    async def process_message(self) -> None:
        """As the SDK's, which keeps no reference to what it starts: it could be collected."""
        text = str(await self.message_queue.get())
        frame = json.loads(text) if text.startswith("{") else {}
        task = asyncio.get_running_loop().create_task(self.run_message_listeners(frame, text))
        self.in_hand.add(task)
        task.add_done_callback(self.in_hand.discard)

    async def connect_to_new_endpoint(self, force: bool = False) -> None:  # noqa: FBT001, FBT002  # the SDK's
        """Replace the socket, after what came by it has been acknowledged on it."""
        if self._is_leaving:
            return
        async with _turn_of(self._turn):
            if force:
                await self.drain(_DRAIN_SECONDS)
            if not self._is_leaving:  # it may have begun to, meanwhile
                await super().connect_to_new_endpoint(force)

    async def drain(self, seconds: float) -> None:
        """Return when nothing is in hand, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while others := self.in_hand - {asyncio.current_task()}:
                    await asyncio.wait(others)

    async def leave(self, seconds: float) -> None:
        """Have Slack send to others as soon as nothing is in hand here.

        What it had sent until it heard of that is still taken: the SDK's own closing drops it.
        """
        self._is_leaving = True
        self.auto_reconnect_enabled = self.default_auto_reconnect_enabled = False
        await self.drain(seconds / 2)
        session = self.current_session
        if session is None or session.closed:
            return
        with suppress(TimeoutError, ClientError, ConnectionError):
            async with asyncio.timeout(seconds / 2):
                self._has_said_goodbye = True
                await session.send_frame(_GOODBYE, WSMsgType.CLOSE)
                await self._has_gone.wait()
                await self.drain(seconds / 2)

    async def end(self) -> None:
        """Close it. The SDK cancels its tasks but does not wait for them."""
        tasks = (self.message_processor, self.current_session_monitor, self.message_receiver)
        with suppress(TimeoutError, ClientError, ConnectionError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.close()  # type: ignore[no-untyped-call]  # the SDK's
        for task in tasks:
            if task is not None:
                task.cancel()
        await _ended(task for task in tasks if task is not None)

    async def _closed(self, _: object) -> None:
        """Slack has closed its side: nothing comes after it."""
        self._has_gone.set()


class _turn_of:  # noqa: N801  # reads as a function
    """Wait for the turn, but not for ever: whoever has it may be waiting for a dead network."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._has_it = False

    async def __aenter__(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_TURN_SECONDS):
                self._has_it = await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        if self._has_it:
            self._lock.release()


async def _ended(tasks: Iterable[asyncio.Future[object]]) -> None:
    if remaining := list(tasks):
        await asyncio.wait(remaining, timeout=_CLOSE_SECONDS)


class Connection:
    """Opened anew when the SDK has not brought it back for a while."""

    def __init__(self, make: Callable[[], Client], handle: Handle, *, patience: float) -> None:
        """`handle` gives the words to acknowledge with, or None not to acknowledge.

        It is told whether that cannot be done any more.
        """
        self._make = make
        self._handle = handle
        self._patience = patience
        self._client: Client | None = None

    async def run(self) -> None:
        """Keep it open until cancelled."""
        while True:
            client = self._client = self._make()
            client.message_listeners.append(self._received)
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await client.connect()  # type: ignore[no-untyped-call]  # the SDK's
                await self._watch(client)
                log.warning("socket given up, opening another one")
            except TimeoutError:
                log.warning("no socket could be opened, trying again")
            finally:
                self._client = None
                await client.end()

    async def is_live(self) -> bool:
        """Whether Slack answers on it."""
        return self._client is not None and await self._client.is_connected()

    async def leave(self, seconds: float) -> None:
        """Finish what is in hand and close it."""
        if self._client:
            await self._client.leave(seconds)

    async def _watch(self, client: Client) -> None:
        """Return when it has been dead for too long."""
        live_at = monotonic()
        while monotonic() - live_at < self._patience:
            await asyncio.sleep(min(1.0, self._patience / 4))
            if await client.is_connected():
                live_at = monotonic()

    async def _received(self, client: object, frame: object, _: str | None) -> None:
        envelope = text_at(frame, "envelope_id")
        if not (envelope and isinstance(client, Client)):
            return
        words = await self._handle(frame, client.is_mute)
        if words is None or client.is_mute:
            return
        try:
            payload = {"response_type": "ephemeral", "text": words} if words else None
            await client.send_socket_mode_response(SocketModeResponse(envelope, payload))
        except (ClientError, ConnectionError) as error:
            log.info("acknowledgement lost", extra={"why": type(error).__name__})
