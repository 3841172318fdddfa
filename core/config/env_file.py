"""The file with variables: `.env`, or the one that `--env` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

from core.errors import ConfigMistake


def read(path: Path, environment: Mapping[str, str], *, may_miss: bool) -> dict[str, str]:
    """The variables in the file; `${NAME}` stands for one above it or one of the environment.

    Raises:
        ConfigMistake: not readable, or not there unless it `may_miss`; or lines that say nothing,
            each with its number and without its content, which may be a secret.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        if may_miss:
            return {}
        raise ConfigMistake(f"{path} is not there; correct what --env names.") from error
    except (OSError, ValueError) as error:
        raise ConfigMistake(f"{path} cannot be read; it has to be UTF-8 text.") from error
    if mistakes := list(_mistakes(text, environment)):
        raise ConfigMistake("\n".join(f"{path}:{line}: {what}" for line, what in mistakes))
    found = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in found.items() if value is not None}


def _mistakes(text: str, environment: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    known = set(environment)
    for binding in parse_stream(StringIO(text)):
        given = binding.original.string  # with the blank lines above it
        line = binding.original.line + given[: -len(given.lstrip()) or None].count("\n")
        if binding.error:
            yield line, "not NAME=value; write one variable a line, and # before a comment."
        for name in _unknown(binding, known):
            yield (
                line,
                f"{binding.key} refers to ${{{name}}}, which is set neither above nor in the "
                f"environment; set it, or write ${{{name}:-}} where it may be empty.",
            )
        if binding.key:
            known.add(binding.key)


def _unknown(binding: Binding, known: set[str]) -> list[str]:
    """The names that the value refers to without a default, and that nothing sets."""
    atoms = parse_variables(binding.value or "")
    names = [atom.name for atom in atoms if isinstance(atom, Variable) and atom.default is None]
    return [name for name in names if name not in known]
