"""What may be written under [access], and what is said of all else."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import agents_file
from core.config.access import OPEN, Access, Rate, refused
from core.config.agents_file import AgentsFile
from core.errors import ConfigMistake

CONTRACT = """
[agents.assistant]
[agents.assistant.access]
allow = ["slack/U0ANA", "discord/role/5500", "slack/group/S0DEV"]

[access]
workspaces = ["T0001", "300000001"]
deny = ["discord/4004", "slack/T0001/C0SUPPORT"]
admins = ["slack/U0OPS"]
per_person = "20/hour"
per_channel = "200/hour"
"""


def read(folder: Path, text: str) -> AgentsFile:
    (folder / "agents.toml").write_text(text)
    return agents_file.read(folder / "agents.toml")


def test_the_rules_of_the_contract_are_read(tmp_path: Path) -> None:
    file = read(tmp_path, CONTRACT)
    assert file.access == Access(
        workspaces=frozenset({"T0001", "300000001"}),
        deny=frozenset({"discord/4004", "slack/T0001/C0SUPPORT"}),
        admins=frozenset({"slack/U0OPS"}),
        per_person=Rate(most=20, unit="hour"),
        per_channel=Rate(most=200, unit="hour"),
    )
    assert file.agent_access == {
        "assistant": Access(
            allow=frozenset({"slack/U0ANA", "discord/role/5500", "slack/group/S0DEV"})
        )
    }


def test_without_a_word_there_are_no_rules(tmp_path: Path) -> None:
    file = read(tmp_path, "[agents.assistant]\n")
    assert (file.access, file.agent_access) == (OPEN, {})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('allow = ["slack/T0001"]', "access.allow[0]: 'slack/T0001' is nobody: write 'slack/U…'"),
        ('deny = ["U0ANA"]', "'U0ANA' is nobody"),
        ('allow = ["slack/C0SUPPORT"]', "'slack/T…/C…' or 'discord/ID/ID' for a channel"),
        ('admins = ["slack/T0001/C0SUPPORT"]', "'discord/role/ID' for a role"),
        ('workspaces = ["Harbour"]', "'Harbour' is no workspace: write the id of a Slack team"),
        ('per_person = "20 an hour"', "has to be a number up to 10000 and second, minute, hour"),
        ('per_person = "0/hour"', "not '0/hour'"),
        ("per_channel = 20", "such as '20/hour', not 20"),
        ('allow = "slack/U0ANA"', "has to be a list in square brackets, not 'slack/U0ANA'"),
        ("alow = []", "unknown key; did you mean 'allow'?"),
    ],
)
@pytest.mark.parametrize("table", ["access", "agents.assistant.access"])
def test_a_mistake_says_what_to_write(tmp_path: Path, table: str, line: str, words: str) -> None:
    with pytest.raises(ConfigMistake) as mistake:
        read(tmp_path, f"[agents.assistant]\n[{table}]\n{line}\n")
    assert ":3: " in str(mistake.value)
    assert words in str(mistake.value)


@pytest.mark.parametrize(
    ("listed", "bot_is_in", "not_served"),
    [
        (None, {"T1"}, set()),
        (None, {"T1", "T2"}, {"T1", "T2"}),
        ({"T1"}, {"T1", "T2"}, {"T2"}),
        ({"T2"}, {"T1"}, {"T1"}),
        ({"*"}, {"T1", "T2"}, set()),
        (set(), {"T1"}, {"T1"}),
    ],
)
def test_which_workspaces_are_not_served(
    listed: set[str] | None, bot_is_in: set[str], not_served: set[str]
) -> None:
    access = Access(workspaces=None if listed is None else frozenset(listed))
    assert refused(access, frozenset(bot_is_in)) == not_served
