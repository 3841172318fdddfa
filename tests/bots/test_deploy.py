"""The files for hosts agree with the program: commands, paths, ports, time to stop."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

import pytest

from bots.cli import COMMANDS
from bots.http import HttpPort
from core.config.settings import Settings
from core.runtime import Runtime
from storage.drivers.url import parse
from tests.bots.program import with_key
from tests.forked import ROOT
from tests.patience import PATIENCE
from tests.peers.endpoint import Endpoint
from tests.test_docs import OPERATIONS, first_cells

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = (DEPLOY / "docker-compose.yml").read_text()
HOSTING = ROOT / "docs" / "hosting.md"
NEEDED = Settings().drain_seconds + 10  # seconds between SIGTERM and SIGKILL


def of_dockerfile(instruction: str) -> list[str]:
    """What stands behind this instruction, each time."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{instruction} +(.*)$", joined, re.MULTILINE)


def environment() -> Mapping[str, str]:
    """What the image sets."""
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(of_dockerfile("ENV"))))


@pytest.fixture
def unit() -> configparser.SectionProxy:
    """The section of the unit that says what is run."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
    parser.read(DEPLOY / "moorings.service")
    return parser["Service"]


def test_a_procfile_needs_nothing_that_is_installed_beyond_requirements() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    commands = dict(line.split(": python -m bots ") for line in lines)
    assert commands == {"release": "migrate", "worker": "run", "web": "run"}
    assert set(commands.values()) <= set(COMMANDS)


def test_the_image_runs_the_bot_and_nobody_is_root_in_it() -> None:
    [entry], [command] = (json.loads(*of_dockerfile(each)) for each in ("ENTRYPOINT", "CMD"))
    assert (entry, command) == ("moorings", "run")
    [user] = of_dockerfile("USER")
    assert int(user) > 0
    assert f"--uid {user} " in DOCKERFILE
    assert f"user {user} " in HOSTING.read_text()


def test_the_image_has_all_of_the_program_and_nothing_else() -> None:
    copied = {
        source
        for line in of_dockerfile("COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    }
    assert all((ROOT / each).exists() for each in copied)
    assert {"bots", "core", "storage"} < copied
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied


def test_the_image_keeps_its_file_where_its_volume_is() -> None:
    variables, [volume] = environment(), of_dockerfile("VOLUME")
    file = parse(variables["DATABASE_URL"]).file
    assert file
    assert str(file.parent) == volume
    assert f"{volume}:" not in variables["PATH"]
    assert of_dockerfile("EXPOSE") == [variables["PORT"]]


def test_every_setting_that_the_files_name_is_one() -> None:
    known = {*first_cells(OPERATIONS, "variable"), "PATH"}
    of_bot = COMPOSE.partition("  database:\n")[0]
    named = re.findall(r"^      ([A-Z_]+):", of_bot, re.MULTILINE)
    assert named
    assert {*environment(), *named} <= known


async def test_the_health_check_of_the_image_asks_what_is_there(filled_url: str) -> None:
    check = json.loads(re.findall(r"^HEALTHCHECK .*? CMD (.*)$", DOCKERFILE, re.MULTILINE)[0])

    assert check[0] == "python3"

    async def status(port: int) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *check[1:], env={"PORT": str(port)}, stderr=PIPE
        )
        await process.communicate()
        return process.returncode or 0

    runtime = await Runtime.open(Settings(database_url=filled_url))
    port = HttpPort(0, {})
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        serving = group.create_task(port.run(runtime.intake, asyncio.Event()))
        assert await status(port.port) == 0
        serving.cancel()
    assert await status(1) != 0
    await runtime.close()


# As `read_only`, `tmpfs` and `volumes` of the Compose file: /data stands at /mnt, /app at /srv. The
# program may itself be somewhere in /tmp.
READ_ONLY = """
mount --bind data /mnt && mount --bind app /srv && mount --bind "$PYTHONPATH" /media || exit 77
mount -t tmpfs tmpfs /tmp && mkdir -p "$PYTHONPATH" && mount --bind /media "$PYTHONPATH" || exit 77
for each in / /srv "$PYTHONPATH"; do mount -o remount,bind,ro "$each" || exit 77; done
cd /srv && "$@" && ! touch /srv/x /var/x 2>/dev/null
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="nobody may mount a disk here")
@pytest.mark.parametrize(
    "command",
    ["ask", *(pytest.param(each, marks=pytest.mark.chaos) for each in ("migrate", "doctor"))],
)
async def test_the_program_writes_only_where_the_compose_file_lets_it(
    tmp_path: Path, endpoint: Endpoint, command: str
) -> None:
    assert {"./agents:/app:ro", "data:/data"} <= set(re.findall(r"- (\S+:/\S+)", COMPOSE))
    assert {"read_only: true", "tmpfs: /tmp"} <= {line.strip() for line in COMPOSE.splitlines()}
    for folder in ("data", "app"):
        (tmp_path / folder).mkdir()
    (tmp_path / "app" / "agents.toml").write_text("[agents.assistant]\n")
    arguments = [command, "assistant", "hello"] if command == "ask" else [command]
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--mount", "sh", "-c", READ_ONLY, "sh"),
        *(sys.executable, "-m", "bots", *arguments),
        cwd=tmp_path,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": "sqlite:///mnt/moorings.db",
            "SSL_CERT_DIR": os.devnull,
            **with_key(endpoint.base_url),
        },
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    if process.returncode == 77 or b"unshare" in err:
        pytest.skip("nobody may mount a disk here")
    assert (process.returncode, err) == (0, b""), out
    assert (tmp_path / "data" / "moorings.db").exists() is (command != "doctor")


def test_each_host_waits_long_enough(unit: configparser.SectionProxy) -> None:
    [compose, _] = re.findall(r"stop_grace_period: (\d+)s", COMPOSE)
    pages = HOSTING.read_text()
    told = [
        *re.findall(r"kill_timeout = \"(\d+)s\"", pages),
        *re.findall(r"terminationGracePeriodSeconds: (\d+)", pages),
        *re.findall(r"DRAINING_SECONDS=(\d+)", pages),
        *re.findall(r"maxShutdownDelaySeconds: (\d+)", pages),
        *re.findall(r"--stop-timeout (\d+)", pages),
    ]
    assert len(told) >= 5
    assert all(int(each) >= NEEDED for each in (unit["TimeoutStopSec"], compose, *told))


def test_the_unit_runs_what_the_page_installs(unit: configparser.SectionProxy) -> None:
    program, command = unit["ExecStart"].split()
    page = OPERATIONS.read_text()
    assert command in COMMANDS
    assert f"ln -s {program} " in page
    assert f"mode 0750 {unit['WorkingDirectory']}\n" in page
    assert f"--home-dir /var/lib/{unit['StateDirectory']} " in page
    assert f"{unit['User']}\n" in page


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
async def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    unit = (DEPLOY / "moorings.service").read_text()
    copy = tmp_path / "moorings.service"
    copy.write_text(re.sub("ExecStart=.*", "ExecStart=/bin/true", unit))
    process = await asyncio.create_subprocess_exec(
        "systemd-analyze", "verify", "--man=no", copy, stdout=PIPE, stderr=PIPE
    )
    said = await process.communicate()
    assert (process.returncode, said) == (0, (b"", b""))


def test_no_file_names_a_registry() -> None:
    for each in DEPLOY.iterdir():
        images = re.findall(r"^ *(?:FROM|image:) +(\S+)", each.read_text(), re.MULTILINE)
        assert not [image for image in images if "/" in image]
        assert "index-url" not in each.read_text()
