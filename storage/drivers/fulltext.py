"""The index of words of each database: made where it is missing, asked in its own language.

Words are plain tokens of ASCII letters and digits, so that no database's own analysis matters.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from storage.drivers.script import Script, rows
from storage.errors import NoIndex

log = logging.getLogger(__name__)

OPTION = "ENABLE_FTS5"  # the option that a SQLite has to be built with
_HAS_IT = "SELECT 1 AS it WHERE sqlite_compileoption_used(?)"

_VECTOR = "array_to_tsvector(string_to_array(words, ' '))"
_THERE = {
    "sqlite": "SELECT name FROM sqlite_master WHERE name IN"
    " ('passage_index', 'passage_added', 'passage_gone') AND sqlite_compileoption_used(?)",
    "postgres": "SELECT indexrelid FROM pg_index"
    " WHERE indexrelid = to_regclass('passage_words') AND indisvalid",
    "mysql": "SELECT DISTINCT index_name FROM information_schema.statistics"
    " WHERE table_schema = database() AND index_name = 'passage_words'",
}
_ERRORS = (OperationalError, sqlite3.DatabaseError)
# What cannot be opened cannot be dropped either: the records that a new index begins with, as
# `fts5_index.c` of SQLite writes them (https://sqlite.org/fts5.html).
_EMPTIED = (
    "CREATE TABLE IF NOT EXISTS passage_index_data (id INTEGER PRIMARY KEY, block BLOB)",
    "CREATE TABLE IF NOT EXISTS passage_index_config (k PRIMARY KEY, v) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS passage_index_idx (segid, term, pgno, PRIMARY KEY (segid, term))"
    " WITHOUT ROWID",
    "INSERT OR REPLACE INTO passage_index_config VALUES ('version', 4)",
    "INSERT OR REPLACE INTO passage_index_data VALUES (1, x''), (10, x'00000000000000')",
)
_DETACHED = ("DROP TRIGGER IF EXISTS passage_added", "DROP TRIGGER IF EXISTS passage_gone")
_PARTS = {"sqlite": 3, "postgres": 1, "mysql": 1}
_MADE = {
    "sqlite": (
        *_DETACHED,
        "DROP TABLE IF EXISTS passage_index",
        "CREATE VIRTUAL TABLE passage_index USING fts5(words, content = 'passage',"
        " content_rowid = 'id', tokenize = 'ascii', detail = 'none', columnsize = 0)",
        "CREATE TRIGGER passage_added AFTER INSERT ON passage BEGIN"
        " INSERT INTO passage_index (rowid, words) VALUES (new.id, new.words); END",
        "CREATE TRIGGER passage_gone AFTER DELETE ON passage BEGIN"
        " INSERT INTO passage_index (passage_index, rowid, words)"
        " VALUES ('delete', old.id, old.words); END",
        "INSERT INTO passage_index (passage_index) VALUES ('rebuild')",
    ),
    # What is added waits in no list: each search would read all of that.
    "postgres": (
        "DROP INDEX IF EXISTS passage_words",
        f"CREATE INDEX passage_words ON passage USING gin ({_VECTOR}) WITH (fastupdate = off)",
    ),
    "mysql": ("ALTER TABLE passage ADD FULLTEXT passage_words (words)",),
}


async def ensure(connection: BaseDBAsyncClient) -> None:
    """Make the index where it is missing. A database that cannot have one works without."""
    try:
        if not await is_there(connection):
            await _make(connection)
    except (OperationalError, NoIndex) as error:
        log.warning("no index of words: nothing is found again", extra={"why": str(error)})


async def mend(connection: BaseDBAsyncClient) -> bool:
    """Make the index anew if it is missing or damaged; whether it was.

    Raises:
        NoIndex: the database can have none.
    """
    try:
        if await is_there(connection) and await _is_sound(connection):
            return False
    except _ERRORS as error:
        log.warning("index of words damaged", extra={"why": str(error)})
    await _make(connection)
    return True


async def _check(connection: BaseDBAsyncClient) -> None:
    """Let nothing depend on the index of a file whose SQLite cannot read it; raises NoIndex."""
    is_file = connection.capabilities.dialect == "sqlite"
    if is_file and not await _asked(connection, _HAS_IT, OPTION):
        await _do(connection, _DETACHED)
        raise NoIndex("This SQLite was built without FTS5; use a Python whose SQLite has it.")


async def _is_sound(connection: BaseDBAsyncClient) -> bool:
    """Servers see to their own indexes; in a file that of words is made of tables."""
    if connection.capabilities.dialect != "sqlite":
        return True
    await _asked(connection, "INSERT INTO passage_index (passage_index) VALUES ('integrity-check')")
    newest = await _asked(connection, "SELECT id, words FROM passage ORDER BY id DESC LIMIT 1")
    if not newest:
        return True
    word = str(newest[0]["words"]).partition(" ")[0]
    found = await _asked(
        connection,
        "SELECT rowid AS id FROM passage_index WHERE passage_index MATCH ? ORDER BY rowid DESC",
        word,
    )
    return bool(found) and found[0]["id"] == newest[0]["id"]


async def is_there(connection: BaseDBAsyncClient) -> bool:
    """Whether the database has its index of words, and can use it."""
    dialect = connection.capabilities.dialect
    values = [OPTION] if dialect == "sqlite" else []
    return len(await _asked(connection, _THERE[dialect], *values)) == _PARTS[dialect]


async def _make(connection: BaseDBAsyncClient) -> None:
    """Of the passages that there are; done twice at the same time, one of the two fails."""
    await _check(connection)
    dialect = connection.capabilities.dialect
    if dialect == "mysql":
        await _do(connection, _MADE[dialect])
    else:
        async with in_transaction(connection.connection_name) as transaction:
            try:
                await _do(transaction, _MADE[dialect])
            except _ERRORS:
                if dialect != "sqlite":
                    raise
                await _do(transaction, _EMPTIED)
                await _do(transaction, _MADE[dialect])
    log.info("index of words made")


async def _do(connection: BaseDBAsyncClient, statements: Sequence[str]) -> None:
    for statement in statements:
        await _asked(connection, statement)


async def _asked(
    connection: BaseDBAsyncClient, statement: str, *values: str
) -> list[dict[str, object]]:
    return await connection.execute_query_dict(statement, list(values))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Tortoise says list and dict, not of what


_FIND = {
    "sqlite": "SELECT {}, rowid FROM (SELECT rowid FROM passage_index WHERE passage_index MATCH ?"
    " ORDER BY rowid LIMIT ?)",
    "postgres": "SELECT ARRAY(SELECT id FROM passage"  # noqa: S608  # an expression of ours
    f" WHERE {_VECTOR} @@ asked.query::tsquery LIMIT ?)"
    " FROM unnest(string_to_array(?, '/')) WITH ORDINALITY AS asked(query, number) ORDER BY number",
    "mysql": "SELECT id FROM passage WHERE MATCH (words) AGAINST (? IN BOOLEAN MODE)"
    " ORDER BY id LIMIT ?",
}
# So many ids in one value, which leaves the statement the same.
_EACH = {
    "sqlite": "IN (SELECT value FROM json_each(?))",
    "postgres": "= ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(?::json)))",
    "mysql": "IN (SELECT number"
    " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT PATH '$')) AS listed)",
}

Words = Sequence[Sequence[str]]  # all of these, each in any of its forms


def find(dialect: str, asked: Sequence[Words], *, limit: int) -> Script[list[list[int]]]:
    """For each that is asked for, up to `limit` ids of passages with all of its words.

    Which of more there are is the database's choice: none is ranked, so the cost is bounded.
    """
    queries = [_query(dialect, each) for each in asked]
    if dialect == "postgres":
        found = yield from rows(_FIND[dialect], limit, "/".join(queries))
        return [list(ids) for (ids,) in found]
    if dialect == "sqlite":
        return (yield from _find_in_file(queries, limit))
    lists: list[list[int]] = []
    for query in queries:
        found = yield from rows(_FIND[dialect], query, limit)
        lists.append([number for (number,) in found])
    return lists


def _find_in_file(queries: Sequence[str], limit: int) -> Script[list[list[int]]]:
    text = " UNION ALL ".join(map(_FIND["sqlite"].format, range(len(queries))))
    found = yield from rows(text, *(value for query in queries for value in (query, limit)))
    lists: list[list[int]] = [[] for _ in queries]
    for at, number in found:
        lists[int(at)].append(number)
    return lists


def _query(dialect: str, words: Words) -> str:
    match dialect:
        case "sqlite":
            return " AND ".join(f"({' OR '.join(forms)})" for forms in words)
        case "postgres":
            return "&".join(f"({'|'.join(forms)})" for forms in words)
        case _:
            return " ".join(f"+({' '.join(forms)})" for forms in words)


def among(dialect: str, text: str) -> str:
    """The statement with `{}` in it as a condition that a list of ids fulfils."""
    return text.format(_EACH[dialect])
