"""The peer driven over HTTP: POST /__ctl/VERB with the verb's arguments as a JSON object."""

from __future__ import annotations

import dataclasses
import inspect
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from tests.peers.discord.interactions import Interaction
from tests.peers.discord.wire import Json, RefusedError, parsed

if TYPE_CHECKING:
    from tests.peers.discord.peer import DiscordPeer

_OWN = (
    *("about", "sessions", "counts", "share_file", "message_content"),
    *("interaction", "reply", "has_failed", "submit"),
)
_VERBS = (
    *("say", "say_as_other_bot", "say_as_webhook", "dm", "edit", "unfurl", "delete", "open_thread"),
    *("forum_post", "archive", "unarchive", "lock", "react", "type_in", "direct", "transcript"),
    *("line", "answers", "typing", "command", "autocomplete", "context_menu", "press"),
    *("add_guild", "remove_guild", "guild_outage", "guild_recovers", "add_user", "add_channel"),
    *("add_forum", "add_thread", "add_dm", "refuse_direct", "delete_channel", "add_role"),
    *("give_role", "grant", "grant_bot", "revoke_bot", "deny", "allow", "commands", "calls"),
    *("fault", "clear_faults", "disturb", "emit", "kick", "reconnect", "invalidate", "mute"),
    *("forget_sessions", "stop_heartbeat_acks", "advance", "spoil_token", "until_connected"),
)
_LISTED = {  # verbs with names after the first argument: sent as a list under "names"
    *("delete", "add_role", "grant", "grant_bot", "revoke_bot", "deny", "allow"),
}


class Control:
    """The verbs of DiscordPeer by name; a mistake is answered with 400 and its sentence."""

    def __init__(self, peer: DiscordPeer) -> None:
        self._peer = peer

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/__ctl/{verb}", self._do)

    async def _do(self, http: web.Request) -> web.Response:
        verb = http.match_info["verb"]
        try:
            arguments = parsed(await http.read() or b"{}")
            result = self._find(verb, arguments)(**arguments)
            if inspect.isawaitable(result):
                result = await result
        except (TypeError, ValueError, LookupError, OSError, RefusedError, AssertionError) as error:
            return web.json_response(Json(error=f"{type(error).__name__}: {error}"), status=400)
        return web.json_response(Json(result=_plain(result)))

    def _find(self, verb: str, arguments: Json) -> partial[object]:
        if verb not in (*_OWN, *_VERBS):
            raise LookupError(f"no verb {verb}; there are {', '.join((*_OWN, *_VERBS))}")
        found = partial(getattr(self if verb in _OWN else self._peer, verb))
        names = arguments.pop("names", []) if verb in _LISTED else []
        if not names:
            return found
        first = [key for key in ("channel", "user", "name") if key in arguments][:1]
        return partial(found, *(arguments.pop(key) for key in first), *names)

    def about(self) -> Json:
        peer = self._peer
        return Json(
            url=peer.url,
            api_url=peer.api_url,
            token=peer.token,
            application_id=peer.application_id,
            bot_user=peer.bot_user,
            mention=peer.mention,
            guild=peer.guild,
            anna=peer.anna,
            ben=peer.ben,
            general=peer.general,
            support=peer.support,
        )

    def sessions(self) -> list[str]:
        return [session.id for session in self._peer.sessions]

    def counts(self) -> Json:
        peer = self._peer
        return Json(identifies=peer.identifies, resumes=peer.resumes, sessions=len(peer.sessions))

    def message_content(self, *, is_on: bool) -> None:
        self._peer.message_content = is_on

    def share_file(
        self, *, channel: str, user: str, name: str, content: str, text: str = ""
    ) -> str:
        """Text content only, as JSON carries it."""
        return self._peer.say(channel, user, text, attachments={name: content.encode()})

    def interaction(self, *, interaction: str) -> Interaction:
        return self._peer.backend.interactions.all[interaction]

    def reply(self, *, interaction: str) -> object:
        return self._peer.reply(self.interaction(interaction=interaction))

    def has_failed(self, *, interaction: str) -> bool:
        return self._peer.has_failed(self.interaction(interaction=interaction))

    def submit(self, *, interaction: str, values: dict[str, str], user: str) -> Interaction:
        return self._peer.submit(self.interaction(interaction=interaction), values, user)


def _plain(value: object) -> object:
    if isinstance(value, Interaction):
        return {**dataclasses.asdict(value), "is_acked": value.is_acked}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
