"""core/memory/learning_answer.py: nothing that a model writes is trusted."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from core.memory.learning_answer import journalled, read
from storage.learning import Learned
from storage.stretches import StretchMessage

SAID = [
    StretchMessage(
        seq=number,
        author="Ana",
        text="Tea.",
        said_at=datetime(2026, 3, 1, tzinfo=UTC),
        key=f"k{number}",
    )
    for number in range(1, 100)
]


def facts(**given: object) -> list[Learned]:
    """What is kept of one fact that a model wrote."""
    written = json.dumps({"summary": "", "facts": [{"text": "Ana likes tea.", **given}]})
    found = read(written, SAID, [1, 7], room=100)
    assert found
    return list(found.facts)


def test_the_messages_that_it_names_are_kept_once_each_and_not_all_of_them() -> None:
    [fact] = facts(sources=[3, 3, *range(1, 100)])
    assert fact.sources[:3] == ["k3", "k1", "k2"]
    assert len(fact.sources) == len(set(fact.sources)) == 16


@pytest.mark.parametrize("sources", [[True], [1.0], ["1"], [[1]], {"1": 1}, 1, [10**400]])
def test_what_is_no_number_of_a_message_names_none(sources: object) -> None:
    assert facts(sources=sources) == []


@pytest.mark.parametrize("replaces", [True, 2, "7", 7.0, [7], None])
def test_what_is_no_number_of_a_known_fact_replaces_none(replaces: object) -> None:
    [fact] = facts(sources=[1], replaces=replaces)
    assert fact.replaces is None


def test_what_is_journalled_is_read_as_it_was() -> None:
    written = {"summary": "Tea.", "facts": [{"text": "So.", "sources": [1], "replaces": 7}]}
    found = read(json.dumps(written), SAID, [7], room=100)
    assert found
    assert journalled(json.loads(json.dumps(found.journalled()))) == found
