"""The administrator's side: guilds, channels, threads, people, roles and permissions."""

from __future__ import annotations

from tests.peers.discord import permissions
from tests.peers.discord.backend import Backend
from tests.peers.discord.payloads import role as role_payload
from tests.peers.discord.sessions import GUILDS
from tests.peers.discord.wire import Json
from tests.peers.discord.world import Channel, Guild, Kind, Overwrite, Role


class Places:
    """What changes around the bot, with the events that tell it. Every verb gives the new id."""

    guild = ""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def add_guild(self, name: str) -> str:
        """The bot is in it from now on, and so is everybody."""
        guild = self.backend.world.add_guild(name)
        for user in self.backend.world.users.values():
            guild.members.setdefault(user.id, [])
        self.backend.events.guild("GUILD_CREATE", guild)
        return guild.id

    def remove_guild(self, guild: str) -> None:
        """The bot is thrown out."""
        held = self.backend.world.guilds[guild]
        self.backend.events.guild("GUILD_DELETE", held, Json(id=guild))
        del self.backend.world.guilds[guild]

    def rejoin(self, guild: str) -> None:
        """The bot is thrown out, and invited again at once."""
        held = self.backend.world.guilds[guild]
        held.joined[self.backend.world.bot] = self.backend.clock.now()
        self.backend.events.guild("GUILD_DELETE", held, Json(id=guild))
        self.backend.events.guild("GUILD_CREATE", held)

    def guild_outage(self, guild: str) -> None:
        """Discord cannot serve it for a while; `guild_recovers` ends that."""
        held = self.backend.world.guilds[guild]
        self.backend.events.away.add(guild)
        self.backend.events.guild("GUILD_DELETE", held, Json(id=guild, unavailable=True))

    def guild_recovers(self, guild: str) -> None:
        self.backend.events.away.discard(guild)
        self.backend.events.guild("GUILD_CREATE", self.backend.world.guilds[guild])

    def add_user(self, name: str) -> str:
        """A member of every guild there is."""
        user = self.backend.world.add_user(name).id
        for guild in self.backend.world.guilds.values():
            guild.members[user] = []
        return user

    def add_channel(self, name: str, *, guild: str = "", kind: Kind = Kind.TEXT) -> str:
        place = self.backend.world.add_channel(name, guild or self.guild, kind)
        self.backend.events.channel("CHANNEL_CREATE", place)
        return place.id

    def add_forum(self, name: str, *, guild: str = "") -> str:
        return self.add_channel(name, guild=guild, kind=Kind.FORUM)

    def add_thread(
        self, channel: str, name: str, user: str, *, is_private: bool = False, bot: bool = True
    ) -> str:
        """Without a starter message. A private one has the bot in it unless told."""
        parent = self.backend.world.channels[channel]
        if not is_private:
            return self.backend.posts.open_loose_thread(parent, name, user).id
        kind = Kind.PRIVATE_THREAD
        place = self.backend.posts.open_loose_thread(parent, name, user, kind)
        if bot:
            self.backend.posts.join(place, self.backend.world.bot)
        return place.id

    def leave_thread(self, thread: str, user: str) -> None:
        """Or be taken out of it; who is not in a private thread is told nothing of it any more."""
        place = self.backend.world.channels[thread]
        place.members.remove(user)
        gone = Json(id=thread, guild_id=place.guild, member_count=len(place.members))
        gone["removed_member_ids"] = [user]
        self.backend.events.emit("THREAD_MEMBERS_UPDATE", gone, place.guild, GUILDS)

    def make_private(self, channel: str, *people: str) -> None:
        """Only the bot and these people see the channel from now on."""
        for each in (self.backend.world.bot, *people):
            self.allow(channel, "VIEW_CHANNEL", user=each)
        self.deny(channel, "VIEW_CHANNEL", user=self.backend.world.channels[channel].guild)

    def add_dm(self, user: str) -> str:
        return self.backend.world.direct(user).id

    def refuse_direct(self, user: str, *, is_refused: bool = True) -> None:
        """The person takes no direct messages from the bot: 50007."""
        self.backend.world.users[user].refuses_direct = is_refused

    def delete_channel(self, channel: str) -> None:
        place = self.backend.world.channels[channel]
        kind = "THREAD_DELETE" if place.is_thread else "CHANNEL_DELETE"
        self.backend.events.channel(kind, place)
        channels = self.backend.world.channels
        for each in [c for c in channels.values() if channel in (c.id, c.parent)]:
            del channels[each.id]

    def add_role(self, name: str, *names: str, guild: str = "", is_mentionable: bool = True) -> str:
        """With the permissions named."""
        held = self._guild(guild)
        role = Role(id=self.backend.clock.snowflake(), name=name, is_mentionable=is_mentionable)
        role.permissions, role.position = permissions.bits(*names), len(held.roles)
        held.roles[role.id] = role
        self._tell_role("GUILD_ROLE_CREATE", held, role)
        return role.id

    def give_role(self, user: str, role: str, *, guild: str = "") -> None:
        self._guild(guild).members.setdefault(user, []).append(role)

    def grant(self, user: str, *names: str, guild: str = "") -> None:
        """Everywhere in the guild, by a role of one's own: `grant(anna, "MANAGE_CHANNELS")`."""
        self.give_role(
            user, self.add_role(f"may-{'-'.join(names)}", *names, guild=guild), guild=guild
        )

    def grant_bot(self, *names: str, guild: str = "") -> None:
        self._set_bot_role(guild, add=permissions.bits(*names))

    def revoke_bot(self, *names: str, guild: str = "") -> None:
        """From the bot and from everyone, everywhere in the guild."""
        held = self._guild(guild)
        held.roles[held.id].permissions &= ~permissions.bits(*names)
        self._tell_role("GUILD_ROLE_UPDATE", held, held.roles[held.id])
        self._set_bot_role(guild, remove=permissions.bits(*names))

    def deny(self, channel: str, *names: str, user: str = "") -> None:
        """To the bot, unless to a user or a role: `deny(channel, "READ_MESSAGE_HISTORY")`.

        A thread has its parent's permissions, so there it is the parent that is changed.
        """
        self._overwrite(channel, user, deny=permissions.bits(*names))

    def allow(self, channel: str, *names: str, user: str = "") -> None:
        """Takes back a `deny`, and gives what the roles do not."""
        self._overwrite(channel, user, allow=permissions.bits(*names))

    def _overwrite(self, channel: str, user: str, *, allow: int = 0, deny: int = 0) -> None:
        world = self.backend.world
        place, target = world.channels[channel], user or world.bot
        place = world.channels[place.parent] if place.is_thread else place
        could_view = world.can(place, "VIEW_CHANNEL")
        is_role = target in world.guilds[place.guild].roles
        rule = place.overwrites.setdefault(target, Overwrite(kind=0 if is_role else 1))
        rule.allow, rule.deny = (rule.allow | allow) & ~deny, (rule.deny | deny) & ~allow
        self._tell_overwrite(place, could_view=could_view)

    def _tell_overwrite(self, place: Channel, *, could_view: bool) -> None:
        """Who loses sight of a channel is told as of its deletion."""
        world, events = self.backend.world, self.backend.events
        can_view = world.can(place, "VIEW_CHANNEL")
        if can_view == could_view or events.shows_hidden:
            events.channel("CHANNEL_UPDATE", place)
        elif can_view:
            events.channel("CHANNEL_CREATE", place)
        else:
            events.vanished(place)
        if can_view and not could_view:
            events.thread_list(place)

    def _set_bot_role(self, guild: str, *, add: int = 0, remove: int = 0) -> None:
        held = self._guild(guild)
        role = next(role for role in held.roles.values() if role.bot == self.backend.world.bot)
        role.permissions = (role.permissions | add) & ~remove
        self._tell_role("GUILD_ROLE_UPDATE", held, role)

    def _tell_role(self, kind: str, guild: Guild, role: Role) -> None:
        self.backend.events.guild(kind, guild, Json(guild_id=guild.id, role=role_payload(role)))

    def _guild(self, guild: str) -> Guild:
        return self.backend.world.guilds[guild or self.guild]
