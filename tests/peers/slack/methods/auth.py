"""auth.*, apps.connections.open, oauth.v2.access, team.info, bots.info, users.info."""

from __future__ import annotations

from tests.peers.slack.backend import Backend
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError
from tests.peers.slack.world import APP_ID, User

CLIENT_ID = "1111.2222"
CLIENT_SECRET = "peer-client-secret"  # noqa: S105 - the peer's own


def test(slack: Backend, request: Request) -> Json:
    team = slack.world.teams[request.team]
    return Json(
        url=f"https://{team.name.lower()}.slack.com/",
        team=team.name,
        user=slack.world.display_name(team.bot_user),
        team_id=team.id,
        user_id=team.bot_user,
        bot_id=team.bot_id,
        is_enterprise_install=False,
    )


def revoke(slack: Backend, request: Request) -> Json:
    request.token.trouble = "token_revoked"
    team = slack.world.teams[request.team]
    slack.events.emit(
        team.id, Json(type="tokens_revoked", tokens=Json(oauth=[], bot=[team.bot_user]))
    )
    return Json(revoked=True)


def connect(slack: Backend, request: Request) -> Json:
    request.need("connections:write")
    return Json(url=slack.sockets.ticket())


def grant(slack: Backend, request: Request) -> Json:
    client_id, secret = request.basic_auth()
    if client_id != CLIENT_ID:
        raise RefusedError("invalid_client_id")
    if secret != CLIENT_SECRET:
        raise RefusedError("bad_client_secret")
    team_id = slack.world.codes.pop(request.text("code"), None)
    if team_id is None:
        raise RefusedError("invalid_code")
    team, token = slack.world.teams[team_id], slack.world.install(team_id)
    installer = next(u for u in slack.world.users.values() if u.team == team_id and not u.is_bot)
    return Json(
        access_token=token.value,
        token_type="bot",  # noqa: S106 - a kind, not a token
        scope=",".join(sorted(token.scopes)),
        bot_user_id=team.bot_user,
        app_id=APP_ID,
        team=Json(id=team.id, name=team.name),
        enterprise=None,
        is_enterprise_install=False,
        authed_user=Json(id=installer.id),
    )


def team_info(slack: Backend, request: Request) -> Json:
    request.need("team:read")
    team = slack.world.teams[request.team]
    return Json(team=Json(id=team.id, name=team.name, domain=team.name.lower(), icon=Json()))


def bot_info(slack: Backend, request: Request) -> Json:
    request.need("users:read")
    team = slack.world.teams[request.team]
    if request.text("bot") not in ("", team.bot_id):
        raise RefusedError("bot_not_found")
    name = slack.world.display_name(team.bot_user)
    bot = Json(id=team.bot_id, app_id=APP_ID, user_id=team.bot_user, name=name, deleted=False)
    return Json(bot=bot)


def user_info(slack: Backend, request: Request) -> Json:
    request.need("users:read")
    user = slack.world.users.get(request.text("user"))
    if user is None or user.team != request.team:
        raise RefusedError("user_not_found")
    return Json(user=_person(user))


def users(slack: Backend, request: Request) -> Json:
    request.need("users:read")
    found = [_person(user) for user in slack.world.users.values() if user.team == request.team]
    return Json(members=found, response_metadata=Json(next_cursor=""))


def _person(user: User) -> Json:
    names = Json(real_name=user.name, display_name=user.name)
    return Json(
        id=user.id,
        team_id=user.team,
        name=user.name,
        deleted=False,
        real_name=user.name,
        tz="Europe/London",
        profile=names,
        is_bot=user.is_bot,
        is_admin=user.is_admin,
        is_owner=False,
        is_restricted=user.is_guest,
        is_ultra_restricted=False,
        is_app_user=False,
    )


METHODS = {
    "auth.test": test,
    "auth.revoke": revoke,
    "apps.connections.open": connect,
    "oauth.v2.access": grant,
    "team.info": team_info,
    "bots.info": bot_info,
    "users.info": user_info,
    "users.list": users,
}
