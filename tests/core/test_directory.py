"""Agents are found by name: what the code says wins over what is on record."""

from __future__ import annotations

import pytest

from core.directory import Directory
from core.errors import UserMistake
from core.spec import AgentSpec
from tests.core.given import Stage

NEW = AgentSpec(name="Ada", instructions="Be long.")


def directory(stage: Stage, *specs: AgentSpec) -> Directory:
    """The directory of another process over the same database."""
    return Directory(specs, stage.clock)


async def test_an_agent_of_the_file_gets_its_identity_at_first_use(stage: Stage) -> None:
    first = await stage.directory.find("Ada")
    assert first == await stage.directory.find("Ada") == await stage.directory.get("Ada")


async def test_another_process_finds_the_agent_with_its_configuration(stage: Stage) -> None:
    known = await stage.agent()
    assert await directory(stage).get("Ada") == known


async def test_what_the_code_says_wins_over_what_is_on_record(stage: Stage) -> None:
    known = await stage.agent()
    found = await directory(stage, NEW).get("Ada")
    assert (found.id, found.spec) == (known.id, NEW)


async def test_a_registered_configuration_holds_from_now_on(stage: Stage) -> None:
    known = await stage.agent()
    await stage.directory.register(NEW)
    assert (await stage.directory.get("Ada")).spec == NEW
    assert (await stage.directory.of(known.id)).spec == NEW


async def test_an_agent_is_found_by_its_identity(stage: Stage) -> None:
    known = await stage.agent()
    assert await stage.directory.of(known.id) == known
    assert await directory(stage).of(known.id) == known
    assert (await directory(stage, NEW).of(known.id)).spec == NEW


async def test_an_unknown_agent_is_not_found(stage: Stage) -> None:
    assert await stage.directory.find("Bob") is None


async def test_a_misspelt_name_gets_a_suggestion(stage: Stage) -> None:
    with pytest.raises(UserMistake, match=r"no agent 'Adda'; did you mean 'Ada'\?"):
        await stage.directory.get("Adda")


async def test_a_name_like_no_other_gets_the_list(stage: Stage) -> None:
    await directory(stage).register(AgentSpec(name="Zoe"))
    with pytest.raises(UserMistake, match="no agent 'Q'; there are: Ada, Zoe"):
        await stage.directory.get("Q")


async def test_everyone_is_who_the_code_names_and_who_is_on_record(stage: Stage) -> None:
    await directory(stage).register(AgentSpec(name="Zoe"))
    assert await stage.directory.names() == ["Ada", "Zoe"]
    assert [known.spec.name for known in await stage.directory.everyone()] == ["Ada", "Zoe"]
