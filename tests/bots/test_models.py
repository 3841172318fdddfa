"""Models of today, through the whole program: `moorings ask` and `moorings doctor`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from core import clock
from tests.bots.program import Program, with_key
from tests.forked import Ended
from tests.peers.endpoint import (
    OPENAI,
    Behaviour,
    Body,
    CallTool,
    Disconnect,
    Endpoint,
    Exactly,
    Fail,
    FailLate,
    Malformed,
    Raw,
    Truncate,
)

NEW = ("gpt-5.6", "gpt-6-luna", "gpt-6-astra", "gpt-6.1-sol")
WITHOUT_NONE = ("gpt-6-astra", "gpt-6.1-sol")
BEFORE = 180  # days in which a shutdown is warned of


def looks_at_the_clock(body: Body) -> str | Behaviour:
    """Calls the clock where it can, and says whether it was told the time."""
    if body["messages"][-1]["role"] == "tool":
        return "The clock told me."
    if body.get("tools"):
        return CallTool(name="clock", arguments=json.dumps({"timezone": "UTC"}))
    return "I have no clock."


@pytest.fixture
async def openai(program: Program) -> AsyncIterator[Endpoint]:
    """An endpoint that applies OpenAI's rules, and that the program has the key for."""
    async with Endpoint(looks_at_the_clock, rules=OPENAI) as endpoint:
        program.set(**with_key(endpoint.base_url))
        yield endpoint


def write(program: Program, **agents: str) -> None:
    """The agents file: each agent with these lines."""
    text = "\n".join(f"[agents.{name}]\n{lines}\n" for name, lines in agents.items())
    (program.folder / "agents.toml").write_text(text)


async def results(program: Program) -> list[str]:
    """What doctor says of the models, with the verdict in front; never a trace."""
    ended = await program.run("doctor")
    assert ended.err == ""
    assert "Traceback" not in ended.out
    found = [line.split(maxsplit=2) for line in ended.out.splitlines()]
    lines = [f"{verdict} {words}" for verdict, subject, words in found if subject == "model"]
    assert ended.code == any(line.startswith("FAIL") for line in lines)
    return lines


async def asked(program: Program) -> Ended:
    """The answer to a question that the clock answers."""
    return await program.run("ask", "ada", "What time is it?")


@pytest.mark.parametrize("model", NEW)
async def test_the_built_in_agent_answers_and_calls_a_tool(
    program: Program, openai: Endpoint, model: str
) -> None:
    write(program, ada=f'model = "{model}"')
    ended = await asked(program)
    assert (ended.code, ended.out.strip()) == (0, "The clock told me.")
    assert openai.paths[1:] == ["/v1/responses"] * 2


@pytest.mark.parametrize("model", NEW)
async def test_on_chat_completions_it_answers_as_far_as_the_model_can(
    program: Program, openai: Endpoint, model: str
) -> None:
    write(program, ada=f'model = "{model}"\napi = "chat"')
    ended = await asked(program)
    said = "I have no clock." if model in WITHOUT_NONE else "The clock told me."
    assert (ended.code, ended.out.strip()) == (0, said)
    assert set(openai.paths) == {"/v1/chat/completions"}


async def test_doctor_says_which_api_and_effort_are_used(
    program: Program, openai: Endpoint
) -> None:
    write(
        program,
        ada='model = "gpt-5.6"',
        ben='model = "gpt-5.6"\napi = "chat"',
        cy='model = "gpt-6-astra"\napi = "chat"',
        dan='model = "gpt-6-astra"\nreasoning_effort = "high"',
        eve='model = "gpt-6-luna"\napi = "chat"\nreasoning_effort = "high"',
        fay='model = "gpt-6-luna"\napi = "responses"\ntemperature = 0.5',
    )
    assert await results(program) == [
        "ok ada: gpt-5.6 answers (Responses, its own effort)",
        "ok ben: gpt-5.6 answers (Chat Completions, effort none)",
        "ok cy: gpt-6-astra answers (Chat Completions, without reasoning_effort, without tools)",
        "ok dan: gpt-6-astra answers (Responses, effort high)",
        "ok eve: gpt-6-luna answers (Chat Completions, effort none)",
        "ok fay: gpt-6-luna answers (Responses, without temperature, its own effort)",
    ]


async def test_doctor_warns_of_a_shutdown_from_half_a_year_before(program: Program) -> None:
    today = clock.now().date()
    soon, later = (today + timedelta(days=days) for days in (BEFORE - 1, BEFORE + 2))
    models = {"soon": soon.isoformat(), "later": later.isoformat(), "gone": "?", "stays": None}
    write(program, **{name: f'model = "{name}"' for name in models})
    async with Endpoint(models=models) as endpoint:
        program.set(**with_key(endpoint.base_url))
        lines = await results(program)
    warnings = [line for line in lines if not line.startswith("ok ")]
    date = f"{soon:%d %B %Y}".lstrip("0")
    assert [line.partition(" ")[2] for line in warnings] == [
        f"soon: soon is shut down on {date}; choose another model"
    ]
    assert len(lines) == len(models) + 1


async def test_doctor_names_the_model_that_was_meant(program: Program, openai: Endpoint) -> None:
    write(program, ada='model = "gpt-6-lunna"')
    [line] = await results(program)
    assert line.startswith("FAIL ada: gpt-6-lunna at 127.0.0.1:")
    assert line.endswith("It lists 'gpt-6-luna', but no 'gpt-6-lunna'.")


SHAPES: dict[str, Behaviour] = {
    "page": Exactly(pieces=("<html>Welcome</html>",), content_type="text/html"),
    "no-page": Exactly(pieces=("<html>404</html>",), status=404, content_type="text/html"),
    "nothing": Exactly(pieces=()),
    "no-content": Exactly(pieces=(), status=204),
    "empty": Raw(events=()),
    "list": Exactly(pieces=("[]",), content_type="application/json"),
    "object": Exactly(pieces=("{}",), content_type="application/json"),
    "half": Exactly(pieces=('{"choices": [',), content_type="application/json"),
    "cut": Truncate(),
    "cut-late": Truncate(after=2),
    "malformed": Malformed(),
    "reset": Disconnect(answered=False),
    "reset-late": Disconnect(after=2),
    "failed": Fail(status=500),
    "busy": Fail(status=429),
    "error": Raw(events=('{"error": {"message": "overloaded"}}',)),
    "error-late": FailLate(after=2),
    "error-in-200": Exactly(pieces=('{"error": "no"}',), content_type="application/json"),
    "refused": Fail(status=400),
    "method": Fail(status=405),
    "text": Exactly(pieces=("no",), status=400, content_type="text/plain"),
    "elsewhere": Exactly(pieces=(), status=302),
}


async def test_doctor_fails_readably_at_every_shape_of_broken_endpoint(program: Program) -> None:
    write(program, **{name: f'model = "{name}"' for name in SHAPES})
    async with Endpoint(lambda body: SHAPES[body["model"]], models={"m": None}) as endpoint:
        program.set(**with_key(endpoint.base_url))
        lines = await results(program)
        host = endpoint.base_url.removeprefix("http://").removesuffix("/v1")
    assert len(lines) == len(SHAPES)
    for name, line in zip(SHAPES, lines, strict=True):
        assert line.startswith(f"FAIL {name}: {name} at {host} "), line
        assert line.endswith("."), line


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            Fail(status=401),
            "does not accept the key (HTTP 401): set OPENAI_API_KEY to a key of that endpoint.",
        ),
        (
            Fail(status=404),
            "does not exist (HTTP 404): correct the agent's model, or base_url or OPENAI_BASE_URL "
            "(most end in /v1).",
        ),
        (None, "cannot be reached; check base_url or OPENAI_BASE_URL and the network."),
    ],
)
async def test_a_wrong_key_model_or_address_reads_well(
    program: Program, fault: Fail | None, sentence: str
) -> None:
    async with Endpoint(lambda _: fault or "", models={}) as endpoint:
        base_url = endpoint.base_url if fault else "http://127.0.0.1:1/v1"
        program.set(**with_key(base_url))
        lines = await results(program)
    host = base_url.removeprefix("http://").removesuffix("/v1")
    assert [line.partition(" It lists ")[0] for line in lines] == [
        f"FAIL assistant: gpt-6-luna at {host} {sentence}"
    ]


async def test_a_refusal_that_nobody_understands_is_not_blamed_on_the_length_alone(
    program: Program,
) -> None:
    write(program, ada=f'instructions = "{"word " * 900}"')
    refusal = Fail(status=400, param="tools[0].x")
    async with Endpoint(lambda _: refusal, models={"gpt-6-luna": None}) as endpoint:
        program.set(**with_key(endpoint.base_url))
        [line] = await results(program)
    assert "does not accept the request (HTTP 400): check the agent's tools." in line
    assert line.endswith("lower the agent's window_tokens.")
