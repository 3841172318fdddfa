"""Takes what is heard from Discord: stored when it returns, for nobody sends it again."""

from __future__ import annotations

import logging
from typing import assert_never

from bots.discord.happenings import Edited, Happening, Withdrawn
from bots.discord.refusals import Refusals
from bots.discord.wording import WORDING
from core.errors import NotAllowed, UserMistake
from core.messaging.intake import Reception
from core.messaging.messages import Heard
from core.messaging.storing import storing

log = logging.getLogger(__name__)


class Door:
    """One for what comes in and for what was missed. Both verbs may be repeated.

    Each raises NotStored if the database refuses, or is busy.
    """

    def __init__(self, reception: Reception, refusals: Refusals) -> None:
        self._reception = reception
        self._refusals = refusals

    async def take(self, happened: Happening) -> None:
        """Store it, change it or withdraw it."""
        match happened:
            case Heard():
                await self.hear(happened)
            case Edited():
                with storing():
                    await self._reception.change(happened.heard)
            case Withdrawn():
                with storing():
                    await self._reception.withdraw(happened.key)
            case _:
                assert_never(happened)

    async def hear(self, heard: Heard) -> bool:
        """Store a message; whether it has to be answered and was not known."""
        try:
            with storing():
                if _is_leave(heard):
                    return await self._leave(heard)
                accepted = await self._reception.hear(heard)
        except NotAllowed as refused:
            self._refusals.answer(heard, refused)
            return False
        except UserMistake as mistake:  # a binding from chat outlived its agent
            log.warning("nobody can answer", extra={"key": heard.key, "why": str(mistake)})
            return False
        return accepted is not None and accepted.is_new

    async def _leave(self, heard: Heard) -> bool:
        """All else that can be commanded has its slash command, in threads, too."""
        if await self._reception.leave(heard):
            self._refusals.say(heard, WORDING.left(is_thread=True))
        return False


def _is_leave(heard: Heard) -> bool:
    is_called = heard.is_mention and heard.thread is not None and not heard.is_direct
    return is_called and heard.text.strip().casefold().rstrip(".!") == "leave"
