"""What goes over the wire: raw JSON objects, and a refusal as Discord spells it."""

from __future__ import annotations

import json
from typing import Any


class Json(dict[str, Any]):  # type: ignore[explicit-any]  # the one place where raw JSON is let in
    """A JSON object as it is sent and received; nested objects that were parsed are Json too."""


def parsed(text: str | bytes) -> Any:  # type: ignore[explicit-any]  # noqa: ANN401 - any JSON value
    """Raises ValueError where the text is no JSON."""
    return json.loads(text, object_hook=Json)


def copied(value: Json) -> Json:
    """A deep copy, so that what was sent does not change with what is stored."""
    copy: Json = parsed(json.dumps(value))
    return copy


class RefusedError(Exception):
    """An HTTP status with `{"message": …, "code": …}`."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    @property
    def body(self) -> Json:
        body = Json(message=self.message, code=self.code)
        if self.errors:
            body["errors"] = self.errors
        return body


def invalid(field: str, code: str, message: str) -> RefusedError:
    """50035, with the complaint at its field."""
    errors = Json({field: Json(_errors=[Json(code=code, message=message)])})
    return RefusedError(400, 50035, "Invalid Form Body", errors)
