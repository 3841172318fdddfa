"""Kinds of text that people configure, each checked where it enters."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from core.complaints import did_you_mean

BUILT_IN_TOOLS = ("remember", "forget", "clock", "history")

_LONGEST_NAME = 64  # the column that holds it
_UNSPEAKABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, half characters, line separators


def _agent_name(name: str) -> str:
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise ValueError(f"is not a name: an agent's name has 1 to {_LONGEST_NAME} characters")
    if name != name.strip() or "/" in name:
        raise ValueError("is not a name: leave out slashes, and spaces at the ends")
    if any(unicodedata.category(character) in _UNSPEAKABLE for character in name):
        raise ValueError("is not a name: leave out line breaks and control characters")
    return name


def is_tool_reference(reference: str) -> bool:
    """Whether this is a built-in tool, or looks like `module:function` (nothing is imported)."""
    module, _, function = reference.partition(":")
    is_path = all(part.isidentifier() for part in (*module.split("."), function))
    return reference in BUILT_IN_TOOLS or is_path


def _tool_reference(reference: str) -> str:
    if not is_tool_reference(reference):
        hint = did_you_mean(reference, (*BUILT_IN_TOOLS, "module:function"))
        raise ValueError(f"{reference!r} is no tool{hint}")
    return reference


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("has to be the name of an environment variable, not the key itself")
    return name


def _web_address(address: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]\S*", address):
        raise ValueError("has to be a web address such as 'http://127.0.0.1:8000/v1'")
    return address


AgentName = Annotated[str, AfterValidator(_agent_name)]
ToolReference = Annotated[str, AfterValidator(_tool_reference)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
