"""views.open, push, update and publish."""

from __future__ import annotations

from tests.peers.slack import blocks
from tests.peers.slack.backend import Backend
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError


def start(slack: Backend, request: Request) -> Json:
    """Opened or pushed for the person whose trigger it is."""
    view = _checked(request.mapping("view"), "modal")
    user = slack.interactions.redeem(request.required("trigger_id", "invalid_trigger_id"))
    return Json(view=slack.interactions.add_view(request.team, view, for_user=user))


def update(slack: Backend, request: Request) -> Json:
    view = _checked(request.mapping("view"), "modal")
    stored = slack.interactions.views.get(request.text("view_id"))
    if stored is None:
        raise RefusedError("not_found")
    _check_hash(request, stored)
    view["blocks"] = blocks.read(view.get("blocks", []), most=100)
    stored.update(view, hash=slack.world.new_id("hash-"))
    return Json(view=stored)


def publish(slack: Backend, request: Request) -> Json:
    """A person's Home tab."""
    view = _checked(request.mapping("view"), "home")
    user = request.required("user_id", "invalid_arguments")
    if user not in slack.world.users:
        raise RefusedError("user_not_found")
    homes = slack.interactions.homes
    if user in homes:
        _check_hash(request, homes[user])
    homes[user] = slack.interactions.add_view(request.team, view, for_user=user)
    return Json(view=homes[user])


def _checked(view: Json, kind: str) -> Json:
    if view.get("type") != kind or not isinstance(view.get("blocks"), list):
        raise RefusedError("invalid_arguments")
    if kind == "modal" and "title" not in view:
        raise RefusedError("invalid_arguments")
    return view


def _check_hash(request: Request, stored: Json) -> None:
    if request.has("hash") and request.text("hash") != stored["hash"]:
        raise RefusedError("hash_conflict")


METHODS = {
    "views.open": start,
    "views.push": start,
    "views.update": update,
    "views.publish": publish,
}
