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
    known = [f"moorings {command.name}" for command in cli.registered_commands]
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


@pytest.mark.parametrize(
    "page", [README, *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_a_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
