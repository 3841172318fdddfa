"""Thinking is kept out of the answer, and an answer stays as it is, however it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.llm import Retracted, TextDelta
from core.llm.thinking import Speech

ANSWER = "It is noon."
BEGINNINGS = [
    "<think>They ask.</think>\n\n",
    "<think>\n\n</think>\n\n",
    "\n<think>\nThey ask.\n</think>\n",
    "<THINK>They ask.</Think>",
    "<thinking>They ask.</thinking>",
    "<thought>They ask.</thought>",
    "<reasoning>They ask.</reasoning>",
    "<seed:think>They ask.</seed:think>",
    "[THINK]They ask.[/THINK]",
    "◁think▷They ask.◁/think▷",
    "<|START_THINKING|>They ask.<|END_THINKING|><|START_RESPONSE|>",
    "<think>One.</think><think>Two.</think>",
    "<|channel|>analysis<|message|>They ask.<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|start|>assistant<|channel|>final<|message|>",
]
ORPHANS = [
    "They ask.</think>",
    "They ask.\n</thinking>\n\n",
    "They ask.[/THINK]",
    "They ask.◁/think▷",
    "Is `x` 1? Or <b>2</b>?</think>",
]
ANSWERS = [
    "Write `</think>` after it.",
    "```\n</think>\n```\nThat is it.",
    "~~~\nx</think>\n~~~",
    "Between <think> and </think> it thinks.",
    "`<think>` begins it, `</think>` ends it.",
    "a < b, [link](x), <thin, and <",
    "[think about it]",
    "<thinker> is no mark",
    "<",
    " <",
    "</thin",
    "<|channel|>",
    "[/THIN",
    "◁",
    "  indented",
    "ends in <thi",
]


def played(speech: Speech, pieces: Iterable[str]) -> str:
    """What stays shown after the last retraction, which is the text."""
    shown = ""
    events = [event for piece in pieces for event in speech.add(piece)]
    for event in (*events, *speech.finish()):
        match event:
            case Retracted():
                shown = ""
            case TextDelta():
                assert event.text
                shown += event.text
    assert shown == speech.text
    return shown


def cut_everywhere(text: str) -> Iterable[Sequence[str]]:
    """Whole, in two at every place, and character by character."""
    yield (text,)
    yield tuple(text)
    yield from ((text[:at], text[at:]) for at in range(1, len(text)))


@pytest.mark.parametrize("thought", BEGINNINGS)
def test_thinking_at_the_beginning_never_shows(thought: str) -> None:
    for pieces in cut_everywhere(thought + ANSWER):
        speech = Speech()
        assert played(speech, pieces) == ANSWER
        assert not speech.was_retracted


@pytest.mark.parametrize("thought", ORPHANS)
def test_what_an_orphan_mark_ends_is_taken_back(thought: str) -> None:
    for pieces in cut_everywhere(thought + ANSWER):
        assert played(Speech(), pieces) == ANSWER


@pytest.mark.parametrize("thought", ORPHANS + BEGINNINGS)
def test_who_is_known_to_think_first_shows_no_thought(thought: str) -> None:
    for pieces in cut_everywhere(thought + ANSWER):
        speech = Speech(thinks_first=True)
        early = [event for piece in pieces[:-1] for event in speech.add(piece)]
        late = [*speech.add(pieces[-1]), *speech.finish()]
        assert not [event for event in (*early, *late) if isinstance(event, Retracted)]
        assert speech.text == ANSWER


@pytest.mark.parametrize("text", [ANSWER, *ANSWERS])
@pytest.mark.parametrize("thinks_first", [False, True])
def test_an_answer_is_not_touched(text: str, thinks_first: bool) -> None:
    for pieces in cut_everywhere(text):
        assert played(Speech(thinks_first=thinks_first), pieces) == text


@pytest.mark.parametrize("inner", ANSWERS)
def test_an_answer_is_not_touched_after_thinking(inner: str) -> None:
    text = f"Yes: {inner}"
    for pieces in cut_everywhere(f"<think>Hm.</think>{text}"):
        assert played(Speech(), pieces) == text


@pytest.mark.parametrize("end", ["<|return|>", "<|end|>"])
def test_the_mark_of_the_end_is_not_shown(end: str) -> None:
    for pieces in cut_everywhere(ANSWER + end):
        assert played(Speech(), pieces) == ANSWER


@pytest.mark.parametrize(
    "text", ["<think>They ask", "<think>", "", "\n", "[THINK]They ask</think>"]
)
def test_thinking_alone_is_no_answer(text: str) -> None:
    for pieces in cut_everywhere(text):
        assert played(Speech(), pieces) == ""


def test_text_is_shown_as_it_comes() -> None:
    speech = Speech()
    assert [list(speech.add(piece)) for piece in ("It ", "is <", "b> noon")] == [
        [TextDelta(text="It ")],
        [TextDelta(text="is ")],
        [TextDelta(text="<b> noon")],
    ]


PLAIN = st.text(st.characters(exclude_characters="<[◁"), min_size=1)
CUTS = st.lists(st.integers(0, 60), max_size=5)


def cut(text: str, at: Iterable[int]) -> list[str]:
    """The text in pieces."""
    places = [0, *sorted(place for place in at if place < len(text)), len(text)]
    return [text[begin:end] for begin, end in itertools.pairwise(places)]


@given(text=PLAIN, at=CUTS)
def test_text_without_marks_is_never_changed(text: str, at: list[int]) -> None:
    speech = Speech()
    assert played(speech, cut(text, at)) == (text if text.strip() else "")
    assert not speech.was_retracted


@given(
    text=st.lists(st.sampled_from([*"<>/`[ \n", "think", "</think>", "<think>", "```", "a"])),
    at=CUTS,
    thinks_first=st.booleans(),
)
def test_the_text_is_what_was_shown_last(
    text: list[str], at: list[int], thinks_first: bool
) -> None:
    whole = "".join(text)
    kept = played(Speech(thinks_first=thinks_first), cut(whole, at))
    assert whole.strip().endswith(kept.strip())
