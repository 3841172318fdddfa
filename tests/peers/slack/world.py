"""The workspaces: teams, people, channels, tokens, files, and the ids they are found by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.peers.slack.clock import Clock
from tests.peers.slack.wire import Json, RefusedError

APP_ID = "A0001"
SCOPES = frozenset(
    {
        *("app_mentions:read", "assistant:write", "chat:write", "chat:write.customize", "commands"),
        *("channels:history", "groups:history", "im:history", "mpim:history"),
        *("channels:read", "groups:read", "im:read", "mpim:read", "im:write", "team:read"),
        *("files:read", "files:write", "reactions:read", "reactions:write", "users:read"),
        "usergroups:read",
    }
)
Kind = Literal["channel", "group", "im", "mpim"]


@dataclass(slots=True, kw_only=True)
class Team:
    id: str
    name: str
    bot_user: str
    bot_id: str
    is_installed: bool = True


@dataclass(slots=True, kw_only=True)
class User:
    id: str
    name: str
    team: str
    is_bot: bool = False
    is_admin: bool = False
    is_guest: bool = False  # sees no channel but those where they are


@dataclass(slots=True, kw_only=True)
class Group:
    """A user group, such as @developers."""

    id: str
    team: str
    users: set[str]


@dataclass(slots=True, kw_only=True)
class Channel:
    id: str
    name: str
    team: str
    kind: Kind
    members: set[str]
    is_archived: bool = False
    creator: str = ""
    shared_with: set[str] = field(default_factory=set)  # other teams, by Slack Connect
    messages: dict[str, Json] = field(default_factory=dict)
    ephemerals: list[Json] = field(default_factory=list)
    threads: dict[str, Json] = field(default_factory=dict)  # thread_ts -> status, title, prompts


@dataclass(slots=True, kw_only=True)
class Token:
    value: str
    team: str
    kind: Literal["bot", "app"]
    scopes: set[str]
    trouble: str = ""  # token_revoked, account_inactive, … : every call is refused with it


@dataclass(slots=True, kw_only=True)
class File:
    """`url` is where a remote one is kept, and whatever its app says; `leads_to` is a redirect."""

    id: str
    name: str
    team: str
    owner: str
    title: str = ""
    mimetype: str = "application/octet-stream"
    content: bytes = b""
    length: int = 0
    is_complete: bool = False
    mode: Literal["hosted", "external", "tombstone", "hidden_by_limit"] = "hosted"
    url: str = ""
    leads_to: str = ""
    shares: list[tuple[str, str]] = field(default_factory=list)  # (channel, ts)


class World:
    """Everything there is. Ids are found, or refused in Slack's words."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.teams: dict[str, Team] = {}
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.tokens: dict[str, Token] = {}
        self.files: dict[str, File] = {}
        self.groups: dict[str, Group] = {}
        self.codes: dict[str, str] = {}  # one-use OAuth codes -> team
        self.consents = 0
        self._counter = 0

    def new_id(self, prefix: str) -> str:
        self._counter += 1
        return f"{prefix}{self._counter:09d}"

    def add_team(self, team_id: str, name: str, *, is_installed: bool = True) -> Team:
        suffix = "" if not self.teams else team_id[1:]
        team = Team(
            id=team_id,
            name=name,
            bot_user=f"U0BOT{suffix}",
            bot_id=f"B0BOT{suffix}",
            is_installed=is_installed,
        )
        self.teams[team_id] = team
        self.users[team.bot_user] = User(
            id=team.bot_user, name="agentbot", team=team_id, is_bot=True
        )
        if is_installed:
            self.install(team_id)
        return team

    def install(self, team_id: str) -> Token:
        """A fresh bot token for the team."""
        value = f"xoxb-{team_id}-peer"
        if value in self.tokens:
            value = self.new_id(f"xoxb-{team_id}-")
        token = Token(value=value, team=team_id, kind="bot", scopes=set(SCOPES))
        self.tokens[value] = token
        self.teams[team_id].is_installed = True
        return token

    def add_channel(
        self, channel_id: str, name: str, team: str, *, kind: Kind = "channel", bot: bool = True
    ) -> Channel:
        """Every full member of the team is in it, the bot too unless told; the first made it."""
        everybody = [user for user in self.users.values() if user.team == team]
        people = [user.id for user in everybody if not (user.is_bot or user.is_guest)]
        members = {*people, *({self.teams[team].bot_user} if bot else ())}
        channel = Channel(id=channel_id, name=name, team=team, kind=kind, members=members)
        channel.creator = next(iter(people), "")
        self.channels[channel_id] = channel
        return channel

    def direct(self, user_id: str) -> Channel:
        """The direct channel between a person and the bot, made at first use."""
        channel_id = f"D{user_id[1:]}"
        if channel_id not in self.channels:
            team = self.teams[self.users[user_id].team]
            self.channels[channel_id] = Channel(
                id=channel_id,
                name="",
                team=team.id,
                kind="im",
                members={user_id, team.bot_user},
            )
        return self.channels[channel_id]

    def bot_of(self, team_id: str) -> User:
        return self.users[self.teams[team_id].bot_user]

    def find_channel(self, channel_id: str, team_id: str) -> Channel:
        """As the bot sees it: a private place it is not in does not exist."""
        if channel_id in self.users and self.users[channel_id].team == team_id:
            return self.direct(channel_id)
        channel = self.channels.get(channel_id)
        if channel is None or team_id not in {channel.team, *channel.shared_with}:
            raise RefusedError("channel_not_found")
        if channel.kind != "channel" and self.teams[team_id].bot_user not in channel.members:
            raise RefusedError("channel_not_found")
        return channel

    def joined_channel(self, channel_id: str, team_id: str) -> Channel:
        channel = self.find_channel(channel_id, team_id)
        if self.teams[team_id].bot_user not in channel.members:
            raise RefusedError("not_in_channel")
        return channel

    def find_file(self, file_id: str, team_id: str) -> File:
        """As the bot sees it: its own, and what was shared where it is, by whomever."""
        file, bot = self.files.get(file_id), self.teams[team_id].bot_user
        if file is None:
            raise RefusedError("file_not_found")
        places = [self.channels[channel] for channel, _ in file.shares]
        is_shared = any(place.team == team_id and bot in place.members for place in places)
        if not is_shared and file.owner != bot:
            raise RefusedError("file_not_found")
        if file.mode == "tombstone":
            raise RefusedError("file_deleted")
        return file

    def message(self, channel: Channel, ts: str) -> Json:
        if ts not in channel.messages:
            raise RefusedError("message_not_found")
        return channel.messages[ts]

    def display_name(self, user_id: str) -> str:
        return self.users[user_id].name if user_id in self.users else user_id
