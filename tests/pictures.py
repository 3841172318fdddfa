"""Makes the pictures of docs/pictures from real runs: `make pictures`. Needs chromium.

A terminal is drawn from what the program wrote to it, conversations from what the servers of the
tests hold when it is over. The bot is the real one, in a process that is killed in the middle of
an answer; the words of the model are scripted.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from io import StringIO
from pathlib import Path

from markdown_it import MarkdownIt
from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.bots.program import Program, with_key
from tests.forked import Running
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import CallTool, Endpoint, Reply
from tests.peers.slack.peer import SlackPeer
from tests.screen import Screen, at_a_terminal

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
COLUMNS, ROWS = 88, 40
PROMPT = "\n> /help, or Ctrl-D to leave"
TELL, ASK = "Remember that our project deadline is March 15th", "What is our project deadline?"
QUESTION = "What is our deadline, and what has to be ready before?"
NOTED = "Noted: the project deadline is **March 15th**."
PLAN = """The deadline is **March 15th**. From there backwards:

1. *March 8th*: the release candidate, frozen
2. *March 1st*: the last feature is merged
3. *February 15th*: the beta is with the customers"""
AGENTS = '[agents.assistant]\ndisplay_name = "Project Assistant"\n'
DISCORD_EPOCH = 1_420_070_400
WIDTH = 760  # of a picture of a conversation, in pixels; it is drawn twice as fine


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message as a picture shows it; `above` is a quiet line, as what it replies to."""

    author: str
    text: str
    at: str
    is_bot: bool
    above: str = ""
    buttons: tuple[str, ...] = ()
    is_inside: bool = False


# A terminal


async def terminal() -> None:
    """Tell it something, ask, kill the program in the middle of the answer, start it again."""
    console = Console(record=True, width=COLUMNS, file=StringIO())
    start = Text("$ moorings chat --as ana", style="bold")
    folder = Path(tempfile.mkdtemp())
    async with at_a_terminal(folder, rows=ROWS, columns=COLUMNS) as screen:
        await screen.shows(PROMPT)
        screen.type(TELL)
        await screen.shows(r"15th\.\n" + PROMPT)
        screen.type(ASK)
        await screen.shows("Earlier.*\n. Ctrl-C stops")
        console.print(start, *_lines(screen), Text("Killed"), sep="\n")
    async with at_a_terminal(folder, rows=ROWS, columns=COLUMNS) as screen:
        await screen.shows(r"15th\.\n" + PROMPT)
        console.print(start, *_lines(screen), sep="\n")
    shutil.rmtree(folder)
    svg = console.export_svg(title="moorings chat: killed in the middle of an answer")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # it loads nothing
    (FOLDER / "terminal.svg").write_text(svg)


def _lines(screen: Screen) -> list[Text]:
    lines = [Text.assemble(*((each.data, _style(each)) for each in line)) for line in screen.drawn]
    for line in lines:
        line.rstrip()
    return lines


def _style(drawn: Char) -> Style:
    colour = {"default": None, "brown": "yellow"}.get(drawn.fg, drawn.fg)
    if colour and re.fullmatch("[0-9a-f]{6}", colour):
        colour = f"#{colour}"
    elif colour and colour.startswith("bright"):
        colour = f"bright_{colour.removeprefix('bright')}"
    return Style(color=colour, bold=drawn.bold, italic=drawn.italics, underline=drawn.underscore)


# Conversations


async def slack() -> None:
    """In a thread, with a kill in between; and a command, with its question above the answer."""
    async with SlackPeer() as peer, Endpoint() as endpoint:
        program = _program(endpoint)
        program.set(
            SLACK_BOT_TOKEN=peer.bot_token,
            SLACK_APP_TOKEN=peer.app_token,
            SLACK_API_URL=peer.api_url,
        )
        place = "C0GENERAL"

        def answers(count: int, thread: str | None = None) -> bool:
            lines = peer.transcript(place, thread)
            return sum("feedback" in line.buttons for line in lines) >= count

        process = await _started(program, endpoint, CallTool(name="remember", arguments=_FACT))
        await peer.until_connected(2)
        thread = peer.say(place, "U0ANNA", f"{peer.mention} {TELL}")
        await peer.until(lambda: answers(1, thread))
        endpoint.script(Reply(text=PLAN, pause=0.4, size=6))
        peer.say(place, "U0BEN", f"{peer.mention} {QUESTION}", thread)
        await peer.until(lambda: any(_is_begun(line.text) for line in peer.transcript(place)))
        await _killed(process)
        endpoint.script(Reply(text=PLAN))
        process = await _started(program, endpoint)
        await peer.until(lambda: answers(2, thread))
        endpoint.script(Reply(text="It is **March 15th**: Anna said so in a thread here."))
        peer.command("/agent", "ask When is the deadline?", place, "U0BEN")
        await peer.until(lambda: answers(3))
        await _killed(process)
        shown = [
            Said(
                author=line.author,
                text=line.text,
                at=_clock(float(line.ts)),
                is_bot=line.is_bot,
                buttons=("👍", "👎", "Again") if "feedback" in line.buttons else (),
                is_inside=bool(line.thread),
            )
            for line in sorted(
                (each for each in peer.transcript(place) if each.kind == "message"),
                key=lambda each: (each.thread or each.ts, each.ts),
            )
        ]
    _shot("slack", "#general", shown)


async def discord() -> None:
    """In a channel, with a kill in between, where answers reply to their questions."""
    async with DiscordPeer() as peer, Endpoint() as endpoint:
        program = _program(endpoint)
        program.set(DISCORD_TOKEN=peer.token, DISCORD_API_URL=peer.api_url)
        place = peer.general

        def answers(count: int) -> bool:
            return sum("Again" in line.buttons for line in peer.transcript(place)) >= count

        process = await _started(program, endpoint, CallTool(name="remember", arguments=_FACT))
        await peer.until_connected()
        peer.say(place, peer.anna, f"{peer.mention} {TELL}")
        await peer.until(lambda: answers(1))
        endpoint.script(Reply(text=PLAN, pause=0.4, size=6))
        peer.say(place, peer.ben, f"{peer.mention} {QUESTION}")
        await peer.until(lambda: any(_is_begun(line.text) for line in peer.transcript(place)))
        await _killed(process)
        endpoint.script(Reply(text=PLAN))
        process = await _started(program, endpoint)
        await peer.until(lambda: answers(2))
        await _killed(process)
        lines = peer.transcript(place)
    texts = {line.id: f"@{line.author}  {_named(line.text)}" for line in lines}
    shown = [
        Said(
            author=line.author,
            text=_named(line.text),
            at=_clock((int(line.id) >> 22) / 1000 + DISCORD_EPOCH),
            is_bot=line.is_bot,
            above=texts.get(line.reply_to, ""),
            buttons=line.buttons,
        )
        for line in lines
    ]
    _shot("discord", "#general", shown)


_FACT = '{"text": "The project deadline is March 15th."}'


def _named(text: str) -> str:
    return re.sub(r"<@!?\d+>", "@agentbot", text)


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M}"


def _is_begun(text: str) -> bool:
    return PLAN[:20] in text and PLAN[-20:] not in text


def _program(endpoint: Endpoint) -> Program:
    folder = Path(tempfile.mkdtemp())
    (folder / "agents.toml").write_text(AGENTS)
    program = Program(folder)
    program.set(**with_key(endpoint.base_url))
    return program


async def _started(program: Program, endpoint: Endpoint, *first: CallTool) -> Running:
    if first:
        endpoint.script(*first, Reply(text=NOTED))
    return await program.start("run")


async def _killed(process: Running) -> None:
    process.kill()
    await process.wait()


def _shot(name: str, title: str, shown: Sequence[Said]) -> None:
    """Draw the page as a picture, as high as it needs to be."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(_page(name, title, shown))
        found = re.search(r"<title>(\d+)", _chromium(page, 400, "--dump-dom"))
        assert found, "chromium did not draw the page"
        _chromium(page, int(found[1]), f"--screenshot={FOLDER / f'{name}.png'}")


def _chromium(page: Path, height: int, what: str) -> str:
    flags = ["headless", "no-sandbox", "disable-gpu", "hide-scrollbars"]
    size = [f"--window-size={WIDTH},{height}", "--force-device-scale-factor=1.5"]
    command = ["chromium", *(f"--{flag}" for flag in flags), *size, what, page.as_uri()]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603


def _page(name: str, title: str, shown: Sequence[Said]) -> str:
    note = (
        f"What the tests' {name.title()} server holds after a run of the bot, which was killed "
        f"in the middle of its second answer. The model's words are scripted. This is not a "
        f"screenshot of {name.title()}."
    )
    return f"""<!doctype html><meta charset="utf-8"><title></title><style>{_STYLE}</style>
<body class="{name}"><header>{escape(title)}</header><main>{"".join(map(_drawn, shown))}</main>
<footer>{escape(note)}</footer>
<script>document.title = Math.ceil(document.body.getBoundingClientRect().height)</script>"""


def _drawn(said: Said) -> str:
    text = MarkdownIt("commonmark", {"html": False, "breaks": True}).render(said.text)
    text = re.sub(r"-# (.+?)(?=<br|</p)", r"<small>\1</small>", text)  # small print on Discord
    above = f'<div class="above">↱ {escape(said.above)}</div>' if said.above else ""
    buttons = "".join(f"<span>{escape(each)}</span>" for each in said.buttons)
    badge = '<span class="badge">APP</span>' if said.is_bot else ""
    face, inside = "bot" if said.is_bot else said.author.lower(), "inside" if said.is_inside else ""
    return f"""<article class="{inside}">{above}
<div class="face {escape(face)}">{escape(said.author[0].upper())}</div>
<div class="said"><b>{escape(said.author)}</b> {badge}<time>{said.at}</time>{text}
<div class="buttons">{buttons}</div></div></article>"""


_STYLE = """
* { box-sizing: border-box; margin: 0 }
body { font: 15px/1.45 "DejaVu Sans", "Noto Sans", sans-serif; width: 760px }
header { font-weight: 700; padding: 14px 20px; border-bottom: 1px solid #8884 }
main { padding: 8px 20px }
article { position: relative; padding: 9px 0 5px 52px }
article.inside { margin-left: 26px; border-left: 2px solid #8884; padding-left: 66px }
.face { position: absolute; left: 0; width: 38px; height: 38px; border-radius: 8px; color: #fff;
  background: #7a5195; font: 700 18px/38px "DejaVu Sans", sans-serif; text-align: center }
.inside .face { left: 14px }
.face.anna { background: #c2185b } .face.ben { background: #00796b }
.badge { font-size: 10px; font-weight: 700; padding: 1px 4px; border-radius: 3px }
.badge { background: #8883 } small { opacity: .7 }
time { font-size: 12px; opacity: .6; margin-left: 6px }
.said p, .said ol { margin: 2px 0 6px } ol { padding-left: 24px }
blockquote { border-left: 4px solid #8886; padding-left: 10px; opacity: .8 }
.buttons span { display: inline-block; font-size: 13px; padding: 2px 10px; margin: 0 6px 4px 0;
  border: 1px solid #8886; border-radius: 6px }
.above { font-size: 13px; opacity: .65; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; margin-bottom: 3px }
footer { font-size: 12px; padding: 10px 20px 14px; opacity: .65 }
.slack { background: #fff; color: #1d1c1d }
.discord { background: #313338; color: #dbdee1 }
.discord .face { border-radius: 50% } .discord .face.bot { background: #5865f2 }
"""


async def _main(names: Sequence[str]) -> None:
    for make in (terminal, slack, discord):
        if not names or make.__name__ in names:
            await make()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
