"""The administrator's side: channels, members, scopes, tokens and installations come and go."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from tests.peers.slack.backend import Backend
from tests.peers.slack.wire import Json
from tests.peers.slack.world import Group, Kind, User

_TURNED = {"channel": "public", "group": "private"}


class Places:
    """What changes around the bot, with the events that tell it."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def add_team(self, team: str, name: str, *, is_installed: bool = True) -> None:
        self.backend.world.add_team(team, name, is_installed=is_installed)

    def add_user(
        self, user: str, name: str, team: str = "T0001", *, is_guest: bool = False
    ) -> None:
        self.backend.world.users[user] = User(id=user, name=name, team=team, is_guest=is_guest)

    def set_group(self, group: str, *users: str, team: str = "T0001") -> None:
        """The people of a user group from now on."""
        self.backend.world.groups[group] = Group(id=group, team=team, users=set(users))

    def add_channel(
        self,
        channel: str,
        name: str = "",
        *,
        team: str = "T0001",
        kind: Kind = "channel",
        bot: bool = True,
        people: Collection[str] | None = None,
    ) -> None:
        """The bot is in it unless told, and these people, or all; no event, it was always there."""
        world = self.backend.world
        place = world.add_channel(channel, name or channel.lower(), team, kind=kind, bot=bot)
        if people is not None:
            place.members = {*people, *({world.teams[team].bot_user} if bot else ())}

    def join(self, channel: str, user: str) -> None:
        self.backend.world.channels[channel].members.add(user)

    def share(self, channel: str, team: str) -> None:
        """Another organisation comes into the channel by Slack Connect, with its own bot."""
        place = self.backend.world.channels[channel]
        place.shared_with.add(team)
        place.members.add(self.backend.world.teams[team].bot_user)

    def turn(self, channel: str, kind: Literal["channel", "group"], user: str) -> None:
        """Somebody makes a channel private, or public again: its id stays, and so do its words."""
        place, word = self.backend.world.channels[channel], _TURNED[kind]
        place.kind = kind
        message = Json(type="message", subtype=f"channel_convert_to_{word}", user=user)
        message["text"] = f"made this channel *{word}*."
        self.backend.posts.add(place, message)

    def invite_bot(self, channel: str) -> None:
        place = self.backend.world.channels[channel]
        bot = self.backend.world.teams[place.team].bot_user
        place.members.add(bot)
        event = Json(type="member_joined_channel", user=bot, channel=channel, team=place.team)
        event.update(channel_type=place.kind[0].upper(), event_ts=self.backend.clock.ts())
        self.backend.events.emit_in(place, event)

    def remove_bot(self, channel: str) -> None:
        place = self.backend.world.channels[channel]
        place.members.discard(self.backend.world.teams[place.team].bot_user)
        event = Json(type="channel_left" if place.kind == "channel" else "group_left")
        event.update(channel=channel, event_ts=self.backend.clock.ts())
        self.backend.events.emit(place.team, event)

    def archive(self, channel: str) -> None:
        place = self.backend.world.channels[channel]
        place.is_archived = True
        word = "group" if place.kind == "group" else "channel"
        event = Json(type=f"{word}_archive", channel=channel, event_ts=self.backend.clock.ts())
        self.backend.events.emit_in(place, event)

    def remove_scope(self, scope: str, team: str = "T0001") -> None:
        for token in self.backend.world.tokens.values():
            if token.team == team or scope == "connections:write":
                token.scopes.discard(scope)

    def spoil_token(self, token: str, error: str = "token_revoked") -> None:
        """Every call with it is refused: token_revoked, account_inactive, invalid_auth, …"""
        self.backend.world.tokens[token].trouble = error

    def uninstall(self, team: str = "T0001") -> None:
        bot = self.backend.world.teams[team].bot_user
        revoked = Json(type="tokens_revoked", tokens=Json(oauth=[], bot=[bot]))
        self.backend.events.emit(team, revoked)
        self.backend.events.emit(team, Json(type="app_uninstalled"))
        self.backend.world.teams[team].is_installed = False
        for token in self.backend.world.tokens.values():
            if token.team == team and token.kind == "bot":
                token.trouble = "account_inactive"

    async def disable_sockets(self) -> None:
        """Socket Mode is switched off in the app's settings."""
        self.backend.sockets.is_enabled = False
        await self.backend.sockets.disconnect("link_disabled")
