"""What the documentation lists is what there is: settings, commands, metrics, permissions, …"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from bots.cli import cli
from bots.discord.manifest import PERMISSIONS, PRIVILEGED
from bots.slack.manifest import EVENTS, SCOPES
from core import metrics
from tests.screen import at_a_terminal

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


def test_a_link_leads_somewhere() -> None:
    pages = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    assert [f"{page.name}: {link}" for page in pages for link in leading_nowhere(page)] == []


def leading_nowhere(page: Path) -> list[str]:
    """The links of this page to a file that is not there, or to no heading of it."""
    links = re.findall(r"\]\(([^)#:]*)(?:#([^):]+))?\)", page.read_text())
    files = {name: page.parent / name if name else page for name, _ in links}
    return [
        f"{name}#{anchor}"
        for name, anchor in links
        if not (files[name].exists() and (not anchor or anchor in anchors(files[name])))
    ]


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
