"""Every spelling of a database URL that hosts and people use, and every one that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.drivers.tls import Trust
from storage.drivers.url import parse
from storage.errors import DatabaseUnusable


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite://./moorings.db", Path("moorings.db").absolute()),
        ("sqlite://moorings.db", Path("moorings.db").absolute()),
        ("sqlite://data/moorings.db", Path("data/moorings.db").absolute()),
        ("sqlite:///var/lib/moorings.db", Path("/var/lib/moorings.db")),
        ("sqlite:////var/lib/moorings.db", Path("/var/lib/moorings.db")),
        ("sqlite3:///var/lib/moorings.db", Path("/var/lib/moorings.db")),
        (" sqlite:///var/lib/moorings.db\n", Path("/var/lib/moorings.db")),
        ("sqlite:///var/with%20space/a%23b.db", Path("/var/with space/a#b.db")),
        ("sqlite:///var/with space/a#b.db", Path("/var/with space/a#b.db")),
    ],
)
def test_a_file_is_found_however_it_is_spelled(url: str, file: Path) -> None:
    parsed = parse(url)
    assert (parsed.dialect, parsed.file) == ("sqlite", file)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://ana:pw@db/moorings", "postgres://db:5432/moorings"),
        ("postgresql://ana:pw@db:6000/moorings", "postgres://db:6000/moorings"),
        ("postgresql+asyncpg://ana@db/moorings", "postgres://db:5432/moorings"),
        ("asyncpg://ana:pw@db/moorings/", "postgres://db:5432/moorings"),
        ("postgres://ana:pw@/moorings?host=db", "postgres://db:5432/moorings"),
        ("postgres://ana:pw@[::1]/moorings", "postgres://::1:5432/moorings"),
        ("mysql://ana:pw@db/moorings", "mysql://db:3306/moorings"),
        ("mariadb://ana:pw@db:3307/moorings", "mysql://db:3307/moorings"),
        ("mysql+asyncmy://ana:pw@db/moorings", "mysql://db:3306/moorings"),
    ],
)
def test_a_server_is_found_however_it_is_spelled(url: str, shown: str) -> None:
    assert parse(url).shown == shown


def test_a_name_and_a_password_may_be_percent_encoded() -> None:
    credentials = parse("postgres://a%40b:p%2F%3A%23w@db/moo%20rings").credentials
    assert credentials["user"] == "a@b"
    assert credentials["password"] == "p/:#w"  # noqa: S105  # made up
    assert credentials["database"] == "moo rings"


def test_a_server_without_a_password_is_asked_without_one() -> None:
    credentials = parse("postgres://db/moorings").credentials
    assert (credentials["user"], credentials["password"]) == ("", "")


OF_POSTGRES = {
    "": Trust.PREFER,
    "?sslmode=": Trust.PREFER,
    "?sslmode=disable": Trust.PLAIN,
    "?ssl=false": Trust.PLAIN,
    "?sslmode=allow": Trust.ALLOW,
    "?sslmode=prefer": Trust.PREFER,
    "?sslmode=require": Trust.ENCRYPTED,
    "?ssl=true": Trust.ENCRYPTED,
    "?sslmode=no-verify": Trust.ENCRYPTED,
    "?sslmode=require&sslrootcert={pem}": Trust.AUTHORITY,
    "?sslrootcert={pem}": Trust.AUTHORITY,
    "?sslmode=verify-ca": Trust.AUTHORITY,
    "?sslmode=verify-full": Trust.IDENTITY,
    "?ssl=verify-full": Trust.IDENTITY,
    "?sslmode=require&sslrootcert=system": Trust.IDENTITY,
    "?sslmode=require&channel_binding=require": Trust.IDENTITY,
    "?sslmode=require&channel_binding=prefer": Trust.ENCRYPTED,
    "?ssl_min_protocol_version=TLSv1.3": Trust.ENCRYPTED,
    "?sslcert={pem}&sslkey={pem}": Trust.ENCRYPTED,
    "?sslnegotiation=direct": Trust.ENCRYPTED,
    "?sslaccept=strict": Trust.IDENTITY,
    "?sslmode=require&sslaccept=accept_invalid_certs": Trust.ENCRYPTED,
}


def test_postgres_is_trusted_as_hosts_ask_for_it(tmp_path: Path) -> None:
    (pem := tmp_path / "ca.pem").touch()
    urls = {options: f"postgres://db/moorings{options.format(pem=pem)}" for options in OF_POSTGRES}
    assert {options: parse(url).tls.trust for options, url in urls.items()} == OF_POSTGRES


OF_MYSQL = {
    "": Trust.PLAIN,
    "?ssl-mode=DISABLED": Trust.PLAIN,
    "?ssl_disabled=true": Trust.PLAIN,
    "?ssl-mode=PREFERRED": Trust.PREFER,
    "?ssl-mode=REQUIRED": Trust.ENCRYPTED,
    "?ssl_mode=required": Trust.ENCRYPTED,
    "?sslmode=require": Trust.ENCRYPTED,
    "?sslMode=VERIFY_IDENTITY": Trust.IDENTITY,
    "?ssl=true": Trust.ENCRYPTED,
    "?useSSL=true": Trust.ENCRYPTED,
    "?useSSL=true&verifyServerCertificate=true": Trust.AUTHORITY,
    "?ssl-mode=VERIFY_CA": Trust.AUTHORITY,
    "?ssl-ca={pem}": Trust.AUTHORITY,
    "?ssl-cert={pem}&ssl-key={pem}": Trust.ENCRYPTED,
    "?useSSL=true&requireSSL=true": Trust.ENCRYPTED,
    "?ssl_ca={pem}&ssl_verify_cert=true&ssl_verify_identity=true": Trust.IDENTITY,
    "?sslaccept=strict": Trust.IDENTITY,
    "?tls=true": Trust.IDENTITY,
    "?tls=skip-verify": Trust.ENCRYPTED,
    "?tls=preferred": Trust.PREFER,
    '?ssl={{"rejectUnauthorized":true}}': Trust.IDENTITY,
    '?ssl={{"rejectUnauthorized":false}}': Trust.ENCRYPTED,
}


def test_mysql_is_trusted_as_hosts_ask_for_it(tmp_path: Path) -> None:
    (pem := tmp_path / "ca.pem").touch()
    urls = {options: f"mysql://db/moorings{options.format(pem=pem)}" for options in OF_MYSQL}
    assert {options: parse(url).tls.trust for options, url in urls.items()} == OF_MYSQL


@pytest.mark.parametrize(
    ("url", "place", "shown"),
    [
        (
            "postgres:///moorings?host=/run/postgresql",
            "/run/postgresql",
            "postgres:///moorings?host=/run/postgresql",
        ),
        (
            "postgres://ana:pw@%2Fcloudsql%2FMy-Project/moorings",
            "/cloudsql/My-Project",
            "postgres:///moorings?host=/cloudsql/My-Project",
        ),
        (
            "mysql://ana:pw@localhost/moorings?unix_socket=/run/mysqld.sock",
            "/run/mysqld.sock",
            "mysql:///moorings?host=/run/mysqld.sock",
        ),
    ],
)
def test_a_socket_may_be_the_host(url: str, place: str, shown: str) -> None:
    parsed = parse(url)
    assert (parsed.place, parsed.shown) == (place, shown)


def test_all_may_stand_in_the_query() -> None:
    parsed = parse("postgres://?host=db&port=6000&user=ana&password=p%2Fw&dbname=moorings")
    assert parsed.shown == "postgres://db:6000/moorings"
    assert (parsed.credentials["user"], parsed.credentials["password"]) == ("ana", "p/w")


@pytest.mark.parametrize("option", ["schema", "currentSchema", "search_path"])
def test_a_schema_can_be_chosen(option: str) -> None:
    assert parse(f"postgres://db/moorings?{option}=bots").schema == "bots"


@pytest.mark.parametrize(
    ("options", "pooled"),
    [
        ("", None),
        ("?pgbouncer=true", True),
        ("?pgbouncer=false", False),
        ("?statement_cache_size=0", True),
        ("?statement_cache_size=100", None),
        ("?prepared_statements=false", True),
        ("?prepareThreshold=0", True),
    ],
)
def test_a_pooler_can_be_told_as_hosts_tell_it(
    options: str, pooled: bool | None
) -> None:  # a table
    assert parse(f"postgres://db/moorings{options}").pooled is pooled


@pytest.mark.parametrize(
    "url",
    [
        "postgres://db/moorings?supa=base-pooler.x&sslmode=require",
        "postgres://db/moorings?pgbouncer=true&workaround=supabase-pooler.vercel",
        "postgres://db/moorings?statusColor=686B6F&connection_limit=5&pool_timeout=10",
        "postgres://db/moorings?keepalives=1&keepalives_idle=30&keepalives_interval=10",
        "mysql://db/moorings?reconnect=true&charset=utf8mb4",
        "mysql://db/moorings?useUnicode=true&characterEncoding=UTF-8&serverTimezone=UTC",
        "mysql://db/moorings?connection_limit=5&pool_timeout=10",
    ],
)
def test_what_hosts_add_for_others_is_let_pass(url: str) -> None:
    assert parse(url).place.startswith("db:")


def test_a_password_may_have_an_at_where_that_is_plain() -> None:
    credentials = parse("postgres://ana:p@ss@db/moorings").credentials
    assert (credentials["user"], credentials["password"]) == ("ana", "p@ss")
    assert credentials["host"] == "db"


def test_the_number_of_connections_can_be_set() -> None:
    assert parse("postgres://db/moorings").credentials["maxsize"] == 5
    assert parse("mysql://db/moorings?maxsize=12").credentials["maxsize"] == 12


def test_how_long_a_server_may_take_can_be_set() -> None:
    assert parse("postgres://db/moorings").seconds == 30
    assert parse("mysql://db/moorings?command_timeout=5").seconds == 5
    assert parse("sqlite://./x.db").seconds is None


def test_how_long_a_locked_file_is_waited_for_can_be_set() -> None:
    assert parse("sqlite://./x.db").credentials["busy_timeout"] == 10_000
    assert parse("sqlite://./x.db?busy_timeout=200").credentials["busy_timeout"] == 200


REFUSED = [
    ("", "no scheme"),
    ("moorings.db", "no scheme"),
    ("/var/lib/moorings.db", "no scheme"),
    ("oracle://ana:secret@db/moorings", "'oracle' is unknown"),
    ("sqlite://", "in memory"),
    ("sqlite:///", "in memory"),
    ("sqlite://.", "in memory"),
    ("sqlite://:memory:", "in memory"),
    ("sqlite:///:memory:", "in memory"),
    ("sqlite://./x.db?mode=memory", "in memory"),
    ("sqlite://data/", "names no file"),
    ("postgres://ana:secret@db", "names no database"),
    ("postgres://ana:secret@db/", "names no database"),
    ("postgres://ana:secret@db/a/b", "names no"),
    ("postgres:///moorings", "names no host"),
    ("postgres://ana:secret@db:port/moorings", "malformed"),
    ("postgres://ana:secret@db:99999/moorings", "malformed"),
    ("postgres://ana:secret#1@db/moorings", "percent-encoded"),
    ("postgres://ana:secret@[db/moorings", "malformed"),
    ("postgres://ana:secret@db/moorings?maxsize=2", "3 or more"),
    ("postgres://ana:secret@db/moorings?maxsize=many", "whole number"),
    ("postgres://ana:secret@db/moorings?command_timeout=0", "1 or more"),
    ("postgres://ana:secret@db/moorings?sslmode=perhaps", "must be one of: disable"),
    ("mysql://ana:secret@db/moorings?ssl-mode=perhaps", "must be one of: DISABLED"),
    ("mysql://ana:secret@db/moorings?tls=custom", "must be one of: DISABLED"),
    ("postgres://ana:secret@db/moorings?sslmod=require", "did you mean sslmode?"),
    ("mysql://ana:secret@db/moorings?ssl-cal=/x", "did you mean ssl_ca?"),
    ("postgres://ana:secret@db/moorings?pool_pre_ping=1", "not understood"),
    ("sqlite://./x.db?maxsize=3", "not understood"),
    ("postgres://ana:secret@db/moorings?sslrootcert=/gone.pem", "/gone.pem, which cannot"),
    ("mysql://ana:secret@db/moorings?sslcert=/etc/hostname", "needs sslkey"),
    ("mysql://ana:secret@db/moorings?ssl-mode=DISABLED&tls=true", "ask for TLS and forbid"),
    ("mysql://ana:secret@db/moorings?useSSL=true&requireSSL=false", "say different things"),
    ("postgres://ana:secret@db/d?sslmode=verify-full&sslmode=disable", "say different things"),
    ("mysql://ana:secret@db/moorings?charset=latin1", "must be one of: utf8mb4"),
    ("postgres://ana:secret@db/moorings?pgbouncer=perhaps", "true or false"),
    ("postgres://ana:secret@a,b/moorings", "several hosts"),
    ("postgres://ana:secret/1@db/moorings", "%2F"),
    ("postgres://ana:5/secret@db/moorings", "%2F"),
    ("postgres://ana:secret@/1@db/moorings", "%40"),
    ("mysql://ana:secret@a/b@db/moorings", "%40"),
    ("postgres://ana:secret@db/moorings?keepalive=1", "did you mean keepalives?"),
    ("mysql://ana:secret@db/moorings?serverTimezon=UTC", "did you mean serverTimezone?"),
    ("postgres://ana:5?secret@db/moorings", "%3F"),
    ("sqlite://./x.db?busy_timeout=-1", "whole number"),
]


def test_a_url_that_cannot_be_used_is_refused_and_tells_no_secret() -> None:
    told = [(url, why, refusal(url)) for url, why in REFUSED]
    assert [(url, said) for url, why, said in told if why not in said or "secret" in said] == []


def refusal(url: str) -> str:
    """What is said of it, and of what came before; nothing if it is not refused."""
    try:
        parse(url)
    except DatabaseUnusable as error:
        return f"{error} {error.__cause__!r}"
    return ""


def test_a_url_shows_no_password() -> None:
    parsed = parse("postgres://ana:secret@db/moorings")
    assert "secret" not in repr(parsed) + str(parsed) + parsed.shown
