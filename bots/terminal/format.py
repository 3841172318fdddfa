"""How answers, histories, facts and agents look in a terminal, dark or light, wide or narrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import humanize
from markdown_it import MarkdownIt
from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bots.links import plain_links
from bots.terminal.harmless import harmless
from bots.terminal.parse import Seat, Verb
from core.commands.views import HistoryEntry, RememberedFact
from core.graphemes import shortened

STYLES = {
    "agent": "bold green",
    "quiet": "dim",
    "notice": "yellow",
    "markdown.code": "bold",
    "markdown.code_block": "none",
    "markdown.link_url": "underline",
}
# rich leaves HTML out, so that it is read as text here
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
_LATE = "answering what you asked before I was interrupted:"
_EXCERPT = 240  # characters of an old message
_COMMANDS = {
    Verb.AGENTS: "list the agents",
    Verb.USE: "NAME: let this agent answer here from now on",
    Verb.FACTS: "what the agent remembers here",
    Verb.RESET: "begin anew; facts stay",
    Verb.HELP: "this list",
    Verb.QUIT: "leave; Ctrl-D does too",
}


def heading(agent: str, *, is_late: bool) -> RenderableType:
    """The line above an answer; a late one says what it answers."""
    name = Text(agent, style="agent")
    return Group(Text(_LATE, style="quiet"), name) if is_late else name


def answer(markdown: str) -> RenderableType:
    """An answer; addresses of links and pictures are spelled out, so that a person sees them."""
    drawn = Markdown("", code_theme="ansi_dark", hyperlinks=False)
    drawn.parsed = _PARSER.parse(plain_links(markdown))
    return drawn


def welcome(agent: str, seat: Seat) -> RenderableType:
    """Who is talked to, and where."""
    room = "/".join(seat.address.parts)
    where = harmless(f"room {room} · {seat.person}")
    return Text.assemble((agent, "agent"), (f" · {where}", "quiet"))


def sentence(words: str) -> RenderableType:
    """Something that Moorings itself says."""
    return Text(harmless(words), style="notice")


def quiet(words: str) -> RenderableType:
    """Something to be overlooked."""
    return Text(harmless(words), style="quiet")


def history(entries: Sequence[HistoryEntry], person: str, now: datetime) -> RenderableType:
    """The newest messages of a room, and when this person last spoke in it."""
    own = [entry.at for entry in entries if entry.author == person and not entry.is_agent]
    last = (
        f"you last spoke {ago(own[-1], now)}"
        if own
        else f"the last words here are from {ago(entries[-1].at, now)}"
    )
    rows = [(entry.author, _excerpt(entry.text)) for entry in entries]
    return Group(quiet(last), _rows(rows, style="quiet"))


def facts(remembered: Iterable[RememberedFact], now: datetime) -> RenderableType:
    """What an agent remembers, each with its source."""
    return _rows((f"{fact.id}", f"{fact.text} ({_source(fact, now)})") for fact in remembered)


def _source(fact: RememberedFact, now: datetime) -> str:
    source = f"{fact.said_by}, {ago(fact.at, now)}"
    if fact.learned_from is not None:
        source = f"learned from {source}: “{_excerpt(fact.learned_from)}”"
    return f"{source}; before: {_excerpt(fact.before)}" if fact.before else source


def agents(names: Iterable[str], current: str) -> RenderableType:
    """Who there is; the one who answers here is marked."""
    return _rows((">" if name == current else " ", name) for name in names)


def help_text() -> RenderableType:
    """The commands."""
    return _rows((verb.value, words) for verb, words in _COMMANDS.items())


def meaning(verb: Verb) -> str:
    """What a command does, in a few words."""
    return _COMMANDS[verb]


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in words."""
    return humanize.naturaltime(now - then)


def _excerpt(text: str) -> str:
    return shortened(" ".join(text.split()), _EXCERPT)


def _rows(rows: Iterable[tuple[str, str]], style: str = "none") -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", overflow="fold", max_width=20)
    table.add_column(overflow="fold")
    for left, right in rows:
        table.add_row(Text(harmless(left)), Text(harmless(right)), style=style)
    return Padding(table, (0, 0, 0, 2))
