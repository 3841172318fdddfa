"""The messages that a message of Slack forwards, each with whoever said it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bots.slack.attachments import attachments
from bots.slack.contents import DEEPEST, MOST, inner_of, is_forwarded
from bots.slack.fields import id_at, items_at, text_at
from bots.slack.markup import escaped, mentioned
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
