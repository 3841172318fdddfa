"""The program where the host says how the network is reached: by all, or told in a sentence."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from bots.downloads import NAME, download, kept_at
from core import network
from core.errors import ModelDown, Transient
from core.llm import ModelRequest, PromptMessage, Role
from core.llm.endpoints import Endpoint as At
from core.llm.endpoints import Endpoints
from tests.bots.program import Program, with_key
from tests.forked import Life, cold, piped
from tests.patience import PATIENCE
from tests.peers.certificates import Authority, Certificate
from tests.peers.endpoint import Endpoint
from tests.peers.ports import free_port
from tests.peers.proxy import Proxy

DISTRUST = "certificate comes from an authority that is not trusted: add it to what SSL_CERT_FILE"
COMMANDS = [("ask", "assistant", "hello"), ("doctor",), ("migrate",), ("run",), ("chat",)]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Nobody trusts it yet."""
    return Authority(tmp_path)


@pytest.fixture
async def secure(authority: Authority) -> AsyncIterator[str]:
    """A server that speaks TLS, with files and models."""
    async with served(authority.certify()) as origin:
        yield origin


@asynccontextmanager
async def served(certificate: Certificate) -> AsyncIterator[str]:
    """As above, with this certificate."""

    async def file(_: web.Request) -> web.Response:
        return web.Response(body=b"something")

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "m", "object": "model"}], "object": "list"})

    app = web.Application()
    app.router.add_get("/files/a.txt", file)
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def fetch(origin: str) -> bytes:
    """The file there."""
    place = kept_at([origin], f"/files/{NAME}")
    return await download(f"{origin}/files/a.txt", 100, place=place)


async def answered(origin: str) -> None:
    """Ask its model."""
    endpoints = Endpoints()
    model = endpoints.model(["m"], At(base_url=f"{origin}/v1", api_key="sk-1"))
    request = ModelRequest(messages=(PromptMessage(role=Role.USER, content="hi"),))
    try:
        async with aclosing(model.stream(request)) as events:
            async for _ in events:
                pass
    finally:
        await endpoints.close()


async def listed(origin: str) -> bool:
    """Whether its models are listed."""
    endpoints = Endpoints()
    try:
        return await endpoints.listing(At(base_url=f"{origin}/v1", api_key="sk-1")) is not None
    finally:
        await endpoints.close()


async def test_tls_goes_through_a_proxy_and_is_verified_by_the_bundle(
    secure: str, authority: Authority, proxy: Proxy
) -> None:
    used = network.used()
    with pytest.raises(Transient):
        await fetch(secure)
    network.use(network.Network(secure=used.secure, bundles=(str(authority.file),)))
    assert await fetch(secure) == b"something"
    assert await listed(secure)
    assert set(proxy.asked) == {secure.removeprefix("https://")}
    assert all(line.startswith("CONNECT ") for line in proxy.lines)


@pytest.fixture
def distrusting(program: Program, secure: str, tmp_path: Path) -> Program:
    """As where a company's proxy looks into TLS, and another authority is named than its own."""
    (tmp_path / "other").mkdir()
    tokens = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "DISCORD_TOKEN": "1"}
    program.set(
        **with_key(f"{secure}/v1"),
        **tokens,
        SLACK_API_URL=f"{secure}/api/",
        DISCORD_API_URL=f"{secure}/api/v10",
        SSL_CERT_FILE=str(Authority(tmp_path / "other", "other").file),
    )
    return program


async def test_doctor_says_what_is_wrong_with_a_certificate(distrusting: Program) -> None:
    ended = await distrusting.run("doctor")
    failures = [line.split()[1] for line in ended.out.splitlines() if DISTRUST in line]
    assert failures == ["model", "slack", "slack", "discord"], ended.out
    assert "Traceback" not in ended.out + ended.err


async def test_a_question_and_a_start_say_what_is_wrong_with_a_certificate(
    distrusting: Program,
) -> None:
    migrated = await distrusting.run("migrate")
    asked = await distrusting.run("ask", "assistant", "hello")
    running = await distrusting.start("run")
    seen = b""
    async with asyncio.timeout(PATIENCE):
        while not all(f"waiting for {each}" in seen.decode() for each in ("Slack", "Discord")):
            seen += await running.stderr.readline()
    running.send_signal(signal.SIGTERM)
    stopped = await running.ended()
    assert (migrated.code, migrated.err) == (0, "")
    assert DISTRUST in asked.err
    assert all(DISTRUST in line for line in seen.decode().splitlines() if "waiting for" in line)
    assert stopped.code == 0
    assert "Traceback" not in asked.out + asked.err + seen.decode() + stopped.err


async def test_a_certificate_that_is_over_is_told(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.05)
    used = network.used()
    network.use(network.Network(bundles=(str(authority.file),)))
    async with served(authority.certify(is_over=True)) as origin:
        with pytest.raises(Transient, match="certificate is not valid now: set this machine's clo"):
            await fetch(origin)
        with pytest.raises(ModelDown, match="certificate is not valid now"):
            await answered(origin)
    network.use(used)


async def test_an_excepted_host_is_reached_without(secure: str, authority: Authority) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    network.use(network.Network(secure=dead, direct="127.0.0.1", bundles=(str(authority.file),)))
    assert await fetch(secure) == b"something"
    assert await listed(secure)
    network.use(network.Network())


@pytest.mark.parametrize("spelled", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("kind", ["http", "socks"])
async def test_the_program_asks_its_model_through_the_proxy(
    program: Program, endpoint: Endpoint, spelled: str, kind: str
) -> None:
    async with Proxy("ana:a-secret") as proxy:
        program.set(**{spelled: getattr(proxy, kind)})
        ended = await program.run("ask", "assistant", "hello")
        assert (ended.out, ended.err) == ("You said: hello\n", "")
        assert len(proxy.asked) == 1


async def test_a_proxy_may_stand_in_the_env_file(program: Program, endpoint: Endpoint) -> None:
    async with Proxy() as proxy:
        (program.folder / ".env").write_text(f"HTTP_PROXY={proxy.http}\n")
        assert (await program.run("ask", "assistant", "hello")).code == 0
        assert len(proxy.asked) == 1


async def test_what_is_empty_is_not_set(program: Program, endpoint: Endpoint) -> None:
    names = ("HTTP_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "OPENAI_ORG_ID")
    program.set(**dict.fromkeys(names, ""), REQUESTS_CA_BUNDLE=" ", DATABASE_URL="", PORT="")
    ended = await program.run("ask", "assistant", "hello")
    assert (ended.out, ended.err) == ("You said: hello\n", "")


@pytest.mark.parametrize("nothing", ["", " "])
async def test_an_endpoint_that_is_empty_in_the_environment_is_that_of_the_env_file(
    program: Program, endpoint: Endpoint, nothing: str
) -> None:
    (program.folder / ".env").write_text(f"OPENAI_BASE_URL={endpoint.base_url}\n")
    program.set(OPENAI_BASE_URL=nothing)
    ended = await program.run("ask", "assistant", "hello")
    assert (ended.out, ended.err) == ("You said: hello\n", "")


async def test_an_account_of_the_environment_is_told_to_nobody(
    program: Program, endpoint: Endpoint
) -> None:
    program.set(OPENAI_ORG_ID="org-of-a-test", OPENAI_PROJECT_ID="proj-of-a-test")
    assert (await program.run("ask", "assistant", "hello")).code == 0
    assert endpoint.headers[0].isdisjoint({"openai-organization", "openai-project"})


async def test_no_library_writes_down_the_keys_of_connections(
    program: Program, endpoint: Endpoint
) -> None:
    """As Python's ssl does where the environment says so: who has them reads every token.

    Some libraries make a context when they are imported.
    """
    keys = program.folder / "keys"
    environment = {**with_key(endpoint.base_url), "SSLKEYLOGFILE": str(keys)}
    source = "from bots.__main__ import main; main()"
    life = Life(
        arguments=("doctor",), folder=program.folder, environment=environment, source=source
    )
    for ended in (
        await cold(life),
        await (await piped(replace(life, arguments=("ask", "assistant", "hello")))).ended(),
    ):
        assert (ended.code, ended.err) == (0, "")
        assert not keys.exists()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HTTPS_PROXY", "ftp://ana:secret@proxy", "HTTPS_PROXY is no proxy that can be used"),
        ("all_proxy", "http://proxy:port", "all_proxy is no proxy that can be used"),
        ("SSL_CERT_FILE", "/gone/cacert.pem", "SSL_CERT_FILE names /gone/cacert.pem"),
        ("REQUESTS_CA_BUNDLE", "/gone/cacert.pem", "REQUESTS_CA_BUNDLE names /gone/cacert.pem"),
        ("SSL_CERT_DIR", "/gone:/gone/too", "SSL_CERT_DIR names /gone:/gone/too"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
async def test_what_cannot_be_used_ends_each_command_with_a_sentence(
    program: Program, command: tuple[str, ...], name: str, value: str, sentence: str
) -> None:
    program.set(**{name: value})
    ended = await program.run(*command)
    said = ended.out + ended.err
    assert ended.code == 1
    assert sentence in said
    assert "secret" not in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1
