"""Other processes that use the same database."""

from __future__ import annotations

from pathlib import Path

from tests.forked import ROOT, Life, Running, piped

# Forgets what was imported of the present version.
_ELSEWHERE = """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] in {{"storage", "tests"}}]:
    del sys.modules[name]
sys.path.insert(0, {!r})
"""


async def start(source: str, *arguments: str, home: Path = ROOT) -> Running:
    """A process that runs this with these arguments, and imports storage from `home`."""
    if home != ROOT:
        source = _ELSEWHERE.format(str(home)) + source
    return await piped(Life(arguments=arguments, folder=home, environment={}, source=source))


async def successful(source: str, *arguments: str, home: Path = ROOT) -> str:
    """What it prints; it must succeed."""
    ended = await (await start(source, *arguments, home=home)).ended()
    assert ended.code == 0, ended.err
    return ended.out
