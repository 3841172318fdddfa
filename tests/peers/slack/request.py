"""One Web API request: query, form and JSON merged, and the token it came with."""

from __future__ import annotations

import base64
import binascii

from aiohttp import web

from tests.peers.slack.wire import Json, RefusedError, parsed
from tests.peers.slack.world import Token


class Request:
    """The arguments by name. Strings, as forms send them, are read as what is asked for."""

    def __init__(self, method: str, arguments: Json, authorization: str) -> None:
        self.method = method
        self.arguments = arguments
        self.authorization = authorization
        self._token: Token | None = None

    @property
    def token(self) -> Token:
        if self._token is None:
            raise RefusedError("not_authed")
        return self._token

    @property
    def team(self) -> str:
        return self.token.team

    def authenticate(self, tokens: dict[str, Token]) -> None:
        """Raises RefusedError where the token is missing, unknown or no longer good."""
        value = self.authorization.removeprefix("Bearer ") or self.text("token")
        if not value:
            raise RefusedError("not_authed")
        if value not in tokens:
            raise RefusedError("invalid_auth")
        token = tokens[value]
        if token.trouble:
            raise RefusedError(token.trouble)
        is_socket = self.method == "apps.connections.open"
        if (token.kind == "app") != is_socket:
            raise RefusedError("not_allowed_token_type")
        self._token = token

    def need(self, scope: str) -> None:
        if scope not in self.token.scopes:
            provided = ",".join(sorted(self.token.scopes))
            raise RefusedError("missing_scope", needed=scope, provided=provided)

    def has(self, name: str) -> bool:
        return self.arguments.get(name) is not None

    def raw(self, name: str) -> object:
        value: object = self.arguments.get(name)
        return value

    def text(self, name: str) -> str:
        value = self.arguments.get(name)
        return "" if value is None else str(value)

    def required(self, name: str, error: str = "invalid_arguments") -> str:
        if not self.text(name):
            raise RefusedError(error)
        return self.text(name)

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.text(name) or default)
        except ValueError as error:
            raise RefusedError("invalid_arguments") from error

    def values(self, name: str) -> list[object]:
        """A list, sent as one or as JSON in a string."""
        value = self._decoded(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise RefusedError("invalid_arguments")
        return value

    def items(self, name: str) -> list[Json]:
        values = self.values(name)
        if not all(isinstance(value, dict) for value in values):
            raise RefusedError("invalid_arguments")
        return [Json(value) for value in values if isinstance(value, dict)]

    def mapping(self, name: str) -> Json:
        value = self._decoded(name)
        if not isinstance(value, dict):
            raise RefusedError("invalid_arguments")
        return Json(value)

    def _decoded(self, name: str) -> object:
        value = self.raw(name)
        if not isinstance(value, str):
            return value
        try:
            decoded: object = parsed(value)
        except ValueError as error:
            raise RefusedError("invalid_arguments") from error
        return decoded

    def basic_auth(self) -> tuple[str, str]:
        """Client id and secret, from the header or from the form."""
        try:
            decoded = base64.b64decode(self.authorization.removeprefix("Basic ")).decode()
        except (binascii.Error, UnicodeDecodeError):
            decoded = ""
        name, _, secret = decoded.partition(":")
        return name or self.text("client_id"), secret or self.text("client_secret")


async def read(method: str, http: web.Request) -> Request:
    arguments = Json(dict(http.query))
    if http.content_type == "application/json":
        try:
            body = parsed(await http.read() or b"{}")
        except ValueError as error:
            raise RefusedError("invalid_json") from error
        if not isinstance(body, dict):
            raise RefusedError("json_not_object")
        arguments.update(body)
    else:
        arguments.update(dict(await http.post()))
    return Request(method, arguments, http.headers.get("Authorization", ""))
