"""HTTP mode: signed requests to the bot's own URL, with Slack's headers and reasons."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, TooManyRedirects

from tests.patience import PATIENCE
from tests.peers.slack.clock import Clock
from tests.peers.slack.deliveries import Attempt, Delivery, Kind
from tests.peers.slack.wire import Json, parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`reason` is empty for a 2xx, else Slack's word for what went wrong."""

    reason: str
    text: str
    status: int = 0
    refuses_retry: bool = False


class Webhooks:
    """One URL for events, commands and interactivity, as bolt serves them."""

    def __init__(
        self, url: str, secret: str, clock: Clock, new_id: Callable[[str], str], http: ClientSession
    ) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._new_id = new_id
        self._http = http

    async def verify(self) -> bool:
        """The url_verification handshake: the challenge must come back."""
        challenge = self._new_id("challenge-")
        body = json.dumps({"type": "url_verification", "token": "peer", "challenge": challenge})
        answer = await self.post(body, "application/json", {}, PATIENCE)
        return challenge in answer.text and not answer.reason

    async def attempt(
        self, delivery: Delivery, number: int, reason: str, deadline: float
    ) -> Attempt:
        body, content_type = _encoded(delivery.kind, delivery.payload)
        headers = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
        answer = await self.post(body, content_type, headers if number else {}, deadline)
        stop = answer.refuses_retry and answer.status != 200
        return Attempt(
            number=number,
            envelope_id=self._new_id("request-"),
            is_acked=not answer.reason,
            reason="no_retry" if stop else answer.reason,
            reply=_reply(answer.text),
        )

    async def post(
        self, body: str, content_type: str, headers: dict[str, str], deadline: float
    ) -> Answer:
        """Signed as of now. Never raises for what the other side does."""
        signed = {"Content-Type": content_type, **self.signature(body), **headers}
        try:
            async with self._http.post(
                self._url,
                data=body.encode(),
                headers=signed,
                max_redirects=2,
                timeout=ClientTimeout(total=deadline),
            ) as response:
                return Answer(
                    reason="" if 200 <= response.status < 300 else "http_error",
                    text=await response.text(),
                    status=response.status,
                    refuses_retry=response.headers.get("x-slack-no-retry") == "1",
                )
        except TimeoutError:
            return Answer(reason="http_timeout", text="")
        except TooManyRedirects:
            return Answer(reason="too_many_redirects", text="")
        except ClientConnectionError:
            return Answer(reason="connection_failed", text="")

    def signature(self, body: str) -> dict[str, str]:
        now = int(self._clock.now())
        digest = hmac.new(self._secret.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256)
        return {
            "X-Slack-Request-Timestamp": str(now),
            "X-Slack-Signature": f"v0={digest.hexdigest()}",
        }


def _encoded(kind: Kind, payload: Json) -> tuple[str, str]:
    if kind == "events_api":
        return json.dumps(payload), "application/json"
    if kind == "slash_commands":
        return urlencode(payload), "application/x-www-form-urlencoded"
    return urlencode({"payload": json.dumps(payload)}), "application/x-www-form-urlencoded"


def _reply(text: str) -> Json:
    try:
        value = parsed(text)
    except ValueError:
        return Json(text=text) if text else Json()
    return value if isinstance(value, Json) else Json()
