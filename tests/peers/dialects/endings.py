"""Answers that end otherwise than with a stop: cut, filtered, declined, broken off."""

from __future__ import annotations

from tests.peers.dialects.build import (
    ANSWERED,
    DONE,
    chunk,
    data,
    ends,
    failure,
    once,
    speech,
    stream,
)
from tests.peers.dialects.dialect import Ask, Dialect, Expected, Objection, Outcome, Play
from tests.peers.endpoint.behaviours import Exactly

_PART = "It is"
_BEGUN = speech(_PART)[:-1]
_LM_STUDIO = (
    "Trying to keep the first 4245 tokens when context the overflows. However, the model is "
    "loaded with context length of only 4096 tokens, which is not enough. Try to load the model "
    "with a larger context length, or provide a shorter input"
)
_TOO_LONG = 2000


def _too_long(name: str, source: str, answer: Exactly, limit: int) -> Dialect:
    """An overflow that is told within a 200."""
    return Dialect(
        name=name,
        source=source,
        plays=(Play(answer=ANSWERED),),
        ask=Ask(characters=_TOO_LONG + 1),
        objections=(Objection(answer=answer, longer_than=_TOO_LONG),),
        expects=Expected(outcome=Outcome.OVERFLOW, limit=limit),
    )


ENDINGS = (
    Dialect(
        name="OpenAI: cut at the limit of its length",
        source="developers.openai.com, chat completions: finish_reason",
        plays=once(*_BEGUN, chunk({}, "length"), DONE),
        expects=ends(Outcome.CUT, _PART),
    ),
    Dialect(
        name="OpenAI: filtered in the middle",
        source="developers.openai.com, chat completions: finish_reason",
        plays=once(*_BEGUN, chunk({}, "content_filter"), DONE),
        expects=ends(Outcome.FILTERED, _PART),
    ),
    Dialect(
        name="Azure: the prompt is filtered",
        source="compl-ai/compl-ai#20, stanford-crfm/helm#3327",
        plays=(
            Play(
                answer=failure(
                    400,
                    {
                        "error": {
                            "message": "The response was filtered due to the prompt triggering "
                            "Azure OpenAI's content management policy. Please modify your prompt "
                            "and retry. To learn more about our content filtering policies please "
                            "read our documentation: https://go.microsoft.com/fwlink/?linkid="
                            "2198766",
                            "type": None,
                            "param": "prompt",
                            "code": "content_filter",
                            "status": 400,
                            "innererror": {"code": "ResponsibleAIPolicyViolation"},
                        }
                    },
                )
            ),
        ),
        expects=ends(Outcome.FILTERED),
    ),
    Dialect(
        name="OpenAI: the model declines in its own field",
        source="aaif-goose/goose#3875, developers.openai.com: refusal",
        plays=once(
            chunk({"role": "assistant", "content": None, "refusal": ""}),
            chunk({"refusal": "I'm sorry, I can't help"}),
            chunk({"refusal": " with that."}),
            chunk({}, "stop"),
            DONE,
        ),
        expects=ends(Outcome.REFUSAL, "I'm sorry, I can't help with that."),
    ),
    Dialect(
        name="OpenRouter: the provider is gone in the middle",
        source="openrouter.ai/docs/api-reference/streaming",
        plays=once(
            *_BEGUN,
            {
                **chunk({"content": ""}, "error"),
                "provider": "openai",
                "error": {
                    "code": "server_error",
                    "message": "Provider disconnected unexpectedly",
                },
            },
            DONE,
        ),
        expects=ends(Outcome.DOWN),
    ),
    Dialect(
        name="Exo, SGLang: an error object among the data",
        source="aaif-goose/goose#8021",
        plays=once(
            *_BEGUN,
            {
                "error": {
                    "message": "Internal server error",
                    "type": "InternalServerError",
                    "code": 500,
                }
            },
        ),
        expects=ends(Outcome.DOWN),
    ),
    Dialect(
        name="vLLM: an error object at the top of the data",
        source="aaif-goose/goose#8031",
        plays=once(
            *_BEGUN,
            {
                "object": "error",
                "message": "EngineCore encountered an issue.",
                "type": "InternalServerError",
                "param": None,
                "code": 500,
            },
        ),
        expects=ends(Outcome.DOWN),
    ),
    _too_long(
        "LM Studio: overflow as an error event",
        "aaif-goose/goose#11318, lmstudio-ai/lmstudio-bug-tracker#546",
        Exactly(pieces=("event: error\n" + data({"error": {"message": _LM_STUDIO}}),)),
        4096,
    ),
    _too_long(
        "LM Studio: overflow as an error event whose error is a text",
        "lmstudio-ai/lmstudio-bug-tracker#546",
        Exactly(pieces=("event: error\n" + data({"error": _LM_STUDIO}),)),
        4096,
    ),
    _too_long(
        "llama.cpp: overflow as JSON inside a 200",
        "oobabooga/textgen#7257, nashsu/llm_wiki#619",
        failure(
            200,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size. try increasing "
                    "the context size or enable context shift",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 14429,
                    "n_ctx": 8192,
                }
            },
        ),
        8192,
    ),
    Dialect(
        name="A clean end in the middle of the text",
        source="reference/llm.md: stream ends early, clean",
        plays=once(*_BEGUN),
        expects=ends(Outcome.DOWN),
    ),
    Dialect(
        name="Nothing but [DONE]",
        source="NousResearch/hermes-agent#56516: empty stream",
        plays=(Play(answer=stream(DONE)),),
        expects=ends(Outcome.DOWN),
    ),
    Dialect(
        name="DeepSeek: an error that calls itself bytes",
        source="SaladDay/cc-switch-cli#170",
        plays=(
            Play(
                answer=failure(
                    400,
                    {
                        "error": {
                            "message": "The `reasoning_content` in the thinking mode must be "
                            "passed back to the API.",
                            "type": "invalid_request_error",
                            "param": None,
                            "code": "invalid_request_error",
                        }
                    },
                    "application/octet-stream",
                )
            ),
        ),
        expects=ends(Outcome.REFUSED),
    ),
)
