"""What goes over the wire: raw JSON objects, and a refusal as Slack spells it."""

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
    """`{"ok": false, "error": …}` with whatever Slack adds to it."""

    def __init__(self, error: str, **extra: object) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra

    @property
    def body(self) -> Json:
        return Json(ok=False, error=self.error, **self.extra)
