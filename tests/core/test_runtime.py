"""Everything that answers need: opened once, closed once, whatever else happens."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from core.address import Address
from core.config.settings import Settings, load
from core.errors import ConfigMistake
from core.llm.demo import DemoModel
from core.messaging.intake import Accepted
from core.messaging.messages import Author, RoutedMessage
from core.runtime import Runtime
from storage import claims, owners
from storage.database import open_database
from storage.errors import DatabaseBusy, DatabaseUnusable
from storage.models import Conversation
from tests.core import programs
from tests.core.given import locked
from tests.peers.platform import Platform


@pytest.fixture
def settings(filled_url: str, tmp_path: Path) -> Settings:
    url = f"{filled_url}?busy_timeout=20"
    return load({"DATABASE_URL": url}, tmp_path)


async def said(runtime: Runtime, text: str = "Hello") -> Accepted:
    """Somebody writes."""
    incoming = RoutedMessage(
        key=f"q {text}",
        address=Address.parse("slack/T1/C1"),
        author=Author(id="U1", name="ana"),
        text=text,
        sent_at=runtime.clock(),
        position=1,
    )
    return await runtime.intake.accept(incoming, "assistant")


async def leased(runtime: Runtime, owner: str) -> int:
    """A conversation in the hands of this owner."""
    accepted = await said(runtime)
    assert await claims.claim(
        conversation_id=accepted.conversation_id,
        owner=owner,
        now=runtime.clock(),
        seconds=15,
        plan=None,
    )
    return accepted.conversation_id


WARM = """
import asyncio, os, sys
from core.runtime import Runtime
from core.config.settings import from_environment

async def main(key):
    os.environ["OPENAI_API_KEY"] = key
    runtime = await Runtime.open(from_environment())
    heavy = {"openai", "genai_prices"}
    print(len(heavy & sys.modules.keys()))
    runtime.warm_up()
    print(len(heavy & sys.modules.keys()))
    await runtime.close()

asyncio.run(main(""))
asyncio.run(main("test-key"))
"""


@pytest.mark.chaos  # daily tests/bots/test_imported.py sees it in bots that start
@pytest.mark.usefixtures("filled_url")
async def test_what_the_first_answer_needs_is_there_before_it_is_asked_for(tmp_path: Path) -> None:
    """That there is no key is said where somebody asks the agent."""
    ended = await programs.run_cold(WARM, folder=tmp_path, environment={})
    assert (ended.code, ended.out.split()) == (0, ["0", "0", "0", "2"]), ended.err


async def test_the_built_in_agent_answers_offline_where_that_is_allowed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.config.model_choice.DemoModel", partial(DemoModel, pause=0))
    runtime = await Runtime.open(settings, may_demo=True)
    platform = Platform()
    accepted = await said(runtime)
    await runtime.worker({"slack": platform}).attend(accepted.conversation_id)
    await runtime.close()
    assert "offline demo" in platform.transcript[0]


async def test_without_a_key_the_person_is_told_who_can_act(settings: Settings) -> None:
    runtime = await Runtime.open(settings)
    platform = Platform()
    accepted = await said(runtime)
    await runtime.worker({"slack": platform}).attend(accepted.conversation_id)
    await runtime.close()
    assert platform.transcript[0].startswith("I have no key for my language model.")


async def test_no_more_is_answered_at_once_than_the_settings_say(settings: Settings) -> None:
    runtime = await Runtime.open(replace(settings, turns=4))
    assert runtime.worker({})._shares.at_once == 3
    await runtime.close()


async def test_who_asks_is_told_that_the_database_file_was_taken_away(
    settings: Settings, tmp_path: Path
) -> None:
    runtime = await Runtime.open(settings)
    accepted = await said(runtime)
    (tmp_path / "moorings.db").unlink()
    with pytest.raises(DatabaseUnusable, match="deleted, moved or replaced"):
        await runtime.worker({"slack": Platform()}).attend(accepted.conversation_id)
    await runtime.close()


async def test_what_it_had_leased_is_handed_over_when_it_closes(settings: Settings) -> None:
    runtime = await Runtime.open(settings)
    conversation_id = await leased(runtime, runtime.resources.owner)
    await runtime.close()
    again = await Runtime.open(settings)
    row = await Conversation.get(id=conversation_id)
    assert row.owner is None
    assert await again.worker({"slack": Platform()}).attend(conversation_id)
    await again.close()


async def test_what_a_dead_process_left_can_be_taken_up_at_once(
    settings: Settings, tmp_path: Path
) -> None:
    runtime = await Runtime.open(settings)
    conversation_id = await leased(runtime, "dead")
    (tmp_path / "moorings.db-processes" / "dead").touch()
    await runtime.take_over()
    assert await runtime.worker({"slack": Platform()}).attend(conversation_id)
    await runtime.close()


async def test_what_a_living_process_has_is_left_to_it(settings: Settings, tmp_path: Path) -> None:
    runtime = await Runtime.open(settings)
    other = owners.Owner(tmp_path / "moorings.db")
    conversation_id = await leased(runtime, other.name)
    await runtime.take_over()
    assert (await Conversation.get(id=conversation_id)).owner == other.name
    other.leave()
    await runtime.close()


async def test_closing_waits_for_who_still_answers(settings: Settings) -> None:
    runtime = await Runtime.open(settings)
    is_asked, order = asyncio.Event(), list[str]()

    async def answering() -> None:
        with runtime.in_use():
            is_asked.set()
            await said(runtime)
            order.append("answered")

    async with asyncio.TaskGroup() as group:
        group.create_task(answering())
        await is_asked.wait()
        await runtime.close()
        order.append("closed")
    assert order == ["answered", "closed"]


async def test_closed_in_spite_of_a_busy_database_it_can_be_opened_again(
    settings: Settings, tmp_path: Path
) -> None:
    runtime = await Runtime.open(settings)
    with locked(tmp_path / "moorings.db"):
        await runtime.close()
    await (await Runtime.open(settings)).close()


async def test_what_could_not_be_handed_over_is_taken_up_when_the_process_has_ended(
    settings: Settings, tmp_path: Path
) -> None:
    runtime = await Runtime.open(settings)
    conversation_id = await leased(runtime, runtime.resources.owner)
    with locked(tmp_path / "moorings.db"):
        await runtime.close()
    again = await Runtime.open(settings)
    assert not await again.worker({"slack": Platform()}).attend(conversation_id)
    del runtime
    gc.collect()  # with its lock, as when the process ends
    assert await again.worker({"slack": Platform()}).attend(conversation_id)
    await again.close()


async def test_a_start_that_fails_leaves_nothing_open(settings: Settings, tmp_path: Path) -> None:
    await (await open_database(settings.database_url)).close()
    (tmp_path / "moorings.db-processes").mkdir()
    (tmp_path / "moorings.db-processes" / "dead").touch()
    with locked(tmp_path / "moorings.db"), pytest.raises(DatabaseBusy):
        await Runtime.open(settings)
    assert [file.name for file in (tmp_path / "moorings.db-processes").iterdir()] == ["dead"]
    await (await Runtime.open(settings)).close()


async def test_an_agents_file_with_errors_is_refused_before_anything_is_opened(
    tmp_path: Path,
) -> None:
    (tmp_path / "agents.toml").write_text("[agents.Ada]\ntemperature = 9\n")
    settings = load({"DATABASE_URL": f"sqlite://{tmp_path}/moorings.db"}, tmp_path)
    with pytest.raises(ConfigMistake, match="temperature"):
        await Runtime.open(settings)
    assert not (tmp_path / "moorings.db").exists()


async def test_a_database_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable):
        await Runtime.open(load({"DATABASE_URL": "sqlite:///nowhere/at/all.db"}, tmp_path))


async def test_a_faulty_agents_file_is_not_gone_by(filled_url: str, tmp_path: Path) -> None:
    file = tmp_path / "agents.toml"
    file.write_text("[agents.ada]\n[agents.zoe]\n")
    runtime = await Runtime.open(load({"DATABASE_URL": filled_url}, tmp_path))
    file.write_text("[agents.ada]\nmodl = 1\n")
    with pytest.raises(ConfigMistake, match=r"agents\.toml:2: agents\.ada\.modl: unknown key"):
        await runtime.reload()
    assert runtime.directory.names == ["ada", "zoe"]
    file.write_text('[agents.ada]\n[prices."local"]\ninput = 1\noutput = 1\n')
    await runtime.reload()
    assert runtime.directory.names == ["ada"]
    assert runtime.agents_file.default_agent == "ada"
    assert runtime.prices.knows("local")
    await runtime.close()
