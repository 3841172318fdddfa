"""A database URL, as hosts and people spell it, read into what the database layer needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from storage.drivers import tls
from storage.drivers.options import Dialect, Options, refused
from storage.drivers.tls import Tls, Trust
from storage.errors import DatabaseUnusable

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
_ENCODED = (
    "what is / ? # or @ in a user's name or password must be percent-encoded there: "
    "%2F, %3F, %23, %40."
)
_STANDBYS = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """Where the database is; `shown` names it without its password.

    `seconds` is how long a server may take for a transaction; a file has its `busy_timeout`.
    `pooled` is whether something that lends the server's connections stands between; None where
    nobody said so: it is found out.
    """

    dialect: Dialect
    shown: str
    file: Path | None
    seconds: int | None
    credentials: Mapping[str, object] = field(repr=False)
    tls: Tls = field(default=Tls(trust=Trust.PLAIN), repr=False)
    place: str = ""  # of a server: host and port, or its socket
    pooled: bool | None = None
    schema: str | None = None

    @property
    def engine(self) -> str:
        """Tortoise's name for what speaks to it."""
        return _ENGINES[self.dialect]


def parse(url: str) -> DatabaseUrl:
    """Read a database URL.

    Raises:
        DatabaseUnusable: it names no database that outlives the process, or says something that
            is not understood.
    """
    try:
        split = urlsplit(url.strip(), allow_fragments=False)
        if split.scheme in {"sqlite", "sqlite3"}:
            return _file(split)
        port = split.port
    except ValueError:
        raise DatabaseUnusable(
            f"DATABASE_URL cannot be read: its host or port is malformed; {_ENCODED}"
        ) from None  # it quotes what stands where the port should: part of a password, often
    if dialect := _SERVERS.get(split.scheme.partition("+")[0]):
        if "@" in split.path or "@" in split.query.partition("=")[0]:
            raise DatabaseUnusable(f"DATABASE_URL cannot be read: {_ENCODED}")
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
    file = Path(os.path.realpath(name))  # locks beside it are for all who use it, by whatever name
    options = Options(split.query, "sqlite")
    return DatabaseUrl(
        dialect="sqlite",
        shown=f"sqlite://{name}",
        file=file,
        seconds=None,
        credentials={
            "file_path": str(file),
            "busy_timeout": options.number("busy_timeout", _BUSY_TIMEOUT, least=0),
            **_SQLITE,
        },
    )


def _server(split: SplitResult, dialect: Dialect, port: int | None) -> DatabaseUrl:
    options = Options(split.query, dialect)
    database = unquote(split.path.strip("/")) or options.text("database") or ""
    host = _host(split, options)
    if not database or "/" in database or not host:
        raise DatabaseUnusable(
            f"DATABASE_URL names no {'host' if database else 'database'}: "
            f"write {split.scheme}://user:password@host/database."
        )
    if "," in host:
        raise refused("it names several hosts; write one, as the one that leads to the primary.")
    port = port or options.number("port", _PORTS[dialect], least=1)
    is_socket = host.startswith("/")
    own = _of_postgres(options) if dialect == "postgres" else _of_mysql(options, host)
    return DatabaseUrl(
        dialect=dialect,
        shown=f"{dialect}:///{database}?{urlencode({'host': host}, safe='/')}"
        if is_socket
        else f"{dialect}://{host}:{port}/{database}",
        file=None,
        seconds=options.number("command_timeout", _COMMAND_TIMEOUT, least=1),
        credentials={
            "host": host,
            "port": port,
            "user": unquote(split.username or "") or options.text("user") or "",
            "password": unquote(split.password or "") or options.text("password") or "",
            "database": database,
            "minsize": 1,
            # Up to all but one hold locks, as those of upkeep and of Discord's commands.
            "maxsize": options.number("maxsize", _POOL, least=3),
            **own,
        },
        tls=tls.read(options, dialect),
        place=host if is_socket else f"{host}:{port}",
        pooled=_pooled(options) if dialect == "postgres" else False,
        schema=options.text("schema"),
    )


def _host(split: SplitResult, options: Options) -> str:
    """Of a socket, its folder or file: `hostname` would make small letters of that."""
    if socket := options.text("unix_socket"):
        return socket
    named = split.netloc.rpartition("@")[2]
    if "%2f" in named.lower():
        return unquote(named.partition(":")[0])
    return split.hostname or options.text("host") or ""


def _of_postgres(options: Options) -> dict[str, object]:
    """What only asyncpg is told; it would read the environment for all that it is not told."""
    options.one_of("gssencmode", "disable", "prefer")  # it has none
    told: dict[str, object] = {
        "target_session_attrs": options.one_of("target_session_attrs", *_STANDBYS) or "any",
        "direct_tls": options.one_of("sslnegotiation", "postgres", "direct") == "direct",
    }
    if options.text("connect_timeout"):
        told["timeout"] = options.number("connect_timeout", 60, least=1)
    # By its beginning a restore finds out whether a bot is there.
    told["application_name"] = " ".join(
        filter(None, ["moorings", options.text("application_name")])
    )
    if given := options.text("options"):
        told["server_settings"] = {"options": given}
    return told


def _of_mysql(options: Options, host: str) -> dict[str, object]:
    options.one_of("charset", "utf8mb4")  # the only one that holds whatever people write
    told: dict[str, object] = {}
    if options.text("connect_timeout"):
        told["connect_timeout"] = options.number("connect_timeout", 10, least=1)
    if host.startswith("/"):
        told["unix_socket"] = host
    return told


def _pooled(options: Options) -> bool | None:
    """Whether prepared statements are to be left out, as any of the ways to say so has it."""
    if (is_bouncer := options.boolean("pgbouncer")) is not None:
        return is_bouncer
    if options.text("statement_cache_size"):
        return options.number("statement_cache_size", 100, least=0) == 0 or None
    return None if options.boolean("prepared_statements") in {None, True} else True
