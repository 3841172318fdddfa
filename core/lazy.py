"""Packages that are imported at first use: they cost a second that `--help` must not pay."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def lazy(module: str, name: str) -> Any:  # noqa: ANN401 - the caller declares the type
    """The object called `name` in `module`; the first call imports the module."""
    return getattr(import_module(module), name)
