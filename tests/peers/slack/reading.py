"""What a person reads: blocks, texts and mentions turned into plain lines."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from tests.peers.slack.wire import Json

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_PING = re.compile(r"<!(channel|here|everyone|subteam\^[A-Z0-9]+)(?:\|[^>]*)?>")
_LINK = re.compile(r"<(https?://[^|>]+)(?:\|([^>]*))?>")
_CONTROLS = ("actions", "context_actions", "input")


def mentioned(text: str) -> set[str]:
    return set(_MENTION.findall(text))


def pings(message: Json) -> tuple[str, ...]:
    """Whom the message would ping beyond named people: channel, here, everyone, user groups."""
    texts = [message.get("text", ""), *(text for block in blocks(message) for text in _raw(block))]
    markdown = [block["text"] for block in blocks(message) if block["type"] == "markdown"]
    texts += [html.unescape(html.unescape(text)) for text in markdown]  # entities of entities, too
    return tuple(sorted({found for text in texts for found in _PING.findall(text)}))


def text_of(message: Json, name_of: Callable[[str], str]) -> str:
    """Blocks win over text, as in the client; attachments follow."""
    if blocks(message) and not _is_typed(message):
        shown = "\n".join(line for block in blocks(message) if (line := _line(block)))
    else:
        shown = message.get("text", "")
    extra = [
        str(item.get("text") or item.get("fallback", "")) for item in message.get("attachments", [])
    ]
    return _plain("\n".join([shown, *extra]).strip("\n"), name_of)


def controls(message: Json) -> Iterator[tuple[Json, Json]]:
    """Every (block, element) that a person can press or fill in."""
    for block in blocks(message):
        if block["type"] in _CONTROLS:
            for element in [*block.get("elements", []), *filter(None, [block.get("element")])]:
                yield block, element
        if "accessory" in block:
            yield block, block["accessory"]


def labels(message: Json) -> tuple[str, ...]:
    return tuple(_label(element) for _block, element in controls(message))


def blocks(message: Json) -> list[Json]:
    found: list[Json] = message.get("blocks") or []
    return found


def file_type(name: str) -> str:
    """Slack's word: the ending, `text` for .txt or none."""
    _, _, ending = name.rpartition(".")
    return ending.lower() if "." in name and ending != "txt" else "text"


def _label(element: Json) -> str:
    text = element.get("text")
    return str(text["text"] if isinstance(text, dict) else element.get("action_id", ""))


def _is_typed(message: Json) -> bool:
    is_rich = all(block["type"] == "rich_text" for block in blocks(message))
    return is_rich and "bot_id" not in message


def _plain(text: str, name_of: Callable[[str], str]) -> str:
    text = _MENTION.sub(lambda found: f"@{name_of(found[1])}", text)
    text = _PING.sub(lambda found: f"@{found[1]}", text)
    text = _LINK.sub(lambda found: found[2] or found[1], text)
    return html.unescape(text)


def _line(block: Json) -> str:
    if block["type"] in _CONTROLS:
        return ""
    if block["type"] == "divider":
        return "---"
    if block["type"] == "table":
        return "\n".join(" | ".join("".join(_raw(cell)) for cell in row) for row in block["rows"])
    return "\n".join(_raw(block))


def _raw(value: object) -> list[str]:
    """Every text inside, in order, as it was sent."""
    if isinstance(value, list):
        return [text for item in value for text in _raw(item)]
    if not isinstance(value, dict):
        return []
    texts = [value["text"]] if isinstance(value.get("text"), str) else []
    texts += [value["title"]] if isinstance(value.get("title"), str) else []
    nested = [item for key, item in value.items() if key != "accessory"]
    return texts + [text for item in nested for text in _raw(item)]
