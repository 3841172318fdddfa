"""The result of one check of `moorings doctor`, as one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.config.access import WHY_REFUSED, Access, refused


class Verdict(StrEnum):
    """Whether somebody has to do something."""

    OK = "ok"
    WARNING = "warn"
    FAILED = "FAIL"
    SKIPPED = "--"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One line: what was checked, and a sentence about it."""

    verdict: Verdict
    about: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.verdict:<4} {self.about:<9} {self.sentence}"


def fine(about: str, sentence: str) -> CheckResult:
    """It works."""
    return CheckResult(verdict=Verdict.OK, about=about, sentence=sentence)


def skipped(about: str, sentence: str) -> CheckResult:
    """It was not checked."""
    return CheckResult(verdict=Verdict.SKIPPED, about=about, sentence=sentence)


def warning(about: str, sentence: str) -> CheckResult:
    """It works, but not for ever."""
    return CheckResult(verdict=Verdict.WARNING, about=about, sentence=sentence)


def failed(about: str, sentence: str) -> CheckResult:
    """It does not work; the sentence says what to do."""
    return CheckResult(verdict=Verdict.FAILED, about=about, sentence=sentence)


def unserved(about: str, access: Access, workspaces: Mapping[str, str]) -> list[CheckResult]:
    """One for each of a platform's workspaces (names by id) in which nobody is answered."""
    not_served = sorted(refused(access, frozenset(workspaces)))
    return [warning(about, f"{workspaces[each]} ({each}): {WHY_REFUSED}") for each in not_served]


def failures(about: str, mistake: Exception) -> Iterable[CheckResult]:
    """One for each sentence of a mistake."""
    return [failed(about, line) for line in str(mistake).splitlines()]
