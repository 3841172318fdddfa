"""What a message of Slack is made of besides its text, as one text in Slack's markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bots.slack.fields import at, id_at, items_at, text_at
from bots.slack.markup import escaped
from core.text import clipped

VOICE = "slack_audio"  # the subtype of a file that somebody has spoken
MOST = 50  # blocks, attachments or elements at one place
_MOST_CELLS = 1_000
DEEPEST = 4
_LONGEST = 12_000  # characters of what stands beside the text
_NO_PREVIEW = "[no preview available]"
_SILENT = {"actions", "divider", "context_actions", "input"}  # blocks that say nothing


def markup_of(raw: object) -> str:
    """The text, with what it lacks of blocks, tables, voice messages and what apps attach.

    Slack's clients repeat a typed text in blocks. What cannot be read is named in a word.
    """
    text = text_at(raw, "text")
    blocks = items_at(raw, "blocks")
    beside = [_tables(blocks) if text.strip() else _blocks(blocks, 0)]
    beside += [*_attached(raw, 0), *_voices(raw)]
    return _joined([text, clipped(_joined(beside), _LONGEST)])


def is_forwarded(raw: object) -> bool:
    """Whether an attachment is a message that was forwarded or shared, or that a link leads to.

    Slack documents none of the marks, and sends them in various combinations.
    """
    is_message = at(raw, "is_share") is True or at(raw, "is_msg_unfurl") is True
    return is_message or bool(items_at(raw, "message_blocks"))


def inner_of(raw: object, depth: int = 0) -> str:
    """What an attachment says, without the messages that are forwarded in it."""
    said = [block for each in items_at(raw, "message_blocks")[:MOST] for block in _message(each)]
    blocks = said or items_at(raw, "blocks")
    text = text_at(raw, "text")
    head = [text_at(raw, name) for name in ("pretext", "title")]
    fields = [
        f"{escaped(text_at(each, 'title'))}: {text_at(each, 'value')}"
        for each in items_at(raw, "fields")[:MOST]
    ]
    shown = [*head, text, _tables(blocks) if text.strip() else _blocks(blocks, depth), *fields]
    found = clipped(_joined([*shown, *_attached(raw, depth + 1), *_voices(raw)]), _LONGEST)
    fallback = "" if items_at(raw, "attachments") else text_at(raw, "fallback")
    return found or ("" if fallback == _NO_PREVIEW else fallback)


def _attached(raw: object, depth: int) -> Iterator[str]:
    """What apps have attached; no previews of links."""
    if depth >= DEEPEST:
        return
    for each in items_at(raw, "attachments")[:MOST]:
        is_preview = text_at(each, "from_url") or text_at(each, "original_url")
        if not (is_preview or is_forwarded(each)):
            yield inner_of(each, depth)


def _message(raw: object) -> list[object]:
    return items_at(raw, "message", "blocks")


def _blocks(blocks: list[object], depth: int) -> str:
    return _joined(_block(block, depth) for block in blocks[:MOST])


def _tables(blocks: list[object]) -> str:
    return _joined(_table(block) for block in blocks[:MOST] if text_at(block, "type") == "table")


def _block(block: object, depth: int) -> str:
    shown = ""
    match text_at(block, "type") if depth < DEEPEST else "":
        case "rich_text":
            shown = _rich(block)
        case "table":
            shown = _table(block)
        case "section" | "header":
            pieces = [at(block, "text"), *items_at(block, "fields")[:MOST]]
            shown = _joined(_text(piece) for piece in pieces)
        case "markdown":
            shown = escaped(text_at(block, "text"))
        case "context" | "container" | "carousel":
            held = items_at(block, "elements") or items_at(block, "blocks")
            shown = _joined(_text(each) or _block(each, depth + 1) for each in held[:MOST])
        case "image":
            shown = f"[image: {escaped(text_at(block, 'alt_text') or 'without words')}]"
        case other if other and other not in _SILENT:
            words = [_text(at(block, name)) for name in ("title", "subtitle", "body", "text")]
            shown = _joined([f"[{escaped(other[:40])}]", *words])
        case _:
            pass
    return shown


def _text(piece: object) -> str:
    """A text object: as markup, or what stands for it."""
    text = text_at(piece, "text")
    return text if text_at(piece, "type") == "mrkdwn" else escaped(text)


def _rich(block: object) -> str:
    lines: list[str] = []
    for part in items_at(block, "elements")[:MOST]:
        if text_at(part, "type") == "rich_text_list":
            items = items_at(part, "elements")[:MOST]
            lines += [f"• {_line(item)}" for item in items]
        elif text_at(part, "type") == "rich_text_quote":
            lines.append(_quoted(_line(part)))
        else:
            lines.append(_line(part))
    return "\n".join(lines)


def _line(part: object) -> str:
    return "".join(_element(each) for each in items_at(part, "elements")[: 10 * MOST])


def _element(raw: object) -> str:
    shown = escaped(text_at(raw, "text") or text_at(raw, "fallback"))
    match text_at(raw, "type"):
        case "user":
            shown = f"<@{id_at(raw, 'user_id')}>"
        case "usergroup":
            shown = f"<!subteam^{id_at(raw, 'usergroup_id')}>"
        case "channel":
            shown = f"<#{id_at(raw, 'channel_id')}>"
        case "broadcast":
            shown = f"@{escaped(text_at(raw, 'range'))}"
        case "emoji":
            shown = f":{escaped(text_at(raw, 'name'))}:"
        case "link":
            url = escaped(text_at(raw, "url"))
            shown = f"{shown} ({url})" if shown and shown != url else url
        case _:
            pass
    return shown


def _table(block: object) -> str:
    rows: list[str] = []
    left = _MOST_CELLS
    whole = [row for row in items_at(block, "rows") if isinstance(row, list)]
    for row in whole:
        left -= len(row)
        if left < 0:
            rows.append(f"[… {len(whole) - len(rows):,} rows left out …]")
            break
        rows.append(" | ".join(_cell(cell) for cell in row))
    return "\n".join(rows)


def _cell(cell: object) -> str:
    if text_at(cell, "type") == "rich_text":
        return _rich(cell).replace("\n", " ")
    value = at(cell, "value")
    number = str(value) if isinstance(value, int | float | str) else ""
    return escaped(text_at(cell, "text") or number).replace("\n", " ")


def _voices(raw: object) -> Iterator[str]:
    files = items_at(raw, "files")[:MOST]
    return (_voice(file) for file in files if text_at(file, "subtype") == VOICE)


def _voice(file: object) -> str:
    length = at(file, "duration_ms")
    seconds = int(length) // 1_000 if isinstance(length, int) and 0 <= length < 2**53 else 0
    return f"[voice message, {seconds // 60}:{seconds % 60:02}]"


def _quoted(text: str) -> str:
    return "\n".join(f"&gt; {line}" for line in text.split("\n"))


def _joined(pieces: Iterable[str]) -> str:
    return "\n".join(piece for piece in pieces if piece.strip())
