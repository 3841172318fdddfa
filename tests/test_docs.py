"""What the documentation lists is what there is: settings, commands, metrics, permissions, …"""

from __future__ import annotations

import asyncio
import os
import re
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pyte
import pytest
from prometheus_client import REGISTRY

from bots.cli import cli
from bots.discord.manifest import PERMISSIONS, PRIVILEGED
from bots.slack.manifest import EVENTS, SCOPES
from core import metrics
from tests.forked import Forked, Life

ROOT = Path(__file__).parents[1]
OPERATIONS = ROOT / "docs" / "operations.md"
SLACK = ROOT / "docs" / "slack.md"
DISCORD = ROOT / "docs" / "discord.md"
README = ROOT / "README.md"


def first_cells(page: Path, heading: str) -> list[str]:
    """The names in the first column of the table that has this heading."""
    _, _, table = page.read_text().partition(f"\n| {heading} |")
    assert table, f"{page.name} has no table of every {heading}"
    rows = table.partition("\n\n")[0].splitlines()[2:]
    return re.findall(r"`([^`]+)`", "\n".join(row.split("|")[1] for row in rows))


def test_every_setting_is_listed() -> None:
    example = (ROOT / ".env.example").read_text()
    known = re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE)
    assert sorted(first_cells(OPERATIONS, "variable")) == sorted(known)


def test_every_command_is_listed() -> None:
    commands = [command.name for command in cli.registered_commands]
    known = [f"moorings {name}" for name in (*commands, *(g.name for g in cli.registered_groups))]
    assert sorted(first_cells(OPERATIONS, "command")) == sorted(known)


def test_every_metric_is_listed() -> None:
    assert metrics.__doc__
    known = [
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in REGISTRY.collect()
        if family.name.startswith("moorings_")
    ]
    assert sorted(first_cells(OPERATIONS, "metric")) == sorted(known)


def test_every_scope_is_explained() -> None:
    assert sorted(first_cells(SLACK, "scope")) == sorted(SCOPES)


def test_every_event_is_explained() -> None:
    assert sorted(first_cells(SLACK, "event")) == sorted(EVENTS)


def test_every_permission_is_explained() -> None:
    assert sorted(first_cells(DISCORD, "permission")) == sorted(PERMISSIONS.values())


def test_every_intent_is_explained() -> None:
    assert sorted(first_cells(DISCORD, "intent")) == sorted(PRIVILEGED.values())


def anchors(page: Path) -> set[str]:
    """What a link into this page can name: its headings, as they are shown on the web."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))],
    ids=lambda page: page.name,
)
def test_a_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^):]+))?\)", page.read_text())
    for name, anchor in links:
        file = page.parent / name if name else page
        assert file.exists(), name
        assert not anchor or anchor in anchors(file), f"{name}#{anchor}"


# The program, which stands still in the middle of its second answer until it is killed.
INTERRUPTED = """
import time
from bots.__main__ import main
from core import kill_points

reached = []

def arrive(place):
    reached.append(place)
    words = reached[::-1].index("turn opened") if reached.count("turn opened") == 2 else 0
    if words == len("Earlier today (15:58) you told me: our project deadline".split()):
        time.sleep(600)

kill_points.watch(arrive)
main()
"""


class Screen:
    """A terminal with the program in it, as a person sees it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._screen = pyte.Screen(160, 40)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    @property
    def text(self) -> str:
        """What stands on it."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def type(self, line: str) -> None:
        """Type this, and Enter."""
        os.write(self._descriptor, f"{line}\r".encode())

    async def shows(self, pattern: str) -> str:
        """Wait until its end is like this, and take all that stands on it."""
        try:
            async with asyncio.timeout(120):
                while not re.search(rf"{pattern}\Z", self.text):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{pattern!r} never came; there is: {self.text}") from None
        return self.text

    def _read(self) -> None:
        with suppress(OSError):  # nobody is at the other end any more
            self._stream.feed(os.read(self._descriptor, 65_536))
        self._changed.set()


@asynccontextmanager
async def at_a_terminal(folder: Path) -> AsyncIterator[Screen]:
    """`moorings chat --as ana` in this folder, killed at the end."""
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (40, 160))
    life = Life(
        arguments=("chat", "--as", "ana"),
        folder=folder,
        environment={
            "HOME": str(folder),
            "PATH": "",
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # a screen that is slow to say where it is is warned of
        },
        source=INTERRUPTED,
        has_terminal=True,
    )
    process = Forked(life, its, its, its)
    os.close(its)
    try:
        yield Screen(ours)
    finally:
        process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)


def same(transcript: str) -> str:
    """A transcript without what differs each time, and without what says that it is a demo."""
    for differs, always in {
        r"This is an offline demo, .*\n\n": "",
        r"\(This is an offline demo .*\)\s+": "",
        r"\(\d\d:\d\d\)": "(TIME)",
        r"you last spoke (.* ago|now)": "you last spoke TIME ago",
        r"Earlier.*\n. Ctrl-C stops": "Earlier …",
        r"Killed +←.*": "Killed",
        r"\n> /help, or Ctrl-D to leave\Z": "",
    }.items():
        transcript = re.sub(differs, always, transcript)
    return transcript.strip()


@pytest.mark.timeout(600)
async def test_the_transcript_of_the_readme_is_what_a_run_shows(tmp_path: Path) -> None:
    written = README.read_text().split("```")[1]
    first, second = re.findall("^> (.+)$", written, re.MULTILINE)
    start, prompt = "$ moorings chat --as ana\n", "\n> /help, or Ctrl-D to leave"
    async with at_a_terminal(tmp_path) as screen:
        await screen.shows(prompt)
        screen.type(first)
        await screen.shows(r"15th\.\n" + prompt)
        screen.type(second)
        shown = start + await screen.shows("Earlier.*\n. Ctrl-C stops")
    async with at_a_terminal(tmp_path) as screen:
        shown += f"\nKilled\n{start}" + await screen.shows(r"\.\n" + prompt)
    assert same(shown) == same(written)
