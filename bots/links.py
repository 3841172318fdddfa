"""Links in a model's Markdown: their words name no other address, and pictures are links."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

_CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*(?:\n.*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)|\Z)"
    r"|(?<![\\`])(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)",
    re.MULTILINE | re.DOTALL,
)
_BRACKET = re.compile(r"\\.|!?\[|\]", re.DOTALL)
_TITLE = r"""(?:\s+(?P<title>"[^"]*"|'[^']*'|\([^()]*\)))?"""
_PLAIN = r"(?:[^\s()\\]|\\.|\((?:[^\s()\\]|\\.|\([^\s()]*\))*\))*"
_TARGET = re.compile(rf"\(\s*(?:<(?P<angled>[^<>\n]*)>|(?P<plain>{_PLAIN})){_TITLE}\s*\)")
_LAX_TARGET = re.compile(
    r"\((?P<plain>[^)\n]{0,2000})\)"
)  # what only a careless reader takes for one
_DEFINITION = re.compile(
    r"^(?P<label>(?:[ \t>]|[-*+] |\d{1,9}[.)] )*\[[^\[\]\n]+\]):"
    r"(?=[ \t]*\n?[ \t]*[^\s]*[:/&]\S*(?:\s+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*$)",
    re.MULTILINE,
)

_MOST_PASSES = 8  # what one leaves of a link may be one for the next
_ADDRESS = re.compile(r"://|\w\.[^\W\d_]{2}|(?:\d+\.){3}\d|^www\.")
_BETWEEN_WORDS = re.compile(r"[\s()\[\]<>{}\"'\u2018-\u201f\u00ab\u00bb|,;]+")
_SCHEME = re.compile(r"\A(?:[a-z][a-z0-9+.-]*://|mailto:|tel:)?(?:www\.)?")
_MARKS = str.maketrans({**dict.fromkeys("*_~`\\"), "。": "."})


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def plain_links(text: str) -> str:
    """The Markdown with honest links; never longer than it was, and code as it was.

    A link whose words or title name another address than its own becomes `words (address)`. So
    does one around another link or a picture. A picture becomes a link. What a reference is
    defined as is shown in place of being hidden: `[1]: address` defines nothing any more.
    """
    for _ in range(_MOST_PASSES):
        if (honest := _passed(text)) == text:
            return text
        text = honest
    return text.replace("](", "] ")  # of nested remains of links, nothing is one any more


def names_another(words: str, address: str) -> bool:
    """Whether somebody who reads the words would expect to come to another address."""
    shown, target = _read(words), _read(address)
    if shown.strip() == target:
        return False
    is_odd = "\\" in address  # browsers take it for a slash
    return any(
        _ADDRESS.search(word) and (is_odd or not _is_named(word, target))
        for word in _BETWEEN_WORDS.split(shown)
    )


def _passed(text: str) -> str:
    bare = _CODE.sub(lambda found: "\0" * len(found[0]), text)
    for edit in sorted(_edits(text, bare), key=lambda edit: edit.start, reverse=True):
        text = f"{text[: edit.start]}{edit.text}{text[edit.end :]}"
    return text


def _edits(text: str, bare: str) -> list[_Edit]:
    """`bare` is the text with its code blotted out."""
    edits = [_Edit(at, at + 1, " ") for at in (m.end("label") for m in _DEFINITION.finditer(bare))]
    opened: list[re.Match[str]] = []
    last = -1  # where the innermost link so far began
    for mark in _BRACKET.finditer(bare):
        if mark[0].endswith("["):
            opened.append(mark)
        elif mark[0] == "]" and opened:
            opening = opened.pop()
            target = _TARGET.match(bare, mark.end()) or _LAX_TARGET.match(bare, mark.end())
            if target:
                is_outer = last > opening.start()
                edits += _honest(text, opening, target, is_outer=is_outer)
                last = max(last, opening.start())
    return edits


def _honest(
    text: str, opening: re.Match[str], target: re.Match[str], *, is_outer: bool
) -> list[_Edit]:
    words = text[opening.end() : target.start() - 1]
    address, title = _parts(text, target)
    if is_outer or not _read(words).strip() or names_another(f"{words} {title}", address):
        return [
            _Edit(opening.start(), opening.end(), ""),
            _Edit(target.start() - 1, target.end(), f" ({address})"),
        ]
    is_picture = opening[0].startswith("!")
    return [_Edit(opening.start(), opening.start() + 1, "")] if is_picture else []


def _parts(text: str, target: re.Match[str]) -> tuple[str, str]:
    groups = target.re.groupindex
    name = "angled" if groups.get("angled") and target["angled"] is not None else "plain"
    title = text[slice(*target.span("title"))] if "title" in groups and target["title"] else ""
    return text[slice(*target.span(name))], title


def _read(text: str) -> str:
    """As a person sees it: without entities, marks and what is invisible, in plain letters."""
    shown = unicodedata.normalize("NFKC", html.unescape(html.unescape(text))).translate(_MARKS)
    return "".join(sign for sign in shown if unicodedata.category(sign) != "Cf").casefold()


def _is_named(word: str, target: str) -> bool:
    """A whole address is named by itself, the addresses of a host by its name or its domain's."""
    word, target = (_SCHEME.sub("", each).rstrip("/.:!?…") for each in (word, target))
    host = re.split(r"[/?#]", target)[0]
    if "@" in host:  # before it stands who logs in, which may look like a host
        return word == target
    return word in {target, host} or host.endswith(f".{word}")
