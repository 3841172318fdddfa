"""A power cut between two statements: after so many, the next one is never made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.mysql.client import MySQLClient
from tortoise.backends.sqlite.client import SqliteClient

from storage.drivers import script
from storage.drivers.script import in_dialect

_STATEMENTS = ("execute_insert", "execute_query", "execute_query_dict")

Statement = Callable[..., Awaitable[object]]  # type: ignore[explicit-any]  # each driver's own


class PowerCut(Exception):  # it is what it is
    """Nothing is made any more."""


@contextmanager
def cut_after(statements: int) -> Iterator[None]:
    """Let that many statements of any database through, and raise PowerCut at each later one."""
    left = statements

    def use_one() -> None:
        nonlocal left
        if left <= 0:
            raise PowerCut
        left -= 1

    def counted(statement: Statement) -> Statement:
        async def make(*args: object) -> object:
            use_one()
            return await statement(*args)

        return make

    def written(text: str, dialect: str) -> str:
        """Each statement of a script, before it is made."""
        use_one()
        return in_dialect(text, dialect)

    with pytest.MonkeyPatch.context() as patch:
        for client in (SqliteClient, AsyncpgDBClient, MySQLClient):
            for name in _STATEMENTS:
                patch.setattr(client, name, counted(getattr(client, name)))
        patch.setattr(script, "in_dialect", written)
        yield
