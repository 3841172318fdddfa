"""TLS to a server: had where it was asked for, refused in one sentence where it cannot be had."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from storage.database import examine, open_database
from storage.errors import DatabaseBusy, DatabaseUnusable, StorageError
from tests.conftest import Once, needs_own
from tests.peers import mariadb
from tests.peers.certificates import Authority, Certificate
from tests.peers.mariadb import MariaDbServer
from tests.peers.ports import closed_port
from tests.peers.postgres import PostgresServer
from tests.storage import sql

IS_ENCRYPTED = {
    "postgres": "SELECT CASE WHEN ssl THEN 'TLS' ELSE '' END AS cipher"
    " FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SELECT variable_value AS cipher FROM information_schema.session_status"
    " WHERE variable_name = 'SSL_CIPHER'",
}


class Server(Protocol):
    """One of a test's own."""

    @property
    def url(self) -> str: ...


Make = Callable[[Certificate | None], AbstractAsyncContextManager[Server]]


def _postgres(cluster: Path) -> Make:
    return lambda certificate: PostgresServer(cluster=cluster, certificate=certificate)


@pytest.fixture(params=["postgres", "mysql"])
def make(request: pytest.FixtureRequest) -> Make:
    """Starts a server of each kind, with a certificate or without."""
    if request.param == "postgres":
        return _postgres(request.getfixturevalue("cluster"))
    return partial(MariaDbServer, request.getfixturevalue("mariadb_home"))


@pytest.fixture(scope="session")
def mariadb_home(once: Once) -> Path:
    """What every new server of MariaDB begins with."""
    needs_own("mysql", "mariadb-server", is_there=mariadb.available())
    return once("mariadb", lambda home: asyncio.run(mariadb.install(home)))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signed the server's certificate."""
    return Authority(tmp_path)


@pytest.fixture
async def plain(make: Make) -> AsyncIterator[str]:
    """The URL of a server without TLS."""
    async with make(None) as server:
        yield server.url


@pytest.fixture
async def secure(make: Make, authority: Authority) -> AsyncIterator[str]:
    """The URL of a server with TLS."""
    async with make(authority.certify()) as server:
        yield server.url


async def is_encrypted(url: str) -> bool:
    """Whether the server says so of a connection."""
    database = await open_database(url)
    [row] = await sql.rows(database, IS_ENCRYPTED[database.url.dialect])
    await database.close()
    return bool(row["cipher"])


async def refusal(url: str) -> StorageError:
    """What both the program and its doctor say."""
    with pytest.raises(StorageError) as refused:
        await open_database(url)
    with pytest.raises(StorageError) as found:
        await examine(url)
    assert str(found.value) == str(refused.value)
    return refused.value


async def test_tls_is_had_where_it_is_asked_for_and_verified_where_that_is(
    secure: str, authority: Authority, tmp_path: Path
) -> None:
    (other := tmp_path / "other").mkdir()
    strange = Authority(other, "stranger").file
    assert await is_encrypted(f"{secure}?ssl-mode=require")
    assert await is_encrypted(f"{secure}?ssl-mode=prefer")
    assert await is_encrypted(f"{secure}?ssl_ca={authority.file}")
    assert await is_encrypted(f"{secure}?sslmode=verify-full&sslrootcert={authority.file}")
    assert not await is_encrypted(f"{secure}?sslmode=disable")
    for options in ("sslmode=verify-full", f"sslmode=require&sslrootcert={strange}"):
        error = await refusal(f"{secure}?{options}")
        assert isinstance(error, DatabaseUnusable)
        assert "comes from an authority that is not trusted" in str(error)


async def test_a_server_without_tls_is_not_spoken_to_in_plain_text_if_tls_was_asked_for(
    plain: str, authority: Authority
) -> None:
    assert not await is_encrypted(plain)
    assert not await is_encrypted(f"{plain}?sslmode=prefer")
    for options in (
        "ssl-mode=REQUIRED",
        "sslaccept=strict",
        f"sslmode=verify-full&sslrootcert={authority.file}",
    ):
        error = await refusal(f"{plain}?{options}")
        assert isinstance(error, DatabaseUnusable)
        assert "no TLS" in str(error)
        assert "127.0.0.1:" in str(error)


@pytest.mark.parametrize("mode", ["allow", "prefer"])
async def test_what_is_for_other_programs_changes_nothing(
    cluster: Path, authority: Authority, mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """asyncpg would read these where it is told `allow` or `prefer`, and files at home."""
    async with (
        PostgresServer(cluster=cluster) as plain,
        PostgresServer(cluster=cluster, certificate=authority.certify()) as secure,
    ):
        monkeypatch.setenv("PGSSLCERT", "/gone.pem")
        monkeypatch.setenv("PGSSLMINPROTOCOLVERSION", "SSLv2")
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".postgresql").mkdir()
        (tmp_path / ".postgresql" / "postgresql.crt").write_text("no certificate")
        assert not await is_encrypted(f"{plain.url}?sslmode={mode}")
        assert await is_encrypted(f"{secure.url}?sslmode={mode}") == (mode == "prefer")


async def test_what_a_server_insists_on_is_done_where_either_way_is_allowed(
    cluster: Path, authority: Authority
) -> None:
    async with PostgresServer(cluster=cluster, certificate=authority.certify()) as server:
        rules = server.data / "pg_hba.conf"
        for only, mode in (("hostssl", "allow"), ("hostnossl", "prefer")):
            rules.write_text(f"local all all trust\n{only} all all 127.0.0.1/32 trust\n")
            await server.restart()
            assert await is_encrypted(f"{server.url}?sslmode={mode}") == (only == "hostssl")


async def test_a_certificate_has_to_be_that_of_the_host(make: Make, authority: Authority) -> None:
    async with make(authority.certify("127.0.0.9")) as server:
        assert await is_encrypted(f"{server.url}?sslmode=verify-ca&sslrootcert={authority.file}")
        error = await refusal(f"{server.url}?sslmode=verify-full&sslrootcert={authority.file}")
        assert "for another host" in str(error)


async def test_a_certificate_that_is_over_is_told(make: Make, authority: Authority) -> None:
    async with make(authority.certify(is_over=True)) as server:
        error = await refusal(f"{server.url}?sslrootcert={authority.file}")
        assert "is not valid now" in str(error)


async def test_a_file_that_is_no_certificate_is_told(tmp_path: Path) -> None:
    (pem := tmp_path / "ca.pem").write_text("no certificate")
    for scheme in ("postgres", "mysql"):
        error = await refusal(f"{scheme}://db/moorings?sslrootcert={pem}")
        assert "must be PEM" in str(error)


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
async def test_who_does_not_answer_is_named_with_the_reason(scheme: str) -> None:
    with closed_port() as port:
        error = await refusal(f"{scheme}://ana@127.0.0.1:{port}/moorings")
    assert isinstance(error, DatabaseBusy)
    assert f"127.0.0.1:{port} cannot be reached: nothing listens there" in str(error)
    error = await refusal(f"{scheme}://ana@no-such-host.invalid/moorings")
    assert "has a name that is not found: check no-such-host.invalid" in str(error)
    error = await refusal(f"{scheme}:///moorings?host=/gone/socket")
    assert "/gone/socket cannot be reached: nothing listens there" in str(error)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_port = silent.getsockname()[1]
        error = await refusal(f"{scheme}://ana@127.0.0.1:{silent_port}/moorings?command_timeout=1")
    assert f"127.0.0.1:{silent_port} gives no answer in time" in str(error)


@pytest.mark.usefixtures("cluster")
async def test_postgres_can_be_reached_by_its_socket(cluster: Path) -> None:
    async with PostgresServer(cluster=cluster) as server:
        url = f"postgres://postgres@/moorings?host={server.data.parent}&port={server.port}"
        assert not await is_encrypted(url)


async def test_mariadb_can_be_reached_by_its_socket(mariadb_home: Path) -> None:
    async with MariaDbServer(mariadb_home) as server:
        assert not await is_encrypted(f"mysql://root@localhost/moorings?socket={server.socket}")


async def test_a_password_is_sent_as_it_is_meant(mariadb_home: Path) -> None:
    async with MariaDbServer(mariadb_home) as server:
        database = await open_database(server.url)
        await sql.rows(database, "GRANT ALL ON moorings.* TO ana IDENTIFIED BY 'p/w@x'")
        await database.close()
        for password in ("p%2Fw%40x", "p%2Fw@x"):
            url = server.url.replace("root@", f"ana:{password}@")
            assert not await is_encrypted(url)


async def test_options_of_a_server_are_set_as_its_own_clients_set_them(cluster: Path) -> None:
    async with PostgresServer(cluster=cluster) as server:
        database = await open_database(f"{server.url}?options=-c%20work_mem%3D5MB")
        assert await sql.rows(database, "SHOW work_mem") == [{"work_mem": "5MB"}]
        await database.close()


async def test_a_schema_is_used_for_all_tables(cluster: Path) -> None:
    async with PostgresServer(cluster=cluster) as server:
        with pytest.raises(DatabaseUnusable, match="no such schema"):
            await open_database(f"{server.url}?schema=bots")
        plain = await open_database(server.url)
        await sql.rows(plain, "CREATE SCHEMA bots")
        await plain.close()
        database = await open_database(f"{server.url}?schema=bots")
        tables = await sql.rows(database, "SELECT tablename FROM pg_tables WHERE schemaname='bots'")
        await database.close()
        assert {"conversation", "turn"} <= {str(row["tablename"]) for row in tables}
