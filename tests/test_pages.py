"""What the pages for users say is so: each key of the agents file, and each example runs."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from core import Agent, close
from core.config import agents_file
from core.config.spec import DEFAULT_INSTRUCTIONS
from core.config.validation import BUILT_IN_TOOLS
from tests.core import programs
from tests.peers.endpoint import CallTool, Endpoint, Reply, recall

DOCS = Path(__file__).parents[1] / "docs"
AGENTS, TOOLS, PYTHON = DOCS / "agents.md", DOCS / "tools.md", DOCS / "python.md"
README = DOCS.parent / "README.md"
SECTIONS = {
    "The top of the file": agents_file._Document,
    "An agent": agents_file._TABLES["agents"],
    "A price": agents_file._TABLES["prices"],
    "A binding": agents_file._TABLES["bindings"],
    "A command": agents_file._TABLES["commands"],
    "Access": agents_file._TABLES["access"],
    "Backup": agents_file._TABLES["backup"],
}
# What a table of the file leaves to something else where it is not set.
MEANT = {"instructions": DEFAULT_INSTRUCTIONS}


def examples(page: Path, language: str) -> list[str]:
    """The code of a page, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def documented(heading: str) -> Mapping[str, str]:
    """The keys of a section's table, with the default that it says."""
    _, _, section = AGENTS.read_text().partition(f"\n## {heading}\n")
    _, _, table = section.partition("| key | default |")
    rows = [row.split("|") for row in table.partition("\n\n")[0].splitlines()[2:]]
    return {row[1].strip(" `"): row[2].strip() for row in rows}


def written(name: str, default: object) -> str:
    """How the page writes this default."""
    if default is MISSING:
        return "required"
    default = to_jsonable_python(MEANT.get(name, default))
    is_nothing = default in (None, "", {}) or isinstance(default, dict)
    return "none" if is_nothing else f"`{json.dumps(default)}`"


def default_of(name: str, given: object) -> object:
    """The default of a field, which pydantic may have wrapped up."""
    if isinstance(given, FieldInfo):
        is_table = given.default_factory is not None
        return None if is_table else given.default
    return given


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_of_the_agents_file_is_documented_with_its_default(heading: str) -> None:
    known = {
        each.name: written(each.name, default_of(each.name, each.default))
        for each in fields(SECTIONS[heading])
    }
    assert dict(documented(heading)) == known


def test_every_table_of_the_agents_file_has_a_section() -> None:
    assert {agents_file._Document, *agents_file._TABLES.values()} == set(SECTIONS.values())


def keys_in(value: object) -> set[str]:
    """Every key in a file, at any depth."""
    if isinstance(value, dict):
        return {*value, *(key for each in value.values() for key in keys_in(each))}
    return {key for each in value for key in keys_in(each)} if isinstance(value, list) else set()


@pytest.mark.parametrize("page", [AGENTS, TOOLS, README], ids=lambda p: p.name)
def test_the_examples_of_an_agents_file_can_be_read(page: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "support.md").write_text("You are support.")
    file = tmp_path / "agents.toml"
    for example in examples(page, "toml"):
        file.write_text(example)
        agents_file.read(file)


def test_every_key_of_the_agents_file_has_an_example() -> None:
    shown = {key for text in examples(AGENTS, "toml") for key in keys_in(tomllib.loads(text))}
    known = {key for heading in SECTIONS for key in documented(heading)}
    assert known <= shown


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint(recall) as endpoint:
        yield endpoint


@pytest.fixture
async def folder(
    endpoint: Endpoint, tmp_path: Path, filled_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Path]:
    """A working directory with the tool of the page, a database and the endpoint of a model."""
    (tmp_path / "tickets.py").write_text(examples(TOOLS, "python")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
    monkeypatch.setenv("DATABASE_URL", filled_url)
    monkeypatch.delenv("MOORINGS_CONFIG", raising=False)
    yield tmp_path
    await close()
    sys.modules.pop("tickets", None)


@pytest.mark.parametrize(
    ("page", "number"),
    [
        (page, number)
        for page in (README, PYTHON)
        for number in range(len(examples(page, "python")))
    ],
    ids=lambda value: getattr(value, "stem", value),
)
async def test_the_examples_of_python_run(
    page: Path, number: int, folder: Path, capsys: pytest.CaptureFixture[str], endpoint: Endpoint
) -> None:
    await Agent.create(name="ProjectAssistant")  # as the first example has made it
    source = examples(page, "python")[number]
    if "asyncio.run" in source:
        environment = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": endpoint.base_url}
        ended = await programs.run(source, folder=folder, environment=environment)
        assert (ended.code, ended.out.strip()) == (0, "You said: Hello")
        return
    code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, {"__name__": "example"})  # noqa: S307  # our own page
    if inspect.isawaitable(running):
        await running
    assert capsys.readouterr().out.strip()
    assert endpoint.requests


async def test_the_tools_of_the_page_answer_a_model(folder: Path, endpoint: Endpoint) -> None:
    (folder / "agents.toml").write_text(examples(TOOLS, "toml")[0])
    endpoint.script(
        CallTool(name="lookup", arguments='{"ticket": 8}'),
        CallTool(name="lookup", arguments='{"ticket": 7}'),
        CallTool(name="comment", arguments='{"ticket": 7, "text": "On it."}'),
        Reply(text="It is about the login page."),
    )
    agent = await Agent.find_by_name("support")
    assert agent
    assert await agent.ask("What is ticket 7 about?", person="Ana") == "It is about the login page."
    first, *_, last = json.loads(json.dumps(endpoint.requests))
    lookup, comment = (each["function"] for each in first["tools"])
    assert lookup["description"] == "Look up a support ticket."
    assert "context" not in comment["parameters"]["properties"]
    told = [each["content"] for each in last["messages"] if each["role"] == "tool"]
    assert "there is no ticket 8; the newest is 7" in told[0]
    assert told[1] == "The login page is blank."
    assert json.loads(told[2])["by"] == "Ana"


def test_every_built_in_tool_is_listed() -> None:
    _, _, table = TOOLS.read_text().partition("| tool |")
    rows = table.partition("\n\n")[0].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(BUILT_IN_TOOLS)
