"""A process that forgets to close its database ends all the same."""

from __future__ import annotations

import threading

import pytest

from storage.database import open_database
from tests.forked import ROOT, Life, cold

RETURNS = """
import asyncio, sys
from storage.database import open_database
asyncio.run(open_database(sys.argv[1]))
"""
RAISES = """
import asyncio, sys
from storage.database import open_database

async def main():
    await open_database(sys.argv[1])
    raise SystemExit("as the program wished")

asyncio.run(main())
"""
EXITS_WITH_THREADS = """
import asyncio, sys, time
from storage.database import open_database

async def main():
    await open_database(sys.argv[1])
    await asyncio.to_thread(time.monotonic)
    sys.exit(0)

asyncio.run(main())
"""
USES = """
import asyncio, sys
from storage import agents
from storage.database import open_database

async def main():
    await open_database(sys.argv[1])
    await agents.everyone()

asyncio.run(main())
"""


async def _status(code: str, url: str) -> int:
    life = Life(arguments=(url,), folder=ROOT, environment={}, source=code)
    return (await cold(life)).code


async def test_a_process_that_forgets_to_close_ends(url: str) -> None:
    assert await _status(USES, url) == 0


@pytest.mark.parametrize(("code", "status"), [(RETURNS, 0), (RAISES, 1), (EXITS_WITH_THREADS, 0)])
async def test_a_process_ends_in_whatever_way_it_forgets(
    filled_url: str, code: str, status: int
) -> None:
    assert await _status(code, filled_url) == status


async def test_whoever_opens_many_keeps_one_thread_for_their_end(filled_url: str) -> None:
    for _ in range(5):
        await (await open_database(filled_url)).close()
    names = [each.name for each in threading.enumerate()]
    assert len([name for name in names if "at-exit" in name]) == 1
