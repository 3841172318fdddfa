"""Turns discord.py's messages into the core's values; None for what nobody has to answer."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import discord

from bots.discord import contents
from bots.discord.channels import Location, ReplyTo
from core.messaging.messages import NO_WORDS, UNREADABLE, Attachment, Author, PlatformMessage, Quote
from core.text import cleaned, clipped

log = logging.getLogger(__name__)

_FROM_PEOPLE = {discord.MessageType.default, discord.MessageType.reply}
_MOST_FILES = 20
_LONGEST_QUOTE = 4_000  # characters
# https://discord.com/developers/docs/reference#message-formatting
_MARKUP = re.compile(
    r"<(?:(?P<sign>@[!&]?|#)(?P<id>\d{1,20})"
    r"|a?(?P<emoji>:\w{1,64}:)\d{1,20}"
    r"|t:(?P<time>-?\d{1,12})(?::\w)?"
    r"|(?P<command>/[^<>:\n]{1,100}):\d{1,20})>"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 253_402_300_799  # seconds: the end of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A message that has a new text now."""

    heard: PlatformMessage
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The message with this key was deleted."""

    key: str


Event = PlatformMessage | Edited | Deleted


def message(said: discord.Message, location: Location, me: int) -> PlatformMessage | None:
    """A message of a person or another app, None for all others. `me` is the bot's user id.

    Raises:
        one of MALFORMED: the message is not as Discord's documentation says.
    """
    if not is_said(said) or said.author.id == me:
        log.debug("message dropped", extra={"kind": str(said.type.name)})
        return None
    beside = ReplyTo(channel=location.channel, message=said.id).key
    inside = ReplyTo(channel=said.id, message=said.id).key
    return PlatformMessage(
        key=location.message_key(said.id),
        place=location.channel_address,
        thread=str(location.channel) if location.parent else None,
        opens=str(said.id) if location.has_threads else None,
        reply_to=beside,
        reply_in=inside if location.has_threads else beside,
        author=author_of(said.author),
        text=_text(said, me),
        sent_at=said.created_at,
        position=said.id,
        is_direct=location.guild is None,
        is_mention=is_mention(said, me),
        answers=str(said.reference.message_id)
        if said.reference and _is_reply_to_bot(said, me)
        else None,
        is_for_others=_is_for_others(said, me),
        is_by_app=contents.is_by_app(said),
        attachments=tuple(attachments(said)),
        quotes=tuple(_quotes(said, me)),
    )


def edited(update: discord.RawMessageUpdateEvent, location: Location, me: int) -> Edited | None:
    """A person's edit, None for other updates: Discord also sends one when a link unfurls."""
    return edit_of(update.message, location, me)


def edit_of(said: discord.Message, location: Location, me: int) -> Edited | None:
    """What a message says since it was edited; None for one that never was. Raises as `message`."""
    heard = message(said, location, me) if said.edited_at else None
    return Edited(heard=heard, at=said.edited_at) if heard and said.edited_at else None


def author_of(user: discord.User | discord.Member) -> Author:
    """The author; `roles` (with @everyone) are known of a server's member only."""
    roles = None
    if isinstance(user, discord.Member):
        roles = frozenset(str(role.id) for role in user.roles)
    return Author(id=str(user.id), name=user.display_name, roles=roles)


def attachments(said: discord.Message) -> Iterator[Attachment]:
    """The files of a message, and of the messages that it forwards."""
    forwarded = [file for snapshot in said.message_snapshots for file in snapshot.attachments]
    files = [file for file in [*said.attachments, *forwarded] if not contents.is_voice(file)]
    for file in files[:_MOST_FILES]:
        yield Attachment(
            name=cleaned(file.filename)[:190],
            kind=cleaned(file.content_type or "")[:100] or "application/octet-stream",
            size=file.size,
            url=file.url,
        )


def is_said(said: discord.Message) -> bool:
    """Whether a person or an app wrote it, rather than Discord itself."""
    return said.type in _FROM_PEOPLE


def begun_by(said: discord.Message) -> discord.Message:
    """The message that a thread was opened from, of the line that stands for it in the thread."""
    begins = said.type is discord.MessageType.thread_starter_message
    answered = said.reference.resolved if begins and said.reference else None
    return answered if isinstance(answered, discord.Message) else said


def quote_of(said: discord.Message, me: int) -> Quote:
    """A message that is only quoted; of the bot, without its id.

    Nobody can keep somebody from hearing what the bot itself has said.
    """
    author = author_of(said.author)
    return Quote(
        author=replace(author, id="") if said.author.id == me else author,
        text=clipped(_text(said, me), _LONGEST_QUOTE),
        attachments=tuple(attachments(said)),
    )


def without_mentions(text: str, mentions: Iterable[str]) -> str:
    """The text without these mentions, and without a comma or colon after one at its start."""
    any_of = "|".join(re.escape(each) for each in mentions)
    text = re.sub(rf"\A\s*(?:{any_of})[ \t]*[:,]?\s*", "", text)
    return re.sub(rf"[ \t]*(?:{any_of})", "", text).strip()


def plain(text: str, people: Mapping[int, str], channels: Mapping[int, str]) -> str:
    """The text with Discord's markup as people see it: `<@1>` becomes `@anna`.

    `people` are names of the mentioned people and roles by id. An id without a name stays.
    """
    return _MARKUP.sub(lambda found: _plain(found, people, channels), text)


def _plain(found: re.Match[str], people: Mapping[int, str], channels: Mapping[int, str]) -> str:
    if found["sign"]:
        names, number = (channels if found["sign"] == "#" else people), int(found["id"])
        return f"{found['sign'][0]}{names.get(number) or number}"
    if found["time"]:
        return _time(int(found["time"])) or found[0]
    return found["emoji"] or found["command"]


def _time(seconds: int) -> str:
    """In UTC; Discord itself shows it to each reader in their own time zone."""
    if not 0 <= seconds <= _LATEST:
        return ""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"


def is_mention(said: discord.Message, me: int) -> bool:
    """Whether it is for the bot: it mentions it, or replies to it."""
    is_named = any(user.id == me for user in said.mentions)
    return is_named or bool(_bot_roles(said, me)) or _is_reply_to_bot(said, me)


def _is_reply_to_bot(said: discord.Message, me: int) -> bool:
    """Also of a reply that was sent with its ping switched off."""
    answered = _answered(said)
    return isinstance(answered, discord.Message) and answered.author.id == me


def _answered(said: discord.Message) -> discord.Message | discord.DeletedReferencedMessage | None:
    """The message that it replies to, as far as Discord tells."""
    if said.type is not discord.MessageType.reply or said.reference is None:
        return None
    return said.reference.resolved


def _is_for_others(said: discord.Message, me: int) -> bool:
    """Whether it mentions a person, a role or everybody, or replies to somebody else."""
    people = {user.id for user in said.mentions}
    answered = _answered(said)
    if isinstance(answered, discord.Message):
        people.add(answered.author.id)
    is_for_many = said.mention_everyone or len(said.role_mentions) > len(_bot_roles(said, me))
    return bool(people - {me, said.author.id}) or is_for_many


def _quotes(said: discord.Message, me: int) -> Iterator[Quote]:
    """The message that it replies to; what the bot said stands in its own history."""
    answered = _answered(said)
    if isinstance(answered, discord.DeletedReferencedMessage):
        yield Quote(author=None)
    elif isinstance(answered, discord.Message) and answered.author.id != me:
        yield quote_of(answered, me)


def _bot_roles(said: discord.Message, me: int) -> list[discord.Role]:
    """The mentioned roles that Discord made for the bot: they have the bot's name."""
    return [role for role in said.role_mentions if role.tags and role.tags.bot_id == me]


def _text(said: discord.Message, me: int) -> str:
    own = [f"<@{me}>", f"<@!{me}>", *(role.mention for role in _bot_roles(said, me))]
    people = {user.id: user.display_name for user in said.mentions}
    people |= {role.id: role.name for role in said.role_mentions}
    channels = {channel.id: channel.name for channel in said.channel_mentions}
    words = [without_mentions(said.content, own), contents.beside(said)]
    found = plain("\n".join(filter(None, words)), people, channels)
    if found.strip() or said.attachments or not (said.content or said.guild is None):
        return found
    return NO_WORDS if said.content.strip() else UNREADABLE
