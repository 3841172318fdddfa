"""A turn's steps, as they are kept and as the model sees them again."""

from __future__ import annotations

from dataclasses import asdict

from core.llm import Finished, Role, ToolCall
from core.tools import ToolResult
from core.turn.journal import Journal, ModelStep, ToolStep
from storage.models import Step, StepKind

ASKED = ModelStep.of(
    Finished(
        text="Let me look.",
        model="m",
        finish_reason="tool_calls",
        tool_calls=(
            ToolCall(id="a", name="clock", arguments="{}"),
            ToolCall(id="b", name="history", arguments='{"query": "x"}'),
        ),
    )
)
FIRST = ToolStep.of(
    ASKED_CALL := ToolCall(id="a", name="clock", arguments="{}"),
    ToolResult(text="noon", is_error=False),
)
SECOND = ToolStep(call_id="b", name="history", text="nothing", is_error=True)
ANSWERED = ModelStep(text="It is noon.", model="m", finish_reason="stop")


def journal_of(*steps: ModelStep | ToolStep) -> Journal:
    """A journal of these steps, read back from rows."""
    kinds = {ModelStep: StepKind.MODEL, ToolStep: StepKind.TOOL}
    return Journal(
        Step(turn_id=1, number=number, kind=kinds[type(step)], content=asdict(step))
        for number, step in enumerate(steps, start=1)
    )


def test_an_empty_journal_begins_at_one() -> None:
    journal = journal_of()
    assert (journal.next_number, journal.text, journal.last_answer) == (1, "", None)
    assert journal.open_calls() == []


def test_the_calls_of_the_newest_answer_are_open_until_they_have_a_result() -> None:
    assert [call.id for call in journal_of(ASKED).open_calls()] == ["a", "b"]
    assert [call.id for call in journal_of(ASKED, FIRST).open_calls()] == ["b"]
    assert journal_of(ASKED, FIRST, SECOND).open_calls() == []


def test_calls_of_an_earlier_answer_are_not_open_though_ids_repeat() -> None:
    journal = journal_of(ASKED, FIRST, SECOND, ASKED)
    assert [call.id for call in journal.open_calls()] == ["a", "b"]


def test_a_step_that_is_added_counts() -> None:
    journal = journal_of(ASKED, FIRST)
    journal.add(SECOND)
    assert journal.open_calls() == []
    assert (journal.next_number, journal.model_calls) == (4, 1)


def test_the_text_is_what_the_model_said_over_all_steps() -> None:
    assert journal_of(ASKED, FIRST, SECOND, ANSWERED).text == "Let me look.\n\nIt is noon."


def test_the_model_sees_its_calls_with_their_results() -> None:
    asked, first, second = journal_of(ASKED, FIRST, SECOND).as_prompt()
    assert [call.id for call in asked.tool_calls] == ["a", "b"]
    assert (first.role, first.content, first.tool_call_id) == (Role.TOOL, "noon", "a")
    assert (second.role, second.content, second.tool_call_id) == (Role.TOOL, "nothing", "b")
