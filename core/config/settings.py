"""The environment and .env, read once into frozen Settings (the only reader of the environment)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from core import network
from core.config import env_file
from core.config.validation import WebAddress, plain_words
from core.errors import ConfigMistake
from core.redaction import HELD

_AGENTS_FILE = "agents.toml"
_SHORTEST_KEY = 32  # characters of one key of MOORINGS_SECRET_KEY


class LogFormat(StrEnum):
    """How a log line is written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """From which level on something is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def _upper(level: object) -> object:
    return level.upper() if isinstance(level, str) else level


def _existing(path: Path) -> Path:
    if not os.path.exists(path):  # unlike Path.exists, False where looking is forbidden
        raise ValueError(f"names {path}, which is not there; correct it, or leave it out")
    return path


def _long_enough(secret: SecretStr) -> SecretStr:
    keys = [each.strip() for each in secret.get_secret_value().split(",")]
    if min(map(len, keys)) < _SHORTEST_KEY:
        raise ValueError(
            f"has a key of less than {_SHORTEST_KEY} characters; `openssl rand -hex 32` makes one"
        )
    return secret


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=ConfigDict(allow_inf_nan=False, validate_by_name=True, hide_input_in_errors=True),
)
class Settings:
    """What the environment says, by the contract's table. Its repr shows no secret."""

    database_url: str = Field(
        default="sqlite://./moorings.db",
        validation_alias=AliasChoices("DATABASE_URL", "DB_URL"),
        repr=False,  # may hold a password
    )
    config: Annotated[Path, AfterValidator(_existing)] | None = Field(
        default=None, validation_alias="MOORINGS_CONFIG"
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: WebAddress | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    slack_bot_token: SecretStr | None = Field(default=None, validation_alias="SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = Field(default=None, validation_alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = Field(
        default=None, validation_alias="SLACK_SIGNING_SECRET"
    )
    slack_client_id: str | None = Field(default=None, validation_alias="SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = Field(
        default=None, validation_alias="SLACK_CLIENT_SECRET"
    )
    slack_api_url: WebAddress | None = Field(default=None, validation_alias="SLACK_API_URL")
    discord_token: SecretStr | None = Field(default=None, validation_alias="DISCORD_TOKEN")
    discord_api_url: WebAddress | None = Field(default=None, validation_alias="DISCORD_API_URL")
    port: int | None = Field(default=None, validation_alias="PORT", ge=1, le=65_535)
    admin_port: int | None = Field(
        default=None, validation_alias="MOORINGS_ADMIN_PORT", ge=1, le=65_535
    )
    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        default=None, validation_alias="MOORINGS_SECRET_KEY"
    )
    lease_seconds: float = Field(default=15, validation_alias="MOORINGS_LEASE_SECONDS", gt=0)
    drain_seconds: float = Field(default=20, validation_alias="MOORINGS_DRAIN_SECONDS", ge=0)
    catch_up_hours: float = Field(default=24, validation_alias="MOORINGS_CATCH_UP_HOURS", ge=0)
    turns: int = Field(default=32, validation_alias="MOORINGS_TURNS", ge=1)
    retention_days: float | None = Field(
        default=None, validation_alias="MOORINGS_RETENTION_DAYS", gt=0, le=36_500
    )
    log: LogFormat = Field(default=LogFormat.TEXT, validation_alias="MOORINGS_LOG")
    log_level: Annotated[LogLevel | None, BeforeValidator(_upper)] = Field(
        default=None, validation_alias="MOORINGS_LOG_LEVEL"
    )
    variables: Mapping[str, SecretStr] = Field(default_factory=dict[str, SecretStr], repr=False)

    def secret(self, name: str) -> SecretStr | None:
        """The variable that an agent's `api_key_env` names, if it is set."""
        return self.variables.get(name)


def load(environment: Mapping[str, str], directory: Path) -> Settings:
    """Make Settings of these variables; paths are relative to the directory.

    Raises:
        ConfigMistake: everything that is wrong, one sentence a line.
    """
    variables = _filled_in(environment)
    given: dict[str, object] = {**variables, "variables": variables}
    if "MOORINGS_CONFIG" in variables or os.path.exists(directory / _AGENTS_FILE):
        given["MOORINGS_CONFIG"] = directory / variables.get("MOORINGS_CONFIG", _AGENTS_FILE)
    try:
        return TypeAdapter(Settings).validate_python(given, by_alias=True, by_name=False)
    except ValidationError as error:
        sentences = [
            f"{detail['loc'][0]} {plain_words(detail)}."
            for detail in error.errors(include_url=False)
        ]
        raise ConfigMistake("\n".join(sentences)) from error


class _EnvFile:
    """Which file of variables this process reads; the command line may choose another one."""

    chosen: Path | None = None


def use_env_file(path: Path) -> None:
    """Let `from_environment` read this file instead of `.env`; it has to be there."""
    _EnvFile.chosen = path


def from_environment() -> Settings:
    """Settings of this process: its environment, and the file of variables where that is silent.

    Raises:
        ConfigMistake: what is wrong in the file or with a variable, or there is no folder.
    """
    _check_folder()
    environment = _filled_in(os.environ)
    path = _EnvFile.chosen
    stored = env_file.read(path or Path(".env"), environment, may_miss=path is None)
    variables = {**_filled_in(stored), **environment}
    settings = load(variables, Path())
    network.use(network.read(variables))
    HELD.hold_environment(settings.variables)
    return settings


def _check_folder() -> None:
    """Without it another agents file would be read than is meant: none."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise ConfigMistake(
            "The folder that this was started in is not there any more: go to one that is, and "
            "start again."
        ) from error


def _filled_in(variables: Mapping[str, str]) -> dict[str, str]:
    """An empty variable is as good as none; a pasted token often ends in white space."""
    stripped = {name: value.strip() for name, value in variables.items()}
    return {name: value for name, value in stripped.items() if value}
