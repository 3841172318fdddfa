"""How endpoints say that a prompt is too long, before a word is streamed."""

from __future__ import annotations

from tests.peers.dialects.build import DONE, called, chunk, failure, openai_failure, turn
from tests.peers.dialects.dialect import Ask, Dialect, Expected, Objection, Outcome
from tests.peers.endpoint.behaviours import Exactly

# Nothing is counted in tokens here: prompts above so many characters are refused.
_TOO_LONG = 2000
_ANSWERS = turn(
    chunk({"role": "assistant", "tool_calls": [called(index=0, id="call_a")]}),
    chunk({}, "tool_calls"),
    DONE,
)


def _overflow(
    name: str, source: str, answer: Exactly, limit: int | None = None, *, short_first: bool = False
) -> Dialect:
    """Refuses a long prompt in these words, and answers a short one."""
    return Dialect(
        name=name,
        source=source,
        plays=_ANSWERS,
        ask=Ask(characters=_TOO_LONG + 1, short_first=short_first),
        objections=(Objection(answer=answer, longer_than=_TOO_LONG),),
        expects=Expected(outcome=Outcome.OVERFLOW, limit=limit),
    )


OVERFLOW = (
    _overflow(
        "OpenAI",
        "developers.openai.com error codes",
        openai_failure(
            "This model's maximum context length is 128000 tokens. However, your messages resulted "
            "in 130912 tokens. Please reduce the length of the messages.",
            param="messages",
            code="context_length_exceeded",
        ),
        128000,
    ),
    _overflow(
        "OpenAI, newer models",
        "openai/codex, tests of context overflow",
        openai_failure(
            "Your input exceeds the context window of this model. Please adjust your input and try "
            "again.",
            param="input",
            code="context_length_exceeded",
        ),
    ),
    _overflow(
        "llama.cpp, before",
        "ggml-org/llama.cpp#15780",
        failure(
            500,
            {
                "error": {
                    "code": 500,
                    "message": "the request exceeds the available context size. try increasing "
                    "the context size or enable context shift",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 1407,
                    "n_ctx": 256,
                }
            },
        ),
        256,
    ),
    _overflow(
        "llama.cpp",
        "reference/llm.md, measured; continuedev/continue#9797",
        failure(
            400,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size, try increasing it",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 18123,
                    "n_ctx": 16384,
                }
            },
        ),
        16384,
    ),
    _overflow(
        "llama-cpp-python",
        "abetlen/llama-cpp-python#416, fedora-copr/logdetective-website#193",
        failure(
            500,
            {
                "error": {
                    "message": "Requested tokens (2285) exceed context window of 2048",
                    "type": "internal_server_error",
                    "param": None,
                    "code": None,
                }
            },
        ),
        2048,
    ),
    _overflow(
        "LM Studio",
        "lmstudio-ai/lmstudio-bug-tracker#546, openclaw/openclaw#64180",
        failure(
            400,
            {
                "error": "Trying to keep the first 4245 tokens when context the overflows. "
                "However, the model is loaded with context length of only 4096 tokens, which is "
                "not enough. Try to load the model with a larger context length, or provide a "
                "shorter input"
            },
        ),
        4096,
    ),
    _overflow(
        "LM Studio, newer",
        "lmstudio-ai/lmstudio-bug-tracker#2256",
        failure(
            400,
            {
                "error": "The number of tokens to keep from the initial prompt is greater than the "
                "context length (n_keep: 5228 >= n_ctx: 4096). Try to load the model with a larger "
                "context length, or provide a shorter input"
            },
        ),
        4096,
    ),
    _overflow(
        "LM Studio, gpt-oss",
        "lmstudio-ai/lmstudio-bug-tracker#1024",
        failure(
            400,
            {
                "error": "Reached context length of 32000 tokens with model (arch: gpt-oss) that "
                "does not currently support mid-generation context overflow. Try reloading with a "
                "larger context length or shortening the prompt/chat."
            },
        ),
        32000,
    ),
    _overflow(
        "vLLM, old",
        "vllm-project/vllm#20409",
        failure(
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 16384 tokens. However, you "
                "requested 122946 tokens (112946 in the messages, 10000 in the completion). "
                "Please reduce the length of the messages or completion.",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
        ),
        16384,
    ),
    _overflow(
        "vLLM, later",
        "UKGovernmentBEIS/inspect_ai#2634",
        failure(
            400,
            {
                "error": {
                    "message": "This model's maximum context length is 200 tokens. However, your "
                    "request has 203 input tokens. Please reduce the length of the input messages. "
                    "None",
                    "type": "BadRequestError",
                    "param": None,
                    "code": 400,
                }
            },
        ),
        200,
    ),
    _overflow(
        "vLLM, newer",
        "reference/platforms-2026-11.md; a public log of inference-api.nvidia.com",
        failure(
            400,
            {
                "error": {
                    "message": "You passed 98305 input tokens and requested 32768 output tokens. "
                    "However, the model's context length is only 131072 tokens, resulting in a "
                    "maximum input length of 98304 tokens. Please reduce the length of the input "
                    "prompt. (parameter=input_tokens, value=98305)",
                    "type": "BadRequestError",
                    "param": "input_tokens",
                    "code": 400,
                }
            },
        ),
        98304,
    ),
    _overflow(
        "SGLang, Together",
        "SWE-agent's wordings of overflow; sgl-project/sglang",
        failure(
            400,
            {
                "object": "error",
                "message": "The input (265330 tokens) is longer than the model's context length "
                "(262144 tokens).",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
        ),
        262144,
    ),
    _overflow(
        "Text Generation Inference",
        "huggingface/text-generation-inference, ValidationError",
        failure(
            422,
            {
                "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= "
                "4096. Given: 4375 `inputs` tokens and 100 `max_new_tokens`",
                "error_type": "validation",
            },
        ),
        4096,
    ),
    _overflow(
        "Anthropic",
        "anthropics/claude-code#12186",
        failure(
            400,
            {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": "prompt is too long: 208310 tokens > 200000 maximum",
                },
                "request_id": "req_011CVQe1dLrGNMJyE1ghG1av",
            },
        ),
        200000,
    ),
    _overflow(
        "Gemini",
        "public logs of the compatible endpoint",
        failure(
            400,
            [
                {
                    "error": {
                        "code": 400,
                        "message": "The input token count (1205432) exceeds the maximum number of "
                        "tokens allowed (1048576).",
                        "status": "INVALID_ARGUMENT",
                    }
                }
            ],
        ),
        1048576,
    ),
    _overflow(
        "Mistral",
        "docs.mistral.ai known limitations",
        failure(
            400,
            {
                "object": "error",
                "message": "Prompt contains 40960 tokens and 0 draft tokens, too large for model "
                "with 32768 maximum context length",
                "type": "invalid_request_message_error",
                "param": None,
                "code": None,
            },
        ),
        32768,
    ),
    _overflow(
        "DeepSeek",
        "api-docs.deepseek.com/quick_start/pricing",
        failure(
            400,
            {
                "error": {
                    "message": "This model's maximum context length is 65536 tokens. However, you "
                    "requested 70123 tokens (70123 in the messages, 0 in the completion). Please "
                    "reduce the length of the messages or completion.",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "invalid_request_error",
                }
            },
        ),
        65536,
    ),
    _overflow(
        "OpenRouter",
        "openrouter.ai/docs, public logs of 400",
        failure(
            400,
            {
                "error": {
                    "message": "This endpoint's maximum context length is 163840 tokens. However, "
                    "you requested about 221324 tokens (220500 of text input, 824 of tool input). "
                    'Please reduce the length of either one, or use the "middle-out" transform '
                    "to compress your prompt automatically.",
                    "code": 400,
                    "metadata": {"provider_name": None},
                }
            },
        ),
        163840,
    ),
    _overflow(
        "xAI",
        "public clients' wordings of overflow",
        failure(
            400,
            {
                "code": "Client specified an invalid argument",
                "error": "This model's maximum prompt length is 131072 but the request contains "
                "537812 tokens.",
            },
        ),
        131072,
    ),
    _overflow(
        "Moonshot",
        "public clients' wordings of overflow",
        failure(
            400,
            {
                "error": {
                    "type": "invalid_request_error",
                    "message": "Invalid request: Your request exceeded model token limit: 262144 "
                    "(requested: 300000)",
                }
            },
        ),
        262144,
    ),
    _overflow(
        "Groq",
        "public clients' wordings of overflow",
        openai_failure(
            "Please reduce the length of the messages or completion.",
            param="messages",
            code="context_length_exceeded",
        ),
    ),
    _overflow(
        "Ollama",
        "public clients' wordings of overflow",
        failure(
            400,
            {
                "error": {
                    "message": "prompt too long; exceeded max context length by 4096 tokens",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": None,
                }
            },
        ),
    ),
    _overflow(
        "Cerebras: a 400 without a word",
        "public clients' wordings of overflow",
        Exactly(pieces=(), status=400, content_type="text/plain"),
        short_first=True,
    ),
)
