"""A tool that somebody else wrote, imported by its reference `module:function`."""

from __future__ import annotations

import re
from importlib import import_module
from inspect import isroutine
from types import ModuleType

from pydantic import PydanticUserError

from core.config.validation import did_you_mean
from core.errors import ConfigMistake
from core.tools import Tool
from core.tools.function import Function, tool_from

# What the first run of a module that its author did not try raises.
_BROKEN = (
    AttributeError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
_INDESCRIBABLE = (NameError, AttributeError, TypeError, ValueError, PydanticUserError)


def imported(reference: str) -> Tool:
    """The tool behind `module:function`, named after the function.

    Raises:
        ConfigMistake: there is no such module or function, or it cannot be a tool.
    """
    path, _, name = reference.partition(":")
    function = _function(_module(path, reference), name, reference)
    if not re.fullmatch(r"[a-zA-Z0-9_]{1,64}", name):
        raise ConfigMistake(f"tool {reference!r}: name it with at most 64 letters a-z, digits, _")
    try:
        return tool_from(function, name)
    except _INDESCRIBABLE as error:
        raise ConfigMistake(
            f"tool {reference!r}: its parameters have to be annotated with types that JSON "
            f"can carry: {error}"
        ) from error


def _module(path: str, reference: str) -> ModuleType:
    try:
        return import_module(path)
    except ImportError as error:
        raise ConfigMistake(
            f"tool {reference!r}: the module {path!r} has to be importable from the working "
            f"directory: {error}"
        ) from error
    except _BROKEN as error:
        raise ConfigMistake(
            f"tool {reference!r}: the module {path!r} fails when it is imported: "
            f"{type(error).__name__}: {error}"
        ) from error


def _function(module: ModuleType, name: str, reference: str) -> Function:
    function: object = getattr(module, name, None)
    if callable(function):
        return function
    public = [key for key, value in vars(module).items() if isroutine(value) and key[0] != "_"]
    hint = did_you_mean(name, public) if public else ""
    raise ConfigMistake(f"tool {reference!r}: {module.__name__} has no function {name!r}{hint}")
