"""A MariaDB server of a test's own, with TLS or without it.

It needs the server's programs (`apt install mariadb-server`), and no server that runs.
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

import asyncmy

from tests.patience import PATIENCE
from tests.peers.certificates import Certificate
from tests.peers.ports import free_port

_DATABASE = "moorings"
_POLL_SECONDS = 0.05
_OPTIONS = ("--no-defaults", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M")


class MariaDbServer:
    """A server on a free port of the loopback, whose user `root` has no password.

    `home` is the data of a server that `install` made. It runs as another user when the tests run
    as root, which MariaDB refuses.
    """

    def __init__(self, home: Path, certificate: Certificate | None = None) -> None:
        self._home = home
        self._certificate = certificate
        self._folder = Path()
        self._port = 0
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """A database that was empty at the beginning."""
        return f"mysql://root@127.0.0.1:{self._port}/{_DATABASE}"

    @property
    def socket(self) -> Path:
        """Where it listens besides its port."""
        return self._folder / "socket"

    async def __aenter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
        try:
            await self._start()
        except BaseException:
            await self._remove()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._remove()

    async def _start(self) -> None:
        data = f"--datadir={self._folder / 'data'}"
        own = f"--tmpdir={self._folder}"  # a server that starts deletes what others have in theirs
        if user := _user():
            shutil.chown(self._folder, user)
        await _copy(self._home, self._folder / "data")
        self._port = free_port()
        here = [f"--port={self._port}", "--bind-address=127.0.0.1", f"--socket={self.socket}"]
        command = ["mariadbd", *_OPTIONS, data, own, *here, *self._tls()]
        self._process = await _run(self._folder, *command)
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():
                assert self._process.returncode is None, (self._folder / "log").read_text()
                await asyncio.sleep(_POLL_SECONDS)

    def _tls(self) -> list[str]:
        if self._certificate is None:
            return ["--skip-ssl"]
        copies = [Path(shutil.copy(file, self._folder)) for file in self._certificate]
        if user := _user():
            for copy in copies:
                shutil.chown(copy, user)
        certificate, key = copies
        return [f"--ssl-cert={certificate}", f"--ssl-key={key}"]

    async def _answers(self) -> bool:
        try:
            session = await asyncmy.connect(unix_socket=str(self.socket), user="root")
        except (OSError, asyncmy.errors.MySQLError):
            return False
        async with session.cursor() as cursor:
            await cursor.execute(f"CREATE DATABASE {_DATABASE}")
        await session.ensure_closed()
        return True

    async def _remove(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
        shutil.rmtree(self._folder)


async def install(home: Path) -> None:
    """Leave the data of a server in this folder."""
    with tempfile.TemporaryDirectory(prefix="mariadb-") as name:
        folder = Path(name)
        if user := _user():
            shutil.chown(folder, user)
        how = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        made = await _run(
            folder, "mariadb-install-db", *_OPTIONS, *how, f"--datadir={folder / 'data'}"
        )
        assert await made.wait() == 0, (folder / "log").read_text()
        await _copy(folder / "data", home)


async def _copy(data: Path, to: Path) -> None:
    process = await asyncio.create_subprocess_exec("cp", "-aT", data, to)
    assert await process.wait() == 0


async def _run(folder: Path, *command: str) -> Process:
    user = _user()
    with (folder / "log").open("a") as log:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            user=user,
            group=user and pwd.getpwnam(user).pw_gid,
            extra_groups=user and [],
        )


def available() -> bool:
    """Whether a server's programs are installed."""
    return bool(shutil.which("mariadb-install-db") and shutil.which("mariadbd"))


def _user() -> str | None:
    if os.getuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "mysql" if "mysql" in names else "nobody"
