"""What `moorings doctor` looks at, one check after the other, each with what to do."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)

from humanize import naturalsize, naturaltime

from bots import model_checkup
from bots.check_result import CheckResult, failed, failures, fine, skipped, warning
from bots.slack import checkup
from bots.slack.checkup import Wanted
from bots.slack.manifest import EVENTS, SCOPES
from bots.slack.workspaces import Grant, Workspaces
from core import clock
from core.config.access import EVERY_WORKSPACE, GROUP, Access
from core.config.agents_file import AgentsFile
from core.config.agents_file import read as read_agents_file
from core.config.binding import Binding
from core.config.settings import Settings, from_environment
from core.errors import ConfigMistake
from core.lazy import lazy
from core.messaging.installations import Installations
from core.tools.catalogue import toolbox
from core.upkeep import nightly
from core.upkeep.space import why_short
from storage.database import Condition, open_database
from storage.database import examine as examine_database
from storage.errors import StorageError
from storage.sizes import space

ExamineDiscord = Callable[[Settings, Sequence[Binding], Access], Awaitable[list[CheckResult]]]
_CLOCK_SECONDS = 5
_UNTOLD = Access(workspaces=frozenset({EVERY_WORKSPACE}))  # by a file that cannot be read


async def examine() -> AsyncIterator[CheckResult]:
    """Look at everything that this process could be started with; changes nothing."""
    try:
        settings = from_environment()
    except ConfigMistake as mistake:
        for result in failures("settings", mistake):
            yield result
        return
    yield fine("settings", "the environment and .env can be read")
    file: AgentsFile | None = None
    try:
        file = read_agents_file(settings.config)
    except ConfigMistake as mistake:
        for result in failures("agents", mistake):
            yield result
    else:
        async for result in _agents(settings, file):
            yield result
    result, condition = await _database(settings)
    yield result
    for result in (*_clock(condition), *_room(condition)):
        yield result
    yield await _backup(settings, file, condition)
    yield _secrets(settings)
    async for result in _slack(settings, file, condition):
        yield result
    for result in await _discord(settings, file):
        yield result
    yield _http(settings)


async def _agents(settings: Settings, file: AgentsFile) -> AsyncIterator[CheckResult]:
    """What the agents file names: agents, their tools, and each agent's models."""
    whence = f"{settings.config}" if settings.config else "no agents.toml, so the built-in one"
    yield fine("agents", f"{whence}: {', '.join(file.agents)}; {file.default_agent} by default")
    for result in _tools(file):
        yield result
    for result in await model_checkup.examine(settings, file.agents.values()):
        yield result


def _wanted(file: AgentsFile | None) -> Wanted:
    if file is None:
        return Wanted(scopes=SCOPES, events=EVENTS, access=_UNTOLD)
    rules = (file.access, *file.agent_access.values())
    groups = [each for rule in rules for each in rule.belongings if each.startswith(GROUP)]
    return Wanted(scopes=SCOPES, events=EVENTS, access=file.access, has_groups=bool(groups))


def _tools(file: AgentsFile) -> Iterator[CheckResult]:
    found: set[str] = set()
    is_whole = True
    for spec in file.agents.values():
        try:
            toolbox(spec.tools, with_memory=spec.memory)
            found.update(spec.tools)
        except ConfigMistake as mistake:
            is_whole = False
            yield from failures("tools", ConfigMistake(f"agent {spec.name}: {mistake}"))
    if is_whole:
        yield fine("tools", ", ".join(sorted(found)) or "none")


async def _database(settings: Settings) -> tuple[CheckResult, Condition | None]:
    try:
        found = await examine_database(settings.database_url, clock.now)
    except StorageError as error:
        return failed("database", str(error)), None
    where = f"{found.shown}, through a pooler" if found.is_pooled else found.shown
    if found.newest is None:
        return fine("database", f"{where}, empty: its tables are made at the start"), found
    schema = f"{where}, schema {found.newest}"
    if found.missing:
        later = f"{found.missing[-1]} comes with `moorings migrate`, or at the next start"
        return fine("database", f"{schema}; {later}"), found
    return fine("database", schema), found


def _clock(condition: Condition | None) -> list[CheckResult]:
    """Clocks that differ let processes take conversations from each other."""
    if condition is None or abs(condition.ahead_seconds) < _CLOCK_SECONDS:
        return []
    seconds = condition.ahead_seconds
    return [
        failed(
            "clock",
            f"this machine is {abs(seconds):.0f} seconds {'ahead of' if seconds > 0 else 'behind'} "
            "the database server: let both follow NTP",
        )
    ]


def _room(condition: Condition | None) -> list[CheckResult]:
    """Of a server's disk nobody tells."""
    if condition is None or condition.file is None or condition.newest is None:
        return []
    found = space(condition.file)
    if short := why_short(found):
        return [warning("disk", why) for why in short]
    return [
        fine("disk", f"the database has {naturalsize(found.size)}, {naturalsize(found.free)} free")
    ]


async def _backup(
    settings: Settings, file: AgentsFile | None, condition: Condition | None
) -> CheckResult:
    if file is None or file.backup is None:
        return skipped("backup", "not configured (write [backup] into the agents file)")
    if condition is None or condition.missing:
        return skipped("backup", "the database cannot tell yet")
    database = await open_database(settings.database_url)
    try:
        age = await nightly.age(clock.now())
    finally:
        await database.close()
    if age is None:
        return warning("backup", "there is none yet: a bot that runs writes the first one at once")
    if age > nightly.LATE:
        return warning(
            "backup",
            f"the last one was {naturaltime(age)}: look for `backup failed` in the log of the bot",
        )
    return fine("backup", f"the last one was {naturaltime(age)}, {file.backup.keep} are kept")


def _secrets(settings: Settings) -> CheckResult:
    if settings.secret_key:
        return fine("tokens", "tokens of installed workspaces are encrypted in the database")
    return skipped(
        "tokens",
        "tokens of installed workspaces lie in the database as they are (set MOORINGS_SECRET_KEY, "
        "such as `openssl rand -hex 32` makes, to encrypt them)",
    )


async def _slack(
    settings: Settings, file: AgentsFile | None, condition: Condition | None
) -> AsyncIterator[CheckResult]:
    installed: list[Grant] = []
    try:
        installed = await _installed(settings, condition)
    except ConfigMistake as mistake:
        for result in failures("tokens", mistake):
            yield result
    for result in await checkup.examine(settings, _wanted(file), installed):
        yield result


async def _installed(settings: Settings, condition: Condition | None) -> list[Grant]:
    """The workspaces that have installed the Slack app; a database that is older has none."""
    if condition is None or condition.missing or not settings.slack_client_id:
        return []
    database = await open_database(settings.database_url)
    try:
        return await Workspaces(Installations("slack", clock.now, settings.secret_key)).everyone()
    finally:
        await database.close()


async def _discord(settings: Settings, file: AgentsFile | None) -> list[CheckResult]:
    """Importing Discord's SDK takes half a second: only where there is a token."""
    if settings.discord_token is None:
        return [skipped("discord", "not configured (set DISCORD_TOKEN)")]
    examine: ExamineDiscord = lazy("bots.discord.checkup", "examine")
    return await examine(settings, file.bindings if file else (), file.access if file else _UNTOLD)


def _http(settings: Settings) -> CheckResult:
    port, admin_port = settings.port, settings.admin_port
    if admin_port not in (None, port):
        public = f"PORT {port}: /healthz; " if port else ""
        return fine("http", f"{public}MOORINGS_ADMIN_PORT {admin_port}: /readyz, /metrics")
    if port:
        return fine("http", f"PORT {port}: /healthz, /readyz, /metrics")
    return skipped("http", "not configured (set PORT)")
