"""A PgBouncer of a test's own in front of a PostgreSQL, in transaction mode.

It needs the program (`apt install pgbouncer`), and no service that runs.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import asyncpg

from tests.patience import PATIENCE
from tests.peers.ports import free_port

_POLL_SECONDS = 0.02


class PgBouncer:
    """A pooler on a free port of the loopback, for the server and the database of a URL.

    `settings` are added to its configuration, as `max_client_conn`.
    """

    def __init__(self, url: str, **settings: str) -> None:
        self._server = urlsplit(url)
        self._settings = {"pool_mode": "transaction", "default_pool_size": "4", **settings}
        self._folder = Path()
        self._port = free_port()
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The same database, through it."""
        return f"postgres://{self._server.username}@127.0.0.1:{self._port}{self._server.path}"

    @property
    def log(self) -> str:
        """What it has written since it was made."""
        return (self._folder / "log").read_text()

    async def __aenter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        try:
            self._configure()
            await self.start()
        except BaseException:
            await self._remove()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._remove()

    async def start(self) -> None:
        """Return when it answers."""
        user = _user()
        with (self._folder / "log").open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                _program(),
                self._folder / "pgbouncer.ini",
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                group=user and pwd.getpwnam(user).pw_gid,
                extra_groups=user and [],
            )
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():
                assert self._process.returncode is None, self.log
                await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """End it at once, with all connections."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()

    async def restart(self) -> None:
        """Stop it, start it, and return when it answers."""
        await self.stop()
        await self.start()

    def _configure(self) -> None:
        server = self._server
        (self._folder / "users.txt").write_text(f'"{server.username}" "{server.password or ""}"\n')
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self._port),
            "unix_socket_dir": "",
            "auth_type": "md5" if server.password else "trust",
            "auth_file": str(self._folder / "users.txt"),
            **self._settings,
        }
        place = f"host={server.hostname} port={server.port or 5432}"
        lines = ["[databases]", f"* = {place}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (self._folder / "pgbouncer.ini").write_text("\n".join([*lines, ""]))
        if user := _user():
            for each in (self._folder, *self._folder.iterdir()):
                shutil.chown(each, user)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url, statement_cache_size=0)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    async def _remove(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._folder)


def available() -> bool:
    """Whether the program is installed."""
    return Path(_program()).exists()


def _program() -> str:
    return shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


def _user() -> str | None:
    """PgBouncer refuses to run as root."""
    if os.getuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
