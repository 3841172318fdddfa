"""The peer driven over HTTP: POST /peer/VERB with the verb's arguments as a JSON object."""

from __future__ import annotations

import dataclasses
import inspect
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from tests.peers.slack.deliveries import Delivery
from tests.peers.slack.faults import Fault
from tests.peers.slack.wire import Json, RefusedError, parsed

if TYPE_CHECKING:
    from tests.peers.slack.peer import SlackPeer

_OWN = (
    *("about", "share_file", "deliveries", "sockets", "hold", "release"),
    *("refresh_sockets", "freeze_sockets"),
)
_VERBS = (
    *("say", "say_as_other_bot", "edit", "delete", "react", "command", "click", "click_home"),
    *("use_shortcut", "submit", "open_home", "press_stop", "direct", "transcript", "home"),
    *("modals", "thread_state", "add_team", "add_user", "add_channel", "invite_bot"),
    *("remove_bot", "archive", "remove_scope", "spoil_token", "uninstall", "disable_sockets"),
    *("fault", "clear_faults", "disturb", "advance", "kill_sockets", "use_http", "until_connected"),
    *("set_group", "until_quiet", "calls", "delivered", "share_remote_file", "lose_file"),
)


class Control:
    """The verbs of SlackPeer by name; a mistake is answered with 400 and its sentence."""

    def __init__(self, peer: SlackPeer) -> None:
        self._peer = peer

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/peer/{verb}", self._do)

    async def _do(self, http: web.Request) -> web.Response:
        verb = http.match_info["verb"]
        arguments = parsed(await http.read() or b"{}")
        try:
            result = self._find(verb)(**arguments)
            if inspect.isawaitable(result):
                result = await result
        except (TypeError, ValueError, LookupError, RefusedError, AssertionError) as error:
            return web.json_response(Json(error=f"{type(error).__name__}: {error}"), status=400)
        return web.json_response(Json(result=_plain(result)))

    def _find(self, verb: str) -> partial[object]:
        if verb not in (*_OWN, *_VERBS):
            raise LookupError(f"no verb {verb}; there are {', '.join((*_OWN, *_VERBS))}")
        return partial(getattr(self if verb in _OWN else self._peer, verb))

    def about(self) -> Json:
        peer = self._peer
        return Json(
            url=peer.url,
            api_url=peer.api_url,
            bot_token=peer.bot_token,
            app_token=peer.app_token,
            signing_secret=peer.signing_secret,
        )

    def share_file(
        self, *, channel: str, user: str, name: str, content: str, text: str = ""
    ) -> str:
        """Text content only, as JSON carries it."""
        return self._peer.share_file(channel, user, name, content.encode(), text=text)

    def deliveries(self) -> list[Delivery]:
        return self._peer.deliveries

    def sockets(self) -> list[int]:
        """The numbers of those that are open."""
        return [socket.number for socket in self._peer.sockets.live]

    def hold(self) -> None:
        self._peer.backend.deliveries.hold()

    def release(self) -> None:
        self._peer.backend.deliveries.release()

    async def refresh_sockets(self, reason: str = "refresh_requested") -> None:
        await self._peer.sockets.disconnect(reason)

    def freeze_sockets(self) -> None:
        self._peer.sockets.freeze()


def _plain(value: object) -> object:
    if isinstance(value, Delivery):
        extra = {"event_id": value.event_id, "is_acked": value.is_acked}
        return {**dataclasses.asdict(value), **extra}
    if isinstance(value, Fault):
        return {**dataclasses.asdict(value), "over": value.over.is_set()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
