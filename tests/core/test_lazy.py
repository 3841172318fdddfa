"""Packages that are imported at first use, and those that others import for nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from core.lazy import lazy, postpone


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One that imports a large part of its own, of which it says when it is imported."""
    (tmp_path / "dear" / "large").mkdir(parents=True)
    (tmp_path / "dear" / "__init__.py").write_text(
        "from . import large\nfrom .large.one import ONE"
    )
    (tmp_path / "dear" / "large" / "__init__.py").write_text("from .two import TWO\nLOADED = True")
    (tmp_path / "dear" / "large" / "one.py").write_text("ONE = 1")
    (tmp_path / "dear" / "large" / "two.py").write_text("TWO = 2")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield "dear"
    for name in [each for each in sys.modules if each.partition(".")[0] == "dear"]:
        del sys.modules[name]


def test_what_is_postponed_is_not_imported_with_what_imports_it(package: str) -> None:
    postpone("dear.large")
    assert lazy(package, "ONE") == 1
    assert "dear.large.two" not in sys.modules


def test_it_is_imported_when_something_is_looked_up_in_it(package: str) -> None:
    postpone("dear.large")
    assert lazy("dear.large", "TWO") == 2
    assert lazy("dear.large", "LOADED")
    assert not hasattr(import_module(f"{package}.large"), "THREE")


def test_a_second_time_changes_nothing(package: str) -> None:
    assert package
    postpone("dear.large")
    before = list(sys.meta_path)
    postpone("dear.large")
    assert sys.meta_path == before
