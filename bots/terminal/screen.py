"""The screen of a person: what stays on it, and the one region that still grows."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text
from rich.theme import Theme

from bots.terminal import format as looks
from bots.terminal.harmless import harmless

_FRAMES = 12  # a second
_GROWING = 6_000  # characters of a growing answer that are drawn; the finished one is whole
_MARGIN = 5  # lines of the screen that growing text leaves free


class Screen:
    """Prints for good, and redraws below it what is not finished."""

    def __init__(self) -> None:
        self._console = Console(theme=Theme(looks.STYLES), highlight=False)
        self._live: Live | None = None

    def say(self, *renderables: RenderableType) -> None:
        """Print for good."""
        for renderable in renderables:
            self._console.print(renderable)

    def think(self, agent: str) -> None:
        """Show that an answer is on its way."""
        self._redraw(_spinner(f"{agent} is thinking… Ctrl-C stops"))

    def grow(self, agent: str, text: str, *, is_late: bool) -> None:
        """Show an answer as far as it has grown."""
        heading = looks.heading(agent, is_late=is_late)
        tail = _Tail(looks.answer(harmless(text)[-_GROWING:]))
        self._redraw(heading, tail, _spinner("Ctrl-C stops"))

    def finish(self, agent: str, text: str, *, is_late: bool) -> None:
        """Print a whole answer for good."""
        self.rest()
        self.say(looks.heading(agent, is_late=is_late), looks.answer(harmless(text)), "")

    def rest(self) -> None:
        """Take away what was not finished."""
        live, self._live = self._live, None
        if live:
            live.stop()

    def _redraw(self, *parts: RenderableType) -> None:
        renderable = Group(*parts, "")  # what a shell or a key adds goes on a line of its own
        if self._live:
            self._live.update(renderable)
            return
        self._live = Live(
            renderable, console=self._console, refresh_per_second=_FRAMES, transient=True
        )
        self._live.start(refresh=True)
        # A process that is killed now must not leave a shell without a cursor.
        self._console.show_cursor(show=True)


class _Tail:
    """The last lines of something that grows longer than the screen is high."""

    def __init__(self, growing: RenderableType) -> None:
        self._growing = growing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._growing, options.update(height=None), pad=False)
        for line in lines[-max(console.height - _MARGIN, 1) :]:
            yield from line
            yield Segment.line()


def _spinner(words: str) -> Spinner:
    return Spinner("dots", Text(words, style="quiet"), style="quiet")
