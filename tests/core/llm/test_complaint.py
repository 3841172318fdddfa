"""An error is known for what it is, in whichever words and shape it comes."""

from __future__ import annotations

import httpx2
import openai
import pytest

from core.llm.complaint import Complaint, of_error, of_event
from core.llm.events import Event


def complaint(body: object, status: int = 400, retry_after: str = "") -> Complaint:
    """As the SDK hands it on: of an object with `error`, only that."""
    http = httpx2.Request("POST", "http://m/v1")
    headers = {"retry-after": retry_after} if retry_after else {}
    response = httpx2.Response(status, headers=headers, request=http)
    inner = body.get("error", body) if isinstance(body, dict) else body
    return of_error(openai.APIStatusError("no", response=response, body=inner))


OVERFLOWS = [
    (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "10000 tokens. Please reduce the length of the messages.",
        8192,
    ),
    ("prompt is too long: 210000 tokens > 200000 maximum", 200000),
    (
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
        1048575,
    ),
    (
        "the request exceeds the available context size. try increasing the context size or "
        "enable context shift",
        None,
    ),
    ("request (9000 tokens) exceeds the available context size (8,192 tokens)", 8192),
    (
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
        131072,
    ),
    ("Input length 5000 exceeds the maximum length of 4096", 4096),
    (
        "Trying to keep the first 9000 tokens when context the overflows. However, the model is "
        "loaded with context length of only 4096 tokens",
        4096,
    ),
    ("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000", 4096),
    ("Please reduce the length of the messages or completion.", None),
    ("Input is too long for requested model.", None),
    ("Your input exceeds the context window of this model.", None),
    ("Request too large for m: Limit 6000, Requested 9000", 6000),
]


@pytest.mark.parametrize(("message", "limit"), OVERFLOWS)
def test_a_prompt_that_is_too_long_is_found_with_its_limit(message: str, limit: int | None) -> None:
    found = complaint({"error": {"message": message}})
    assert found.is_overflow
    assert found.limit == limit


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no", "code": "context_length_exceeded"}},
        {"error": {"message": "no", "type": "exceed_context_size_error", "n_ctx": 4096}},
    ],
)
def test_a_prompt_that_is_too_long_is_found_by_its_code(body: object) -> None:
    assert complaint(body).is_overflow


def test_the_size_of_the_window_may_be_a_field() -> None:
    assert (
        complaint({"error": {"message": "no", "n_ctx": 4096, "n_prompt_tokens": 9}}).limit == 4096
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "maximum context length is 8192 tokens"),
        (400, "no"),
        (400, "max_tokens is not supported"),
        (400, "temperature must be less than 2"),
        (429, "Rate limit reached for requests: Limit 3, Used 3"),
        (503, "overloaded"),
        (400, "the tool result exceeds nothing"),
    ],
)
def test_other_refusals_are_no_overflow(status: int, message: str) -> None:
    assert not complaint({"error": {"message": message}}, status).is_overflow


SHAPES = [
    {"error": {"message": "no tools"}},
    {"message": "no tools"},
    {"error": "no tools"},
    {"detail": "no tools"},
    {"detail": [{"msg": "no tools", "loc": [], "input": "secret"}]},
    {"detail": {"message": "no tools"}},
    {"object": "error", "message": "no tools", "code": 400},
    [{"error": {"message": "no tools"}}],
    "no tools",
    {"error": {"message": "no", "metadata": {"raw": "tools"}}},
]


@pytest.mark.parametrize("body", SHAPES)
def test_the_words_are_found_in_any_shape(body: object) -> None:
    found = complaint(body)
    assert "no" in found.message
    assert "tools" in found.message
    assert "secret" not in found.message
    assert found.is_refusal


@pytest.mark.parametrize("body", [None, "", 5, [], [[]], {}, {"error": None}, {"error": [1]}])
def test_an_error_without_words_is_one_too(body: object) -> None:
    found = complaint(body)
    assert (found.status, found.code) == (400, "")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5), ("0.5", 0.5), ("0", None), ("-1", None), ("nan", None), ("inf", None), ("x", None)],
)
def test_a_wait_is_a_number_of_seconds(header: str, seconds: float | None) -> None:
    assert complaint({}, 429, header).retry_after == seconds


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("message", {"error": {"message": "no", "code": 400}}, 400),
        ("message", {"error": {"message": "no", "code": "503"}}, 503),
        ("message", {"error": {"message": "no", "type": "invalid_request_error"}}, 400),
        ("message", {"error": {"message": "no", "type": "server_error"}}, 0),
        ("message", {"error": "no"}, 0),
        ("error", {"message": "no"}, 0),
        ("message", {"type": "error", "message": "no", "code": "invalid_prompt"}, 400),
        ("message", {"type": "response.failed", "response": {"error": {"message": "no"}}}, 0),
        ("response.failed", {"response": {}}, 0),
        ("message", {"object": "error", "message": "no", "code": 404}, 404),
        ("message", {"choices": [{"error": {"message": "no", "code": 502}}]}, 502),
    ],
)
def test_an_error_inside_of_a_stream_is_found(
    name: str, data: dict[str, object], status: int
) -> None:
    found = of_event(Event(name, data))
    assert found
    assert found.status == status


@pytest.mark.parametrize(
    "data",
    [
        {"choices": [{"delta": {"content": "error"}}]},
        {"choices": [{"error": None}], "error": None},
        {"type": "response.completed", "response": {"error": None}},
        {},
    ],
)
def test_what_is_no_error_is_none(data: dict[str, object]) -> None:
    assert of_event(Event("message", data)) is None
