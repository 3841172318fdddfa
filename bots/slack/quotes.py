"""Messages of Slack that are only quoted, as those that others forward, with whoever said it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bots.slack.attachments import attachments
from bots.slack.contents import DEEPEST, MOST, inner_of, is_forwarded, markup_of
from bots.slack.fields import id_at, items_at, text_at
from bots.slack.markup import escaped, mentioned, plain
from core.messaging.messages import Author, Quote


def forwards(raw: object, depth: int = 0) -> Iterator[Quote]:
    """Their texts are markup; who has no name is called by a mention."""
    if depth >= DEEPEST:
        return
    for each in items_at(raw, "attachments")[:MOST]:
        inner = forwards(each, depth + 1)
        if not is_forwarded(each):
            yield from inner
            continue
        author = id_at(each, "author_id")
        told = text_at(each, "author_name") or text_at(each, "author_subname")
        name = escaped(told) or (f"<@{author}>" if author else "somebody")
        yield Quote(
            author=Author(id=author, name=name),
            text=inner_of(each),
            attachments=tuple(attachments(each)),
            forwards=tuple(inner),
        )


def named_in(quotes: Iterable[Quote]) -> Iterator[str]:
    """The ids of the people whose names they need."""
    for each in quotes:
        yield from mentioned(f"{each.author.name if each.author else ''} {each.text}")
        yield from named_in(each.forwards)


def quote(raw: object, names: Mapping[str, str], own_app: str = "") -> Quote:
    """A message that is only quoted, as people read it; of an app with this id, without its id.

    Nobody can keep somebody from hearing what the bot itself has said.
    """
    user, bot = id_at(raw, "user"), id_at(raw, "bot_id")
    app = text_at(raw, "bot_profile", "name") or text_at(raw, "username")
    is_own = own_app != "" and text_at(raw, "app_id") == own_app
    name = names.get(user) or app or user or "somebody"
    return Quote(
        author=Author(id="" if is_own else user or bot, name=name),
        text=plain(markup_of(raw), names),
        attachments=tuple(attachments(raw)),
        forwards=named_quotes(forwards(raw), names),
    )


def named_quotes(quotes: Iterable[Quote], names: Mapping[str, str]) -> tuple[Quote, ...]:
    """As people read them; who has no name here keeps their id."""
    return tuple(
        replace(
            each,
            author=each.author and replace(each.author, name=plain(each.author.name, names)),
            text=plain(each.text, names),
            forwards=named_quotes(each.forwards, names),
        )
        for each in quotes
    )
