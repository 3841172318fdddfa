"""A TOML file that a person wrote: its text, its content, and on which line something stands."""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import date, time
from pathlib import Path
from typing import TypeAlias

from core.errors import ConfigMistake

KeyPath = tuple[int | str, ...]
Toml: TypeAlias = "dict[str, Toml] | list[Toml] | str | int | float | bool | date | time"


def read_text(path: Path) -> str:
    """The file's text, without a byte order mark and with plain line ends.

    Raises:
        ConfigMistake: no such file, not a file, not readable, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigMistake(f"{path}:{line}: not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise ConfigMistake(
            f"{path}: cannot be read ({error.strerror}); name a text file that may be read"
        ) from error
    except ValueError as error:
        raise ConfigMistake(f"{str(path)!r}: not a file name; leave out NUL characters") from error


def parse(text: str, path: Path) -> dict[str, Toml]:
    """The document; `path` is for the message only.

    Raises:
        ConfigMistake: not TOML, with line and column.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigMistake(_syntax_mistake(str(error), text, path)) from error
    except (ValueError, RecursionError) as error:
        raise ConfigMistake(
            f"{path}: not usable: a number is too long, or brackets are nested too deeply"
        ) from error


def label(key_path: KeyPath) -> str:
    """The path as a person writes it: `bindings[0].at`, `agents."my agent".model`."""
    return "".join(map(_step, key_path)).removeprefix(".")


def _syntax_mistake(complaint: str, text: str, path: Path) -> str:
    words, _, where = complaint.rpartition(" (at ")
    end = (text.count("\n") + 1, len(text) - text.rfind("\n"))
    line, column = re.findall(r"\d+", where) or end
    rest = text.split("\n")[int(line) - 1][int(column) - 1 :]
    advice = _advice(rest) if words == "Invalid value" else ""
    return f"{path}:{line}:{column}: not valid TOML: {words[:1].lower()}{words[1:]}{advice}"


def _advice(rest: str) -> str:
    """What to write, if a text without quotes is what stands there."""
    given = re.split("[],}#\"']", rest)[0].strip()
    if given.lower() in {"true", "false"}:
        return f"; write {given.lower()}"
    return f'; a text stands in quotes: "{given}"' if given else ""


def _step(step: int | str) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    is_bare = re.fullmatch(r"[A-Za-z0-9_-]+", step)
    return f".{step}" if is_bare else f".{json.dumps(step, ensure_ascii=False)}"


def locate(text: str, key_paths: Iterable[KeyPath]) -> list[int]:
    """The line on which each key is set, counted from 1; `text` has to be valid TOML.

    Of a path that is not there, the line of the nearest table above it.
    """
    lines = text.split("\n")
    ends = _statement_ends(lines)
    return [_line_of(key_path, lines, ends) for key_path in key_paths]


def _statement_ends(lines: Sequence[str]) -> list[int]:
    """How many lines there are up to the end of each statement, blank line or comment."""
    ends = [0]
    for end in range(1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[ends[-1] : end]))
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on
        ends.append(end)
    return ends


def _line_of(key_path: KeyPath, lines: Sequence[str], ends: Sequence[int]) -> int:
    def depth_at(end: int) -> int:
        return _depth(tomllib.loads("\n".join(lines[:end])), key_path)

    statement = bisect_left(ends, depth_at(ends[-1]), key=depth_at)
    return ends[max(statement - 1, 0)] + 1


def _depth(document: Toml, key_path: KeyPath) -> int:
    """How many steps of the path exist."""
    for depth, step in enumerate(key_path):
        found = _inside(document, step)
        if found is None:
            return depth
        document = found
    return len(key_path)


def _inside(document: Toml, step: int | str) -> Toml | None:
    if isinstance(document, dict) and isinstance(step, str):
        return document.get(step)
    if isinstance(document, list) and isinstance(step, int):
        return next(iter(document[step : step + 1]), None)
    return None
