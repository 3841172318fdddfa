"""Users, guilds, channels and messages in the shape that Discord sends them."""

from __future__ import annotations

from tests.peers.discord.clock import minted_at, stamp
from tests.peers.discord.wire import Json, copied
from tests.peers.discord.world import Attachment, Channel, Guild, Kind, Message, Role, User, World

HAS_THREAD = 1 << 5
EPHEMERAL = 1 << 6
LOADING = 1 << 7
_LINK_SECONDS = 86400.0
REPLY, CHAT_COMMAND, THREAD_STARTER, MENU_COMMAND = 19, 20, 21, 23


def user(person: User) -> Json:
    shape = Json(
        id=person.id,
        username=person.name,
        global_name=None if person.is_bot else person.name.title(),
        discriminator="4242" if person.is_bot else "0",
        avatar=None,
        public_flags=0,
    )
    if person.is_bot:
        shape["bot"] = True
    return shape


def member(guild: Guild, user_id: str) -> Json:
    """Without the user, as messages carry it."""
    return Json(
        roles=list(guild.members.get(user_id, [])),
        joined_at=stamp(max(minted_at(guild.id), minted_at(user_id), guild.joined.get(user_id, 0))),
        nick=None,
        avatar=None,
        premium_since=None,
        communication_disabled_until=None,
        deaf=False,
        mute=False,
        pending=False,
        flags=0,
    )


def role(held: Role) -> Json:
    shape = Json(
        id=held.id,
        name=held.name,
        permissions=str(held.permissions),
        position=held.position,
        color=0,
        colors=Json(primary_color=0, secondary_color=None, tertiary_color=None),
        hoist=False,
        icon=None,
        unicode_emoji=None,
        managed=bool(held.bot),
        mentionable=held.is_mentionable,
        flags=0,
    )
    if held.bot:
        shape["tags"] = Json(bot_id=held.bot)
    return shape


def channel(world: World, place: Channel) -> Json:
    if place.is_thread:
        return thread(world, place)
    shape = Json(id=place.id, type=int(place.kind), flags=0)
    shape["last_message_id"] = place.last_message or None
    if place.kind is Kind.DIRECT:
        shape["recipients"] = [user(world.users[person]) for person in place.members]
        return shape
    shape.update(
        guild_id=place.guild,
        name=place.name,
        position=place.position,
        parent_id=place.parent or None,
        topic=None,
        nsfw=False,
        rate_limit_per_user=0,
        permission_overwrites=[
            Json(id=target, type=rule.kind, allow=str(rule.allow), deny=str(rule.deny))
            for target, rule in place.overwrites.items()
        ],
    )
    if place.kind is Kind.VOICE:
        shape.update(bitrate=64_000, user_limit=0, rtc_region=None)
    if place.kind is Kind.FORUM:
        shape.update(available_tags=[], default_reaction_emoji=None, default_forum_layout=0)
        shape.update(default_sort_order=None, default_thread_rate_limit_per_user=0)
    return shape


def thread(world: World, place: Channel) -> Json:
    starts_itself = world.channels[place.parent].kind is Kind.FORUM
    own = 0 if starts_itself else 1
    count = max(0, len([m for m in place.messages.values() if not m.is_deleted]) - own)
    shape = Json(
        id=place.id,
        type=int(place.kind),
        guild_id=place.guild,
        parent_id=place.parent,
        owner_id=place.owner,
        name=place.name,
        last_message_id=place.last_message or None,
        message_count=count,
        total_message_sent=count,
        member_count=len(place.members),
        rate_limit_per_user=0,
        flags=0,
        thread_metadata=Json(
            archived=place.is_archived,
            locked=place.is_locked,
            auto_archive_duration=place.archive_minutes,
            archive_timestamp=stamp(place.archived_at or minted_at(place.id)),
            create_timestamp=stamp(minted_at(place.id)),
        ),
    )
    if starts_itself:
        shape["applied_tags"] = []
    if world.bot in place.members:
        shape["member"] = thread_member(place, world.bot)
    return shape


def thread_member(place: Channel, user_id: str) -> Json:
    joined = stamp(minted_at(place.id))
    return Json(id=place.id, user_id=user_id, join_timestamp=joined, flags=0)


def guild(world: World, held: Guild, channels: list[Channel]) -> Json:
    """As in GUILD_CREATE, with the bot as its only member."""
    me = member(held, world.bot)
    me["user"] = user(world.users[world.bot])
    shape = outline(held)
    shape.update(
        joined_at=me["joined_at"],
        large=False,
        unavailable=False,
        member_count=len(held.members),
        members=[me],
        channels=[channel(world, place) for place in channels],
        threads=[thread(world, place) for place in world.threads_of(held.id)],
        voice_states=[],
        presences=[],
        stage_instances=[],
        guild_scheduled_events=[],
        soundboard_sounds=[],
    )
    return shape


def outline(held: Guild) -> Json:
    return Json(
        id=held.id,
        name=held.name,
        owner_id=held.owner,
        icon=None,
        splash=None,
        banner=None,
        description=None,
        discovery_splash=None,
        afk_channel_id=None,
        afk_timeout=300,
        system_channel_id=None,
        system_channel_flags=0,
        rules_channel_id=None,
        public_updates_channel_id=None,
        application_id=None,
        vanity_url_code=None,
        preferred_locale="en-US",
        features=[],
        emojis=[],
        stickers=[],
        roles=[role(held_role) for held_role in held.roles.values()],
        verification_level=0,
        default_message_notifications=0,
        explicit_content_filter=0,
        mfa_level=0,
        nsfw_level=0,
        premium_tier=0,
        premium_subscription_count=0,
        premium_progress_bar_enabled=False,
    )


def attachment(world: World, file: Attachment) -> Json:
    expires = int(world.clock.now() + _LINK_SECONDS)
    path = f"/cdn/attachments/{file.channel}/{file.id}/{file.name}?ex={expires:x}&hm=peer&"
    return Json(
        id=file.id,
        filename=file.name,
        size=len(file.content),
        url=f"{world.base_url}{path}",
        proxy_url=f"{world.base_url}{path}",
        content_type=file.content_type,
    )


def message(world: World, said: Message, *, hides: bool = False, quotes: bool = True) -> Json:
    """`hides`: as without the message content intent. `quotes`: with the message replied to."""
    is_hidden = hides and not world.is_readable(said)
    shape = Json(
        id=said.id,
        channel_id=said.channel,
        type=said.kind,
        author=_author(world, said),
        content="" if is_hidden else said.content,
        timestamp=stamp(minted_at(said.id)),
        edited_timestamp=None if said.edited is None else stamp(said.edited),
        tts=False,
        pinned=False,
        flags=said.flags,
        mention_everyone=said.mention_everyone,
        mention_roles=list(said.mention_roles),
        mentions=[user(world.users[person]) for person in said.mentions],
        attachments=[] if is_hidden else [attachment(world, file) for file in said.attachments],
        embeds=[] if is_hidden else [copied(embed) for embed in said.embeds],
        components=[] if is_hidden else [copied(part) for part in said.components],
    )
    if said.more and not is_hidden:
        shape.update(copied(said.more))
    if said.reactions:
        shape["reactions"] = [_reaction(world, *pair) for pair in said.reactions.items()]
    if said.webhook:
        shape["webhook_id"] = said.webhook
    if said.webhook == world.application:
        shape["application_id"] = said.webhook
    if said.interaction:
        shape["interaction_metadata"] = copied(said.interaction)
    if said.flags & HAS_THREAD and said.id in world.channels:
        shape["thread"] = thread(world, world.channels[said.id])
    if said.reference:
        shape["message_reference"] = copied(said.reference)
        if quotes and "message_id" in said.reference:
            shape["referenced_message"] = _quoted(world, said.reference, hides=hides)
    return shape


def _author(world: World, said: Message) -> Json:
    if said.author in world.users:
        return user(world.users[said.author])
    return Json(id=said.author, username="webhook", discriminator="0000", avatar=None, bot=True)


def _quoted(world: World, reference: Json, *, hides: bool) -> Json | None:
    place = world.channels.get(reference["channel_id"])
    found = place.messages.get(reference["message_id"]) if place else None
    if found is None or found.is_deleted:
        return None
    return message(world, found, hides=hides, quotes=False)


def _reaction(world: World, emoji: str, people: list[str]) -> Json:
    return Json(
        emoji=Json(id=None, name=emoji),
        count=len(people),
        count_details=Json(burst=0, normal=len(people)),
        me=world.bot in people,
        me_burst=False,
        burst_colors=[],
    )


def delivered(world: World, said: Message, *, nonce: str, hides: bool = False) -> Json:
    """As the gateway sends it: with guild and member."""
    shape = message(world, said, hides=hides)
    place = world.channels[said.channel]
    shape["channel_type"] = int(place.kind)
    if place.guild:
        shape["guild_id"] = place.guild
        held = world.guilds[place.guild]
        if not said.webhook:
            shape["member"] = member(held, said.author)
        for mentioned in shape["mentions"]:
            mentioned["member"] = member(held, mentioned["id"])
    if nonce:
        shape["nonce"] = nonce
    return shape
