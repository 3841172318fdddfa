"""What a prompt shows, by table: no database, no clock, no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.context.decide import Material, Note, Question, Shown, before_kept, decide
from core.context.history import Said, total
from core.context.render import render
from core.errors import ModelRefused
from core.llm import Api, Native, PromptMessage, Role, ToolCall
from core.llm.tokens import estimate
from core.messaging.attachments import ReadFile

S, U, A, T = Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL
WINDOW = 16_000
IMAGE = ReadFile(note="file 'a.png'", image="data:image/png;base64,AAAA")


def words(tokens: int, word: str = "word") -> str:
    """A text of about so many tokens."""
    text = f"{word} " * (tokens * 7 // 2 // (len(word) + 1))
    return text.strip()


def talk(*tokens: int, first: int = 1) -> list[Said]:
    """A history of messages that long, a person's and an answer by turns."""
    return [
        Said(
            seq=seq,
            message=PromptMessage(role=U if seq % 2 else A, content=words(each, f"w{seq}")),
        )
        for seq, each in enumerate(tokens, start=first)
    ]


def notes(count: int, tokens: int) -> list[Note]:
    """So many facts, each that long."""
    return [Note(id=number, text=f"- {words(tokens)} {number}") for number in range(count)]


def steps(*tokens: int) -> list[PromptMessage]:
    """Tool calls with results that long."""
    return [
        message
        for number, each in enumerate(tokens)
        for message in (
            PromptMessage(
                role=A,
                content="",
                tool_calls=(ToolCall(id=f"c{number}", name="look", arguments="{}"),),
            ),
            PromptMessage(role=T, content=words(each), tool_call_id=f"c{number}"),
        )
    ]


def brought(  # what a test is not about
    *,
    question: str = "And now?",
    history: Sequence[Said] = (),
    journal: Sequence[PromptMessage] = (),
    facts: Sequence[Note] = (),
    files: Sequence[ReadFile] = (),
    budget: int = WINDOW,
) -> Material:
    """What a turn brings, and what came before it."""
    return Material(
        instructions="Be brief.",
        window=WINDOW,
        budget=budget,
        questions=[Question(text=question, files=files)],
        journal=journal,
        facts=facts,
        history=history,
    )


def tokens(shown: Shown) -> int:
    """Of the whole prompt."""
    return total(render(shown))


SIXTY = talk(*[120] * 120)  # answers with their questions: 14,400 tokens
HALF = talk(*[60] * 120)


@pytest.mark.parametrize(
    ("material", "messages"),
    [
        (brought(history=SIXTY), 120),
        (brought(history=SIXTY, question=words(900)), 120),
        (brought(history=SIXTY, question=words(9_000)), 30),
        (brought(history=HALF, question=words(9_000)), 58),
        (brought(history=HALF, files=[IMAGE] * 10), 58),
        (brought(history=HALF, files=[ReadFile(note="a.csv", text=words(50_000))]), 58),
        (brought(history=HALF, journal=steps(5_700, 5_700)), 58),
        (brought(history=HALF, journal=steps(*[5_700] * 6)), 120),
        (brought(history=[*HALF, *talk(10_000, 60, first=121)]), 122),
        (brought(history=[*HALF, *talk(9_000, 9_000, 9_000, 60, first=121)]), 124),
    ],
    ids=[
        "a history that fits",
        "a question of the usual length",
        "a long question",
        "a long question in a short history",
        "ten images",
        "a long file",
        "tools",
        "many tools",
        "a paste before",
        "pastes before",
    ],
)
def test_what_is_long_shrinks_one_prompt_and_cuts_nothing_for_good(
    material: Material, messages: int
) -> None:
    shown = decide(material)
    assert tokens(shown) <= WINDOW
    assert (shown.cut, len(shown.history)) == (None, messages)


def test_a_history_that_grew_too_long_is_cut_to_half() -> None:
    shown = decide(brought(history=talk(*[125] * 122)))
    assert shown.cut == 64
    assert [message.role for message in shown.history[:1]] == [U]
    assert len(shown.history) == 58


def test_the_question_has_no_part_in_the_cut() -> None:
    material = brought(history=talk(*[125] * 122))
    for question in (words(9_000), words(3)):
        assert decide(replace(material, questions=[Question(text=question)])).cut == 64


def test_what_was_cut_is_cut_once() -> None:
    material = brought(history=talk(*[125] * 122))
    shown = decide(material)
    rest = [said for said in material.history if said.seq > (shown.cut or 0)]
    again = decide(replace(material, history=rest))
    assert again == replace(shown, cut=None)


def test_a_message_is_clipped_only_when_room_is_short_and_in_its_middle() -> None:
    paste = "The beginning. " + words(9_000) + " The end."
    said = Said(seq=1, message=PromptMessage(role=U, content=paste))
    [alone] = decide(brought(history=[said])).history
    assert alone.content == paste
    clipped, *_ = decide(brought(history=[said, *talk(*[60] * 120, first=2)])).history
    assert clipped.content.startswith("The beginning. word word")
    assert clipped.content.endswith("word word The end.")
    assert re.search(r"\n\[… [\d,]+ characters left out …\]\n", clipped.content)
    assert WINDOW // 8 < estimate(clipped.content) <= WINDOW // 4


def test_a_result_of_a_tool_is_clipped_only_when_room_is_short() -> None:
    few = decide(brought(journal=steps(4_000, 4_000)))
    assert few.journal == steps(4_000, 4_000)
    many = decide(brought(journal=steps(*[5_700] * 6)))
    assert [message.role for message in many.journal] == [A, T] * 6
    assert {"characters left out" in message.content for message in many.journal[1::2]} == {True}


def test_what_an_endpoint_is_given_back_is_counted() -> None:
    items = ({"type": "reasoning", "encrypted_content": "x" * 3_500},)
    native = Native(model="m", api=Api.RESPONSES, items=items)
    assert total([PromptMessage(role=A, content="", native=native)]) > 1_000
    call = ToolCall(id="c", name="write", arguments="x" * 3_500)
    assert total([PromptMessage(role=A, content="", tool_calls=(call,))]) > 1_000


@pytest.mark.parametrize(("in_front", "shown"), [(range(99, -1, -1), (2, 0)), ((), (0, 2))])
def test_facts_have_a_bound_and_the_newest_are_shown(
    in_front: Sequence[int], shown: tuple[int, int]
) -> None:
    material = replace(brought(facts=notes(100, 280)), in_front=in_front)
    decided = decide(material)
    assert tokens(decided) < WINDOW // 20 + 100
    assert (len(decided.front.lines), len(decided.tail.lines)) == shown
    assert "(98 other facts are left out):" in str(render(decided))
    assert [*decided.front.lines, *decided.tail.lines] == [note.text for note in notes(100, 280)][
        -2:
    ]


def test_told_and_most_used_facts_are_shown_first_and_in_their_order() -> None:
    many = notes(10, 280)
    many[2], many[4] = replace(many[2], uses=1), replace(many[4], uses=2)
    many[5:] = [replace(each, is_told=False, uses=9) for each in many[5:]]
    decided = decide(brought(facts=many))
    assert decided.tail.lines == (many[2].text, many[4].text)


def test_a_fact_in_front_stays_as_it_was_and_the_tail_says_that_it_holds_no_more() -> None:
    old, new = notes(2, 10)
    ended = replace(old, end="fact 0 held until 3 March; fact 1 took its place")
    before = decide(replace(brought(facts=[old]), in_front=[0]))
    after = decide(replace(brought(facts=[ended, new]), in_front=[0]))
    assert before.front == after.front
    assert after.tail.lines == (f"- {ended.end}", new.text)
    assert decide(brought(facts=[ended, new])).tail.lines == (f"{old.text}: {ended.end}", new.text)


@pytest.mark.parametrize(
    ("history", "kept_from"),
    [
        (talk(*[40] * 70), 55),  # many short messages: sixteen are kept
        (talk(*[20] * 70), None),  # … which are too few words to be worth it
        (talk(*[40] * 68), None),
        (talk(*[1_000] * 12), 11),  # few long ones: the last that fit
        (talk(*[1_000] * 10), None),
        (talk(*[1_000] * 4, 9_000, 1_000), 5),  # the newest question is kept, however long
    ],
)
def test_a_history_that_has_grown_is_compacted_up_to_the_newest(
    history: Sequence[Said], kept_from: int | None
) -> None:
    material = brought(history=history)
    assert decide(material).is_grown == (kept_from is not None)
    assert before_kept(material) == (kept_from and kept_from - 1)


def test_tools_and_summary_are_counted() -> None:
    material = replace(brought(history=SIXTY), tools=1_000, summary=words(1_000))
    assert tokens(decide(material)) <= WINDOW - 1_000
    material = brought(history=talk(*[100] * 64), question=words(9_000))
    assert tokens(decide(replace(material, tools=800))) <= WINDOW - 800
    assert tokens(decide(replace(material, summary=words(800)))) <= WINDOW


def test_an_image_for_which_there_is_no_room_is_named() -> None:
    shown = decide(brought(files=[IMAGE] * 14))
    [asked] = shown.asked
    assert len(asked.images) == 11
    assert asked.content.count("[file 'a.png']") == 11
    assert asked.content.count("was not looked at: too much at once. Say so]") == 3


def test_images_stand_with_their_question() -> None:
    first = Question(text="One", files=[IMAGE, ReadFile(note="a.txt", text="hello")])
    second = Question(text="Two", files=[replace(IMAGE, image="data:image/png;base64,BBBB")])
    shown = decide(replace(brought(), questions=[first, second]))
    assert [[image[-4:] for image in asked.images] for asked in shown.asked] == [["AAAA"], ["BBBB"]]


def test_a_question_alone_that_is_too_long_is_refused() -> None:
    with pytest.raises(ModelRefused, match="window_tokens = 16000"):
        decide(brought(question=words(12_100)))


def test_instructions_that_fill_the_window_cut_nothing() -> None:
    material = replace(brought(history=SIXTY), instructions=words(20_000))
    shown = decide(material)
    assert (shown.cut, shown.history, shown.is_bare) == (None, [], False)


def test_no_room_at_all_for_a_history_cuts_nothing() -> None:
    material = brought(history=SIXTY)
    room = WINDOW - WINDOW // 16 - estimate(material.instructions)
    shown = decide(replace(material, tools=room))
    assert (shown.cut, shown.history) == (None, [])


LENGTHS = st.lists(st.sampled_from([1, 30, 300, 2_000, 12_000]), max_size=12)


@given(
    history=LENGTHS,
    journal=LENGTHS,
    facts=LENGTHS,
    question=st.integers(1, 11_000),
    tools=st.integers(0, 800),
)
def test_no_prompt_is_longer_than_its_budget(
    history: list[int], journal: list[int], facts: list[int], question: int, tools: int
) -> None:
    known = [note for each in facts for note in notes(1, each)]
    material = brought(
        question=words(question), history=talk(*history), journal=steps(*journal), facts=known
    )
    assert tokens(decide(replace(material, tools=tools))) + tools <= WINDOW


@given(st.lists(st.sampled_from([10, 40, 200, 1_500, 9_000]), min_size=20, max_size=60))
def test_a_view_changes_only_where_it_is_cut_or_first_clipped(questions: list[int]) -> None:
    history, breaks, cuts, before = list[Said](), 0, 0, list[PromptMessage]()
    for question in questions:
        shown = decide(brought(question=words(question), history=history, budget=WINDOW))
        if shown.cut is not None:
            cuts += 1
            history = [said for said in history if said.seq > shown.cut]
        if total(shown.asked) < WINDOW // 16:  # a longer one may shrink its own prompt
            now = list(shown.history)
            breaks += now[: len(before)] != before
            before = now
        first = history[-1].seq + 1 if history else 1
        history += talk(question, 100, first=first + (first + 1) % 2)
    assert breaks <= 3 * cuts + 2
