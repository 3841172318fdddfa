"""One Socket Mode connection, watched and renewed: Bolt's own is closed before the next is open."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress

from aiohttp import ClientError, ClientSession, WSCloseCode, WSMsgType
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.adapter.socket_mode.internals import build_headers
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bots.connections import Connector
from bots.slack.fields import text_at
from core.clock import monotonic

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 30.0
_SPENT_SECONDS = 30.0  # Slack closes a socket about ten after its warning
_CLOSE_SECONDS = 3.0
_GOODBYE = WSCloseCode.OK.to_bytes(2)

Dispatch = Callable[[Callable[[], AsyncBoltRequest]], Awaitable[BoltResponse]]
Frame = dict[str, object]
Receive = Callable[["Client", Frame], Coroutine[None, None, None]]


class Client(SocketModeClient):
    """One socket of the SDK's, which never replaces it itself.

    It would close the old one before it opens the new one. Commands and buttons that come on the
    old one meanwhile are never sent again: they would fail.
    """

    def __init__(
        self, app_token: str, web: AsyncWebClient, ping_interval: float, receive: Receive
    ) -> None:
        sdk = logging.getLogger(f"{__name__}.sdk")
        sdk.setLevel(logging.WARNING)  # unset, the SDK formats every frame for nobody
        super().__init__(
            app_token, sdk, web, auto_reconnect_enabled=False, ping_interval=ping_interval
        )
        self.proxy = None  # it has read the environment
        self._receive = receive
        self.in_hand: set[asyncio.Task[None]] = set()
        self.is_spent = asyncio.Event()  # it is dead, or Slack will soon close it
        self._has_said_goodbye = False
        self._has_gone = asyncio.Event()
        self.on_close_listeners.append(self._closed)

    @property
    def is_mute(self) -> bool:
        """Whether nothing that comes can be acknowledged any more."""
        return self._has_said_goodbye or self.closed

    async def connect(self) -> None:
        """As the SDK's, on a connection of ours."""
        await self.aiohttp_client_session.close()
        self.aiohttp_client_session = ClientSession(connector=Connector())
        await super().connect()  # type: ignore[no-untyped-call]  # the SDK's

    async def process_message(self) -> None:
        """As the SDK's, which keeps no reference to what it starts: it could be collected."""
        text = str(await self.message_queue.get())
        frame: Frame = json.loads(text) if text.startswith("{") else {}
        if text_at(frame, "type") == "disconnect":  # it takes what comes until Slack closes it
            self.is_spent.set()
        if not text_at(frame, "envelope_id"):  # nothing that has to be acknowledged
            return
        task = asyncio.get_running_loop().create_task(self._receive(self, frame))
        self.in_hand.add(task)
        task.add_done_callback(self._ended)

    async def watch(self, end: asyncio.Event) -> None:
        """Return when it is dead, or at the end."""
        while await self.is_connected() and not end.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), min(1.0, self.ping_interval))

    async def see_out(self, seconds: float) -> None:
        """Return when Slack has closed it, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.watch(self._has_gone)

    async def drain(self, seconds: float) -> None:
        """Return when nothing is in hand, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.in_hand:
                    await asyncio.wait(self.in_hand)

    async def leave(self, seconds: float) -> None:
        """Have Slack send to others as soon as nothing is in hand here.

        What it had sent until it heard of that is still taken: the SDK's own closing drops it.
        """
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

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.in_hand.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("frame not handled, so not acknowledged", exc_info=error)


async def _ended(tasks: Iterable[asyncio.Future[object]]) -> None:
    if remaining := list(tasks):
        await asyncio.wait(remaining, timeout=_CLOSE_SECONDS)


class Connection:
    """Always one open socket, as far as Slack and the network allow.

    A new one is opened while the one before is still served.
    """

    def __init__(
        self, make: Callable[[Receive], Client], dispatch: Dispatch, opened: Callable[[], None]
    ) -> None:
        """`opened` is told of each new socket."""
        self._make = make
        self._dispatch = dispatch
        self._opened = opened
        self._is_leaving = False
        self.clients: list[Client] = []

    async def run(self) -> None:
        """Keep one open until cancelled."""
        async with asyncio.TaskGroup() as sockets:
            while not self._is_leaving:
                client, opened_at = self._make(self._received), monotonic()
                sockets.create_task(self._serve(client))
                await client.is_spent.wait()
                # So that a socket that Slack closes at once is not opened without a pause.
                await asyncio.sleep(opened_at + client.ping_interval - monotonic())

    async def is_live(self) -> bool:
        """Whether Slack answers on one."""
        return any([await client.is_connected() for client in self.clients])

    async def leave(self, seconds: float) -> None:
        """Finish what is in hand, close what is open and open no more."""
        self._is_leaving = True
        async with asyncio.TaskGroup() as leaving:
            for client in self.clients:
                leaving.create_task(client.leave(seconds))

    async def _serve(self, client: Client) -> None:
        """From its opening to its end."""
        self.clients.append(client)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await client.connect()
            self._opened()
            await client.watch(client.is_spent)
            client.is_spent.set()
            await client.see_out(_SPENT_SECONDS)
            await client.leave(_CLOSE_SECONDS)
        except TimeoutError:
            log.warning("no socket could be opened, trying again")
        finally:
            client.is_spent.set()
            self.clients.remove(client)
            await client.end()

    async def _received(self, client: Client, frame: Frame) -> None:
        """Handle a frame, and acknowledge it if this socket still can.

        Slack sends an event again that was not acknowledged, so it is handled all the same. A
        command or a button it does not send again: it tells the person that it failed, so it is
        not handled.
        """
        envelope = text_at(frame, "envelope_id")
        if client.is_mute and text_at(frame, "type") != "events_api":
            return  # whoever did it is told so, and does it again
        response = await self._dispatch(lambda: _request(frame))
        if client.is_mute:
            return
        try:
            await send_async_response(client, SocketModeRequest("", envelope, {}), response, 0.0)
        except (ClientError, ConnectionError) as error:
            log.info("acknowledgement lost", extra={"why": type(error).__name__})


def _request(frame: Frame) -> AsyncBoltRequest:
    delivery = SocketModeRequest.from_dict(frame)
    if delivery is None:
        raise ValueError("a frame without a payload")
    return AsyncBoltRequest(
        mode="socket_mode", body=delivery.payload, headers=build_headers(delivery)
    )
