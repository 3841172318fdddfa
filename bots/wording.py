"""What commands answer, in the words that people read and the markup of their platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from core.commands.views import Explanation, RememberedFact, Status
from core.config.binding import Listen
from core.graphemes import shortened
from core.messaging.quotes import marked
from core.text import clipped

_LONGEST_FACT = 300
_LONGEST_SOURCE = 80
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup:
    """How a platform writes.

    `escaped` makes plain text harmless, `bold` stands around what is, `command` writes a verb of
    `/agent` with its options, to stand between backticks. `longest` is how many characters an
    answer has at most. `managers` says who may manage a channel.
    """

    platform: str
    managers: str
    escaped: Callable[[str], str]
    bold: str
    command: Callable[[str, Mapping[str, str]], str]
    longest: int


def question_about(text: str) -> str:
    """What is asked about a message that somebody points at."""
    return f"Please help with this message.\n{marked('it says this', text or '(no text)')}"


def listens_to(listen: Listen) -> str:
    """What an agent answers."""
    match listen:
        case Listen.ALL:
            return "every message"
        case Listen.MENTION:
            return "whoever mentions it"
        case Listen.MENTION_ONLY:
            return "only whoever mentions it"
        case _:
            assert_never(listen)


class Wording:
    """One method for each thing there is to say."""

    def __init__(self, markup: Markup) -> None:
        self._markup = markup
        self._escaped = markup.escaped

    def sentence(self, text: str) -> str:
        """A sentence that may repeat what somebody wrote."""
        return self._escaped(clipped(text, self._markup.longest))

    def help_text(self, word: str = "") -> str:
        """What there is, after a word that is no command."""
        if word.casefold() in {"", "help"}:
            return self._help()
        shown = self._escaped(shortened(word, _LONGEST_WORD)).replace("`", "")
        return f"There is no command `{shown}`.\n{self._help()}"

    def asking(self, agent: str) -> str:
        """The question is stored."""
        return f"Asking {self._bold(agent)} …"

    def in_use(self, agent: str, listen: Listen) -> str:
        """Who answers from now on."""
        if listen is Listen.ALL:
            return (
                f"{self._bold(agent)} answers every message here from now on. "
                f"{self._command('use', agent=agent, listen='mention')} lets it answer only when "
                "it is mentioned."
            )
        if listen is Listen.MENTION_ONLY:
            return f"{self._bold(agent)} answers here from now on, only when it is mentioned."
        return (
            f"{self._bold(agent)} answers here from now on, when it is mentioned. In a thread it "
            "then goes on until somebody else is spoken to."
        )

    def left(self, *, is_thread: bool) -> str:
        """After `leave`: from now on the agent answers only when it is called."""
        if is_thread:
            return "I answer in this thread only when somebody calls me again."
        return "I answer here only when somebody calls me, also in threads that I was asked in."

    def answers_always(self) -> str:
        """There is nobody else to be spoken to."""
        return "Whatever you write to me here is for me, so I answer it."

    def bound_by_file(self, agent: str) -> str:
        """What chat cannot change."""
        return (
            f"The agents file lets {agent} answer every message here: ask whoever runs me to "
            "change it there. In a thread I can leave."
        )

    def agents(self, names: Sequence[str], here: str) -> str:
        """Who there is."""
        marked = (
            f"• {self._bold(name)} (answers here)" if name == here else f"• {self._escaped(name)}"
            for name in names
        )
        return clipped("\n".join(marked), self._markup.longest)

    def status(self, found: Status) -> str:
        """Who answers here, and what there is to do."""
        to = listens_to(found.listen)
        shared = f", one history for each {found.conversation.value}" if found.conversation else ""
        return (
            f"{self._bold(found.agent)} ({self._escaped(found.model)}) answers {to} here{shared}.\n"
            f"Being answered: {found.answering}. Waiting: {found.waiting}. "
            f"Facts remembered here: {found.facts}."
        )

    def facts(self, agent: str, known: Sequence[RememberedFact]) -> str:
        """What the agent remembers here, the newest where there are too many."""
        if not known:
            return f"{self._bold(agent)} remembers nothing here yet."
        lines: list[str] = []
        for fact in reversed(known):
            source = self._source(fact)
            line = f"{fact.id}. {self._short(fact.text)} _({source})_"
            if sum(map(len, lines)) + len(lines) + len(line) > self._markup.longest:
                lines.append("… and older ones")
                break
            lines.append(line)
        return "\n".join(reversed(lines))

    def _source(self, fact: RememberedFact) -> str:
        source = f"{self._short(fact.said_by)}, {fact.at:%d %B %Y}"
        if fact.learned_from is not None:
            words = self._short(fact.learned_from, _LONGEST_SOURCE)
            source = f"learned from {source}: “{words}”" if words else f"learned from {source}"
        before = self._short(fact.before, _LONGEST_SOURCE)
        return f"{source}; before: {before}" if before else source

    def remembered(self, agent: str, fact: RememberedFact) -> str:
        """A fact is kept."""
        return f"{self._bold(agent)} remembers as fact {fact.id}: {self._short(fact.text)}"

    def forgotten(self, text: str) -> str:
        """A fact is gone."""
        return f"Forgotten: {self._short(text)}"

    def begun_anew(self, agent: str, histories: int) -> str:
        """What was said is out of sight."""
        if not histories:
            return "Nothing was said here yet."
        return (
            f"{self._bold(agent)} begins anew here. What was said before is kept, but no longer "
            "looked at; facts stay."
        )

    def stopped(self, count: int) -> str:
        """What was being written is not any more."""
        if not count:
            return "Nothing is being written here."
        return "Stopped." if count == 1 else f"Stopped {count} answers."

    def why(self, found: Explanation | None) -> str:
        """Everything behind one answer."""
        if found is None:
            return "I know of no such answer here."
        price = "unknown" if found.nano_usd is None else f"${found.nano_usd / 1e9:.4f}"
        failure = f" ({self._escaped(found.failure)})" if found.failure else ""
        return (
            f"Answer {found.turn} by {self._bold(found.agent)} "
            f"(revision {self._escaped(found.revision)}): {self._escaped(found.state)}{failure}.\n"
            f"Models: {self._names(found.models)}. Tools: {self._names(found.tools)}. "
            f"Attempts: {found.attempts}.{_undelivered(found)}\n"
            f"Tokens: {found.input_tokens:,} in, {found.output_tokens:,} out. Cost: {price}."
        )

    def rights_unknown(self) -> str:
        """Nobody said whether they may."""
        return (
            f"{self._markup.platform} did not tell me whether you may manage this channel, so I "
            "changed nothing. Please try again in a minute."
        )

    def not_allowed(self) -> str:
        """They may not."""
        return f"Only {self._markup.managers} may do that. Please ask one of them."

    def _help(self) -> str:
        command = self._command
        return (
            f"{command('ask', question='TEXT')} asks the agent of this channel; "
            f"{command('ask', agent='NAME', question='TEXT')} asks another one\n"
            f"{command('list')} lists the agents, {command('status')} says who answers here and to "
            "what\n"
            f"{command('use', agent='NAME')} lets another agent answer here; add `mention` to be "
            "answered when you mention it (and in threads that you did it in: not with "
            "`mention-only`), and `channel`, `thread` or `user` for who shares one history\n"
            f"{command('leave')} lets it be quiet here, or in this thread, until it is called\n"
            f"{command('facts')}, {command('remember', fact='TEXT')}, "
            f"{command('forget', number='NUMBER')}: what is remembered here\n"
            f"{command('reset')} begins anew, {command('stop')} stops what is being written here\n"
            f"{command('why')} says what is behind the last answer, "
            f"{command('why', answer='LINK')} behind that one"
        )

    def _command(self, verb: str, **options: str) -> str:
        return f"`{self._markup.command(verb, options)}`"

    def _bold(self, text: str) -> str:
        return f"{self._markup.bold}{self._escaped(text)}{self._markup.bold}"

    def _names(self, names: Sequence[str]) -> str:
        return self._escaped(", ".join(names)) or "none"

    def _short(self, text: str, longest: int = _LONGEST_FACT) -> str:
        return self._escaped(shortened(" ".join(text.split()), longest))


def _undelivered(found: Explanation) -> str:
    if not found.failures and not found.given_up:
        return ""
    given_up = f", messages given up: {found.given_up}" if found.given_up else ""
    return f" Failed deliveries: {found.failures}{given_up}."
