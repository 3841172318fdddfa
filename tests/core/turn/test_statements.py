"""What a turn asks the database, counted where the driver hears it: so that it does not grow."""

from __future__ import annotations

import pytest

from tests.core.given import Stage, tool
from tests.peers.model import calling
from tests.statements import Asked, asked


async def turn(stage: Stage) -> Asked:
    """All that the second message of a conversation costs, from intake to release."""
    worker = stage.worker()
    await worker.attend((await stage.say("Hello")).conversation_id)
    async with asked() as statements:
        accepted = await stage.say("And?")
        await worker.attend(accepted.conversation_id, accepted.agent_id)
    return statements


async def test_a_turn_without_tools(stage: Stage) -> None:
    statements = await turn(stage)
    assert (len(statements), statements.transactions) == (21, 4), "\n".join(statements)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
@pytest.mark.usefixtures("database")
async def test_a_turn_on_postgresql_begins_no_transaction_of_more_than_one_statement() -> None:
    statements = await turn(Stage())
    assert (len(statements), statements.transactions) == (8, 0), "\n".join(statements)


async def test_each_tool_call_costs_no_more_than_its_step(stage: Stage) -> None:
    """Two steps more, that of the model that called it and its own, and the facts once more."""
    before = await turn(stage)
    stage.tools = [tool("noon", lambda _: "It is noon.")]
    stage.model.script("Hi.", calling("noon"), "Noon.")
    statements = await turn(stage)
    assert statements.transactions == before.transactions + 1
    assert len(statements) == len(before) + 4, "\n".join(statements)


async def test_of_an_answer_the_index_of_what_is_ready_hears_three_times(stage: Stage) -> None:
    """When the message is stored, when the conversation is claimed, and when it is given back."""
    statements = await turn(stage)
    written = [
        each for each in statements if "UPDATE conversation" in each and "ready_at =" in each
    ]
    assert len(written) == 3
