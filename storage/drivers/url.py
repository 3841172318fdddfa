"""A database URL, as hosts and people spell it, read into what the database layer needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from storage.errors import DatabaseUnusable

Dialect = Literal["sqlite", "postgres", "mysql"]

_SERVERS: Mapping[str, Dialect] = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "asyncpg": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_PORTS = {"postgres": 5432, "mysql": 3306}
_ENGINES = {
    "sqlite": "tortoise.backends.sqlite",
    "postgres": "tortoise.backends.asyncpg",
    "mysql": "tortoise.backends.mysql",
}
_EXAMPLES = "sqlite://./moorings.db, postgres://user:password@host/database or mysql://…"
# Power loss must not cost an answered message, hence FULL; there are no foreign keys, hence OFF:
# a rebuilt table would otherwise delete the rows that point at it. LIKE tells Team from team, as
# on servers: addresses are compared with it. Room can be given back to the disk only by a file that
# is made so, which is settled before all else.
_SQLITE = {
    "auto_vacuum": "INCREMENTAL",
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "OFF",
    "case_sensitive_like": "ON",
}
_BUSY_TIMEOUT = 10_000  # ms
_POOL = 5
_COMMAND_TIMEOUT = 30  # s
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """Where the database is; `shown` names it without its password.

    `seconds` is how long a server may take for a transaction; a file has its `busy_timeout`.
    """

    dialect: Dialect
    shown: str
    file: Path | None
    seconds: int | None
    credentials: Mapping[str, object] = field(repr=False)

    @property
    def engine(self) -> str:
        """Tortoise's name for what speaks to it."""
        return _ENGINES[self.dialect]


def parse(url: str) -> DatabaseUrl:
    """Read a database URL.

    Raises:
        DatabaseUnusable: it names no database that outlives the process.
    """
    try:
        split = urlsplit(url.strip(), allow_fragments=False)
        if split.scheme in {"sqlite", "sqlite3"}:
            return _file(split)
        port = split.port
    except ValueError:
        raise DatabaseUnusable(
            "DATABASE_URL cannot be read: its host or port is malformed, or its password has "
            "characters that must be percent-encoded."
        ) from None  # it quotes what stands where the port should: part of a password, often
    if dialect := _SERVERS.get(split.scheme.partition("+")[0]):
        return _server(split, dialect, port)
    given = f"'{split.scheme}' is unknown" if split.scheme else "it has no scheme"
    raise DatabaseUnusable(f"DATABASE_URL cannot be used: {given}; write {_EXAMPLES}.")


def _file(split: SplitResult) -> DatabaseUrl:
    name = unquote(split.netloc + split.path)
    if not name.strip("/.") or name.endswith("/") or ":memory:" in name or "memory" in split.query:
        raise DatabaseUnusable(
            "DATABASE_URL names no file: a database in memory would lose every conversation; "
            "write sqlite://./moorings.db or sqlite:///var/lib/moorings.db."
        )
    file = Path(name).absolute()
    options = dict(parse_qsl(split.query))
    return DatabaseUrl(
        dialect="sqlite",
        shown=f"sqlite://{name}",
        file=file,
        seconds=None,
        credentials={
            "file_path": str(file),
            "busy_timeout": _number(options, "busy_timeout", _BUSY_TIMEOUT, least=0),
            **_SQLITE,
        },
    )


def _server(split: SplitResult, dialect: Dialect, port: int | None) -> DatabaseUrl:
    database = unquote(split.path.strip("/"))
    options = dict(parse_qsl(split.query))
    host = split.hostname or options.pop("host", "")
    if not database or "/" in database or not host:
        raise DatabaseUnusable(
            f"DATABASE_URL names no {'host' if database else 'database'}: "
            f"write {split.scheme}://user:password@host/database."
        )
    port = port or _PORTS[dialect]
    return DatabaseUrl(
        dialect=dialect,
        shown=f"{dialect}://{host}:{port}/{database}",
        file=None,
        seconds=_number(options, "command_timeout", _COMMAND_TIMEOUT, least=1),
        credentials={
            "host": host,
            "port": port,
            "user": unquote(split.username or ""),
            "password": unquote(split.password or ""),
            "database": database,
            "minsize": 1,
            # Two hold locks, those of upkeep and of Discord's commands: one is left to work with.
            "maxsize": _number(options, "maxsize", _POOL, least=3),
            **_ssl(dialect, options),
        },
    )


def _number(options: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    given = options.get(name, str(default))
    if not given.isdecimal() or int(given) < least:
        raise DatabaseUnusable(f"DATABASE_URL: {name} must be a whole number, {least} or more.")
    return int(given)


def _ssl(dialect: Dialect, options: Mapping[str, str]) -> dict[str, object]:
    """Hosts write libpq's `sslmode`; asyncpg calls the same words `ssl`."""
    mode = options.get("sslmode") or options.get("ssl")
    if mode is None:
        return {}
    if dialect == "mysql":
        raise DatabaseUnusable("DATABASE_URL: ssl options are not supported for MySQL yet.")
    if mode not in _SSL_MODES:
        raise DatabaseUnusable(f"DATABASE_URL: sslmode must be one of: {', '.join(_SSL_MODES)}.")
    return {"ssl": mode}
