"""The files of core and storage that a message passes, from intake to release, as told in docs."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from tests.core.given import Stage
from tests.peers.platform import Platform
from tests.statements import in_databases_thread

ROOT = Path(__file__).parents[2]
CHAPTER = "## The files that a message passes"


@asynccontextmanager
async def traced() -> AsyncIterator[list[str]]:
    """The files in which a function is called meanwhile, in the order of their first one.

    In this thread, and in that of the database.
    """
    passed: dict[str, None] = {}
    ours = tuple(f"{ROOT / package}/" for package in ("core", "storage"))

    def note(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(ours):
            passed.setdefault(str(Path(file).relative_to(ROOT)))
            if frame.f_code.co_qualname == "_run.<locals>.run":  # begins in the other thread
                verb = Path(frame.f_locals["verb"].__code__.co_filename)
                passed.setdefault(str(verb.relative_to(ROOT)))

    files: list[str] = []
    before = sys.getprofile()
    await in_databases_thread(partial(sys.setprofile, note))
    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(before)
        await in_databases_thread(partial(sys.setprofile, None))
        files += passed


def told() -> list[str]:
    """The files in the chapter, as they stand there."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    [chapter] = re.findall(rf"^{CHAPTER}$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"`((?:core|storage)/\S+\.py)`", chapter)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.platform = Platform(seconds_between_edits=0)
    return stage


async def test_a_message_passes_the_files_that_are_told_in_this_order(stage: Stage) -> None:
    """The second message: the first one of a conversation opens it. The model is a scripted one."""
    worker = stage.worker()
    await worker.attend((await stage.say("Hello")).conversation_id)
    async with traced() as files:
        accepted = await stage.say("And how are you?")
        await worker.attend(accepted.conversation_id, accepted.agent_id)
    assert stage.platform.transcript[-1] == "You said: And how are you?"
    assert files == told()
