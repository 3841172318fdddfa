"""The demo that needs no endpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.llm import ModelRequest, PromptMessage, Role, ToolSpec
from core.llm.demo import DemoModel
from tests.core.llm.asking import answer_of, said

NOW = datetime(2026, 11, 12, 15, 2, tzinfo=UTC)
DEADLINE = "Remember that our project deadline is March 15th"
REPLY = PromptMessage(role=Role.ASSISTANT, content="Noted: our project deadline is March 15th.")

REMEMBER = ToolSpec(name="remember", description="", parameters={})


def at(text: str, said_at: datetime, author: str = "") -> PromptMessage:
    return PromptMessage(role=Role.USER, content=text, said_at=said_at, author=author)


async def told(*messages: PromptMessage) -> str:
    """What the demo says, after its introduction."""
    model = DemoModel(pause=0, clock=lambda: NOW)
    answer = await answer_of(model, ModelRequest(messages=(REPLY, *messages)))
    return answer.text


async def test_the_first_answer_says_what_it_is() -> None:
    answer = await answer_of(DemoModel(pause=0), ModelRequest(messages=(said(DEADLINE),)))
    introduction, reply = answer.text.split("\n\n")
    assert "offline demo without a language model; set OPENAI_API_KEY" in introduction
    assert reply == "Understood: our project deadline is March 15th."
    assert answer.model == "moorings-demo (no language model)"


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (DEADLINE, "Understood: our project deadline is March 15th."),
        ("Anna owns the release", "Understood: Anna owns the release."),
        ("hello", "Hello! Tell me something, and ask me about it later."),
    ],
)
async def test_a_statement_is_understood_and_not_called_noted(text: str, reply: str) -> None:
    assert await told(said(text)) == reply


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (DEADLINE, "our project deadline is March 15th"),
        ("please remember: Anna is the boss!", "Anna is the boss!"),
        ("Bo: note Anna is away", "Anna is away"),
    ],
)
async def test_what_it_is_asked_to_remember_becomes_a_fact(text: str, fact: str) -> None:
    model = DemoModel(pause=0, clock=lambda: NOW)
    question = at(text, NOW, "Bo")
    asked = ModelRequest(messages=(REPLY, question), tools=(REMEMBER,))
    finished = await answer_of(model, asked)
    assert [json.loads(call.arguments) for call in finished.tool_calls] == [{"text": fact}]
    done = (
        PromptMessage(role=Role.ASSISTANT, content="", tool_calls=finished.tool_calls),
        PromptMessage(role=Role.TOOL, content=f"Remembered as fact 1: {fact}"),
    )
    finished = await answer_of(model, replace(asked, messages=(REPLY, question, *done)))
    assert finished.text.startswith(f"Noted: {fact}")
    assert not finished.tool_calls


@pytest.mark.parametrize("text", ["Anna is away", "Remember?", "Remember who is away?", "note"])
async def test_it_remembers_nothing_else(text: str) -> None:
    asked = ModelRequest(messages=(said(text),), tools=(REMEMBER,))
    assert not (await answer_of(DemoModel(pause=0), asked)).tool_calls


async def test_what_the_tool_did_not_take_is_not_called_noted() -> None:
    refused = PromptMessage(role=Role.TOOL, content="text has 1,001 characters")
    asked = ModelRequest(messages=(REPLY, said(DEADLINE), refused), tools=(REMEMBER,))
    assert (await answer_of(DemoModel(pause=0), asked)).text.startswith("Understood: ")


async def test_what_a_person_said_comes_before_a_note_of_it() -> None:
    notes = PromptMessage(role=Role.SYSTEM, content="Facts:\n- the deadline is March 15th")
    answer = await told(notes, at(DEADLINE, NOW), at("(Facts:\n- the deadline)\n\nDeadline?", NOW))
    assert answer.startswith("Earlier today (15:02) you told me")


@pytest.mark.parametrize(
    ("said_at", "opening"),
    [
        (NOW, "Earlier today (15:02)"),
        (datetime(2026, 3, 12, tzinfo=UTC), "On 12 March"),
        (datetime(2025, 3, 12, tzinfo=UTC), "On 12 March 2025"),
    ],
)
async def test_a_question_is_answered_by_what_was_said(said_at: datetime, opening: str) -> None:
    answer = await told(at(DEADLINE, said_at), at("What is the deadline of our projects?", NOW))
    assert answer == f"{opening} you told me: our project deadline is March 15th."


@pytest.mark.parametrize(("author", "who"), [("Al", "Al"), ("Bo", "you"), ("", "somebody")])
async def test_it_says_who_said_it(author: str, who: str) -> None:
    message = at(f"{author}: {DEADLINE}", NOW, author) if author else at(DEADLINE, NOW)
    answer = await told(message, at("Bo: When is the deadline?", NOW, "Bo"))
    assert answer == f"Earlier today (15:02) {who} told me: our project deadline is March 15th."


async def test_the_later_of_two_statements_holds() -> None:
    answer = await told(
        said("The deadline is May"), said("The deadline is June"), said("Deadline?")
    )
    assert answer == "Earlier you told me: The deadline is June."


async def test_an_earlier_question_is_no_answer() -> None:
    assert (await told(said("Is Anna testing?"), said("Who tests? Anna?"))).startswith("I found no")


async def test_words_count_in_all_their_forms() -> None:
    answer = await told(said("Carla plans the meetings"), said("who is planing the meeting"))
    assert answer == "Earlier you told me: Carla plans the meetings."


@pytest.mark.parametrize(
    "messages",
    [
        (said("When is the deadline?"),),
        (said(DEADLINE), said("Who is Anna?")),
        (PromptMessage(role=Role.TOOL, content="- Anna is the boss"), said("Who is Anna?")),
    ],
)
async def test_it_says_that_it_found_nothing(messages: tuple[PromptMessage, ...]) -> None:
    assert (await told(*messages)).startswith("I found nothing about that in this conversation.")


async def test_facts_of_the_prompt_are_known() -> None:
    facts = PromptMessage(role=Role.SYSTEM, content="Be brief.\n\nFacts:\n- Anna is the boss")
    assert await told(facts, said("Who is the boss?")) == "I have noted: Anna is the boss."


async def test_facts_in_front_of_the_question_are_known_and_not_part_of_it() -> None:
    question = said("(What I learned since:\n- Anna is the boss (fact 3))\n\nWho is the boss?")
    assert await told(question) == "I have noted: Anna is the boss (fact 3)."


async def test_messages_that_a_prompt_joined_are_told_apart() -> None:
    question = said(f"{DEADLINE}\n\nWhen is the deadline?")
    assert await told(question) == "Earlier you told me: our project deadline is March 15th."


async def test_without_a_question_it_greets() -> None:
    assert (await told()).startswith("Hello!")


FACTS = ToolSpec(name="facts", description="", parameters={})


async def test_what_is_known_about_who_asks_is_looked_up_and_told() -> None:
    model = DemoModel(pause=0, clock=lambda: NOW)
    asked = said("What do you know about me?")
    request = ModelRequest(messages=(REPLY, asked), tools=(FACTS,))
    [call] = (await answer_of(model, request)).tool_calls
    assert (call.name, json.loads(call.arguments)) == ("facts", {"about_asker": True})
    result = PromptMessage(role=Role.TOOL, content="- Ana likes tea.", tool_call_id=call.id)
    answer = await answer_of(model, replace(request, messages=(REPLY, asked, result)))
    assert answer.text == "- Ana likes tea."
    assert (await answer_of(model, replace(request, tools=()))).tool_calls == ()


async def test_a_note_that_holds_no_more_is_no_answer() -> None:
    notes = (
        "(What you have been told to remember since:\n"
        "- Our deadline is 15 March (fact 1, from Ana): fact 1 held until 3 March 2026; "
        "fact 2 took its place\n"
        "- It is 2 April now, the deadline (fact 2, from Ana))\n\n"
    )
    answer = await told(said(f"{notes}When is our deadline?"))
    assert answer.startswith("I have noted: It is 2 April now")
