"""What some commands are tried on: a question and its answer, made once by the program itself."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.bots.program import Program
from tests.conftest import Once

BOAT = "My boat is called Mira."


@pytest.fixture(scope="session")
def of_a_boat(once: Once, migrated: Path) -> Path:
    """A folder with the database in which it was told, and the backup `boat.jsonl` of that."""

    async def tell(home: Path) -> None:
        shutil.copy(migrated, home)
        program = Program(home)
        assert (await program.run("ask", "assistant", BOAT)).code == 0
        assert (await program.run("backup", "boat.jsonl")).code == 0

    return once("boat", lambda home: asyncio.run(tell(home)))


@pytest.fixture
def told(program: Program, of_a_boat: Path) -> Program:
    """The program, in a folder in which it was told."""
    shutil.copytree(of_a_boat, program.folder, dirs_exist_ok=True)
    return program
