"""usergroups.users.list: who is in a user group."""

from __future__ import annotations

from tests.peers.slack.backend import Backend
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError


def people(slack: Backend, request: Request) -> Json:
    request.need("usergroups:read")
    group = slack.world.groups.get(request.required("usergroup", "no_such_subteam"))
    if group is None or group.team != request.team:
        raise RefusedError("no_such_subteam")
    return Json(users=sorted(group.users))


METHODS = {"usergroups.users.list": people}
