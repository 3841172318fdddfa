"""A PostgreSQL server of a test's own, which it may restart and kill.

It needs the server's programs (`apt install postgresql`), and no server that runs.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal, Self

import asyncpg

from tests.patience import PATIENCE
from tests.peers.certificates import Certificate
from tests.peers.ports import free_port

How = Literal["fast", "immediate"]

_SIGNALS: Mapping[How, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "16MB",
    "lc_messages": "C",
}
_DATABASE = "moorings"
_POLL_SECONDS = 0.02
_START_SECONDS = 60


class PostgresServer:
    """A server on a free port of the loopback; a crash of it loses nothing that was committed.

    `settings` are added to its configuration, as `shared_preload_libraries`; `cluster` is the data
    of a server that was stopped, from which this one is copied; with a `certificate` it speaks TLS
    to whoever asks for it. It runs as another user when the
    tests run as root, which PostgreSQL refuses.
    """

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        cluster: Path | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self._settings = _SETTINGS | dict(settings or {})
        self._cluster = cluster
        self._certificate = certificate
        self._user = _user()
        self._folder = Path()
        self._port = 0
        self._postmaster: Process | None = None

    @property
    def port(self) -> int:
        """The same for all its lives."""
        return self._port

    @property
    def url(self) -> str:
        """A database that was empty at the beginning, or as the cluster has it."""
        return self._url(_DATABASE)

    @property
    def data(self) -> Path:
        """All that it keeps; another one's cluster, once it was stopped."""
        return self._folder / "data"

    @property
    def log(self) -> str:
        """What it has written since it was made."""
        return (self._folder / "log").read_text()

    async def __aenter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        try:
            await self._make()
        except BaseException:
            await self._remove()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._remove()

    async def start(self) -> None:
        """Return when it answers; processes that outlived their postmaster are waited for."""
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():
                if self._postmaster is None or self._postmaster.returncode is not None:
                    self._postmaster = await self._run("postgres", "-D", str(self.data))
                await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, how: How = "fast") -> None:
        """End all its processes: `fast` politely, `immediate` as in an emergency."""
        await self._end(_SIGNALS[how])

    async def restart(self, how: How = "fast") -> None:
        """Stop it, start it, and return when it answers."""
        await self.stop(how)
        await self.start()

    async def demote(self) -> None:
        """Make a standby of it, which lets everybody read and nobody write."""
        await self.stop()
        mark = self.data / "standby.signal"
        mark.touch()
        if self._user:
            shutil.chown(mark, self._user)
        await self.start()

    async def promote(self) -> None:
        """Make a primary of it again, without ending a connection."""
        connection = await asyncpg.connect(self._url("postgres"))
        assert await connection.fetchval("SELECT pg_promote()")
        await connection.close()

    async def kill(self) -> None:
        """Kill the postmaster alone; the processes of its connections end when they notice."""
        await self._end(signal.SIGKILL)

    async def _make(self) -> None:
        if self._user:
            shutil.chown(self._folder, self._user)
        if self._cluster:
            await _copy(self._cluster, self.data)
        else:
            options = ["--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8"]
            process = await self._run("initdb", "-D", str(self.data), "--wal-segsize=1", *options)
            assert await process.wait() == 0, self.log
        self._port = free_port()
        places = {"port": str(self._port), "unix_socket_directories": str(self._folder)}
        with (self.data / "postgresql.conf").open("a") as configuration:
            for name, value in {**self._settings, **places, **self._tls()}.items():
                configuration.write(f"{name} = '{value}'\n")
        await self.start()
        if not self._cluster:
            connection = await asyncpg.connect(self._url("postgres"))
            await connection.execute(f"CREATE DATABASE {_DATABASE}")
            await connection.close()

    def _tls(self) -> dict[str, str]:
        if self._certificate is None:
            return {}
        file, key = (Path(shutil.copy(each, self._folder)) for each in self._certificate)
        if self._user:
            shutil.chown(key, self._user)
        return {"ssl": "on", "ssl_cert_file": str(file), "ssl_key_file": str(key)}

    async def _remove(self) -> None:
        await self._end(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    async def _end(self, how: signal.Signals) -> None:
        if self._postmaster and self._postmaster.returncode is None:
            self._postmaster.send_signal(how)
            await self._postmaster.wait()
        self._postmaster = None

    async def _run(self, program: str, *arguments: str) -> Process:
        programs = _programs()
        assert programs
        with (self._folder / "log").open("a") as log:
            return await asyncio.create_subprocess_exec(
                programs / program,
                *arguments,
                cwd=self._folder,
                env={"LC_ALL": "C", "TZ": "UTC"},
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user and pwd.getpwnam(self._user).pw_gid,
                extra_groups=self._user and [],
            )

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self._url("postgres"))
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    def _url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self._port}/{database}"


async def make_cluster(home: Path, fill: Callable[[str], Awaitable[None]]) -> None:
    """Leave the data of a server in this folder, whose database was filled."""
    async with PostgresServer() as server:
        await fill(server.url)
        await server.stop()
        await _copy(server.data, home)


async def _copy(data: Path, to: Path) -> None:
    process = await asyncio.create_subprocess_exec("cp", "-a", f"{data}/.", to)
    assert await process.wait() == 0


def available() -> bool:
    """Whether a server's programs are installed."""
    return _programs() is not None


def has_library(name: str) -> bool:
    """Whether the server could preload it: `pg_stat_statements` comes in a package of its own."""
    programs = _programs()
    return bool(programs and (programs.parent / "lib" / f"{name}.so").exists())


def _programs() -> Path | None:
    """The folder of the newest version; Debian does not put them into PATH."""
    if versions := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version):
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.parts[-3])]


def _user() -> str | None:
    if os.getuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
