"""Asks Slack one thing, once: for checks that say themselves what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack import parse
from bots.slack.failures import FAILURES
from bots.slack.web import OwnWebClient
from core.errors import Transient

_SECONDS = 10


class SaidNo(Exception):
    """`code` is Slack's word for why; empty where what came was no answer of Slack's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def web(api_url: str, token: str | None = None) -> OwnWebClient:
    """A client for `asked`."""
    sdk = logging.getLogger(f"{__name__}.sdk")
    sdk.setLevel(logging.WARNING)
    return OwnWebClient(token=token, api_url=api_url, timeout=_SECONDS, logger=sdk)


async def asked(call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """Slack's answer.

    Raises:
        SaidNo: it is a refusal.
        Transient: there is none.
    """
    try:
        return await call
    except SlackApiError as error:
        raise SaidNo(_code(error)) from None
    except FAILURES as error:
        raise Transient(f"Slack cannot be reached: {type(error).__name__}.") from None


def _code(error: SlackApiError) -> str:
    response: object = error.response
    if not isinstance(response, AsyncSlackResponse) or response.status_code != 200:
        return ""
    return parse.text_at(response.data, "error")
