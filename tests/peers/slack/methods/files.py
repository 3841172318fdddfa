"""files.*: the two-step upload, and what is known of a file."""

from __future__ import annotations

from urllib.parse import quote

from tests.peers.slack import blocks, reading
from tests.peers.slack.backend import Backend
from tests.peers.slack.methods import chat
from tests.peers.slack.request import Request
from tests.peers.slack.wire import Json, RefusedError
from tests.peers.slack.world import File

MOST_BYTES = 1_000_000_000


def get_upload_url(slack: Backend, request: Request) -> Json:
    request.need("files:write")
    length = request.number("length", 0)
    if length <= 0:
        raise RefusedError("missing_argument")
    if length > MOST_BYTES:
        raise RefusedError("file_upload_size_restricted")
    file = File(
        id=slack.world.new_id("F"),
        name=request.required("filename", "missing_argument"),
        team=request.team,
        owner=slack.world.teams[request.team].bot_user,
        length=length,
    )
    slack.world.files[file.id] = file
    return Json(upload_url=f"{slack.base_url}/upload/v1/{file.id}", file_id=file.id)


def complete_upload(slack: Backend, request: Request) -> Json:
    """Without a channel the file stays private to the bot."""
    request.need("files:write")
    files = []
    for item in request.items("files"):
        file = slack.world.find_file(str(item.get("id", "")), request.team)
        if len(file.content) != file.length:
            raise RefusedError("file_not_found")
        file.title = str(item.get("title") or file.name)
        file.is_complete = True
        files.append(file)
    if not files:
        raise RefusedError("invalid_arguments")
    if request.text("channel_id") or request.text("channels"):
        _share(slack, request, files)
    return Json(files=[described(slack, file) for file in files])


def _share(slack: Backend, request: Request, files: list[File]) -> None:
    names = request.text("channel_id") or request.text("channels")
    request.arguments["channel"] = names.split(",")[0]
    channel = chat.writable(slack, request)
    draft = Json(text=request.text("initial_comment"), subtype="file_share", upload=False)
    if request.has("blocks"):
        draft["blocks"] = blocks.read(request.raw("blocks"))
    draft["files"] = [described(slack, file) for file in files]
    message = slack.posts.add_by_bot(channel, draft, thread=chat.thread_of(channel, request))
    for file in files:
        file.shares.append((channel.id, message["ts"]))


def info(slack: Backend, request: Request) -> Json:
    request.need("files:read")
    file = slack.world.find_file(request.text("file"), request.team)
    return Json(file=described(slack, file), comments=[], response_metadata=Json(next_cursor=""))


def described(slack: Backend, file: File) -> Json:
    """A file object, as messages and files.info carry it."""
    if file.mode in ("tombstone", "hidden_by_limit"):
        return Json(id=file.id, mode=file.mode)
    is_external = file.mode == "external"
    shown = Json(
        id=file.id,
        created=int(slack.clock.now()),
        timestamp=int(slack.clock.now()),
        name=file.name,
        title=file.title or file.name,
        mimetype=file.mimetype,
        filetype="remote" if is_external else reading.file_type(file.name),
        pretty_type=file.mimetype,
        user=file.owner,
        user_team=file.team,
        editable=False,
        size=file.length,
        mode=file.mode,
        is_external=is_external,
        external_type="app" if is_external else "",
        is_public=bool(file.shares),
        public_url_shared=False,
        display_as_bot=False,
        username="",
        file_access="visible",
        permalink=f"{slack.base_url}/files/{file.owner}/{file.id}/{file.name}",
        **_shares(slack, file),
    )
    shown.update(_remote(file) if is_external else _hosted(slack, file))
    return shown


def _hosted(slack: Backend, file: File) -> Json:
    at, name = f"{slack.base_url}/files-pri/{file.team}-{file.id}", quote(file.name)
    return Json(
        url_private=file.url or f"{at}/{name}", url_private_download=f"{at}/download/{name}"
    )


def _remote(file: File) -> Json:
    """As files.remote.add made it: its app has chosen the address, and Slack has nothing of it."""
    return Json(external_id=file.name, external_url=file.url, url_private=file.url)


def _shares(slack: Backend, file: File) -> Json:
    names = {"channel": "channels", "group": "groups", "im": "ims", "mpim": "groups"}
    found = Json(channels=[], groups=[], ims=[], shares=Json())
    for channel_id, ts in file.shares:
        kind = slack.world.channels[channel_id].kind
        found[names[kind]].append(channel_id)
        where = found["shares"].setdefault("public" if kind == "channel" else "private", Json())
        where.setdefault(channel_id, []).append(Json(ts=ts))
    return found


METHODS = {
    "files.getUploadURLExternal": get_upload_url,
    "files.completeUploadExternal": complete_upload,
    "files.info": info,
}
