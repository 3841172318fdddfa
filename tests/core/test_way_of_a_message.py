"""The files of core and storage that a message passes, from intake to release, as told in docs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tests.core.given import Stage
from tests.peers.platform import Platform

ROOT = Path(__file__).parents[2]
CHAPTER = "## The files that a message passes"


@contextmanager
def traced() -> Iterator[list[str]]:
    """The files in which a function is called meanwhile, in the order of their first one."""
    passed: dict[str, None] = {}
    ours = tuple(f"{ROOT / package}/" for package in ("core", "storage"))

    def note(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(ours):
            passed.setdefault(str(Path(file).relative_to(ROOT)))

    files: list[str] = []
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(before)
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
    with traced() as files:
        accepted = await stage.say("And how are you?")
        await worker.attend(accepted.conversation_id)
    assert stage.platform.transcript[-1] == "You said: And how are you?"
    assert files == told()
