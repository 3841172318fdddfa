"""Every spelling of a database URL that hosts and people use, and every one that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.drivers.url import parse
from storage.errors import DatabaseUnusable


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite://./moorings.db", Path("moorings.db").absolute()),
        ("sqlite://moorings.db", Path("moorings.db").absolute()),
        ("sqlite://data/moorings.db", Path("data/moorings.db").absolute()),
        ("sqlite:///var/lib/moorings.db", Path("/var/lib/moorings.db")),
        ("sqlite:////var/lib/moorings.db", Path("//var/lib/moorings.db")),
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


@pytest.mark.parametrize("option", ["sslmode", "ssl"])
def test_the_ssl_mode_of_libpq_is_passed_on(option: str) -> None:
    parsed = parse(f"postgres://db/moorings?{option}=verify-full")
    assert parsed.credentials["ssl"] == "verify-full"


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


@pytest.mark.parametrize(
    ("url", "why"),
    [
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
        ("mysql://ana:secret@db/moorings?sslmode=require", "not supported for MySQL"),
        ("sqlite://./x.db?busy_timeout=-1", "whole number"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_tells_no_secret(url: str, why: str) -> None:
    with pytest.raises(DatabaseUnusable) as refused:
        parse(url)
    assert why in str(refused.value)
    assert "secret" not in f"{refused.value} {refused.value.__cause__!r}"


def test_a_url_shows_no_password() -> None:
    parsed = parse("postgres://ana:secret@db/moorings")
    assert "secret" not in repr(parsed) + str(parsed) + parsed.shown
