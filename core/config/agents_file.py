"""The agents file: which agents there are, where they answer and by which commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import ErrorDetails

from core.address import Address
from core.config.access import OPEN, Access
from core.config.binding import Binding, Listen, SharedBy
from core.config.spec import DEFAULT_INSTRUCTIONS, AgentConfig, AgentSpec, DailyUsd
from core.config.toml import KeyPath, Toml, label, locate, parse, read_text
from core.config.validation import AgentName, did_you_mean, plain_words
from core.errors import ConfigMistake, UserMistake
from core.llm.pricing import Price, Prices, uncountable

_BUILT_IN_AGENT = "assistant"
_NOTHING_ELSE = ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPlan:
    """Every day at this time (UTC) a backup into this folder, where so many are kept."""

    to: Path
    at: time
    keep: int

    def due(self, now: datetime) -> datetime:
        """The last moment at which there should have been one."""
        today = datetime.combine(now.astimezone(UTC), self.at, UTC)
        return today if today <= now else today - timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class AgentsFile:
    """What the file says. Every agent that it names exists; `commands` is command to agent.

    `prices` are by model, in dollars per million tokens. `access` is for all agents, and that of
    `agent_access` for one, by its name; who asks has to pass both. There is one of these in a
    process: `become` lets all of it go by another reading.
    """

    default_agent: str
    agents: Mapping[str, AgentSpec]
    bindings: tuple[Binding, ...]
    commands: Mapping[str, str]
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    access: Access = OPEN
    agent_access: Mapping[str, Access] = field(default_factory=dict[str, Access])
    backup: BackupPlan | None = None

    def become(self, other: AgentsFile) -> None:
        """Say what the other one says."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))


def read(path: Path | None) -> AgentsFile:
    """Read the file; without one, or without agents in it, there is the agent `assistant`.

    Raises:
        ConfigMistake: everything that is wrong, one line each, with file and line.
    """
    if path is None:
        return _Document().meaning()
    text = read_text(path)
    document = parse(text, path)
    context = _Context(
        directory=path.parent,
        agents=_names(document, "agents") or (_BUILT_IN_AGENT,),
        prices=_names(document, "prices"),
    )
    try:
        return TypeAdapter(_Document).validate_python(document, context=context).meaning()
    except ValidationError as error:
        raise ConfigMistake(_report(error.errors(include_url=False), text, path)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What the check of one value has to know of the rest of the file."""

    directory: Path
    agents: tuple[str, ...]
    prices: tuple[str, ...]
    taken: set[str] = field(default_factory=set[str])

    def take(self, key: str) -> None:
        if key in self.taken:
            raise ValueError(f"{key!r} is there twice; keep one of the two")
        self.taken.add(key)


def _existing_agent(name: str, info: ValidationInfo[_Context]) -> str:
    if name not in info.context.agents:
        raise ValueError(f"there is no agent {name!r}{did_you_mean(name, info.context.agents)}")
    return name


def _free_address(path: str, info: ValidationInfo[_Context]) -> str:
    try:
        info.context.take(Address.parse(path).key)
    except UserMistake as mistake:
        raise ValueError(str(mistake).rstrip(".")) from mistake
    return path


def _free_command(name: str, info: ValidationInfo[_Context]) -> str:
    if not re.fullmatch(r"/\S+", name):
        raise ValueError(f"has to be a slash and one word, such as '/support', not {name!r}")
    info.context.take(name)
    return name


_ExistingAgent = Annotated[str, AfterValidator(_existing_agent)]
_FreeAddress = Annotated[str, AfterValidator(_free_address)]
_FreeCommand = Annotated[str, AfterValidator(_free_command)]


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_NOTHING_ELSE)
class _AgentTable(AgentConfig):
    instructions: str = ""
    instructions_file: str = ""
    access: Access = OPEN
    colleagues: tuple[_ExistingAgent, ...] = ()
    daily_usd: DailyUsd = None  # said again, since a validator sees only fields of its own class

    @field_validator("instructions_file")
    @classmethod
    def _contents(cls, name: str, info: ValidationInfo[_Context]) -> str:
        if info.data.get("instructions"):
            raise ValueError("stands beside instructions; keep one of the two")
        try:
            return read_text(info.context.directory / name).strip()
        except ConfigMistake as mistake:
            raise ValueError(str(mistake)) from mistake

    @field_validator("daily_usd")
    @classmethod
    def _countable(cls, limit: float | None, info: ValidationInfo[_Context]) -> float | None:
        models = (info.data.get("model"), *info.data.get("fallback_models", ()))
        prices = Prices(dict.fromkeys(info.context.prices, Price(input=0, output=0)))
        unknown = [model for model in models if model and not prices.knows(model)]
        if limit is not None and unknown:
            raise ValueError(uncountable(unknown[0]))
        return limit

    def meaning(self, name: str) -> AgentSpec:
        given = asdict(self)
        del given["instructions_file"], given["access"]
        given["instructions"] = self.instructions or self.instructions_file or DEFAULT_INSTRUCTIONS
        return AgentSpec(name=name, **given)


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_NOTHING_ELSE)
class _BindingTable:
    at: _FreeAddress
    agent: _ExistingAgent
    listen: Listen = Listen.MENTION
    conversation: SharedBy | None = None
    bots: bool = False

    def meaning(self) -> Binding:
        return Binding(
            at=Address.parse(self.at),
            agent=self.agent,
            listen=self.listen,
            conversation=self.conversation,
            bots=self.bots,
        )


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_NOTHING_ELSE)
class _CommandTable:
    name: _FreeCommand
    agent: _ExistingAgent


def _folder(name: str, info: ValidationInfo[_Context]) -> str:
    folder = info.context.directory / name
    if not name.strip() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"has to be a folder, not {name!r}")
    return str(folder)


def _time_of_day(at: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", at):
        raise ValueError(f"has to be a time of the day in UTC such as '03:00', not {at!r}")
    return at


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_NOTHING_ELSE)
class _BackupTable:
    to: Annotated[str, AfterValidator(_folder)]
    at: Annotated[str, AfterValidator(_time_of_day)] = "03:00"
    keep: Annotated[int, Field(ge=1)] = 14

    def meaning(self) -> BackupPlan:
        return BackupPlan(to=Path(self.to), at=time.fromisoformat(self.at), keep=self.keep)


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_NOTHING_ELSE)
class _Document:
    default_agent: _ExistingAgent | None = None
    agents: dict[AgentName, _AgentTable] = Field(default_factory=dict[str, _AgentTable])
    bindings: list[_BindingTable] = Field(default_factory=list[_BindingTable])
    commands: list[_CommandTable] = Field(default_factory=list[_CommandTable])
    prices: dict[str, Price] = Field(default_factory=dict[str, Price])
    access: Access = OPEN
    backup: _BackupTable | None = None

    def meaning(self) -> AgentsFile:
        tables = self.agents or {_BUILT_IN_AGENT: _AgentTable()}
        first = _BUILT_IN_AGENT if _BUILT_IN_AGENT in tables else next(iter(tables))
        return AgentsFile(
            default_agent=self.default_agent or first,
            agents={name: table.meaning(name) for name, table in tables.items()},
            bindings=tuple(binding.meaning() for binding in self.bindings),
            commands={command.name: command.agent for command in self.commands},
            prices=self.prices,
            access=self.access,
            agent_access={
                name: table.access for name, table in tables.items() if table.access != OPEN
            },
            backup=self.backup.meaning() if self.backup else None,
        )


_TABLES = {
    "access": Access,
    "agents": _AgentTable,
    "backup": _BackupTable,
    "bindings": _BindingTable,
    "commands": _CommandTable,
    "prices": Price,
}


def _names(document: Mapping[str, Toml], table: str) -> tuple[str, ...]:
    found = document.get(table)
    return tuple(found) if isinstance(found, dict) else ()


def _report(details: Iterable[ErrorDetails], text: str, path: Path) -> str:
    mistakes = [(_key_path(detail), detail) for detail in details]
    lines = locate(text, (key_path for key_path, _ in mistakes))
    in_order = sorted(zip(lines, mistakes, strict=True), key=lambda mistake: mistake[0])
    return "\n".join(
        f"{path}:{line}: {label(key_path)}: {plain_words(detail, _known_keys(key_path))}"
        for line, (key_path, detail) in in_order
    )


def _key_path(detail: ErrorDetails) -> KeyPath:
    is_bad_key = detail["loc"][-1] == "[key]" and detail["type"] == "value_error"
    return detail["loc"][:-1] if is_bad_key else detail["loc"]


def _known_keys(key_path: KeyPath) -> tuple[str, ...]:
    table = _TABLES[str(key_path[0])] if len(key_path) > 1 else _Document
    if len(key_path) > 3 and key_path[2] == "access":
        table = Access
    return tuple(each.name for each in fields(table))
