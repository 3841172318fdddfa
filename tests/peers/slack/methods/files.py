"""files.*: the two-step upload, and what is known of a file."""

from __future__ import annotations

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
        file = _known(slack, request, str(item.get("id", "")))
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
    file = _known(slack, request, request.text("file"))
    return Json(file=described(slack, file), comments=[], response_metadata=Json(next_cursor=""))


def described(slack: Backend, file: File) -> Json:
    """A file object, as messages and files.info carry it."""
    url = f"{slack.base_url}/files-pri/{file.team}-{file.id}/{file.name}"
    shares = Json()
    for channel_id, ts in file.shares:
        shares.setdefault(channel_id, []).append(Json(ts=ts))
    return Json(
        id=file.id,
        name=file.name,
        title=file.title or file.name,
        mimetype=file.mimetype,
        filetype=reading.file_type(file.name),
        pretty_type=file.mimetype,
        user=file.owner,
        user_team=file.team,
        size=len(file.content),
        mode="hosted",
        is_external=False,
        is_public=bool(file.shares),
        file_access="visible",
        url_private=url,
        url_private_download=f"{url}?download=1",
        shares=Json(public=shares),
    )


def _known(slack: Backend, request: Request, file_id: str) -> File:
    file = slack.world.files.get(file_id)
    if file is None or file.team != request.team:
        raise RefusedError("file_not_found")
    return file


METHODS = {
    "files.getUploadURLExternal": get_upload_url,
    "files.completeUploadExternal": complete_upload,
    "files.info": info,
}
