"""Log lines."""

from __future__ import annotations

import logging

from bots.logs import LineFormatter


def formatted(message: str, *secrets: str, **fields: object) -> str:
    """One record as a line, without its time."""
    record = logging.makeLogRecord(
        {"name": "core.worker", "levelname": "INFO", "msg": message, **fields}
    )
    return LineFormatter(list(secrets)).format(record).partition(" ")[2]


def test_fields_stand_behind_the_sentence() -> None:
    line = formatted("turn ended", turn=3, why="it is late")
    assert line == 'INFO core.worker: turn ended turn=3 why="it is late"'


def test_a_record_is_one_line() -> None:
    assert "\n" not in formatted("a\nb", why="c\nd")


def test_secrets_are_hidden() -> None:
    assert formatted("sent", "sk-secret", key="sk-secret") == "INFO core.worker: sent key=•••"


def test_an_error_is_told_with_its_place() -> None:
    try:
        raise ValueError("boom\nbang")
    except ValueError as error:
        line = formatted("failed", exc_info=(type(error), error, error.__traceback__))
    assert "ValueError" in line
    assert "test_logs.py:" in line
    assert "\n" not in line
