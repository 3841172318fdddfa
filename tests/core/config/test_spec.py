"""core/config/spec.py: the configuration of one agent."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.spec import AgentSpec
from core.errors import ConfigMistake

FULL = AgentSpec(
    name="support",
    model="gpt-6-luna",
    instructions="Be kind.",
    memory=False,
    tools=("clock", "mytools.tickets:lookup"),
    temperature=0.2,
    base_url="http://127.0.0.1:8000/v1",
    api_key_env="LOCAL_KEY",
    fallback_models=("gpt-6-luna",),
    display_name="Support",
    icon=":wave:",
    window_tokens=8_000,
    daily_usd=5.0,
)


def mistakes(**fields: object) -> str:
    with pytest.raises(ConfigMistake) as caught:
        AgentSpec.checked(**fields)
    return str(caught.value)


def test_a_name_is_enough() -> None:
    spec = AgentSpec(name="ProjectAssistant")
    assert (spec.model, spec.memory, spec.window_tokens) == ("gpt-6-luna", True, 16_000)
    assert spec.tools == ("remember", "forget", "facts", "clock", "history")


def test_a_spec_never_changes() -> None:
    with pytest.raises(FrozenInstanceError):
        FULL.model = "other"  # type: ignore[misc]  # that is what the test is about


@pytest.mark.parametrize("name", ["a", "ProjectAssistant", "my agent", "Zoë", "x" * 64])
def test_a_name_may_be_what_people_call_someone(name: str) -> None:
    assert AgentSpec.checked(name=name).name == name


@pytest.mark.parametrize("name", ["", " a", "a ", "a/b", "a\nb", "a\x00b", "a\u2028b", "x" * 65, 5])
def test_a_name_that_cannot_be_used_is_refused(name: object) -> None:
    assert mistakes(name=name).startswith(f"agent {name!r}: name: ")


def test_all_mistakes_are_told_at_once() -> None:
    lines = mistakes(name="a", temprature=1, memory=1, model="", daily_usd=0).splitlines()
    assert sorted(lines) == [
        "agent 'a': daily_usd: has to be more than 0, not 0",
        "agent 'a': memory: has to be true or false, not 1",
        "agent 'a': model: has to be filled in",
        "agent 'a': temprature: unknown key; did you mean 'temperature'?",
    ]


def test_a_missing_name_is_told() -> None:
    assert mistakes() == "agent None: name: is missing"


def test_a_window_too_small_to_work_in_is_refused() -> None:
    assert mistakes(name="a", window_tokens=10) == (
        "agent 'a': window_tokens: has to be at least 1000, not 10"
    )


def test_a_key_in_the_place_of_its_variables_name_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigMistake) as caught:
        AgentSpec.checked(name="a", api_key_env="sk-secret")
    assert "sk-secret" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("tool", ["clok", "module:", ":function", "a b:c", "a.b", "a/b.py:c"])
def test_a_tool_is_built_in_or_a_function_of_a_module(tool: str) -> None:
    assert f"{tool!r} is no tool" in mistakes(name="a", tools=[tool])


def test_the_config_survives_json() -> None:
    stored = json.loads(json.dumps(FULL.config))
    assert AgentSpec.from_config("support", stored) == FULL


@pytest.mark.parametrize("most", [0, 101, 2.5, True])
def test_a_number_of_messages_that_cannot_be_is_refused(most: object) -> None:
    assert mistakes(name="a", max_messages=most).startswith("agent 'a': max_messages: ")


def test_the_config_does_not_hold_the_name() -> None:
    assert "name" not in FULL.config


def test_what_a_later_version_wrote_is_left_out() -> None:
    later = {"model": "m", "mood": "good", "name": "x", "tools": ["clock", "crystal-ball"]}
    assert AgentSpec.from_config("a", later) == AgentSpec(name="a", model="m", tools=("clock",))


@pytest.mark.parametrize("config", [{"memory": "no"}, {"tools": "clock"}, {"tools": {}}])
def test_a_stored_config_that_is_broken_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ConfigMistake, match="agent 'a': "):
        AgentSpec.from_config("a", config)


def test_a_fingerprint_is_16_hex_characters_and_always_the_same() -> None:
    assert FULL.fingerprint == "40121439efe93dfc"


def test_a_fingerprint_changes_with_what_influences_an_answer() -> None:
    assert replace(FULL, temperature=0.3).fingerprint != FULL.fingerprint


def test_a_fingerprint_does_not_change_with_name_and_looks() -> None:
    looks = replace(FULL, name="other", display_name="Other", icon=":tea:", max_messages=9)
    assert looks.fingerprint == FULL.fingerprint


def test_a_whole_number_is_the_same_temperature() -> None:
    zero = AgentSpec.checked(name="a", temperature=0)
    assert zero.fingerprint == AgentSpec(name="a", temperature=0.0).fingerprint


@given(
    name=st.text(),
    config=st.dictionaries(
        st.sampled_from(sorted(FULL.config)),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda value: st.lists(value) | st.dictionaries(st.text(), value),
            max_leaves=12,
        ),
    ),
)
def test_any_stored_config_reads_or_is_refused(name: str, config: dict[str, object]) -> None:
    with suppress(ConfigMistake):
        spec = AgentSpec.from_config(name, config)
        assert AgentSpec.from_config(name, spec.config) == spec
