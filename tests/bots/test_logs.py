"""Log lines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bots.logs import LIBRARIES, JsonFormatter, LineFormatter, configure
from core.redaction import HELD


def formatted(message: str, **fields: object) -> str:
    """One record as a line, without its time."""
    record = logging.makeLogRecord(
        {"name": "core.worker", "levelname": "INFO", "msg": message, **fields}
    )
    return LineFormatter().format(record).partition(" ")[2]


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Whatever a test configures is taken back."""
    loggers = [logging.getLogger(), *map(logging.getLogger, LIBRARIES)]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_fields_stand_behind_the_sentence() -> None:
    line = formatted("turn ended", turn=3, why="it is late")
    assert line == 'INFO core.worker: turn ended turn=3 why="it is late"'


def test_a_record_is_one_line() -> None:
    assert "\n" not in formatted("a\nb", why="c\nd")


def test_secrets_are_hidden() -> None:
    HELD.hold("a-secret-of-a-test")
    line = formatted(
        "sent a-secret-of-a-test", key='{"k": "a-secret-of-a-test"}', sent="xoxb-78-34567"
    )
    assert line == 'INFO core.worker: sent ••• key="{\\"k\\": \\"•••\\"}" sent=•••'


def test_a_record_is_a_json_object_where_that_is_wanted() -> None:
    HELD.hold("a-secret-of-a-test")
    fields = {
        "turn": 3,
        "why": 'it is "a-secret-of-a-test"\n',
        "at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    record = logging.makeLogRecord(
        {"name": "core.worker", "levelname": "INFO", "msg": "turn ended", "created": 0, **fields}
    )
    assert json.loads(JsonFormatter().format(record)) == {
        "time": "1970-01-01T00:00:00Z",
        "level": "INFO",
        "logger": "core.worker",
        "message": "turn ended",
        "turn": 3,
        "why": 'it is "•••"\n',
        "at": "2026-01-02 00:00:00+00:00",
    }


@pytest.mark.parametrize("library", ["discord.http", "slack_sdk.web", "uvicorn.error", "openai"])
def test_libraries_are_heard_from_warning_on(
    library: str, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    configure(logging.DEBUG)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger(library).log(level, "of a library")
    assert capsys.readouterr().err.count("WARNING") == 1
    configure(logging.ERROR)
    logging.getLogger(library).warning("of a library")
    logging.getLogger("core.worker").warning("of ours")
    with_its_own_level = logging.getLogger("tests.bots.sdk")
    with_its_own_level.setLevel(logging.WARNING)
    with_its_own_level.warning("of one that has its own level")
    assert capsys.readouterr().err == ""


def test_an_error_is_told_with_its_place() -> None:
    try:
        raise ValueError("boom\nbang")
    except ValueError as error:
        line = formatted("failed", exc_info=(type(error), error, error.__traceback__))
    assert "ValueError" in line
    assert "test_logs.py:" in line
    assert "\n" not in line
