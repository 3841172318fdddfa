"""Calls to Slack's Web API: paced, bounded in time, and in our own errors."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import ClientSession, ClientTimeout
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from bots.connections import Connector
from bots.downloads import kept_at, origin_of
from bots.requests import guard
from bots.slack.failures import FAILURES, NotDone, SlackRefused, translated
from bots.slack.rates import Rates
from core.errors import Transient

SLACK = "https://slack.com/api/"
_HOOKS = {"https://hooks.slack.com", "https://hooks.slack-gov.com"}

Call = Callable[[AsyncWebClient], Awaitable[AsyncSlackResponse]]

_READ_ATTEMPTS = 3
_LONGEST_WAIT = 10.0  # seconds between two attempts to read
_MOST_KEPT = 1_000  # the SDK's clients, one for each token
_OK = 200
_backoff = wait_random_exponential(multiplier=0.2, max=2)


class SlackClient:
    """The one way to Slack of this process, for every workspace. Whoever makes it closes it.

    All calls raise
        Transient: it may work later; a write may have had its effect, unless it is `NotDone`;
        SlackRefused: it will not;
        ConfigMistake: token or scopes have to change.
    """

    def __init__(
        self,
        token_of: Callable[[str], Awaitable[str]],
        *,
        base_url: str = SLACK,
        timeout: float = 20,
        rates: Rates | None = None,
    ) -> None:
        """`token_of` gives the bot token of a workspace; `timeout` seconds are for one call."""
        self.rates = rates or Rates()
        self.token_of = token_of
        self.base_url = base_url
        self._timeout = timeout
        self._session: ClientSession | None = None
        self._web: dict[str, AsyncWebClient] = {}
        self._log = logging.getLogger(f"{__name__}.sdk")
        self._log.setLevel(logging.WARNING)  # unset, the SDK formats every request for nobody

    async def read(
        self, team: str, method: str, call: Call, *, channel: str = ""
    ) -> AsyncSlackResponse:
        """Make a call that changes nothing; what may pass is tried three times."""
        return await _retrying()(self._call, team, method, call, channel)

    async def write(
        self, team: str, method: str, call: Call, *, channel: str = ""
    ) -> AsyncSlackResponse:
        """Make a call once: whether it may be repeated is known only by who can read it back."""
        return await self._call(team, method, call, channel)

    async def upload(self, url: str, content: bytes) -> None:
        """Put a file where `files.getUploadURLExternal` said; nobody sees it yet."""
        try:
            async with self._opened().post(url, data=content) as response:
                if response.status != _OK:
                    raise NotDone(f"Slack did not take a file: HTTP {response.status}.")
        except FAILURES as error:
            raise NotDone(f"Slack did not take a file: {type(error).__name__}.") from error

    async def tell(self, response_url: str, words: str) -> None:
        """Tell whoever did what this URL came with, wherever that was; nobody else sees it."""
        hosts = kept_at(_HOOKS | {origin_of(self.base_url)}, r"/[\w/.-]+")
        if not hosts.fullmatch(response_url):
            raise SlackRefused("an answer", "not_at_slack")
        try:
            body = {"response_type": "ephemeral", "replace_original": False, "text": words}
            async with self._opened().post(
                response_url, json=body, allow_redirects=False
            ) as response:
                if response.status != _OK:
                    raise NotDone(f"Slack did not take an answer: HTTP {response.status}.")
        except FAILURES as error:
            raise NotDone(f"Slack did not take an answer: {type(error).__name__}.") from error

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        session, self._session = self._session, None
        self._web.clear()
        if session:
            await session.close()

    async def _call(self, team: str, method: str, call: Call, channel: str) -> AsyncSlackResponse:
        web = await self._web_of(team)
        await self.rates.wait(team, method, channel)
        try:
            return await call(web)
        except FAILURES as error:
            failure = translated(error, method)
            if isinstance(failure, NotDone) and failure.retry_after:
                self.rates.block(team, method, channel, failure.retry_after)
            raise failure from error

    async def _web_of(self, team: str) -> AsyncWebClient:
        token = await self.token_of(team)
        if token not in self._web:
            if len(self._web) >= _MOST_KEPT:
                self._web.clear()
            web = self._web[token] = AsyncWebClient(
                token=token,
                base_url=self.base_url,
                session=self._opened(),
                retry_handlers=[],
                logger=self._log,
            )
            web.proxy = None  # it has read the environment
        return self._web[token]

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=Connector(),
                timeout=ClientTimeout(total=self._timeout),
                trace_configs=[guard()],
            )
        return self._session


def _retrying() -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        stop=stop_after_attempt(_READ_ATTEMPTS),
        wait=_wait,
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Transient) else None
    return min(asked or _backoff(state), _LONGEST_WAIT)
