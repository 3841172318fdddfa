"""Log lines on stderr: one a record, as text or JSON, without secrets."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback

from core.config.settings import LogFormat
from core.redaction import HELD

_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
# Heard from WARNING on: below it they write a line for every request, with what is in it.
LIBRARIES = (
    *("aiohttp", "aiosqlite", "asyncio", "asyncmy", "asyncpg", "discord", "filelock", "httpcore"),
    *("httpx", "httpx2", "markdown_it", "openai", "prompt_toolkit", "slack_bolt", "slack_sdk"),
    *("tortoise", "uvicorn"),
)
_FRAMES = 4  # of a traceback, the innermost


def configure(level: int, form: LogFormat = LogFormat.TEXT) -> None:
    """Log from this level on, in this form."""
    handler = _Stderr()
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else LineFormatter())
    handler.setLevel(level)  # also for loggers with a level of their own
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(max(level, logging.WARNING))


class LineFormatter(logging.Formatter):
    """`time LEVEL logger: sentence key=value …`, on one line whatever is in it."""

    def __init__(self) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        at = self.formatTime(record, self.datefmt)
        head = f"{at} {record.levelname} {record.name}: {record.getMessage()}"
        fields = (f"{key}={_shown(value)}" for key, value in _fields(record).items())
        line = HELD.hidden(" ".join([head, *fields]))
        return line.replace("\r", "\\r").replace("\n", "\\n")


class JsonFormatter(LineFormatter):
    """An object a line: time, level, logger, message, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        head = {
            "time": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return HELD.hidden(json.dumps({**_fields(record), **head}, default=str))


class _Stderr(logging.Handler):
    """Writes to what is stderr now: a screen that is being redrawn puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What was given as `extra`, and where an exception came from."""
    fields = {k: v for k, v in vars(record).items() if k not in _OF_EVERY_RECORD}
    if record.exc_info and record.exc_info[1]:
        fields["error"] = repr(record.exc_info[1])
        fields["at"] = _place(record.exc_info[1])
    return fields


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)


def _shown(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and " " not in text else json.dumps(text)
