"""Agents are found by name: what the code says wins over what is on record."""

from __future__ import annotations

import asyncio

import pytest

from core.config.spec import AgentSpec
from core.errors import UserMistake
from core.messaging.directory import Directory, Origin
from storage import agents
from storage.database import Database
from storage.errors import DatabaseUnusable
from tests.core.given import Stage, broken
from tests.statements import asked

NEW = AgentSpec(name="Ada", instructions="Be long.")


def directory(stage: Stage, *specs: AgentSpec) -> Directory:
    """The directory of another process over the same database."""
    return Directory(specs, stage.clock)


async def test_an_agent_of_the_file_gets_its_identity_at_first_use(stage: Stage) -> None:
    first = await stage.directory.find("Ada")
    assert first == await stage.directory.find("Ada") == await stage.directory.get("Ada")


async def test_those_that_need_an_agent_at_once_let_one_of_them_record_it(stage: Stage) -> None:
    """As the turns that a process takes up when it starts: each would wait for the same row."""
    known, here = await stage.agent(), directory(stage, NEW)
    async with asked() as statements, asyncio.TaskGroup() as group:
        found = [group.create_task(here.of(known.id)) for _ in range(5)]
    assert statements.transactions == 1
    assert len({id(each.result()) for each in found}) == 1


async def test_one_that_cannot_record_it_keeps_no_other_from_trying(
    stage: Stage, sqlite: Database
) -> None:
    here, failed = directory(stage, NEW), list[DatabaseUnusable]()

    async def find() -> None:
        try:
            await here.find("Ada")
        except DatabaseUnusable as error:
            failed.append(error)

    with broken(sqlite.file):
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(find())
    assert len(failed) == 5
    assert (await here.get("Ada")).spec == NEW


async def test_one_that_is_cancelled_keeps_no_other_from_trying(stage: Stage) -> None:
    here = directory(stage, NEW)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(here.find("Ada"))
        other = group.create_task(here.find("Ada"))
        await asyncio.sleep(0)  # both have begun
        first.cancel()
    assert other.result() == await here.find("Ada")


async def test_a_file_that_is_read_while_an_agent_is_recorded_wins(stage: Stage) -> None:
    here = directory(stage, AgentSpec(name="Ada", instructions="Be brief."))
    async with asyncio.TaskGroup() as group:
        group.create_task(here.find("Ada"))
        await asyncio.sleep(0)  # it has begun
        here.read([NEW])
    assert (await here.get("Ada")).spec == NEW


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
    assert (await directory(stage, NEW).of(known.id)).spec == NEW


async def test_an_unknown_agent_is_not_found(stage: Stage) -> None:
    assert await stage.directory.find("Bob") is None
    assert await stage.directory.recall("Bob") is None


async def test_a_misspelt_name_gets_a_suggestion(stage: Stage) -> None:
    with pytest.raises(UserMistake, match=r"no agent 'Adda'; did you mean 'Ada'\?"):
        await stage.directory.get("Adda")


async def test_a_name_like_no_other_gets_the_list(stage: Stage) -> None:
    with pytest.raises(UserMistake, match="no agent 'Q'; there are: Ada, Zoe"):
        await directory(stage, NEW, AgentSpec(name="Zoe")).get("Q")


async def test_an_agent_of_a_program_is_another_programs_once_it_is_recalled(stage: Stage) -> None:
    made = await directory(stage).register(AgentSpec(name="Zoe"))
    assert await stage.directory.find("Zoe") is None
    assert await stage.directory.recall("Zoe") == made
    assert await stage.directory.get("Zoe") == made


async def test_everyone_who_is_not_retired_can_be_recalled(stage: Stage) -> None:
    await directory(stage).register(AgentSpec(name="Zoe"))
    await directory(stage, AgentSpec(name="Gus")).get("Gus")
    await agents.record(name="Zed", revision="r", config={"window_tokens": 1}, now=stage.clock())
    stage.directory.read([stage.spec])
    await stage.directory.recall_everyone()
    assert stage.directory.names == ["Ada", "Zoe"]


async def test_an_agent_that_the_file_does_not_name_any_more_is_retired(stage: Stage) -> None:
    known = await stage.agent()
    stage.directory.read([AgentSpec(name="Zoe")])
    assert await stage.directory.recall("Ada") is None
    assert (await stage.directory.of(known.id)).is_retired
    with pytest.raises(UserMistake, match="no agent 'Ada'"):
        await stage.directory.get("Ada")


async def test_an_agent_that_the_file_names_again_is_back(stage: Stage) -> None:
    known = await stage.agent()
    stage.directory.read([])
    stage.directory.read([stage.spec])
    assert await stage.directory.get("Ada") == known
    assert not (await stage.directory.of(known.id)).is_retired


async def test_an_agent_of_a_newer_process_is_not_retired(stage: Stage) -> None:
    older = directory(stage)
    known = await stage.agent()
    stage.directory.read([stage.spec])
    known = await stage.agent()
    assert await older.of(known.id) == known


async def test_a_program_without_an_agents_file_retires_nobody(stage: Stage) -> None:
    known = await stage.agent()
    assert await Directory([], stage.clock, has_file=False).recall("Ada") == known


async def test_an_agent_of_a_program_is_retired_by_no_file(stage: Stage) -> None:
    made = await directory(stage).register(AgentSpec(name="Zoe"))
    stage.directory.read([])
    assert not (await stage.directory.of(made.id)).is_retired


async def test_looking_registers_nothing(stage: Stage) -> None:
    listed = await stage.directory.everyone()
    assert [(entry.name, entry.origin) for entry in listed] == [("Ada", Origin.FILE)]
    assert await stage.directory.names_by_id() == {}
    assert await agents.everyone() == []


async def test_everyone_is_listed_with_whom_they_belong_to(stage: Stage) -> None:
    await directory(stage).register(AgentSpec(name="Zoe"))
    await directory(stage, AgentSpec(name="Gus")).get("Gus")
    stage.directory.read([stage.spec])
    listed = await stage.directory.everyone()
    assert [(entry.name, entry.origin) for entry in listed] == [
        ("Ada", Origin.FILE),
        ("Gus", Origin.RETIRED),
        ("Zoe", Origin.PROGRAM),
    ]


async def test_only_what_the_file_does_not_name_can_be_removed(stage: Stage) -> None:
    await stage.agent()
    with pytest.raises(UserMistake, match="take it out there first"):
        await stage.directory.remove("Ada")
    with pytest.raises(UserMistake, match="no agent 'Bob'"):
        await stage.directory.belongings("Bob")
