"""What a message of Discord is made of besides its text, each piece as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import discord

from core.messaging.quotes import marked
from core.text import clipped

_MOST = 50  # parts of one component
_DEEPEST = 4
_LONGEST = 12_000  # characters of what stands beside the text


def beside(said: discord.Message) -> str:
    """What its text lacks: a poll, stickers, a voice message, and all that it forwards.

    People have no embeds of their own: those below their words are previews of links.
    """
    pieces = [*map(_embed, said.embeds if is_by_app(said) else ()), *_poll(said.poll)]
    pieces += [*_voice(said.attachments), *_stickers(said.stickers)]
    pieces += _components(said.components, 0)
    pieces += [_forwarded(snapshot) for snapshot in said.message_snapshots]
    return clipped(_joined(pieces), _LONGEST)


def is_by_app(said: discord.Message) -> bool:
    """Whether an app or a webhook wrote it, not a person."""
    return said.author.bot or said.webhook_id is not None


def is_voice(file: discord.Attachment) -> bool:
    """Whether the file is a voice message, which is named in a word with its length."""
    return file.is_voice_message()


def _forwarded(snapshot: discord.MessageSnapshot) -> str:
    """Discord tells neither who said it nor where."""
    embeds = (embed for embed in snapshot.embeds if not _is_preview(embed, snapshot.content))
    pieces = [snapshot.content, *map(_embed, embeds), *_voice(snapshot.attachments)]
    pieces += [*_stickers(snapshot.stickers), *_components(snapshot.components, 0)]
    files = "[files]" if snapshot.attachments else "[nothing that I can read]"
    return marked("forwarded message", _joined(pieces) or files)


def _is_preview(embed: discord.Embed, text: str) -> bool:
    return bool(embed.url) and str(embed.url) in text


def _embed(embed: discord.Embed) -> str:
    fields = (f"{field.name}: {field.value}" for field in embed.fields)
    head = [embed.author.name or "", embed.title or "", embed.description or ""]
    found = _joined([*head, *fields, embed.footer.text or ""])
    return found or f"[{embed.type}]"


def _poll(poll: discord.Poll | None) -> Iterator[str]:
    if poll:
        answers = " / ".join(answer.text for answer in poll.answers)
        yield f"[poll: {poll.question}{f' — {answers}' if answers else ''}]"


def _stickers(stickers: Iterable[discord.StickerItem]) -> Iterator[str]:
    for sticker in stickers:
        yield f"[sticker: {sticker.name}]"


def _voice(files: Iterable[discord.Attachment]) -> Iterator[str]:
    for file in files:
        if is_voice(file):
            seconds = int(file.duration or 0)
            yield f"[voice message, {seconds // 60}:{seconds % 60:02}]"


def _components(parts: Sequence[object], depth: int) -> Iterator[str]:
    """The words in them; buttons and menus are for pressing."""
    if depth >= _DEEPEST:
        return
    for part in parts[:_MOST]:
        if isinstance(part, discord.TextDisplay):
            yield part.content
        elif isinstance(part, discord.SectionComponent | discord.Container):
            yield from _components(part.children, depth + 1)


def _joined(pieces: Iterable[str]) -> str:
    return "\n".join(piece for piece in pieces if piece.strip())
