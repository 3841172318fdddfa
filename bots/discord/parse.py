"""Reads messages of discord.py: what people say, and None for all the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import discord

from bots.discord import contents
from bots.discord.anchor import Anchor
from bots.discord.happenings import Edited
from bots.discord.markup import plain, without_mention
from bots.discord.people import author_of
from bots.discord.spot import Spot
from core.messaging.messages import NO_WORDS, UNREADABLE, Attachment, Heard, Quote
from core.text import cleaned, clipped

log = logging.getLogger(__name__)

# What reading an event raises that is not as Discord describes it.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError)

_SPOKEN = {discord.MessageType.default, discord.MessageType.reply}
_MOST_FILES = 20
_LONGEST_QUOTE = 4_000  # characters


def message(said: discord.Message, spot: Spot, me: int) -> Heard | None:
    """A message that stands there; None if nobody has to answer it. `me` is the bot's user.

    Raises:
        one of MALFORMED: the message is not as Discord describes it.
    """
    if not _is_spoken(said, me):
        log.debug("message dropped", extra={"kind": _kind(said)})
        return None
    beside = Anchor(channel=spot.channel, message=said.id).key
    inside = Anchor(channel=said.id, message=said.id).key
    return Heard(
        key=spot.key(said.id),
        place=spot.place,
        thread=str(spot.channel) if spot.parent else None,
        opens=str(said.id) if spot.has_threads else None,
        reply_to=beside,
        reply_in=inside if spot.has_threads else beside,
        author=author_of(said.author),
        text=_text(said, me),
        sent_at=said.created_at,
        position=said.id,
        is_direct=spot.guild is None,
        is_mention=_is_mention(said, me),
        answers=str(said.reference.message_id)
        if said.reference and _is_reply_to(said, me)
        else None,
        is_for_others=_is_for_others(said, me),
        attachments=tuple(attachments(said)),
        quotes=tuple(_quotes(said, me)),
    )


def edited(update: discord.RawMessageUpdateEvent, spot: Spot, me: int) -> Edited | None:
    """A message that a person edited; links that unfold and threads that open change it, too."""
    heard = message(update.message, spot, me) if update.message.edited_at else None
    return Edited(heard=heard) if heard else None


def _is_spoken(said: discord.Message, me: int) -> bool:
    """Whether a person wrote it: neither an app, ours or another, nor Discord itself."""
    is_app = said.author.bot or said.webhook_id is not None or said.author.id == me
    return said.type in _SPOKEN and not is_app


def _kind(said: discord.Message) -> str:
    return "app" if said.type in _SPOKEN else str(said.type.name)


def _is_mention(said: discord.Message, me: int) -> bool:
    is_named = any(user.id == me for user in said.mentions)
    return is_named or bool(_own_roles(said, me)) or _is_reply_to(said, me)


def _is_reply_to(said: discord.Message, me: int) -> bool:
    """Whether it answers the bot, also where the reply does not ping it."""
    answered = _answered(said)
    return answered is not None and answered.author.id == me


def _answered(said: discord.Message) -> discord.Message | None:
    """The message that it replies to, if Discord shows it."""
    if said.type is not discord.MessageType.reply or said.reference is None:
        return None
    answered = said.reference.resolved
    return answered if isinstance(answered, discord.Message) else None


def words_of(said: discord.Message, me: int) -> str:
    """All that a message says where it is only quoted."""
    pieces = filter(None, [_text(said, me), contents.named(said)])
    return clipped("\n".join(pieces), _LONGEST_QUOTE)


def is_spoken(said: discord.Message) -> bool:
    """Whether a person or an app wrote it, and not Discord itself."""
    return said.type in _SPOKEN


def _quotes(said: discord.Message, me: int) -> Iterator[Quote]:
    """The message that it replies to; what the bot said stands in its own history."""
    if said.type is not discord.MessageType.reply or said.reference is None:
        return
    answered = said.reference.resolved
    if isinstance(answered, discord.DeletedReferencedMessage):
        yield Quote(author=None)
    elif isinstance(answered, discord.Message) and answered.author.id != me:
        yield Quote(author=author_of(answered.author), text=words_of(answered, me))


def _is_for_others(said: discord.Message, me: int) -> bool:
    """Whether it mentions a person, a role or everybody, or replies to somebody else."""
    own = {me, said.author.id}
    people = {user.id for user in said.mentions}
    if answered := _answered(said):
        people.add(answered.author.id)
    is_for_many = said.mention_everyone or len(said.role_mentions) > len(_own_roles(said, me))
    return bool(people - own) or is_for_many


def _own_roles(said: discord.Message, me: int) -> list[discord.Role]:
    """The role that Discord made for the bot, if it is mentioned: its name is the bot's."""
    return [role for role in said.role_mentions if role.tags and role.tags.bot_id == me]


def _text(said: discord.Message, me: int) -> str:
    own = [f"<@{me}>", f"<@!{me}>", *(role.mention for role in _own_roles(said, me))]
    people = {user.id: user.display_name for user in said.mentions}
    people |= {role.id: role.name for role in said.role_mentions}
    places = {channel.id: channel.name for channel in said.channel_mentions}
    words = [without_mention(said.content, own), contents.beside(said)]
    found = plain("\n".join(filter(None, words)), people, places)
    if found.strip() or said.attachments or not (said.content or said.guild is None):
        return found
    return NO_WORDS if said.content.strip() else UNREADABLE


def attachments(said: discord.Message) -> Iterator[Attachment]:
    """The files of a message, and of those that it forwards."""
    forwarded = [file for snapshot in said.message_snapshots for file in snapshot.attachments]
    files = [file for file in [*said.attachments, *forwarded] if not contents.spoken_in(file)]
    for file in files[:_MOST_FILES]:
        yield Attachment(
            name=cleaned(file.filename)[:190] or "file",
            kind=cleaned(file.content_type or "")[:100] or "application/octet-stream",
            size=file.size,
            url=file.url,
        )
