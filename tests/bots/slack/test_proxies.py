"""Behind a proxy all goes through it: Slack's API, sockets and files, and the model."""

from __future__ import annotations

from urllib.parse import urlsplit

from bots.check_result import Verdict
from bots.slack import checkup
from bots.slack.checkup import Wanted
from tests.bots.slack.bots import Workspace
from tests.bots.slack.test_files import AGENTS, SUPPORT
from tests.peers.proxy import Proxy


async def test_a_bot_reaches_slack_its_files_and_its_model_through_the_proxy(
    workspace: Workspace, proxy: Proxy
) -> None:
    api, model = (
        urlsplit(url).netloc for url in (workspace.slack.api_url, workspace.endpoint.base_url)
    )
    async with workspace.bot(AGENTS):
        workspace.slack.share_file(SUPPORT, "U0ANNA", "notes.txt", b"buy milk")
        assert len(await workspace.answered(SUPPORT)) == 1
    assert set(proxy.asked) == {api, model}
    assert not proxy.lines or {
        f"POST http://{api}/api/auth.test",
        f"POST http://{api}/api/apps.connections.open",
        f"GET ws://{api}/link/",
        f"POST http://{model}/v1/chat/completions",
    } <= {line.partition("?")[0] for line in proxy.lines}
    assert not proxy.lines or any(line.endswith("notes.txt") for line in proxy.lines)


async def test_doctor_reaches_slack_through_the_proxy(workspace: Workspace, proxy: Proxy) -> None:
    found = await checkup.examine(workspace.settings(), Wanted(scopes=(), events=()), [])
    assert Verdict.FAILED not in {each.verdict for each in found}
    assert set(proxy.asked) == {urlsplit(workspace.slack.api_url).netloc}
