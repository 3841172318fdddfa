"""Files in Slack: what each of them is, and where Slack keeps it, as Slack says by its id."""

from __future__ import annotations

import re
from functools import partial

from bots.downloads import NAME, download, kept_at, origin_of
from bots.slack import attachments, fields
from bots.slack.client import SlackClient
from bots.slack.failures import SlackRefused
from core.errors import FileUnavailable
from core.messaging.adapter import KeptFile
from core.messaging.messages import Attachment

_HOSTS = {"https://files.slack.com", "https://files.slack-gov.com"}
_WITHOUT_FILES = {"https://slack.com", "https://slack-gov.com"}


class Files:
    """Those of all workspaces, each asked for with the token of the workspace it was shared in."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    async def look_up(self, team: str, attachment: Attachment) -> KeptFile:
        """What came with the message says which file it is; all else is said by Slack.

        Raises:
            FileUnavailable: nobody here can read it.
            Transient, SlackRefused, ConfigMistake: as `SlackClient`.
        """
        if not attachment.id:  # stored by a version that knew files by their address
            raise SlackRefused("a file", "no_id")
        answer = await self._asked(team, attachment.id)
        found = attachments.attachment(fields.at(answer, "file"))
        if found is None or found.id != attachment.id:
            raise SlackRefused("files.info", "another_file")
        if found.unavailable:
            raise FileUnavailable(found.unavailable)
        url = fields.text_at(answer, "file", "url_private")
        return KeptFile(attachment=found, read=partial(self._read, team, found.id, url))

    async def _asked(self, team: str, file_id: str) -> object:
        try:
            answer = await self._client.read(
                team, "files.info", lambda web: web.files_info(file=file_id)
            )
        except SlackRefused as refused:
            if refused.code not in attachments.UNAVAILABLE:
                raise
            raise FileUnavailable(attachments.UNAVAILABLE[refused.code]) from refused
        return answer.data

    async def _read(self, team: str, file_id: str, url: str, limit: int) -> bytes:
        place = addresses(file_id, self._client.base_url)
        return await download(url, limit, place=place, token=await self._client.token_of(team))


def addresses(file_id: str, api_url: str) -> re.Pattern[str]:
    """Where this file can be kept; its owner's team may be of another organisation.

    An API that is not Slack's own, as in tests, keeps files where it is itself.
    """
    origins = (_HOSTS | {origin_of(api_url)}) - _WITHOUT_FILES
    owned = rf"/files-pri/[TE][A-Z0-9]+-{re.escape(file_id)}/(?:download/)?{NAME}"
    return kept_at(origins, rf"{owned}(?:\?origin_team=[TE][A-Z0-9]+)?")
