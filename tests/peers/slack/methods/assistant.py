"""assistant.threads.* and agents.sessions.*: what an agent shows around its messages."""

from __future__ import annotations

from tests.peers.slack.backend import Backend
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError

_SESSION_STATES = ("processing", "active", "suspended", "closed")


def set_status(slack: Backend, request: Request) -> Json:
    """An empty status clears; posting clears too, and so do two minutes."""
    shown = _thread(slack, request)
    if len(request.values("loading_messages")) > 10:
        raise RefusedError("invalid_arguments")
    shown.pop("status", None)
    if request.text("status"):
        shown["status"] = request.text("status")
        shown["status_at"] = slack.clock.now()
    return Json()


def set_title(slack: Backend, request: Request) -> Json:
    _thread(slack, request)["title"] = request.required("title")
    return Json()


def set_prompts(slack: Backend, request: Request) -> Json:
    prompts = request.items("prompts")
    if not prompts or len(prompts) > 4:
        raise RefusedError("invalid_arguments")
    if not all(prompt.get("title") and prompt.get("message") for prompt in prompts):
        raise RefusedError("invalid_arguments")
    shown = _thread(slack, request, needs_thread=False)
    shown.update(prompts=prompts, prompts_title=request.text("title"))
    return Json()


def set_session(slack: Backend, request: Request) -> Json:
    """The first call makes the session; only then do title and initiator count."""
    status = request.text("status")
    if status not in _SESSION_STATES:
        raise RefusedError("invalid_arguments")
    shown = _thread(slack, request, needs_thread=False)
    if "session" not in shown:
        shown["title"] = request.text("title")
    shown["session"] = status
    return Json(status=status, agent_status=status, title=shown.get("title", ""))


def rename_session(slack: Backend, request: Request) -> Json:
    shown = _thread(slack, request, needs_thread=False)
    if "session" not in shown:
        raise RefusedError("not_authorized")
    shown["title"] = request.required("title")
    return Json(title=shown["title"])


def _thread(slack: Backend, request: Request, *, needs_thread: bool = True) -> Json:
    if not {"chat:write", "assistant:write"} & request.token.scopes:
        request.need("chat:write")
    name = request.required("channel_id", "channel_not_found")
    channel = slack.world.joined_channel(name, request.team)
    thread = request.text("thread_ts")
    if thread and thread not in channel.messages:
        raise RefusedError("thread_not_found")
    if needs_thread and not thread:
        raise RefusedError("invalid_thread_ts")
    return channel.threads.setdefault(thread, Json())


METHODS = {
    "assistant.threads.setStatus": set_status,
    "assistant.threads.setTitle": set_title,
    "assistant.threads.setSuggestedPrompts": set_prompts,
    "agents.sessions.setStatus": set_session,
    "agents.sessions.rename": rename_session,
}
