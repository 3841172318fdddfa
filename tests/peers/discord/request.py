"""One REST call: its path, query, JSON body or multipart form, and its files."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from tests.peers.discord.wire import Json, RefusedError, parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    name: str
    content: bytes
    content_type: str


@dataclass(slots=True, kw_only=True)
class Request:
    """`parts`: from the path, ids as strings. `body` may be a list where one is asked for."""

    parts: dict[str, str]
    query: dict[str, str]
    body: Json = field(default_factory=Json)
    items: list[Json] = field(default_factory=list)
    files: dict[int, Upload] = field(default_factory=dict)

    def part(self, name: str) -> str:
        return self.parts[name]

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.query.get(name) or default)
        except ValueError as error:
            raise RefusedError(400, 50035, "Invalid Form Body") from error

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")


async def read(http: web.Request) -> Request:
    request = Request(parts=dict(http.match_info), query=dict(http.query))
    if http.content_type.startswith("multipart/"):
        await _read_form(request, http)
    elif http.content_type == "application/json":
        _take(request, await http.read() or b"{}")
    return request


def _take(request: Request, raw: str | bytes) -> None:
    try:
        value = parsed(raw)
    except ValueError as error:
        raise RefusedError(400, 50109, "The request body contains invalid JSON.") from error
    if isinstance(value, list):
        request.items = [Json(item) for item in value]
    elif isinstance(value, Json):
        request.body = value


async def _read_form(request: Request, http: web.Request) -> None:
    form = await http.post()
    for name, value in form.items():
        if isinstance(value, web.FileField):
            number = name.removeprefix("files[").removesuffix("]")
            request.files[int(number) if number.isdigit() else 0] = Upload(
                name=value.filename, content=value.file.read(), content_type=value.content_type
            )
        elif name == "payload_json" and isinstance(value, str):
            _take(request, value)
