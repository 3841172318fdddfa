"""The options of a database URL, in every spelling that hosts print; no other one is let pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

from storage.errors import DatabaseUnusable

Dialect = Literal["sqlite", "postgres", "mysql"]

# What each option is called here, and how else it is spelled: by libpq, MySQL's clients, Prisma,
# JDBC, SQLAlchemy, Rails, Go, Node. Case, `-` and `_` do not matter.
_SPELLINGS: Mapping[Dialect, Mapping[str, tuple[str, ...]]] = {
    "sqlite": {"busy_timeout": (), "mode": ()},
    "postgres": {
        "sslrootcert": ("ssl_ca",),
        "sslpassword": (),
        "ssl_min_protocol_version": (),
        "ssl_max_protocol_version": (),
        "sslnegotiation": (),
        "channel_binding": (),
        "gssencmode": (),
        "application_name": (),
        "target_session_attrs": (),
        "options": (),
        "schema": ("currentSchema", "search_path"),
        "pgbouncer": (),
        "statement_cache_size": ("prepared_statement_cache_size", "prepareThreshold"),
        "prepared_statements": ("prepare",),
    },
    "mysql": {
        "ssl_ca": ("sslrootcert",),
        "ssl_verify_cert": ("verifyServerCertificate",),
        "ssl_verify_identity": (),
        "ssl_disabled": (),
        "tls": (),
        "charset": (),
        "unix_socket": ("socket",),
    },
}
_OF_SERVERS: Mapping[str, tuple[str, ...]] = {
    "sslmode": (),
    "ssl": ("useSSL", "requireSSL"),
    "sslaccept": (),
    "sslcert": (),
    "sslkey": (),
    "user": ("username",),
    "password": (),
    "host": (),
    "port": (),
    "database": ("dbname",),
    "connect_timeout": (),
    "command_timeout": (),
    "maxsize": ("connection_limit",),
}
# What hosts add for others: whatever they say, nothing here would be done in another way.
_MEANS_NOTHING: Mapping[Dialect, tuple[str, ...]] = {
    "sqlite": (),
    "postgres": (
        *("supa", "uselibpqcompat", "workaround", "statusColor", "pool_timeout"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    ),
    "mysql": (
        *("reconnect", "parseTime", "allowPublicKeyRetrieval", "statusColor", "pool_timeout"),
        *("serverTimezone", "useUnicode", "characterEncoding"),
    ),
}
_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class Options:
    """What stands after the `?`; each is read once under the name that it has here.

    Raises:
        DatabaseUnusable: one is not known to this dialect.
    """

    def __init__(self, query: str, dialect: Dialect) -> None:
        names = _names(dialect)
        self._given: dict[str, tuple[str, str]] = {}
        for spelled, value in parse_qsl(query):  # without those that are empty: these are not set
            name = names.get(_plain(spelled))
            if name is None:
                raise DatabaseUnusable(_unknown(spelled, names.values()))
            if value.strip():
                self._keep(name, spelled, value.strip())

    def _keep(self, name: str, spelled: str, value: str) -> None:
        """Said twice, it has to be the same both times: else the weaker one might win."""
        before, said = self._given.get(name, (spelled, value))
        if said.lower() != value.lower():
            raise refused(f"{before} and {spelled} say different things; leave one of them out.")
        self._given[name] = spelled, value

    def text(self, name: str) -> str | None:
        """What was given, or None."""
        return self._given[name][1] if name in self._given else None

    def number(self, name: str, default: int, *, least: int) -> int:
        """A whole number."""
        spelled, given = self._given.get(name, (name, str(default)))
        if not given.isdecimal() or int(given) < least:
            raise refused(f"{spelled} must be a whole number, {least} or more.")
        return int(given)

    def boolean(self, name: str) -> bool | None:
        """Whether it is so; None if nothing was said."""
        if name not in self._given:
            return None
        spelled, given = self._given[name]
        if given.lower() not in _BOOLEANS:
            raise refused(f"{spelled} must be true or false.")
        return _BOOLEANS[given.lower()]

    def one_of(self, name: str, *choices: str) -> str | None:
        """One of a few words."""
        if name not in self._given:
            return None
        spelled, given = self._given[name]
        if given not in choices:
            raise refused(f"{spelled} must be one of: {', '.join(choices)}.")
        return given

    def file(self, name: str) -> str | None:
        """A file that can be read."""
        if name not in self._given:
            return None
        spelled, given = self._given[name]
        try:
            with Path(given).open("rb"):
                return given
        except OSError:
            raise refused(f"{spelled} names {given}, which cannot be read.") from None

    def spelled(self, name: str) -> str:
        """As it was written."""
        return self._given[name][0]


def refused(why: str) -> DatabaseUnusable:
    """An option cannot be used."""
    return DatabaseUnusable(f"DATABASE_URL: {why}")


def _names(dialect: Dialect) -> dict[str, str]:
    """What each spelling of an option means."""
    own = _SPELLINGS[dialect] if dialect == "sqlite" else {**_OF_SERVERS, **_SPELLINGS[dialect]}
    known = {name: (name, *others) for name, others in own.items()}
    known |= {name: (name,) for name in _MEANS_NOTHING[dialect]}
    return {_plain(each): name for name, spellings in known.items() for each in spellings}


def _plain(spelled: str) -> str:
    return spelled.lower().replace("-", "").replace("_", "")


def _unknown(spelled: str, names: Iterable[str]) -> str:
    known = sorted(set(names))
    near = get_close_matches(spelled.lower(), known, n=1, cutoff=0.5)
    instead = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}."
    return f"DATABASE_URL: the option '{spelled}' is not understood; {instead}"
