"""A TOML file that a person wrote: its text, its content, and names for places in it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from core.errors import ConfigMistake
from core.toml_lines import Place, Toml


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


def label(place: Place) -> str:
    """The place as a person writes it: `bindings[0].at`, `agents."my agent".model`."""
    return "".join(map(_step, place)).removeprefix(".")


def _syntax_mistake(complaint: str, text: str, path: Path) -> str:
    words, _, where = complaint.rpartition(" (at ")
    end = (text.count("\n") + 1, len(text) - text.rfind("\n"))
    line, column = re.findall(r"\d+", where) or end
    return f"{path}:{line}:{column}: not valid TOML: {words[:1].lower()}{words[1:]}"


def _step(step: int | str) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    is_bare = re.fullmatch(r"[A-Za-z0-9_-]+", step)
    return f".{step}" if is_bare else f".{json.dumps(step, ensure_ascii=False)}"
