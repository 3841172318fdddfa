"""Packages that are imported at first use: they cost a second that `--help` must not pay."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any


def lazy(module: str, name: str) -> Any:  # noqa: ANN401 - the caller declares the type
    """The object called `name` in `module`; the first call imports the module."""
    return getattr(import_module(module), name)


def postpone(package: str) -> None:
    """Let this package, which another one imports, be empty until something is looked up in it.

    Modules inside of it are imported as ever, for which importlib's own LazyLoader would load it.
    """
    if not any(isinstance(each, _Finder) and each.package == package for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder(package))


class _Finder(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.package:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.loader:
            spec.loader = _Later(spec.loader)
        return spec


class _Later(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._lock = RLock()
        self._is_loaded = False

    def exec_module(self, module: ModuleType) -> None:
        def loaded(name: str) -> object:
            with self._lock:  # other threads wait until it is whole
                if not self._is_loaded:
                    self._is_loaded = True
                    self._loader.exec_module(module)
            try:
                return vars(module)[name]
            except KeyError:
                raise AttributeError(f"{module.__name__} has no {name}") from None

        vars(module)["__getattr__"] = loaded
