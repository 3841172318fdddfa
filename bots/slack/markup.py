"""Slack's markup: what people write as they read it, and plain text as Slack wants it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

from bots.wording import Markup
from core.text import in_written_order

_LINK = re.compile(r"<([^<>|\n]+)(?:\|([^<>\n]*))?>")
_ENTITIES = re.compile(r"&(amp|lt|gt);")
_SIGNS = {"amp": "&", "lt": "<", "gt": ">"}
_USER = re.compile(r"<@([UW][A-Z0-9]{1,31})(?:\|[^<>\n]*)?>")
_MANY = re.compile(r"<!(?:here|channel|everyone|subteam\^)")


def mentioned(text: str) -> set[str]:
    """The ids of the people that the text mentions."""
    return set(_USER.findall(text))


def is_for_others(text: str, own: Set[str]) -> bool:
    """Whether it mentions somebody besides these people, or a group of people."""
    return bool(mentioned(text) - own) or bool(_MANY.search(text))


def without_mention(text: str, user: str) -> str:
    """The text without its mentions of this user, and without what set off the first of them."""
    mention = rf"<@{re.escape(user)}(?:\|[^<>\n]*)?>"
    text = re.sub(rf"\A\s*{mention}[ \t]*[:,]?\s*", "", text)
    return re.sub(rf"[ \t]*{mention}", "", text).strip()


def plain(text: str, names: Mapping[str, str]) -> str:
    """The text without markup; people whose name is not known keep their id."""
    return _unescaped(_LINK.sub(lambda found: _shown(found[1], found[2] or "", names), text))


def escaped(text: str) -> str:
    """Plain text that Slack shows as it is: it cannot become a mention or a link."""
    text = in_written_order(text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _shown(target: str, label: str, names: Mapping[str, str]) -> str:
    match target[0]:
        case "@":
            return f"@{names.get(target[1:]) or label or target[1:]}"
        case "#":
            return f"#{label or target[1:]}"
        case "!":
            return _special(target[1:], label)
        case _:
            return _link(target, label)


def _special(target: str, label: str) -> str:
    """`<!here>`, `<!subteam^S1|@team>`, `<!date^…|fallback>`."""
    name = target.partition("^")[0]
    if label:
        return label
    return f"@{name}" if name in {"here", "channel", "everyone"} else f"@{target}"


def _link(target: str, label: str) -> str:
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label == bare or target.removeprefix("https://").strip("/") == label:
        return bare
    if target.removeprefix("http://").strip("/") == label:  # Slack made it of a name: deploy.sh
        return label
    return f"{label} ({bare})"


def _unescaped(text: str) -> str:
    return _ENTITIES.sub(lambda found: _SIGNS[found[1]], text)


def _command(verb: str, options: Mapping[str, str]) -> str:
    """`/agent ask` takes one text, which may begin with an agent's name and a colon."""
    if verb == "ask" and "agent" in options:
        return escaped(f"/agent ask {options['agent']}: {options['question']}")
    return escaped(" ".join(("/agent", verb, *options.values())))


MARKUP = Markup(
    platform="Slack",
    managers="whoever made this channel and the administrators of the workspace",
    escaped=escaped,
    bold="*",
    command=_command,
    longest=3_000,
)
