"""Thinking that comes as text, in the marks that servers leave in it."""

from __future__ import annotations

from tests.peers.dialects.build import (
    AS_TEXT,
    DONE,
    TEXT,
    answers,
    called,
    chunk,
    once,
    speech,
    stream,
)
from tests.peers.dialects.dialect import Dialect, Expected, Play

_ABOUT_TAGS = "Write `<think>` before and `</think>` after it:\n```\n<think>like this</think>\n```"


def _thinks(name: str, source: str, thought: str) -> Dialect:
    """Thinks before the call and before the answer, in pieces of five characters."""

    def pieces(text: str) -> tuple[str, ...]:
        return tuple(text[start : start + 5] for start in range(0, len(text), 5))

    before = [chunk({"content": piece}) for piece in pieces(thought)]
    return Dialect(
        name=name,
        source=source,
        plays=(
            Play(
                answer=stream(
                    *before,
                    chunk({"tool_calls": [called(AS_TEXT, index=0, id="call_a")]}),
                    chunk({}, "tool_calls"),
                    DONE,
                )
            ),
            Play(
                answer=stream(*speech(*pieces(thought + TEXT)), DONE),
                given_back=({"role": "tool"},),
            ),
        ),
        expects=answers(),
    )


THINKING = (
    _thinks(
        "Local servers: <think> before the answer",
        "openclaw/openclaw#69843, NousResearch/hermes-agent#8878",
        "<think>\nThey want the time.\n</think>\n\n",
    ),
    Dialect(
        name="Local servers: <think> and the answer in one chunk",
        source="openclaw/openclaw#69843",
        plays=once(*speech(f"<think>PLAN</think>{TEXT}"), DONE),
        expects=Expected(text=TEXT),
    ),
    Dialect(
        name="DeepSeek R1: nothing was thought",
        source="openclaw/openclaw#69843",
        plays=once(*speech("<think>\n\n</think>\n\n", TEXT), DONE),
        expects=Expected(text=TEXT),
    ),
    Dialect(
        name="DeepSeek R1 on llama.cpp and vLLM: the opening tag stood in the prompt",
        source="ggml-org/llama.cpp#11861, vllm-project/vllm#13125, sgl-project/sglang#3668",
        plays=once(*speech("They want the time.\n", "</thi", "nk>\n\n", TEXT), DONE),
        expects=Expected(text=TEXT),
    ),
    _thinks(
        "Mistral's Magistral on local servers: [THINK]",
        "ggml-org/llama.cpp, the parser for Ministral 3",
        "[THINK]They want the time.[/THINK]",
    ),
    _thinks(
        "gpt-oss: harmony channels in the text",
        "kekzl/imp#768, scouzi1966/maclocal-api#121, ml-explore/mlx-lm#1867",
        "<|channel|>analysis<|message|>They want the time.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>",
    ),
    _thinks(
        "Kimi: ◁think▷",
        "vLLM's list of reasoning models (Kimi K2 Thinking)",
        "◁think▷They want the time.◁/think▷",
    ),
    _thinks(
        "Cohere: <|START_THINKING|>",
        "a public client's list of marks, with Cohere's name",
        "<|START_THINKING|>They want the time.<|END_THINKING|>",
    ),
    _thinks(
        "Seed: <seed:think>",
        "a public client's list of marks, with Seed's name",
        "<seed:think>They want the time.</seed:think>",
    ),
    Dialect(
        name="An answer about such tags, in code: nothing of it is thinking",
        source="issue 10: inside code nothing is touched",
        plays=once(*speech(*(_ABOUT_TAGS[at : at + 9] for at in range(0, 99, 9))), DONE),
        expects=Expected(text=_ABOUT_TAGS),
    ),
    Dialect(
        name="vLLM, OpenRouter: thinking in a field of its own",
        source="docs.vllm.ai reasoning outputs; openrouter.ai/docs reasoning tokens",
        plays=(
            Play(
                answer=stream(
                    chunk({"role": "assistant", "content": ""}),
                    chunk({"reasoning": "They want the time."}),
                    chunk({"tool_calls": [called(index=0, id="call_a")]}),
                    chunk({}, "tool_calls"),
                    DONE,
                )
            ),
            Play(
                answer=stream(
                    chunk({"reasoning": "Noon.", "content": ""}),
                    chunk({"reasoning_content": "Noon, then."}),
                    *speech(TEXT),
                    DONE,
                ),
                given_back=({"role": "tool"},),
            ),
        ),
        expects=answers(),
    ),
)
