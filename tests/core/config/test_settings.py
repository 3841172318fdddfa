"""core/config/settings.py: the environment, read once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr, TypeAdapter

from core.config.settings import LogFormat, LogLevel, Settings, from_environment, load
from core.errors import ConfigMistake

EXAMPLE = Path(__file__).parents[3] / ".env.example"


@pytest.fixture
def clean_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"^# ([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def mistakes(environment: dict[str, str], directory: Path) -> str:
    with pytest.raises(ConfigMistake) as caught:
        load(environment, directory)
    return str(caught.value)


def test_an_empty_environment_gives_the_defaults_of_the_contract(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings.database_url == "sqlite://./moorings.db"
    assert (settings.config, settings.port, settings.discord_token) == (None, None, None)
    assert (settings.lease_seconds, settings.drain_seconds, settings.catch_up_hours) == (15, 20, 24)
    assert settings.turns == 32
    assert settings.retention_days is None


def test_every_variable_is_read(tmp_path: Path) -> None:
    environment = {
        "DATABASE_URL": "postgres://h/d",
        "OPENAI_API_KEY": "k1",
        "OPENAI_BASE_URL": "http://h/v1",
        "SLACK_BOT_TOKEN": "k2",
        "SLACK_APP_TOKEN": "k3",
        "SLACK_SIGNING_SECRET": "k4",
        "SLACK_CLIENT_ID": "1.2",
        "SLACK_CLIENT_SECRET": "k6",
        "SLACK_API_URL": "http://h/api/",
        "DISCORD_TOKEN": "k5",
        "DISCORD_API_URL": "http://h/api/v10",
        "PORT": "8080",
        "MOORINGS_LEASE_SECONDS": "0.5",
        "MOORINGS_DRAIN_SECONDS": "0",
        "MOORINGS_CATCH_UP_HOURS": "0",
        "MOORINGS_TURNS": "4",
        "MOORINGS_RETENTION_DAYS": "90",
        "MOORINGS_LOG": "json",
        "MOORINGS_LOG_LEVEL": "debug",
    }
    variables = {name: SecretStr(value) for name, value in environment.items()}
    assert load(environment, tmp_path) == Settings(
        database_url="postgres://h/d",
        openai_api_key=SecretStr("k1"),
        openai_base_url="http://h/v1",
        slack_bot_token=SecretStr("k2"),
        slack_app_token=SecretStr("k3"),
        slack_signing_secret=SecretStr("k4"),
        slack_client_id="1.2",
        slack_client_secret=SecretStr("k6"),
        slack_api_url="http://h/api/",
        discord_token=SecretStr("k5"),
        discord_api_url="http://h/api/v10",
        port=8080,
        lease_seconds=0.5,
        drain_seconds=0,
        catch_up_hours=0,
        turns=4,
        retention_days=90,
        log=LogFormat.JSON,
        log_level=LogLevel.DEBUG,
        variables=variables,
    )


def test_db_url_names_the_database_too(tmp_path: Path) -> None:
    assert load({"DB_URL": "mysql://h/d"}, tmp_path).database_url == "mysql://h/d"


def test_database_url_wins_over_db_url(tmp_path: Path) -> None:
    environment = {"DB_URL": "mysql://h/d", "DATABASE_URL": "postgres://h/d"}
    assert load(environment, tmp_path).database_url == "postgres://h/d"


def test_an_empty_database_url_leaves_db_url_its_say(tmp_path: Path) -> None:
    environment = {"DB_URL": "mysql://h/d", "DATABASE_URL": ""}
    assert load(environment, tmp_path).database_url == "mysql://h/d"


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    assert load({"PORT": "", "DISCORD_TOKEN": " "}, tmp_path) == load({}, tmp_path)


def test_white_space_around_a_pasted_token_is_dropped(tmp_path: Path) -> None:
    assert load({"DISCORD_TOKEN": "abc\n"}, tmp_path).discord_token == SecretStr("abc")


def test_a_variable_is_known_by_its_exact_name_only(tmp_path: Path) -> None:
    assert load({"port": "80", "config": "x"}, tmp_path).port is None


def test_an_agents_file_in_the_directory_is_found(tmp_path: Path) -> None:
    (tmp_path / "agents.toml").touch()
    assert load({}, tmp_path).config == tmp_path / "agents.toml"


def test_moorings_config_is_relative_to_the_directory(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").touch()
    assert load({"MOORINGS_CONFIG": "mine.toml"}, tmp_path).config == tmp_path / "mine.toml"


def test_moorings_config_has_to_name_a_file_that_is_there(tmp_path: Path) -> None:
    assert mistakes({"MOORINGS_CONFIG": "gone.toml"}, tmp_path) == (
        f"MOORINGS_CONFIG names {tmp_path}/gone.toml, which is not there; correct it, or leave it "
        "out."
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "http", "PORT has to be a whole number, not 'http'."),
        ("PORT", "0", "PORT has to be at least 1, not '0'."),
        ("PORT", "65536", "PORT has to be at most 65535, not '65536'."),
        ("MOORINGS_LEASE_SECONDS", "0", "MOORINGS_LEASE_SECONDS has to be more than 0, not '0'."),
        ("MOORINGS_DRAIN_SECONDS", "20s", "MOORINGS_DRAIN_SECONDS has to be a number, not '20s'."),
        (
            "MOORINGS_CATCH_UP_HOURS",
            "inf",
            "MOORINGS_CATCH_UP_HOURS has to be a finite number, not 'inf'.",
        ),
        ("MOORINGS_TURNS", "0", "MOORINGS_TURNS has to be at least 1, not '0'."),
        (
            "MOORINGS_RETENTION_DAYS",
            "0",
            "MOORINGS_RETENTION_DAYS has to be more than 0, not '0'.",
        ),
        ("MOORINGS_LOG", "xml", "MOORINGS_LOG has to be 'text' or 'json', not 'xml'."),
        (
            "MOORINGS_LOG_LEVEL",
            "loud",
            "MOORINGS_LOG_LEVEL has to be 'DEBUG', 'INFO', 'WARNING' or 'ERROR', not 'LOUD'.",
        ),
        (
            "OPENAI_BASE_URL",
            "localhost:8000",
            "OPENAI_BASE_URL has to be a web address such as 'http://127.0.0.1:8000/v1'.",
        ),
    ],
)
def test_a_bad_value_is_named_with_what_to_write_instead(
    name: str, value: str, sentence: str, tmp_path: Path
) -> None:
    assert mistakes({name: value}, tmp_path) == sentence


def test_all_bad_values_are_told_at_once(tmp_path: Path) -> None:
    sentences = mistakes({"PORT": "x", "MOORINGS_LEASE_SECONDS": "-1"}, tmp_path)
    assert [line.split()[0] for line in sentences.splitlines()] == [
        "PORT",
        "MOORINGS_LEASE_SECONDS",
    ]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    secrets = {"DISCORD_TOKEN": "hush", "DATABASE_URL": "mysql://u:hush@h/d", "LOCAL_KEY": "hush"}
    assert "hush" not in repr(load(secrets, tmp_path))


def test_an_agents_key_is_found_by_the_name_of_its_variable(tmp_path: Path) -> None:
    settings = load({"LOCAL_KEY": "hush"}, tmp_path)
    assert settings.secret("LOCAL_KEY") == SecretStr("hush")
    assert settings.secret("OTHER_KEY") is None


def test_the_environment_wins_over_the_env_file(
    clean_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clean_directory / ".env").write_text("PORT=1\nMOORINGS_LEASE_SECONDS=7\n")
    monkeypatch.setenv("PORT", "2")
    settings = from_environment()
    assert (settings.port, settings.lease_seconds) == (2, 7)


def test_an_empty_variable_does_not_hide_the_env_file(
    clean_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clean_directory / ".env").write_text("PORT=1\n")
    monkeypatch.setenv("PORT", "")
    assert from_environment().port == 1


def test_no_env_file_is_needed(clean_directory: Path) -> None:
    assert from_environment().database_url == "sqlite://./moorings.db"


def test_a_byte_order_mark_does_not_hide_the_first_variable(clean_directory: Path) -> None:
    (clean_directory / ".env").write_bytes(b"\xef\xbb\xbfPORT=1\r\n")
    assert from_environment().port == 1


def test_a_name_without_a_value_in_the_env_file_is_unset(clean_directory: Path) -> None:
    (clean_directory / ".env").write_text("PORT\n")
    assert from_environment().port is None


def test_an_env_file_that_is_not_text_is_refused(clean_directory: Path) -> None:
    (clean_directory / ".env").write_bytes(b"PORT=\xff\n")
    with pytest.raises(ConfigMistake, match=r"\.env cannot be read"):
        from_environment()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("PORT=1\nmy hush hush\n", ":2: not NAME=value; write one variable a line"),
        ("PORT=1\n\nDISCORD_TOKEN='hush\n", ":3: not NAME=value; write one variable a line"),
        ("A=${HUSH_URL}/x\n", ":1: A refers to ${HUSH_URL}, which is set neither above nor in"),
        ("A=${B}\nB=1\n", ":1: A refers to ${B}, which is set neither above nor in"),
    ],
)
def test_a_line_of_the_env_file_that_says_nothing_is_told(
    clean_directory: Path, text: str, told: str
) -> None:
    (clean_directory / ".env").write_text(text)
    with pytest.raises(ConfigMistake) as caught:
        from_environment()
    assert str(caught.value).startswith(f".env{told}")
    assert "hush" not in str(caught.value)


def test_a_value_may_refer_to_what_is_set(
    clean_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "h")
    lines = ["NAME=d", "DATABASE_URL=mysql://${HOST}/${NAME}${REST:-}", "PORT=${OTHER:-7}"]
    (clean_directory / ".env").write_text("\n\n".join([*lines, "# done", ""]))
    settings = from_environment()
    assert (settings.database_url, settings.port) == ("mysql://h/d", 7)


def test_reading_the_environment_finds_the_agents_file_by_its_plain_name(
    clean_directory: Path,
) -> None:
    (clean_directory / "agents.toml").touch()
    assert from_environment().config == Path("agents.toml")


def test_the_example_lists_every_variable() -> None:
    schema = TypeAdapter(Settings).json_schema(mode="validation")
    database = AliasChoices("DATABASE_URL", "DB_URL").choices
    variables = {*database, *schema["properties"]} - {"variables"}
    assert variables == set(re.findall(r"^# ([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))


@pytest.mark.parametrize("keys", ["short", f"{'a' * 32},short", f"{'a' * 32},"])
def test_a_key_that_could_be_guessed_is_refused(keys: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigMistake, match="MOORINGS_SECRET_KEY has a key of less than 32"
    ) as told:
        load({"MOORINGS_SECRET_KEY": keys}, tmp_path)
    assert keys not in str(told.value)
