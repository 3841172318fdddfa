"""Log lines on stderr: one a record, its fields behind the sentence, no secrets."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping

from pydantic import SecretStr

_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "DATABASE_URL", "DB_URL")
_SHORTEST_SECRET = 6  # characters; what is shorter stands in too many innocent words
# Heard from WARNING on: below it they write a line for every request, with what is in it.
_LIBRARIES = (
    *("aiohttp", "aiosqlite", "asyncio", "asyncmy", "asyncpg", "discord", "filelock", "httpcore"),
    *("httpx", "httpx2", "markdown_it", "openai", "prompt_toolkit", "slack_bolt", "slack_sdk"),
    *("tortoise", "uvicorn"),
)
_FRAMES = 4  # of a traceback, the innermost


def configure(level: int, variables: Mapping[str, SecretStr]) -> None:
    """Log from this level on; the values of variables that are named like secrets are hidden."""
    values = [
        value.get_secret_value()
        for name, value in variables.items()
        if name.upper().endswith(_SECRET_NAMES)
    ]
    handler = _Stderr()
    handler.setFormatter(LineFormatter([v for v in values if len(v) >= _SHORTEST_SECRET]))
    handler.setLevel(level)  # also for loggers with a level of their own
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(max(level, logging.WARNING))


class LineFormatter(logging.Formatter):
    """`time LEVEL logger: sentence key=value …`, on one line whatever is in it."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime
        self._secrets = sorted(secrets, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        fields = {k: v for k, v in vars(record).items() if k not in _OF_EVERY_RECORD}
        if record.exc_info and record.exc_info[1]:
            fields["error"] = repr(record.exc_info[1])
            fields["at"] = _place(record.exc_info[1])
        at = self.formatTime(record, self.datefmt)
        head = f"{at} {record.levelname} {record.name}: {record.getMessage()}"
        line = " ".join([head, *(f"{key}={_shown(value)}" for key, value in fields.items())])
        for secret in self._secrets:
            line = line.replace(secret, "•••")
        return line.replace("\r", "\\r").replace("\n", "\\n")


class _Stderr(logging.Handler):
    """Writes to what is stderr now: a screen that is being redrawn puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)


def _shown(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and " " not in text else json.dumps(text)
