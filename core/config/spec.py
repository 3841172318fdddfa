"""The frozen configuration of one agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import to_jsonable_python

from core.config.validation import (
    BUILT_IN_TOOLS,
    AgentName,
    ToolReference,
    VariableName,
    WebAddress,
    is_tool_reference,
    plain_words,
)
from core.errors import ConfigMistake
from core.llm import Api, PromptCache

DEFAULT_INSTRUCTIONS = (
    "You are a helpful assistant. You talk with people in a chat, so be brief and concrete. "
    "Say so when you do not know something, and ask when a question is unclear."
)
# These change no answer, and so no fingerprint.
_LOOKS = {
    *("display_name", "icon", "suggested_prompts", "max_messages"),
    *("first_token_seconds", "prompt_cache"),
}
# Came later: unset, they change no fingerprint.
_ADDED: dict[str, object] = {"reasoning_effort": None, "api": "auto", "colleagues": []}

_NOTHING_ELSE = ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

DailyUsd = Annotated[float | None, Field(strict=True, gt=0)]
_FilledIn = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True, config=_NOTHING_ELSE)
class AgentConfig:
    """Everything about an agent but its name."""

    model: _FilledIn = "gpt-6-luna"
    instructions: str = DEFAULT_INSTRUCTIONS
    memory: bool = Field(default=True, strict=True)
    tools: tuple[ToolReference, ...] = BUILT_IN_TOOLS
    temperature: float | None = Field(default=None, strict=True, ge=0, le=2)
    reasoning_effort: _FilledIn | None = None
    api: Api = Api.AUTO
    base_url: WebAddress | None = None
    api_key_env: VariableName | None = None
    fallback_models: tuple[_FilledIn, ...] = ()
    colleagues: tuple[AgentName, ...] = ()
    first_token_seconds: float | None = Field(default=None, strict=True, gt=0)
    display_name: _FilledIn | None = None
    icon: _FilledIn | None = None
    suggested_prompts: Annotated[tuple[_FilledIn, ...], Field(max_length=4)] = ()
    max_messages: int = Field(default=4, strict=True, ge=1, le=100)
    prompt_cache: PromptCache = PromptCache.AUTO
    window_tokens: int = Field(default=16_000, strict=True, ge=1_000, le=10_000_000)
    daily_usd: DailyUsd = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_NOTHING_ELSE)
class AgentSpec(AgentConfig):
    """An agent by name. The constructor raises pydantic's ValidationError; see `checked`."""

    name: AgentName

    @classmethod
    def checked(cls, **given: object) -> AgentSpec:
        """As the constructor, for values that a person wrote.

        Raises:
            ConfigMistake: everything that is wrong, one line each.
        """
        try:
            return TypeAdapter(cls).validate_python(given)
        except ValidationError as error:
            keys = [each.name for each in fields(cls)]
            lines = [
                f"agent {given.get('name')!r}: {detail['loc'][0]}: {plain_words(detail, keys)}"
                for detail in error.errors(include_url=False)
            ]
            raise ConfigMistake("\n".join(lines)) from error

    @classmethod
    def from_config(cls, name: str, config: Mapping[str, object]) -> AgentSpec:
        """Back from the database; leaves out keys and tools that only a later version knows.

        Raises:
            ConfigMistake: a value that this version cannot use.
        """
        known = {
            each.name: config[each.name] for each in fields(AgentConfig) if each.name in config
        }
        if isinstance(known.get("tools"), list):
            tools = cast("list[object]", known["tools"])
            known["tools"] = [tool for tool in tools if is_tool_reference(str(tool))]
        return cls.checked(name=name, **known)

    @property
    def config(self) -> dict[str, object]:
        """The fields but the name, as JSON knows them."""
        config: dict[str, object] = to_jsonable_python(self)
        del config["name"]
        return config

    @property
    def fingerprint(self) -> str:
        """16 hex characters that change when something that influences an answer does."""
        return _fingerprint(self)


@lru_cache(maxsize=1_000)
def _fingerprint(spec: AgentSpec) -> str:
    """Kept: each turn asks for that of its agent, and there are few."""
    influences = {
        key: value
        for key, value in spec.config.items()
        if key not in _LOOKS and (key not in _ADDED or value != _ADDED[key])
    }
    canonical = json.dumps(influences, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()[:16]
