"""Time is UTC and aware of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC

import pytest

from core import clock
from tests.forked import ROOT

# The kernel lets a process believe that the machine slept for a thousand seconds.
AFTER_SLEEP = ["unshare", "--user", "--map-root-user", "--time", "--boottime", "1000"]
# The file alone: what else is in core takes a second to import.
SLEPT = """import runpy, time
monotonic = runpy.run_path("core/clock.py")["monotonic"]
print(monotonic() - time.monotonic())"""


def test_now_is_in_utc() -> None:
    assert clock.now().tzinfo is UTC


def test_monotonic_seconds_do_not_run_backwards() -> None:
    assert clock.monotonic() <= clock.monotonic()


def test_monotonic_seconds_go_on_while_the_machine_sleeps() -> None:
    if not shutil.which("unshare"):
        pytest.skip("only a Linux machine can pretend that it slept")
    slept = subprocess.run(  # noqa: S603  # our own words
        [*AFTER_SLEEP, sys.executable, "-c", SLEPT],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if "unshare" in slept.stderr:
        pytest.skip("this machine may not pretend that it slept")
    assert float(slept.stdout) > 999
