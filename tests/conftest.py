"""What every test can have: an open database of each kind, and moments in time."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock
from hypothesis import settings

from core import network
from storage.database import Database, open_database
from tests import databases, prepared
from tests.peers import postgres

SERVERS = {
    "postgres": os.environ.get("MOORINGS_TEST_POSTGRES", ""),  # noqa: TID251  # of the test run
    "mysql": os.environ.get("MOORINGS_TEST_MYSQL", ""),  # noqa: TID251  # of the test run
}
NAMES = {"postgres": "PostgreSQL", "mysql": "MariaDB"}
IS_CI = bool(os.environ.get("CI"))  # noqa: TID251  # of the test run, not of the program
# Six hundred tests that are only collected to be skipped take four seconds of all workers.
KINDS = ["sqlite", *(kind for kind, url in SERVERS.items() if url or IS_CI)]
# What starts processes, the longest first. It waits most of its seconds, in which others use the
# processor; and whoever runs some of it first starts a fork server, for two seconds of processor:
# all that starts processes is here.
WAITING = (
    "tests/journeys/",
    "tests/storage/test_server_restarts.py",
    "tests/storage/test_tls.py",
    "tests/storage/test_pooler.py",
    "tests/storage/test_upgrade.py",
    "tests/bots/terminal/",
    "tests/bots/cli/",
    "tests/bots/test_deploy.py",
    "tests/bots/test_doctor.py",
    "tests/bots/test_imported.py",
    "tests/bots/test_models.py",
    "tests/bots/test_network.py",
    "tests/bots/test_serve.py",
    "tests/bots/test_surroundings.py",
    "tests/bots/test_web_server.py",
    "tests/bots/discord/test_manifest.py",
    "tests/bots/slack/test_manifest.py",
    "tests/bots/slack/test_platform.py",
    "tests/core/api/test_process.py",
    "tests/core/memory/test_indexing.py",
    "tests/core/test_kill_points.py",
    "tests/core/test_runtime.py",
    "tests/core/tools/test_threads.py",
    "tests/core/upkeep/test_nightly.py",
    "tests/core/upkeep/test_schedule.py",
    "tests/peers_tests/test_endpoint.py",
    "tests/peers_tests/test_postgres.py",
    "tests/peers_tests/test_slack_process.py",
    "tests/storage/drivers/test_lock.py",
    "tests/storage/drivers/test_transaction.py",
    "tests/storage/test_backup.py",
    "tests/storage/test_database.py",
    "tests/storage/test_exit.py",
    "tests/storage/test_migration.py",
    "tests/storage/test_owners.py",
    "tests/storage/test_protocol.py",
    "tests/test_docs.py",
    "tests/test_pages.py",
)
Once = Callable[[str, Callable[[Path], None]], Path]
NEEDS_SERVER = "needs a server"
SWITCH_ON = NEEDS_SERVER + ": MOORINGS_TEST_{0}={1}://user:password@127.0.0.1/database make test"

# How many examples each property is tried with; `make chaos` is thorough. The machine may be busy.
settings.register_profile("daily", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=300, deadline=None)
settings.load_profile("daily")


def pytest_configure() -> None:
    """Hear Ctrl-C also where whoever started the tests does not, as a job in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()  # nothing of what is imported and collected is garbage: a tenth of the time
    gc.freeze()  # nor at the end of the process that runs no tests, where pytest looks for it
    # Nobody here speaks TLS: each client would read all authorities of the machine, for 40 ms.
    for name in network._BUNDLES:
        os.environ.pop(name, None)  # noqa: TID251  # of the test run, not of the program
    os.environ["SSL_CERT_DIR"] = os.devnull  # noqa: TID251  # as above
    prepared.without_types()
    prepared.once_a_dialect()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let every second worker begin with what waits, while the others have the processor."""
    count = int(getattr(config, "workerinput", {}).get("workercount", 1))
    ranks = {item: _rank(item.nodeid) for item in items}
    waiting = sorted((item for item in items if ranks[item] < len(WAITING)), key=ranks.__getitem__)
    others = iter([item for item in items if ranks[item] == len(WAITING)])
    share, patient = -(-len(items) // count), -(-count // 2)
    items.clear()
    for number in range(count):
        first = [] if number % 2 else waiting[number // 2 :: patient]
        items += [*first, *itertools.islice(others, max(0, share - len(first)))]


def _rank(name: str) -> int:
    return next((n for n, start in enumerate(WAITING) if name.startswith(start)), len(WAITING))


def pytest_collection_finish() -> None:
    """What was collected stays: looking for garbage in it would take a tenth of a second a time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # by default it looks each 700 objects: a twentieth of a run
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all that was skipped or not collected, with how to switch it on."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)
    left_out = [f"{count} {why}" for why, count in reasons.most_common() if not _is_off(why)]
    if off := [name for kind, name in NAMES.items() if kind not in KINDS]:
        left_out.append(f"all on {' and '.join(off)}: `make test-all` runs it")
    if left_out:
        terminalreporter.write_line(f"skipped: {'; '.join(left_out)}")


def _is_off(why: str) -> bool:
    return why.startswith(NEEDS_SERVER + ":")


@pytest.fixture
def now() -> datetime:
    """One moment; what has to come later adds to it."""
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes a folder by its name, once for all processes that run tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        home, part = shared / name, shared / f"{name}.part"
        with FileLock(shared / f"{name}.lock"):
            if not home.exists():
                part.mkdir(exist_ok=True)
                fill(part)
                part.rename(home)
        return home

    return make


@pytest.fixture(scope="session")
def migrated(once: Once) -> Path:
    """An empty database file with the schema: copying it saves a migration a test."""
    folder = once(
        "migrated", lambda home: asyncio.run(databases.make(f"sqlite://{home}/moorings.db"))
    )
    return folder / "moorings.db"


@pytest.fixture(scope="session")
def cluster(once: Once) -> Path:
    """What initdb made, with a database that has the schema, for servers of a test's own."""
    needs_own("postgres", "postgresql", is_there=postgres.available())
    return once("cluster", lambda home: asyncio.run(postgres.make_cluster(home, databases.make)))


@pytest.fixture(scope="session")
def servers() -> Iterator[Mapping[str, databases.Server]]:
    """Those that are switched on."""
    found = {kind: databases.Server(url) for kind, url in SERVERS.items() if url}
    yield found
    for server in found.values():
        server.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file of this test's own, which is not there yet."""
    return f"sqlite://{tmp_path}/moorings.db"


@pytest.fixture
def filled_url(migrated: Path, tmp_path: Path) -> str:
    """A database file of this test's own that has the schema already."""
    shutil.copy(migrated, tmp_path / "moorings.db")
    return f"sqlite://{tmp_path}/moorings.db"


@pytest.fixture
async def sqlite(filled_url: str) -> AsyncIterator[Database]:
    """An open SQLite database."""
    database = await open_database(filled_url)
    yield database
    await database.close()


@pytest.fixture(params=KINDS)
def empty_url(
    request: pytest.FixtureRequest, sqlite_url: str, servers: Mapping[str, databases.Server]
) -> Iterator[str]:
    """The URL of a database without tables, of each kind that is switched on."""
    kind = str(request.param)
    if kind == "sqlite":
        yield sqlite_url
        return
    with switched_on(servers, kind).empty() as url:
        yield url


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, servers: Mapping[str, databases.Server]) -> Iterator[str]:
    """The URL of a database with the schema, of each kind that is switched on."""
    kind = str(request.param)
    if kind == "sqlite":
        yield str(request.getfixturevalue("filled_url"))
        return
    with switched_on(servers, kind).filled() as url:
        yield url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """An open database of each kind that is switched on."""
    opened = await open_database(url)
    yield opened
    await opened.close()


def switched_on(servers: Mapping[str, databases.Server], kind: str) -> databases.Server:
    """The server of this kind; without it the test is skipped, saying how to switch it on."""
    if kind not in servers:
        off(kind)
    return servers[kind]


def needs_own(kind: str, package: str, *, is_there: bool) -> None:
    """Skip a test that starts a server of its own where tests of this kind are switched off."""
    if kind not in KINDS:
        off(kind)
    if not is_there:
        skip_or_fail(f"{NEEDS_SERVER} of its own: apt install {package}")


def off(kind: str) -> NoReturn:
    """Skip a test of this kind, saying how to switch it on; in CI it fails."""
    skip_or_fail(SWITCH_ON.format(kind.upper(), kind))


def skip_or_fail(how: str) -> NoReturn:
    """Skip a test that needs what is not there, saying how to get it; in CI it fails."""
    if IS_CI:
        pytest.fail(how)
    pytest.skip(how)
