"""What `moorings doctor` can find out about Slack: tokens, scopes, sockets, installations."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.check_result import CheckResult, failed, fine, skipped, unserved
from bots.slack.client import SLACK
from bots.slack.tokens import SaidNo, asked, check_sockets, identify, web
from bots.slack.workspaces import Grant
from core.config.access import OPEN, Access
from core.config.settings import Settings
from core.errors import ConfigMistake, Transient

_ABOUT = "slack"
_UNREACHABLE = "no answer"
_SCOPES_PAGE = "OAuth & Permissions"
_GROUPS = "usergroups:read"
_OPTIONAL = {
    _GROUPS: "nobody is let in as a member of a user group",
    "chat:write.public": "nobody is answered in channels that the bot has not been invited to",
}
_OAUTH_WORDS = {
    "invalid_client_id": "SLACK_CLIENT_ID is not known to Slack: copy it from Basic Information.",
    "bad_client_secret": (
        "SLACK_CLIENT_SECRET is not that of SLACK_CLIENT_ID: copy it from Basic Information."
    ),
    _UNREACHABLE: "Slack cannot be reached: check the network, a proxy, and SLACK_API_URL.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the manifest of this configuration asks for."""

    scopes: Sequence[str]
    events: Sequence[str]
    access: Access = OPEN
    has_groups: bool = False  # somebody is let in as a member of one


async def examine(
    settings: Settings, wanted: Wanted, installed: Sequence[Grant]
) -> list[CheckResult]:
    """Everything that the tokens let anybody know; asks Slack, changes nothing."""
    given = (
        settings.slack_bot_token,
        settings.slack_app_token,
        settings.slack_signing_secret,
        settings.slack_client_id,
        settings.slack_client_secret,
    )
    if not any(given):
        return [skipped(_ABOUT, "not configured (set SLACK_BOT_TOKEN and SLACK_APP_TOKEN)")]
    results = [failed(_ABOUT, sentence) for sentence in _missing(settings)]
    url = settings.slack_api_url or SLACK
    served = {grant.team: grant.team_name for grant in installed}
    if settings.slack_bot_token:
        found, own = await _bot(settings.slack_bot_token.get_secret_value(), url, wanted)
        results, served = results + found, served | own
    if settings.slack_app_token:
        results.append(await _sockets(settings.slack_app_token.get_secret_value(), url))
    if settings.slack_client_id and settings.slack_client_secret:
        secret = settings.slack_client_secret.get_secret_value()
        results.append(await _oauth(settings.slack_client_id, secret, url))
    for grant in installed:
        results += await _installation(grant, url, wanted)
    return [*results, *unserved(_ABOUT, wanted.access, served), _of_events(wanted)]


def _missing(settings: Settings) -> Iterable[str]:
    """What has to be set besides what is."""
    has_id, has_secret = bool(settings.slack_client_id), bool(settings.slack_client_secret)
    is_socket, is_signed = bool(settings.slack_app_token), bool(settings.slack_signing_secret)
    if has_id != has_secret:
        yield "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET go together: set both, or neither."
    if not settings.slack_bot_token and (is_socket or not has_id):
        yield f"SLACK_BOT_TOKEN is not set: copy the bot token (xoxb-…) from {_SCOPES_PAGE}."
    if not (is_socket or is_signed):
        yield (
            "Nothing can come in: set SLACK_APP_TOKEN for Socket Mode, "
            "or SLACK_SIGNING_SECRET and PORT for HTTP."
        )
    elif settings.port is None and (has_id or not is_socket):
        yield "PORT is not set: Slack's events and the install page come in there."


async def _bot(token: str, url: str, wanted: Wanted) -> tuple[list[CheckResult], dict[str, str]]:
    """What there is to say of the token, and the workspace that it is of, its name by its id."""
    try:
        await identify(token, url)
    except (ConfigMistake, Transient) as error:
        return [failed(_ABOUT, str(error))], {}
    answer, _ = await _answered(web(url, token).auth_test())
    if answer is None:
        return [failed(_ABOUT, _OAUTH_WORDS[_UNREACHABLE])], {}
    team, name = str(answer.get("team_id")), str(answer.get("team"))
    found = fine(_ABOUT, f"SLACK_BOT_TOKEN is @{answer.get('user')} in {name} ({team})")
    return [found, *_scopes(answer, "the bot token", wanted)], {team: name}


async def _sockets(token: str, url: str) -> CheckResult:
    try:
        await check_sockets(token, url)
    except (ConfigMistake, Transient) as error:
        return failed(_ABOUT, str(error))
    return fine(_ABOUT, "SLACK_APP_TOKEN opens Socket Mode")


async def _oauth(client_id: str, secret: str, url: str) -> CheckResult:
    """Slack looks at id and secret before it looks at the code, which is none."""
    call = web(url).oauth_v2_access(client_id=client_id, client_secret=secret, code="none")
    _, code = await _answered(call)
    if code == "invalid_code":
        return fine(_ABOUT, "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are the app's")
    return failed(_ABOUT, _OAUTH_WORDS.get(code, f"Slack refuses SLACK_CLIENT_ID: {code}."))


async def _installation(grant: Grant, url: str, wanted: Wanted) -> list[CheckResult]:
    where = f"{grant.team_name or 'workspace'} ({grant.team})"
    answer, code = await _answered(web(url, grant.bot_token).auth_test())
    if answer is None:
        sentence = f"The installation in {where} does not work ({code}): install the app again."
        return [failed(_ABOUT, sentence)]
    return [fine(_ABOUT, f"installed in {where}"), *_scopes(answer, where, wanted)]


def _scopes(answer: AsyncSlackResponse, whose: str, wanted: Wanted) -> list[CheckResult]:
    """Slack names a token's scopes in a header of every answer."""
    header = answer.headers.get("x-oauth-scopes")
    if header is None:
        return [skipped(_ABOUT, f"scopes of {whose}: Slack does not say")]
    granted = {scope.strip() for scope in str(header).split(",")}
    missing = [scope for scope in wanted.scopes if scope not in granted]
    optional = _OPTIONAL.keys() - ({_GROUPS} if wanted.has_groups else set())
    found = [
        skipped(_ABOUT, f"{whose} lacks the scope {scope}: {_OPTIONAL[scope]}")
        for scope in missing
        if scope in optional
    ]
    if needed := [scope for scope in missing if scope not in optional]:
        found.append(failed(_ABOUT, _lack(whose, needed)))
    return found


def _lack(whose: str, scopes: Sequence[str]) -> str:
    what, them = ("scopes", "them") if len(scopes) > 1 else ("scope", "it")
    return (
        f"{whose} lacks the {what} {', '.join(scopes)}: add {them} under {_SCOPES_PAGE}, "
        "then reinstall the app"
    )


def _of_events(wanted: Wanted) -> CheckResult:
    return skipped(
        _ABOUT,
        "Slack shows subscriptions to no token: if nothing comes in, or follow-ups in threads are "
        "not heard, compare Event Subscriptions "
        f"> Subscribe to bot events with {', '.join(wanted.events)}",
    )


async def _answered(call: Awaitable[AsyncSlackResponse]) -> tuple[AsyncSlackResponse | None, str]:
    """Slack's answer, or its word for why there is none."""
    try:
        return await asked(call), ""
    except SaidNo as no:
        return None, no.code or _UNREACHABLE
    except Transient:
        return None, _UNREACHABLE
