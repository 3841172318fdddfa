"""Where a person types: editing, history, completion, and Ctrl-C counted."""

from __future__ import annotations

import sys
import termios
import tty
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import Style

from bots.terminal.format import meaning
from bots.terminal.interrupts import Interrupts
from bots.terminal.parse import Verb
from core.config.settings import Settings
from core.text import cleaned

_STYLE = Style.from_dict({"mark": "bold", "hint": "fg:ansibrightblack"})
_HINT = "/help, or Ctrl-D to leave"
_AGAIN = "Ctrl-C again leaves"


@contextmanager
def typing_ahead() -> Iterator[None]:
    """Between two prompts, keys are kept for the next one and not shown: they would stand in the
    middle of an answer. Ctrl-C stays a signal."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


class Prompt:
    """Reads one line after the other from a person."""

    def __init__(self, history: History, agents: Sequence[str], interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._session = PromptSession[str](
            history=history,
            completer=_Completer(agents),
            key_bindings=self._keys(),
            placeholder=self._placeholder,
            style=_STYLE,
            reserve_space_for_menu=4,
        )
        self._session.default_buffer.on_text_changed += self._typed

    async def line(self) -> str | None:
        """The next line; None if the person leaves."""
        try:
            line = await self._session.prompt_async([("class:mark", "> ")])
        except (EOFError, KeyboardInterrupt):
            return None
        self._interrupts.forget()
        return line

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.reset()
            self._interrupts.press()
            if self._interrupts.are_final:
                event.app.exit(exception=EOFError)

        return keys

    def _placeholder(self) -> StyleAndTextTuples:
        return [("class:hint", _AGAIN if self._interrupts.is_next_last else _HINT)]

    def _typed(self, buffer: Buffer) -> None:
        if buffer.text:
            self._interrupts.forget()


class _Completer(Completer):
    """Commands, and the names of agents after /use."""

    def __init__(self, agents: Sequence[str]) -> None:
        self._agents = agents

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        before = document.text_before_cursor
        use = f"{Verb.USE} "
        if before.startswith(use):
            word = before.removeprefix(use)
            choices = [(name, "") for name in self._agents]
        elif before.startswith("/") and " " not in before:
            word = before
            choices = [(verb.value, meaning(verb)) for verb in Verb]
        else:
            return
        for choice, words in choices:
            if choice.startswith(word) and choice != word:
                yield Completion(choice, start_position=-len(word), display_meta=words)


class _LastingHistory(FileHistory):
    """What was typed, from one chat to the next; a disk that is full does not end the chat."""

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(cleaned(string))


def lasting_history(settings: Settings) -> History:
    """The history kept for this user; only in memory where it cannot be kept."""
    try:
        file = _state_folder(settings) / "history"
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        file.read_bytes()
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return InMemoryHistory()
    return _LastingHistory(file)


def _state_folder(settings: Settings) -> Path:
    given = settings.variables.get("XDG_STATE_HOME")
    base = Path(given.get_secret_value()) if given else Path.home() / ".local" / "state"
    return base / "moorings"
